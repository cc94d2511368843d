// The promise of disk.ts, as properties: what was synced survives a power cut, whatever was under way beside it (fault 4).

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Disk, DiskFile } from '@sluice/segments'
import { simulatedDisk, type SimulatedDisk } from '@sluice/segments/simulation'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const seed = fc.integer({ min: 0, max: 2 ** 31 })

/** A part of a file that is always written as a whole, but lies across sectors. */
const SLOT_BYTES = 300
const SLOTS = 8

/** A slot as it is known from outside. */
interface Slot {
  /** A power cut leaves one of these values. */
  readonly possible: Set<number>
  /** The last write of it that has resolved: its value, and how many had resolved by then. */
  value: number
  resolved: number
}

/** A file, and what follows from the calls that were made and from those that have resolved. */
class Model {
  readonly #file: DiskFile
  #slots: Slot[] = Array.from({ length: SLOTS }, () => ({ possible: new Set([0]), value: 0, resolved: 0 }))
  /** What the syncs under way will have made sure of. */
  readonly #covers = new Set<Slot[]>()
  readonly #unresolved = new Set<number>()
  #writes = 0
  #resolved = 0
  /** Writes that had resolved when a sync failed: no later one makes sure of them. */
  #doubted = -1

  constructor(file: DiskFile) {
    this.#file = file
  }

  async write(first: number, count: number): Promise<void> {
    const value = ++this.#writes
    const end = Math.min(SLOTS, first + count)
    this.#unresolved.add(value)
    for (const slots of [this.#slots, ...this.#covers]) {
      for (const { possible } of slots.slice(first, end)) possible.add(value)
    }
    await this.#file.write(Buffer.alloc((end - first) * SLOT_BYTES, value), first * SLOT_BYTES)
    this.#unresolved.delete(value)
    this.#resolved++
    for (const slot of this.#slots.slice(first, end)) {
      slot.value = value
      slot.resolved = this.#resolved
    }
  }

  async sync(): Promise<void> {
    const cover = this.#slots.map(({ possible, value, resolved }) => {
      const under = [...possible].filter((each) => this.#unresolved.has(each))
      return { possible: new Set([value, ...under]), value, resolved }
    })
    this.#covers.add(cover)
    try {
      await this.#file.sync()
      this.#slots = this.#slots.map((slot, i) => {
        const { possible, resolved } = cover[i]!
        const left = [...slot.possible].filter((value) => possible.has(value))
        return resolved <= this.#doubted ? slot : { ...slot, possible: new Set(left) }
      })
    } catch {
      this.#doubted = this.#resolved
    } finally {
      this.#covers.delete(cover)
    }
  }

  check(content: Buffer): void {
    expect(content.length).toBe(SLOTS * SLOT_BYTES)
    for (const [i, byte] of content.entries()) {
      const { possible } = this.#slots[Math.floor(i / SLOT_BYTES)]!
      if (!possible.has(byte)) expect.fail(`byte ${i} is ${byte}, which is none of ${[...possible].join(', ')}`)
    }
  }
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      first: fc.nat(SLOTS - 1),
      count: fc.integer({ min: 1, max: SLOTS }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'sync' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'fail' as const }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), turns: fc.integer({ min: 1, max: 4 }) }) },
)

test('after a power cut every byte is what the last sync made durable, or was written since', async () => {
  const property = fc.asyncProperty(
    seed,
    fc.array(step, { maxLength: 40, size: 'max' }),
    fc.boolean(),
    async (seed, steps, isKilledFirst) => {
      const disk = simulatedDisk({ seed })
      disk.copyFrom(new Map([['/file', Buffer.alloc(SLOTS * SLOT_BYTES)]]))
      const model = new Model(await disk.open('/file', 'write'))
      for (const each of steps) {
        if (each.do === 'write') void model.write(each.first, each.count)
        else if (each.do === 'sync') void model.sync()
        else if (each.do === 'fail') disk.fail({ operation: 'sync', error: 'EIO' })
        else for (let i = 0; i < each.turns; i++) await turn()
      }
      const next = isKilledFirst ? disk.crash({ power: false }) : disk
      model.check(next.crash({ power: true }).files().get('/file')!)
    },
  )
  await fc.assert(property, { numRuns: 1500 })
})

