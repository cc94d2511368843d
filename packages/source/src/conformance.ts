// The suite that every source passes: each promise of the contract as a clause.
//
//     sourceConformance({ name: 'ping', driver, spec: { schedule: '* * * * *' }, happen: ({ clock }) => clock.advance(60_000) })

import { describe, expect, test } from 'vitest'
import { manualClock, type ManualClock } from '@sluice/clock'
import { newEvent, SluiceError, validateEvent, type Event } from '@sluice/event'
import { memoryCheckpoint } from './checkpoint.ts'
import { SourceRequest } from './request.ts'
import type { Checkpoint, Source, SourceContext, SourceDriver, SourceResponse } from './source.ts'

/** A source as the suite needs it. */
export interface ConformanceSource {
  /** Heads the suite's report. */
  name: string
  driver: SourceDriver
  /** A valid one, with its defaults. */
  spec: Readonly<Record<string, unknown>>
  annotations?: Readonly<Record<string, string>>
  /** What its references hold, by `name/key`. */
  secrets?: Readonly<Record<string, string>>
  /**
   * Makes the thing happen of which the source makes one event: moves the clock, say, or gives the request that its
   * provider would send. `n`: which one, from 0; the same `n` is the same happening.
   */
  happen(scene: { clock: ManualClock; url: string; n: number }): SourceRequest | void | Promise<SourceRequest | void>
  /** Clauses, by their names, that this source can't pass; each with the reason. */
  lacks?: Readonly<Record<string, string>>
}

interface Opened {
  readonly source: Source
  readonly clock: ManualClock
  /** Calls of `emit` that the sink has not answered yet. */
  readonly asked: Asked[]
  /** All events that were given to the sink. */
  readonly events: Event[]
  /** Makes a sink that stores everything at once. */
  storeAll(): void
  happen(n: number): Promise<SourceResponse | undefined>
}

interface Asked {
  readonly events: readonly Event[]
  store(): void
  refuse(error: SluiceError): void
}

interface Clause {
  readonly name: string
  run(given: ConformanceSource): Promise<void>
}

/** Registers the suite with vitest, as one `describe`. Throws when `lacks` names no clause. */
export function sourceConformance(given: ConformanceSource): void {
  const unknown = Object.keys(given.lacks ?? {}).filter((name) => !clauses.some((clause) => clause.name === name))
  if (unknown.length > 0) throw new Error(`"lacks" names no clause of the suite: ${unknown.join('; ')}`)
  describe(`the ${given.name} source`, () => {
    for (const { name, run } of clauses) {
      const reason = given.lacks?.[name]
      if (reason === undefined) test(name, () => run(given))
      else test.skip(`${name} (lacking: ${reason})`)
    }
  })
}

