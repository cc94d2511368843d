// Files of a data directory that are not what they were: what a check says of them offline, what a start says, and what is
// delivered all the same (faults 14, 15, 16). Nobody runs meanwhile; every start finds three segments.

import { cpSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { conditionOf, readMetric, readResource, settled } from '../support/ops.ts'
import { folderOf, runSluice } from '../support/sluice.ts'
import { startProducers } from './producers.ts'
import { openScene, type Scene } from './scene.ts'

/** Events of each of the three segments: `ak0-1` to `ak0-30`, then `bk0-1`, then `ck0-1`. */
const EACH = 30
const LIVES = ['a', 'b', 'c'] as const
type Life = (typeof LIVES)[number]

/** The one that all damage is done to copies of: nothing of it is delivered but what `a` has. */
let scene: Scene
/** The progress as it was when only `a` was stored. */
let early: string

beforeAll(async () => {
  scene = await openScene({ words: ['--grace', '0'] })
  for (const life of LIVES) {
    const sluice = await scene.start()
    const producers = startProducers(scene.ledger, sluice.broker, { keys: 1, prefix: life, each: EACH })
    await scene.ledger.ackedAtLeast(EACH * (LIVES.indexOf(life) + 1))
    await producers.stop()
    if (life === 'a') {
      await settled(sluice.api)
      for (const sink of [scene.plain, scene.ordered]) sink.answer(() => new Promise(() => {}))
    }
    await sluice.stop() // so that progress knows of each event
    if (life === 'a')
      cpSync(place(scene.data, 'progress'), (early = join(folderOf({}), 'progress')), { recursive: true })
  }
}, 60_000)

/** A folder or a file of the Broker's data. */
function place(data: string, ...names: string[]): string {
  const brokers = join(data, 'brokers')
  return join(brokers, readdirSync(brokers)[0]!, ...names)
}

function segment(data: string, life: Life): string {
  return place(data, 'segments', `000000000${LIVES.indexOf(life) + 1}.seg`)
}

/** Where the entries of a segment begin and end (packages/segments, "Files"); the first of them is the head. */
function framesOf(path: string): { bytes: Buffer; frames: { at: number; end: number }[] } {
  const bytes = readFileSync(path)
  const frames: { at: number; end: number }[] = []
  for (let at = 0; at + 24 < bytes.length && bytes.readUInt32LE(at + 4) > 0; at = frames.at(-1)!.end) {
    frames.push({ at, end: at + ((24 + bytes.readUInt32LE(at + 4) + 7) & ~7) })
  }
  return { bytes, frames }
}

function change(path: string, by: (bytes: Buffer, frames: { at: number; end: number }[]) => Buffer | void): void {
  const { bytes, frames } = framesOf(path)
  writeFileSync(path, by(bytes, frames) ?? bytes)
}

/** The ids of a life's events, from the `first` to the `last`. */
function ids(life: Life, first = 1, last = EACH): string[] {
  return Array.from({ length: last - first + 1 }, (_, n) => `${life}k0-${first + n}`)
}

interface Outcome {
  /** Of those that were not delivered yet. */
  readonly lost: readonly string[]
  readonly checked: string
  readonly code: number | null
  readonly told: string
  readonly condition: string | undefined
  /** `sluice_events_lost_total`: each event for each of the two triggers. */
  readonly counted: number
}

/** Damages a copy; checks it offline; starts on it, and waits until all that is left is delivered. */
async function after(damage: (data: string) => void): Promise<Outcome> {
  const data = join(folderOf({}), 'data')
  cpSync(scene.data, data, { recursive: true })
  damage(data)
  const { code, stdout: checked } = await runSluice(['log', 'check', data])
  const again = await openScene({ data })
  const sluice = await again.start()
  await settled(sluice.api)
  const taken = new Set(again.ledger.deliveries.filter(({ sink }) => sink === 'plain').map(({ id }) => id))
  const lost = [...ids('b'), ...ids('c')].filter((id) => !taken.has(id))
  const counted = await readMetric(sluice.api, 'sluice_events_lost_total', { cause: 'damage' })
  const condition = conditionOf(await readResource(sluice.api, 'brokers', 'default'), 'EventsKept')
  const outcome = { lost, checked, code, condition, counted, told: sluice.stderr.soFar() }
  await sluice.stop()
  return outcome
}

describe('the end of the log (fault 14)', () => {
  test.each<[string, (bytes: Buffer, end: number) => Buffer]>([
    ['garbage follows', (bytes, end) => Buffer.concat([bytes.subarray(0, end), Buffer.alloc(3000, 'garbage')])],
    ['half an entry follows', (bytes, end) => Buffer.concat([bytes.subarray(0, end), bytes.subarray(0, 56)])],
    ['zeros follow', (bytes, end) => Buffer.concat([bytes.subarray(0, end), Buffer.alloc(100_000)])],
    ['nothing follows', (bytes, end) => bytes.subarray(0, end)],
  ])('%s the last entry: what never became durable is cut off, and nothing is lost', async (_, by) => {
    const { lost, checked, code, told, condition, counted } = await after((data) =>
      change(segment(data, 'c'), (bytes, frames) => by(bytes, frames.at(-1)!.end)),
    )
    expect({ lost, code, condition, counted }).toEqual({ lost: [], code: 0, condition: undefined, counted: 0 })
    const torn = /(\d+) bytes at the end never became durable/.exec(checked)?.[1]
    expect(/opened the log that was there .*?tornBytes=(\d+)/.exec(told)?.[1]).toBe(torn)
    expect(torn === undefined).toBe(_ === 'zeros follow' || _ === 'nothing follows')
  })

  test('is cut off inside of an entry that was durable: that one is lost, and that is told everywhere', async () => {
    const outcome = await after((data) => {
      const path = segment(data, 'c')
      truncateSync(path, framesOf(path).frames.at(-1)!.end - 20)
    })
    expect(outcome.lost).toEqual(ids('c', EACH))
    expectTold(outcome)
  })
})

/** The check, the log, the Broker's condition and the metric say the same. */
function expectTold({ lost, checked, code, told, condition, counted }: Outcome): void {
  const numbers = Array.from(checked.matchAll(/DAMAGED .*; lost: numbers? (\d+)(?: to (\d+))?/g), ([, from, to]) => {
    return Number(to ?? from) - Number(from) + 1
  })
  expect(code).toBe(1)
  expect(numbers.reduce((sum, each) => sum + each, 0)).toBe(lost.length)
  const logged = Array.from(told.matchAll(/stored events can't be read .*events=(\d+)/g), ([, events]) =>
    Number(events),
  )
  expect(logged.reduce((sum, each) => sum + each, 0)).toBe(lost.length)
  expect(condition).toBe('False EventsLost')
  expect(counted).toBe(2 * lost.length)
}

describe('the middle of the log (fault 15): what is hit is lost and told, and what follows is delivered', () => {
  test.each<[string, Life, (bytes: Buffer, at: number) => void]>([
    ['a bit of the data flips, in the segment that a start reads', 'c', (bytes, at) => void (bytes[at + 90]! ^= 4)],
    ['a bit of the data flips, in another one', 'b', (bytes, at) => void (bytes[at + 90]! ^= 4)],
    ['the length is too large', 'b', (bytes, at) => void bytes.writeUInt32LE(2 ** 31, at + 4)],
    ['the length is too small', 'b', (bytes, at) => void bytes.writeUInt32LE(8, at + 4)],
    ['a sector is full of zeros', 'b', (bytes, at) => void bytes.fill(0, at, at + 100)],
  ])('%s', async (_, life, by) => {
    const outcome = await after((data) => change(segment(data, life), (bytes, frames) => by(bytes, frames[11]!.at)))
    expect(outcome.lost).toEqual(ids(life, 11, 11))
    expectTold(outcome)
  })

  test('a segment is missing', async () => {
    const outcome = await after((data) => rmSync(segment(data, 'b')))
    expect(outcome.lost).toEqual(ids('b'))
    expectTold(outcome)
  })

  test('a segment is garbage: it is kept beside', async () => {
    let folder = ''
    const outcome = await after((data) => {
      folder = place(data, 'segments')
      writeFileSync(segment(data, 'b'), Buffer.alloc(10_000, 'garbage'))
    })
    expect(outcome.lost).toEqual(ids('b'))
    expectTold(outcome)
    expect(readdirSync(join(folder, 'damaged'))).toHaveLength(1)
  })

  test('two segments have each other’s names: they are told apart, and nothing is lost', async () => {
    const { lost, checked, code, told, counted } = await after((data) => {
      const [one, other] = [segment(data, 'b'), segment(data, 'c')]
      renameSync(one, `${one}.kept`)
      renameSync(other, one)
      renameSync(`${one}.kept`, other)
    })
    expect({ lost, code, counted }).toEqual({ lost: [], code: 1, counted: 0 })
    expect(checked).toMatch(/DAMAGED .*0000000002\.seg: it is segment 3, and read as that/)
    expect(told).toMatch(/WARN {2}the log was damaged; no event is lost by it .*it is segment 3, and read as that/)
  })
})

describe('progress (fault 16): events are delivered again rather than never', () => {
  const REWOUND = /WARN {2}progress was missing or damaged; some events are delivered again/
  test.each<[string, (progress: string) => void, boolean]>([
    ['is missing', (progress) => rmSync(progress, { recursive: true }), true],
    ['is full of zeros', (progress) => eachFile(progress, (bytes) => void bytes.fill(0)), true],
    [
      'has a broken entry',
      (progress) => eachFile(progress, (bytes, frames) => void (bytes[frames[1]!.at + 30]! ^= 4)),
      true,
    ],
    ['is older than the log', (progress) => {
      rmSync(progress, { recursive: true })
      cpSync(early, progress, { recursive: true })
    }, false], // prettier-ignore
    ['was cut off', (progress) => eachFile(progress, (bytes, frames) => bytes.subarray(0, frames[1]!.end)), false],
  ])('%s', async (_, by, isTold) => {
    const { lost, checked, told, counted } = await after((data) => by(place(data, 'progress')))
    expect({ lost, counted }).toEqual({ lost: [], counted: 0 })
    expect(REWOUND.test(told)).toBe(isTold)
    expect(/progress is missing or damaged/.test(checked)).toBe(isTold)
  })

  function eachFile(folder: string, by: Parameters<typeof change>[1]): void {
    for (const name of readdirSync(folder)) if (name.endsWith('.seg')) change(join(folder, name), by)
  }
})
