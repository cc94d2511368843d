// A data directory, read offline: what is there, what is damaged, and that nothing of it is changed by looking.

import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openLogChannel } from '@sluice/channel-log'
import { manualClock, systemClock } from '@sluice/clock'
import { compileAttributes } from '@sluice/filter'
import { checkData, dataDirectory, type BrokerReport, type DataReport } from '@sluice/controller'
import { contentOf, temporaryFolder } from './folders.ts'
import { broker, event, scene, subscriber, trigger } from './scene.ts'

const NOWHERE = 'http://127.0.0.1:9/'
const PAUSED = { 'sluice.dev/paused': 'true' }
const UID = broker().resource.metadata.uid
const T = trigger('t', NOWHERE).resource.metadata.uid
const START_MS = Date.UTC(2026, 0, 1)

/** A data directory of Broker default/default: three events for a paused trigger, and a dead letter of another one. */
async function written(): Promise<string> {
  const folder = join(temporaryFolder(), 'data')
  const refusing = await subscriber(400)
  const data = dataDirectory({ path: folder, clock: manualClock() })
  const here = scene({ channel: 'log', data })
  await here.apply(broker(), trigger('t', NOWHERE, {}, PAUSED), trigger('refused', refusing.url, { delivery: {} }))
  for (const id of ['1', 'second', '3']) {
    await here.send('t', id)
    here.clock.advance(1000)
  }
  const { box } = here.controller.broker('default', 'default')!
  await here.until(() => box.usage().events === 3)
  await here.controller.close({ deadlineMs: 1000 })
  await data.close()
  return folder
}

/** The report, and proof that nothing was changed. */
async function check(folder: string, changes = folder): Promise<DataReport> {
  const before = contentOf(changes)
  const report = await checkData(folder, systemClock)
  expect(contentOf(changes)).toEqual(before)
  return report
}

async function checkOne(folder: string): Promise<BrokerReport> {
  const { brokers } = await check(folder)
  expect(brokers).toHaveLength(1)
  return brokers[0]!
}

function segmentsOf(folder: string, store = 'segments'): string[] {
  const path = join(folder, 'brokers', UID, store)
  return readdirSync(path)
    .filter((name) => name.endsWith('.seg'))
    .map((name) => join(path, name))
}

/** Flips a bit of the first byte of `text` in a file. */
function flip(path: string, text: string): void {
  const bytes = readFileSync(path)
  const at = bytes.indexOf(text)
  expect(at).toBeGreaterThan(0)
  bytes[at]! ^= 1
  writeFileSync(path, bytes)
}

test('a data directory in good order: each store, and how far each subscription is', async () => {
  const folder = await written()
  const found = await checkOne(folder)
  expect(found).toMatchObject({
    folder: `${folder}/brokers/${UID}`,
    name: 'default/default',
    stores: [
      { name: 'events', segments: 1, entries: 3, range: [1, 3], timesMs: [START_MS, START_MS + 2000], tornBytes: 0 },
      { name: 'progress', segments: 1, tornBytes: 0 },
      { name: 'dead-letters', segments: 1, entries: 3, timesMs: undefined },
    ],
    problems: [],
    start: { isRewound: false },
  })
  const { start } = found
  if (start === undefined || 'refused' in start) throw new Error('a start is refused')
  expect(start.subscriptions).toHaveLength(2)
  expect(start.subscriptions).toContainEqual({ id: T, events: 3, isExact: true, parked: 0, oldestMs: START_MS })
})

test('the folder of a Broker, or of one store, is looked at alone', async () => {
  const folder = await written()
  const brokerFolder = join(folder, 'brokers', UID)
  expect((await check(brokerFolder, folder)).brokers[0]).toMatchObject({ stores: [{}, {}, {}], start: {} })
  for (const [store, name] of [
    ['segments', 'events'],
    ['dead-letters', 'dead-letters'],
  ] as const) {
    const { brokers } = await check(`${brokerFolder}/${store}/`, folder)
    expect(brokers).toMatchObject([{ folder: `${brokerFolder}/${store}`, stores: [{ name }], problems: [] }])
    expect(brokers[0]).not.toHaveProperty('start')
  }
})