/** The contract, clause by clause. */
export const clauses: readonly Clause[] = [
  {
    name: 'its kinds have a group, a version and a name, and a schema that they bring is one of an object',
    async run({ driver }) {
      expect(driver.kinds.length).toBeGreaterThan(0)
      for (const { apiVersion, kind, schema } of driver.kinds) {
        expect(apiVersion).toMatch(/^[a-z0-9.-]+\/v\d+((alpha|beta)\d+)?$/)
        expect(kind).toMatch(/^[A-Z][A-Za-z0-9]*$/)
        if (schema !== undefined) expect(schema['type']).toBe('object')
      }
    },
  },
  {
    name: 'what happens becomes one valid event, and what happens next another',
    async run(given) {
      const opened = await open(given)
      await happenStored(opened, 0)
      await happenStored(opened, 1)
      expect(opened.events).toHaveLength(2)
      for (const event of opened.events) expect(() => validateEvent(event)).not.toThrow()
      expect(new Set(opened.events.map(({ source, id }) => `${source} ${id}`)).size).toBe(2)
      await opened.source.stop()
    },
  },
  {
    name: 'a sender has its answer once the event is stored, and not before',
    async run(given) {
      const opened = await open(given)
      let isAnswered = false
      const answered = opened.happen(0).then((response) => {
        isAnswered = true
        return response
      })
      const [asked] = await until(opened, 1)
      if (opened.source.http !== undefined) expect(isAnswered).toBe(false)
      asked!.store()
      const response = await answered
      if (opened.source.http !== undefined) expect(Math.floor(response!.status / 100)).toBe(2)
      await opened.source.stop()
    },
  },
  {
    name: 'an event that the sink refuses for now is stored later, under the same id',
    async run(given) {
      const opened = await open(given)
      const answered = opened.happen(0).catch((error: unknown) => error)
      const [asked] = await until(opened, 1)
      asked!.refuse(FULL)
      const answer = await answered
      if (opened.source.http !== undefined) {
        const status = answer instanceof SluiceError ? answer.status : (answer as SourceResponse).status
        expect(status === 429 || status >= 500).toBe(true)
        await happenStored(opened, 0)
      } else {
        await settled()
        opened.clock.advance(60_000)
        const [again] = await until(opened, 1)
        again!.store()
      }
      expect(opened.events.length).toBeGreaterThanOrEqual(2)
      expect(opened.events[1]!.id).toBe(opened.events[0]!.id)
      await opened.source.stop()
    },
  },
  {
    name: 'the same happening has the same id in every process',
    async run(given) {
      const ids = []
      for (let process = 0; process < 2; process++) {
        const opened = await open(given)
        await happenStored(opened, 0)
        ids.push(opened.events[0]!.id)
        await opened.source.stop()
      }
      expect(ids[0]).toBe(ids[1])
    },
  },
  {
    name: 'it emits nothing any more once it has stopped, and stopping twice is stopping once',
    async run(given) {
      const opened = await open(given)
      await Promise.all([opened.source.stop(), opened.source.stop()])
      opened.storeAll()
      await opened.happen(0).catch(() => {})
      opened.clock.advance(3_600_000)
      await settled()
      expect(opened.events).toEqual([])
      expect(opened.clock.pending).toBe(0)
    },
  },
  {
    name: 'stopping waits for what is under way',
    async run(given) {
      const opened = await open(given)
      const answered = opened.happen(0)
      const [asked] = await until(opened, 1)
      let isStopped = false
      const stopped = opened.source.stop().then(() => (isStopped = true))
      await settled()
      expect(isStopped).toBe(false)
      asked!.store()
      await Promise.all([answered, stopped])
    },
  },
  {
    name: 'what was stored is not emitted again by the next process, which has its checkpoint',
    async run(given) {
      const checkpoint = memoryCheckpoint()
      const first = await open(given, { checkpoint })
      await happenStored(first, 0)
      await first.source.stop()
      const second = await open(given, { checkpoint, startMs: first.clock.now() })
      second.storeAll()
      if (second.source.http !== undefined) await second.happen(0)
      await second.happen(1)
      await settled()
      await second.source.stop()
      expect(second.events).toHaveLength(1)
      expect(second.events[0]!.id).not.toBe(first.events[0]!.id)
    },
  },
  {
    name: 'a damaged checkpoint costs no event and no start',
    async run(given) {
      const garbage = Buffer.from(Array.from({ length: 101 }, (_, i) => (i * 37) % 256))
      const opened = await open(given, { checkpoint: memoryCheckpoint(garbage) })
      await happenStored(opened, 0)
      expect(opened.events.length).toBeGreaterThanOrEqual(1)
      await opened.source.stop()
    },
  },
  {
    name: 'no secret stands in its status, in its answers or in what it throws (threat 7)',
    async run(given) {
      const opened = await open(given)
      const said: unknown[] = []
      const answered = opened.happen(0).catch((error: unknown) => error)
      const [asked] = await until(opened, 1)
      asked!.refuse(FULL)
      said.push(await answered)
      opened.storeAll()
      if (opened.source.http !== undefined) {
        const request = new SourceRequest('POST', URL_OF_SOURCE, [], Buffer.from('{}'))
        said.push(await opened.source.http.handle(request).catch((error: unknown) => error))
      }
      said.push(opened.source.status())
      const text = said.map((each) => (each instanceof Error ? each.stack : JSON.stringify(each))).join('\n')
      for (const value of Object.values(given.secrets ?? {})) expect(text).not.toContain(value)
      await opened.source.stop()
    },
  },
  {
    name: 'its status is plain JSON of at most 16 KiB',
    async run(given) {
      const opened = await open(given)
      for (let n = 0; n < 20; n++) await happenStored(opened, n)
      const status = opened.source.status()
      expect(status.trouble).toBeUndefined()
      expect(JSON.parse(JSON.stringify(status))).toEqual(status)
      expect(JSON.stringify(status).length).toBeLessThan(16 * 1024)
      await opened.source.stop()
    },
  },
]

const URL_OF_SOURCE = 'https://events.example.com/webhooks/default/mine'
const FULL = new SluiceError('SLUICE_CHANNEL_FULL', 'Full.', { status: 429, retryable: true, retryAfterMs: 100 })

async function open(
  { driver, spec, annotations = {}, secrets = {}, happen }: ConformanceSource,
  given: { checkpoint?: Checkpoint; startMs?: number } = {},
): Promise<Opened> {
  const { checkpoint = memoryCheckpoint(), startMs } = given
  const clock = manualClock(startMs)
  const asked: Asked[] = []
  const events: Event[] = []
  let storesAll = false
  const context: SourceContext = {
    namespace: 'default',
    name: 'mine',
    uid: '7d3b2c1a-0000-5000-8000-000000000001',
    spec,
    annotations,
    url: URL_OF_SOURCE,
    clock,
    checkpoint,
    newEvent: (fields) => newEvent(fields, () => clock.now()),
    emit(batch) {
      events.push(...batch)
      if (storesAll) return Promise.resolve()
      return new Promise((store, refuse) => asked.push({ events: batch, store, refuse }))
    },
    secret({ name, key }) {
      const value = secrets[`${name}/${key}`]
      if (value !== undefined) return Buffer.from(value)
      throw new SluiceError('SLUICE_SECRET_UNAVAILABLE', `There is no Secret ${name}.`, { status: 503 })
    },
  }
  const source = await driver.open(context)
  return {
    source,
    clock,
    asked,
    events,
    storeAll() {
      storesAll = true
      for (const each of asked.splice(0)) each.store()
    },
    async happen(n) {
      const request = await happen({ clock, url: URL_OF_SOURCE, n })
      if (request === undefined) return undefined
      return source.http!.handle(request)
    },
  }
}

/** Lets it happen, and stores what comes of it. */
async function happenStored(opened: Opened, n: number): Promise<void> {
  const answered = opened.happen(n)
  const [asked] = await until(opened, 1)
  asked!.store()
  await answered
  await settled()
}

/** Takes the calls of `emit` that wait, once there are so many. */
async function until({ asked }: Opened, count: number): Promise<Asked[]> {
  for (let turn = 0; asked.length < count; turn++) {
    if (turn > TURNS_MAX) throw new Error('The source has emitted nothing.')
    await settled()
  }
  return asked.splice(0, count)
}

const TURNS_MAX = 200

/** What waits for nothing but promises and files has come to its end. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}
