// The dead-letter box on the disk, with the power cut after every single operation of a course that appends, replaces,
// removes, moves what is left over, and restarts (faults 2, 3, 4, 10).

import * as fc from 'fast-check'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { DeadLetterBox } from '@sluice/channel'
import { seededRandom, simulatedDisk, type SimulatedDisk } from '@sluice/segments/simulation'
import { entry, openDiskBox, put } from './boxes.ts'

/** So small that segments change and survivors move all the time. */
const TINY = { segmentBytes: { first: 1024, max: 1024 }, deadBytesMax: 512 }

/** What an entry may be found as: the tries of each version that counts, and `gone`. */
type Version = number | 'gone'

/** What was asked of the box and what it answered, by the count of disk operations at that time. */
class Ledger {
  readonly #entries = new Map<string, { asked: number; answered: number; version: Version }[]>()

  async note(event: string, version: Version, disk: SimulatedDisk, work: () => Promise<unknown>): Promise<void> {
    const noted = { asked: disk.recorded.length, answered: Infinity, version }
    const versions = this.#entries.get(event) ?? []
    this.#entries.set(event, [...versions, noted])
    await work()
    noted.answered = disk.recorded.length
  }

  /** What is wrong with `found` after the first `n` operations: nothing that was answered is missing, nothing comes back. */
  faults(n: number, found: ReadonlyMap<string, number>): string[] {
    const faults: string[] = []
    for (const [event, versions] of this.#entries) {
      const sure = versions.findLastIndex(({ answered }) => answered <= n)
      const may = versions.slice(Math.max(0, sure)).filter(({ asked }) => asked <= n)
      const allowed = new Set<Version>(may.map(({ version }) => version))
      if (sure < 0) allowed.add('gone')
      const is = found.get(event) ?? 'gone'
      if (!allowed.has(is)) faults.push(`after ${n}: ${event} is ${is}, not ${[...allowed].join(' or ')}`)
    }
    for (const event of found.keys()) if (!this.#entries.has(event)) faults.push(`after ${n}: ${event} is from nowhere`)
    return faults
  }
}

/** The tries of each entry, by the id of its event; twice the same id is a fault. */
async function contents(box: DeadLetterBox): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (const { event, attempts } of await box.list({ limit: 1000 })) {
    if (found.has(event.id)) throw new Error(`${event.id} is there twice`)
    found.set(event.id, attempts)
  }
  return found
}

async function quiet(disk: SimulatedDisk): Promise<void> {
  for (let turns = 0; turns < 8; turns++) {
    if (disk.pending > 0) turns = 0
    await setImmediate()
  }
}

/** Appends, replaces, removes, so that compaction is under way most of the time. */
async function course(disk: SimulatedDisk, ledger: Ledger): Promise<void> {
  const { box } = await openDiskBox(disk, TINY)
  const ids = new Map<string, string>()
  const add = (event: string): Promise<void> =>
    ledger.note(event, 3, disk, async () => ids.set(event, await put(box, event, 'billing', 150)))
  const replace = (event: string, attempts: number): Promise<void> =>
    ledger.note(event, attempts, disk, () =>
      box.replace(ids.get(event)!, { ...entry(event, 'billing', 150), attempts }),
    )
  const remove = (event: string): Promise<void> => ledger.note(event, 'gone', disk, () => box.remove(ids.get(event)!))
  await Promise.all([add('a'), add('b'), add('c')])
  await remove('b')
  for (let i = 0; i < 6; i++) {
    await add(`x${i}`)
    await Promise.all([remove(`x${i}`), i === 2 ? replace('a', 9) : i === 4 ? replace('a', 10) : undefined])
  }
  await Promise.all([add('d'), remove('c')])
  await quiet(disk)
  await box.close()
}

test('whenever the power goes, what was answered holds: appended is there, removed is gone, replaced is new, once (fault 4)', async () => {
  const disk = simulatedDisk({ record: true, seed: 7 })
  const ledger = new Ledger()
  await course(disk, ledger)
  const { length } = disk.recorded
  const removals = disk.recorded.filter(({ operation, path }) => operation === 'remove' && path.endsWith('.seg'))
  expect(removals.length).toBeGreaterThan(2) // compaction was part of it
  const faults: string[] = []
  for (let n = 0; n <= length; n++) {
    const choices = [() => 0, () => 0.999, ...Array.from({ length: 6 }, (_, seed) => seededRandom(seed * 1000 + n))]
    for (const choose of choices) {
      const image = disk.imageAfter(n, choose)
      const { box, recovery } = await openDiskBox(image, TINY)
      const found = await contents(box)
      faults.push(...ledger.faults(n, found))
      if (recovery.problems.length > 0) faults.push(`after ${n}: ${recovery.problems[0]!.what}`)
      // It goes on from there, and what the recovery itself did holds as well.
      await put(box, 'later')
      await quiet(image)
      const { box: again } = await openDiskBox(image.crash({ power: true }), TINY)
      const later = await contents(again)
      expect(later.delete('later')).toBe(true)
      expect(later).toEqual(found)
    }
  }
  expect(faults).toEqual([])
}, 120_000)