/** Appends records to files of its own, as a log does, and counts what it may tell others: what is durable. */
class Writer {
  readonly acked: string[] = []
  readonly #disk: Disk
  readonly #folder: string
  #files = 0

  constructor(disk: Disk, folder: string) {
    this.#disk = disk
    this.#folder = folder
  }

  /** Until the process ends. A file that failed is left for a new one. */
  async run(): Promise<void> {
    for (;;) {
      try {
        await this.#disk.makeFolder(this.#folder)
        await this.#fill(await this.#disk.open(`${this.#folder}/${++this.#files}`, 'create'))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EBADF') return
      }
    }
  }

  async #fill(file: DiskFile): Promise<void> {
    let at = 0
    for (let batch = 0; batch < 6; batch++) {
      const records = Array.from(
        { length: 1 + (batch % 3) },
        (_, i) => `<${this.#folder}/${this.#files}/${batch}/${i}>`,
      )
      const bytes = Buffer.from(records.map((record) => record.padEnd(400, '.')).join(''))
      await file.write(bytes, at)
      await file.sync()
      if (batch === 0) await this.#disk.syncFolder(this.#folder)
      this.acked.push(...records)
      at += bytes.length
    }
    await file.close()
  }
}

function missing(writers: readonly Writer[], disk: SimulatedDisk): string[] {
  const content = [...disk.files().values()].map((bytes) => bytes.toString('latin1')).join('\n')
  return writers.flatMap(({ acked }) => acked.filter((record) => !content.includes(record)))
}

test('whoever acknowledges after the sync loses nothing, by faults, kills and power cuts (faults 1, 3, 4, 9, 11)', async () => {
  let acked = 0
  const crashes = fc.array(fc.record({ power: fc.boolean(), turns: fc.nat(150) }), { minLength: 1, maxLength: 4 })
  const fault = fc.record({
    operation: fc.constantFrom('write' as const, 'sync' as const, 'open' as const, 'syncFolder' as const),
    error: fc.constantFrom('EIO', 'ENOSPC', 'SHORT_WRITE'),
    after: fc.nat(20),
  })
  const property = fc.asyncProperty(seed, crashes, fc.array(fault, { maxLength: 4 }), async (seed, crashes, faults) => {
    let disk = simulatedDisk({ seed })
    for (const each of faults) disk.fail(each)
    const writers: Writer[] = []
    for (const [i, { power, turns }] of crashes.entries()) {
      const started = [0, 1, 2].map((j) => new Writer(disk, `/data/${i}/${j}`))
      writers.push(...started)
      const running = started.map((writer) => writer.run())
      for (let n = 0; n < turns; n++) await turn()
      const acknowledged = writers.flatMap(({ acked }) => acked).length
      disk = disk.crash({ power })
      expect(missing(writers, disk)).toEqual([])
      acked += acknowledged
      void running
    }
    expect(missing(writers, disk.crash({ power: true }))).toEqual([])
  })
  await fc.assert(property, { numRuns: 300 })
  expect(acked).toBeGreaterThan(10_000)
})

test('who acknowledges before the sync is found out', async () => {
  const lost = async (seed: number): Promise<number> => {
    const disk = simulatedDisk({ seed })
    disk.copyFrom(new Map([['/data/file', Buffer.alloc(0)]]))
    const file = await disk.open('/data/file', 'write')
    await file.write(Buffer.from('<record>'), 0)
    return disk.crash({ power: true }).files().get('/data/file')!.includes('<record>') ? 0 : 1
  }
  const losses = await Promise.all(Array.from({ length: 40 }, (_, i) => lost(i)))
  expect(losses).toContain(1)
})