describe('damage is found with its place and what is lost, once', () => {
  test('in the last segment, of which a start tells the same (fault 15)', async () => {
    const folder = await written()
    const [path] = segmentsOf(folder)
    flip(path!, 'second')
    expect((await checkOne(folder)).problems).toMatchObject([
      { path, what: expect.stringMatching(/^damaged from byte \d+ to \d+$/), lost: [2, 2], events: 1 },
    ])
  })

  test('in a segment that a start doesn’t read, and where one is missing', async () => {
    const folder = temporaryFolder()
    const { channel } = await openLogChannel({ folder, segmentBytes: { first: 4096, max: 4096 } })
    const spec = { id: 't', filter: compileAttributes({ type: 't' }), paused: true }
    await channel.subscribe(spec, () => {})
    for (let id = 1; id <= 200; id++) await channel.publish([event('t', `event-${id}-`)], { lane: 'ingress' })
    await channel.close({ deadlineMs: 0 })
    const segments = readdirSync(`${folder}/segments`).filter((name) => name.endsWith('.seg'))
    expect(segments.length).toBeGreaterThan(2)
    const [first, second] = segments.map((name) => `${folder}/segments/${name}`)
    flip(first!, 'event-2-')
    rmSync(second!)
    const { problems, start } = await checkOne(folder)
    expect(problems.toSorted((one, other) => one.lost[0] - other.lost[0])).toMatchObject([
      { path: first, what: expect.stringMatching(/^damaged from byte/), lost: [2, 2] },
      { path: second, what: 'missing' },
    ])
    expect(start).toMatchObject({ isRewound: false, subscriptions: [{ id: 't' }] })
  })

  test('in progress: what would be delivered again is told (fault 16)', async () => {
    const folder = await written()
    for (const path of segmentsOf(folder, 'progress')) rmSync(path)
    expect(await checkOne(folder)).toMatchObject({ start: { isRewound: true } })
  })

  test('at the end of the last one, where events are missing that progress knows to be stored', async () => {
    const folder = await written()
    for (const path of segmentsOf(folder)) rmSync(path)
    const { problems } = await checkOne(folder)
    expect(problems).toMatchObject([{ what: 'no segment is there', lost: [1, 3], events: 3 }])
  })

  test('a copy of a segment, which a start would move away', async () => {
    const folder = await written()
    const [path] = segmentsOf(folder)
    const copy = path!.replace('0000000001', '0000000007')
    cpSync(path!, copy)
    const { problems } = await checkOne(folder)
    const told = ['it is segment 1, and read as that', 'a copy of segment 1; a start moves it into the folder damaged']
    expect(problems).toMatchObject(told.map((what) => ({ path: copy, what, events: 0 })))
  })
})

test('what never became durable is no damage: it is told by its bytes (fault 14)', async () => {
  const folder = await written()
  const [path] = segmentsOf(folder)
  writeFileSync(path!, Buffer.concat([readFileSync(path!), Buffer.alloc(50, 'x')]))
  expect(await checkOne(folder)).toMatchObject({ problems: [], stores: [{ tornBytes: 50, entries: 3 }, {}, {}] })
})

test('fault 17: while a process has it open, nothing of it is looked at', async () => {
  const folder = await written()
  const data = dataDirectory({ path: folder, clock: manualClock() })
  await data.open()
  onTestFinished(() => data.close())
  for (const path of [folder, join(folder, 'brokers', UID), join(folder, 'brokers', UID, 'progress')]) {
    await expect(checkData(path, systemClock)).rejects.toMatchObject({
      code: 'SLUICE_DATA_LOCKED',
      message: expect.stringMatching(
        /^A running process has .* open, and writes to it\. Stop it first, or check a copy/,
      ),
    })
  }
  await data.close()
  await check(folder)
})

describe('fault 18: another version’s', () => {
  test('data directory is refused', async () => {
    const folder = await written()
    writeFileSync(join(folder, 'format'), '2\n')
    await expect(checkData(folder, systemClock)).rejects.toMatchObject({ code: 'SLUICE_DATA_FORMAT' })
  })

  test('or another store’s segment is told, the rest is looked at, and so is that a start would be refused', async () => {
    const folder = await written()
    const [misplaced] = segmentsOf(folder, 'progress')
    cpSync(misplaced!, segmentsOf(folder, 'dead-letters')[0]!)
    const { problems, stores, start } = await checkOne(folder)
    expect(stores.map(({ name }) => name)).toEqual(['events', 'progress'])
    const told = expect.stringMatching(/belongs to a store of progress, not of dead-letters/) as string
    expect(problems).toMatchObject([{ path: `${folder}/brokers/${UID}/dead-letters`, what: told }])
    expect(start).toEqual({ refused: told })
  })
})

test.each([
  ['is not there', 'nowhere', /There is no such folder/],
  ['is a file', 'data/format', /It is no folder/],
  ['holds something else', '.', /It holds no data of Sluice/],
])('what %s is refused, with what could be named', async (_what, path, told) => {
  const folder = join(await written(), '..')
  await expect(checkData(join(folder, path), systemClock)).rejects.toMatchObject({
    code: 'SLUICE_DATA_UNKNOWN',
    message: expect.stringMatching(told),
  })
})