test('whenever the power goes again while it opens or tidies up, the same is there (fault 3)', async () => {
  const disk = simulatedDisk({ seed: 3 })
  const { box } = await openDiskBox(disk, { ...TINY, deadBytesMax: 1e9 })
  const kept = new Map<string, number>()
  for (let i = 0; i < 30; i++) {
    const id = await put(box, `e${i}`, 'billing', 150)
    if (i % 5 === 0) kept.set(`e${i}`, 3)
    else await box.remove(id)
  }
  await box.close()
  const recorded = simulatedDisk({ record: true })
  recorded.copyFrom(disk.files())
  const start = recorded.recorded.length
  await openDiskBox(recorded, TINY)
  await quiet(recorded)
  expect(recorded.recorded.length).toBeGreaterThan(start + 20)
  for (let n = start; n <= recorded.recorded.length; n++) {
    for (const choose of [() => 0, () => 0.999, seededRandom(n), seededRandom(-n)]) {
      const { box: again } = await openDiskBox(recorded.imageAfter(n, choose), TINY)
      expect(await contents(again)).toEqual(kept)
    }
  }
}, 60_000)

type Step =
  | { readonly do: 'append'; readonly bytes: number }
  | { readonly do: 'replace'; readonly which: number }
  | { readonly do: 'remove'; readonly which: number; readonly waits: boolean }
  | { readonly do: 'clear' }
  | { readonly do: 'wait' }
  | { readonly do: 'crash'; readonly power: boolean; readonly turns: number }
  | { readonly do: 'fail'; readonly operation: 'write' | 'sync' | 'open' | 'remove' | 'rename' | 'syncFolder' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('append' as const), bytes: fc.nat(400) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('replace' as const), which: fc.nat() }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('remove' as const), which: fc.nat(), waits: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('crash' as const), power: fc.boolean(), turns: fc.nat(12) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      operation: fc.constantFrom('write', 'sync', 'open', 'remove', 'rename', 'syncFolder'),
    }),
  },
)

test('a box of any course of appends, replacements, removals, faults and crashes holds what a list of them would', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(step, { maxLength: 60, size: 'max' }), async (seed, steps) => {
      let disk = simulatedDisk({ seed })
      let { box } = await openDiskBox(disk, TINY)
      /** By event: its id, what it was last answered to be, and what it may be as well, for want of an answer. */
      const model = new Map<string, { id: string | undefined; sure: Version; may: Set<Version> }>()
      let lastEvent = 0
      const underWay = new Set<Promise<unknown>>()

      function ask(event: string, version: Version, work: () => Promise<unknown>): Promise<unknown> {
        const entryOf = model.get(event)!
        entryOf.may.add(version)
        const asked = work().then(
          () => {
            entryOf.sure = version
            entryOf.may.clear()
          },
          () => {}, // refused: from the next restart on it may be there, or not
        )
        underWay.add(asked)
        void asked.then(() => underWay.delete(asked))
        return asked
      }
      async function compare(): Promise<void> {
        const found = await insist(() => contents(box))
        for (const [event, { sure, may }] of model) {
          const is = found.get(event) ?? 'gone'
          expect([sure, ...may], `${event} is ${is}`).toContain(is)
        }
        for (const event of found.keys()) expect(model.has(event), `${event} is from nowhere`).toBe(true)
        expect(box.usage().events).toBe(found.size)
      }

      for (const each of steps) {
        const there = [...model].filter(
          ([, { id, sure, may }]) => id !== undefined && sure !== 'gone' && may.size === 0,
        )
        const [event, known] = there[('which' in each ? each.which : 0) % Math.max(1, there.length)] ?? []
        if (each.do === 'append') {
          const name = `e${++lastEvent}`
          model.set(name, { id: undefined, sure: 'gone', may: new Set() })
          await ask(name, 3, async () => (model.get(name)!.id = await put(box, name, 'billing', each.bytes)))
        } else if (each.do === 'replace' && event !== undefined) {
          const attempts = ++lastEvent + 100
          await ask(event, attempts, () => box.replace(known!.id!, { ...entry(event), attempts }))
        } else if (each.do === 'remove' && event !== undefined) {
          const removed = ask(event, 'gone', () => box.remove(known!.id!))
          if (each.waits) await removed
        } else if (each.do === 'clear') {
          await Promise.all(underWay)
          const all = [...model].filter(([, { sure }]) => sure !== 'gone') // of others it knows nothing
          for (const [, entryOf] of all) entryOf.may.add('gone')
          const isClear = await box.clear().then(
            () => true,
            () => false,
          )
          if (isClear) for (const [, entryOf] of all) Object.assign(entryOf, { sure: 'gone', may: new Set() })
        } else if (each.do === 'wait') await quiet(disk)
        else if (each.do === 'fail') disk.fail({ error: 'EIO', operation: each.operation, times: 2 })
        else if (each.do === 'crash') {
          for (let turn = 0; turn < each.turns; turn++) await setImmediate()
          disk = disk.crash({ power: each.power })
          underWay.clear() // it is never answered
          box = await insist(async () => (await openDiskBox(disk, TINY)).box)
        }
        if (underWay.size === 0) await compare()
      }
    }),
    { numRuns: 200 },
  )
}, 120_000)

/** A fault that is still to come may hit what only reads as well. */
async function insist<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if ((error as { code?: string }).code !== 'SLUICE_DISK' || tries > 100) throw error
    }
  }
}
