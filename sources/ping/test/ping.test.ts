// PingSource: when it sends, what, and that nothing is lost between timer and sink.

import { manualClock, type ManualClock } from '@sluice/clock'
import { newEvent, SluiceError, type Event } from '@sluice/event'
import { memoryCheckpoint, type Checkpoint, type Source } from '@sluice/source'
import { sourceConformance } from '@sluice/source/conformance'
import { pingSource } from '@sluice/source-ping'
import { describe, expect, test } from 'vitest'

sourceConformance({
  name: 'ping',
  driver: pingSource,
  spec: { schedule: '* * * * *', data: 'x' },
  annotations: { 'sluice.dev/catch-up': 'all' },
  happen: ({ clock }) => clock.advance(60_000),
})

interface Scene {
  readonly clock: ManualClock
  readonly source: Source
  readonly events: Event[]
  /** Thrown by the sink while it is there. */
  refusal: SluiceError | undefined
  /** Lets time pass, and what follows from it. */
  pass(ms: number): Promise<void>
}

async function ping(
  spec: Readonly<Record<string, string>>,
  given: { catchUp?: string; checkpoint?: Checkpoint; startMs?: number } = {},
): Promise<Scene> {
  const { catchUp, checkpoint = memoryCheckpoint(), startMs } = given
  const clock = manualClock(startMs)
  const events: Event[] = []
  const scene = {
    clock,
    events,
    refusal: undefined as SluiceError | undefined,
    async pass(ms: number) {
      clock.advance(ms)
      await settled()
    },
  }
  const source = await pingSource.open({
    namespace: 'shop',
    name: 'tick',
    uid: 'u-1',
    spec,
    annotations: catchUp === undefined ? {} : { 'sluice.dev/catch-up': catchUp },
    url: '',
    clock,
    checkpoint,
    newEvent,
    async emit(batch) {
      if (scene.refusal !== undefined) throw scene.refusal
      events.push(...batch)
    },
    secret: () => Buffer.alloc(0),
  })
  await settled()
  return Object.assign(scene, { source })
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const times = (events: readonly Event[]): (string | undefined)[] => events.map((event) => event.text('time'))
const FULL = new SluiceError('SLUICE_CHANNEL_FULL', 'Full.', { status: 429, retryable: true, retryAfterMs: 1000 })

describe('what it sends', () => {
  test('type, source, time and data are those of Knative', async () => {
    const { pass, events } = await ping({ schedule: '*/5 * * * *', data: '{"a":1}', contentType: 'application/json' })
    await pass(299_999)
    expect(events).toEqual([])
    await pass(1)
    expect(Object.fromEntries(events[0]!.attributes)).toMatchObject({
      type: 'dev.knative.sources.ping',
      source: '/apis/v1/namespaces/shop/pingsources/tick',
      datacontenttype: 'application/json',
      time: '2026-01-01T00:05:00.000Z',
    })
    expect(events[0]!.data!.toString()).toBe('{"a":1}')
  })

  test('data in base64 are its bytes; without data there are none', async () => {
    const bytes = await ping({ schedule: '* * * * *', dataBase64: '/wA=', contentType: 'application/x' })
    await bytes.pass(60_000)
    expect(bytes.events[0]!.data).toEqual(Buffer.from([0xff, 0x00]))
    const none = await ping({ schedule: '* * * * *', contentType: 'application/json' })
    await none.pass(60_000)
    expect(none.events[0]!.data).toBeUndefined()
  })
})

describe('when it sends', () => {
  test('six fields begin with seconds', async () => {
    const { pass, events } = await ping({ schedule: '*/20 * * * * *' })
    await pass(60_000)
    expect(times(events)).toEqual(['2026-01-01T00:00:20.000Z', '2026-01-01T00:00:40.000Z', '2026-01-01T00:01:00.000Z'])
  })

  test('the time zone is that of the schedule, through summer time too', async () => {
    const startMs = Date.UTC(2026, 2, 28, 12)
    const { pass, events } = await ping({ schedule: '0 9 * * *', timezone: 'Europe/Rome' }, { startMs })
    await pass(2 * 86_400_000)
    expect(times(events)).toEqual(['2026-03-29T07:00:00.000Z', '2026-03-30T07:00:00.000Z'])
  })

  test('fault 19: a wall clock that is set forward skips, one that is set back repeats no id that is not the same time', async () => {
    const { clock, pass, events } = await ping({ schedule: '* * * * *' })
    clock.jump(3_600_000)
    await pass(60_000)
    expect(times(events)).toEqual(['2026-01-01T01:01:00.000Z'])
    clock.jump(-3_600_000)
    await pass(120_000)
    expect(times(events).slice(1)).toEqual(['2026-01-01T00:02:00.000Z', '2026-01-01T00:03:00.000Z'])
  })
})

describe('a sink that refuses', () => {
  test('what it refuses for now waits, in order, and is stored once it can be', async () => {
    const scene = await ping({ schedule: '* * * * *' })
    scene.refusal = FULL
    await scene.pass(60_000)
    await scene.pass(60_000)
    expect(scene.source.status().fields).toMatchObject({ schedule: { sent: 0, waiting: 2 } })
    scene.refusal = undefined
    await scene.pass(59_999)
    expect(times(scene.events)).toEqual(['2026-01-01T00:01:00.000Z', '2026-01-01T00:02:00.000Z'])
  })

  test('a thousand wait at most; beyond, the oldest are counted as lost', async () => {
    const scene = await ping({ schedule: '* * * * * *' })
    scene.refusal = FULL
    for (let second = 0; second < 1005; second++) await scene.pass(1000)
    expect(scene.source.status().fields).toMatchObject({ schedule: { waiting: 1000, lost: 5 } })
    expect(scene.source.status().trouble).toContain('Full.')
  })

  test('what it never takes is counted as lost, and holds up nothing', async () => {
    const scene = await ping({ schedule: '* * * * *' })
    scene.refusal = new SluiceError('SLUICE_EVENT_TOO_LARGE', 'Too large.', { status: 413 })
    await scene.pass(60_000)
    scene.refusal = undefined
    await scene.pass(60_000)
    expect(scene.events).toHaveLength(1)
    expect(scene.source.status().fields).toMatchObject({ schedule: { lost: 1, sent: 1 } })
  })
})

describe('after a downtime of ten minutes', () => {
  const START = Date.UTC(2026, 0, 1)

  async function downtime(catchUp: string | undefined): Promise<string[]> {
    const checkpoint = memoryCheckpoint()
    const first = await ping({ schedule: '* * * * *' }, { checkpoint, ...(catchUp && { catchUp }) })
    await first.pass(60_000)
    await first.source.stop()
    const second = await ping(
      { schedule: '* * * * *' },
      { checkpoint, startMs: START + 660_500, ...(catchUp && { catchUp }) },
    )
    const caughtUp = times(second.events).map((time) => time!.slice(11, 16))
    await second.source.stop()
    return caughtUp
  }

  test('nothing is made up for unless it was asked for', async () => {
    expect(await downtime(undefined)).toEqual([])
  })

  test('the last one is, or all are', async () => {
    expect(await downtime('last')).toEqual(['00:11'])
    expect(await downtime('all')).toEqual(Array.from({ length: 10 }, (_, i) => `00:${String(i + 2).padStart(2, '0')}`))
  })

  test('a source that is new makes up for nothing', async () => {
    const { events } = await ping({ schedule: '* * * * *' }, { catchUp: 'all' })
    expect(events).toEqual([])
  })
})
