// Clauses about going back: where a subscription may start, seek, and reading without a subscription.

import { setImmediate } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Event } from '@sluice/event'
import type { Position, Start, StartKind, StoredEvent } from '../channel.ts'
import {
  clause,
  expectUnsupported,
  idsOf,
  receiver,
  settler,
  sorted,
  typeIs,
  type Clause,
  type Scene,
} from './scene.ts'

/** Whether nothing is older than the starting point's answer: a partitioned channel may replay more, never less. */
type Exactness = 'exact' | 'at least'

export const replayClauses: readonly Clause[] = [
  ...startClause(
    'earliest',
    async () => 'earliest',
    ({ all }) => all,
  ),
  ...startClause(
    'time',
    async (_, { between }) => ({ time: between }),
    ({ second }) => second,
  ),
  ...startClause(
    'after',
    async (_, { lastOfFirst }) => ({ after: lastOfFirst }),
    ({ second }) => second,
  ),

  clause(
    'subscribed from the earliest while others publish, nothing is missing or doubled at the seam (fault 45)',
    async (scene) => {
      if (!scene.capabilities.starts.includes('earliest')) return
      await scene.subscribe(settler(), { id: 'keeper' })
      const published: Event[] = []
      let ended = false
      const publisher = (async () => {
        for (let i = 0; i < 60 || !ended; i++) {
          const events = scene.events(5)
          published.push(...events)
          await scene.publish(events)
          await setImmediate()
        }
      })()
      await scene.time.soon('a history', () => published.length > 100)
      const got = receiver((delivery) => void setImmediate().then(() => delivery.settle()))
      await scene.subscribe(got, { start: 'earliest', window: { events: 16, bytes: 1e9 } })
      ended = true
      await publisher
      await scene.handed(got, published.length)
      await scene.time.quiet()
      expect(scene.capabilities.inOrder ? got.ids : sorted(got.ids)).toEqual(idsOf(published))
    },
  ),

  clause('a start judges what it finds by its own filter', async (scene) => {
    if (!scene.capabilities.starts.includes('earliest')) return
    await scene.subscribe(settler(), { id: 'keeper' })
    const as = scene.events(3, { type: 'a' })
    const bs = scene.events(3, { type: 'b' })
    await scene.publish([as[0]!, bs[0]!, as[1]!, bs[1]!, as[2]!, bs[2]!])
    const got = settler()
    await scene.subscribe(got, { start: 'earliest', filter: typeIs('b') })
    await scene.handed(got, 3)
    await scene.time.quiet()
    expect(sorted(got.ids)).toEqual(idsOf(bs))
  }),

  clause(
    'seek to the earliest hands everything over again, whatever was settled; where there is no seek it is refused',
    async (scene) => {
      const got = settler()
      const subscription = await scene.subscribe(got)
      const events = scene.events(5)
      await scene.publish(events)
      await scene.handed(got, 5)
      const asked = subscription.seek('earliest')
      if (!seeks(scene, 'earliest')) {
        await expectUnsupported(scene.capabilities.seek === 'none' ? 'seek' : 'starts', asked)
        await scene.time.quiet()
        expect(got.all).toHaveLength(5)
        return
      }
      await asked
      await scene.handed(got, 10)
      await scene.time.quiet()
      expect(sorted(got.ids.slice(5))).toEqual(idsOf(events))
    },
  ),

  clause('seek to the latest lets go of what waits and what is parked', async (scene) => {
    const got = receiver((delivery) => {
      if (delivery.event.type === 'parked') delivery.release(scene.time.shortDelayMs)
      else delivery.settle()
    })
    const subscription = await scene.subscribe(got)
    await scene.publish(scene.events(2, { type: 'parked' }))
    await scene.handed(got, 2)
    subscription.pause()
    await scene.publish(scene.events(5))
    const asked = subscription.seek('latest')
    if (scene.capabilities.seek === 'none') return expectUnsupported('seek', asked)
    await asked
    subscription.resume()
    const [event] = scene.events(1)
    await scene.publish([event!])
    await scene.time.soon('the new event', () => got.ids.includes(event!.id))
    await scene.time.pass(scene.time.shortDelayMs + 20)
    await scene.time.quiet()
    expect(got.ids.slice(2)).toEqual([event!.id])
    if (scene.capabilities.lag === 'exact') expect(subscription.lag().events).toBe(0)
  }),

  clause('seek to a time or behind a position hands over what comes after it', async (scene) => {
    const got = settler()
    const subscription = await scene.subscribe(got)
    const history = await publishHistory(scene)
    await scene.handed(got, 10)
    for (const [kind, start, exactness] of [
      ['time', { time: history.between }, 'exact'],
      ['after', { after: history.lastOfFirst }, scene.capabilities.inOrder ? 'exact' : 'at least'],
    ] as const) {
      const before = got.all.length
      const asked = subscription.seek(start)
      if (!seeks(scene, kind)) {
        await expectUnsupported(scene.capabilities.seek === 'none' ? 'seek' : 'starts', asked)
        continue
      }
      await asked
      await scene.time.soon(`what comes after ${kind}`, () => includesAll(got.ids.slice(before), history.second))
      await scene.time.quiet()
      expectFrom(got.ids.slice(before), history.second, exactness)
    }
  }),

  clause('a seek hands over nothing twice that is out, and everything once that is parked or waits', async (scene) => {
    const got = receiver()
    const subscription = await scene.subscribe(got, { window: { events: 2, bytes: 1e9 } })
    const events = scene.events(6)
    await scene.publish(events)
    await scene.handed(got, 2)
    const parked = got.ids[0]!
    got.all[0]!.release(scene.time.shortDelayMs)
    await scene.handed(got, 3)
    const out = got.ids.slice(1, 3)
    const asked = subscription.seek('earliest')
    if (!seeks(scene, 'earliest')) {
      await expectUnsupported(scene.capabilities.seek === 'none' ? 'seek' : 'starts', asked)
    } else await asked
    await scene.time.quiet()
    expect(got.all).toHaveLength(3) // the window is still taken

    let settled = 1
    const total = events.length + 1
    await scene.time.pass(scene.time.shortDelayMs + 20)
    while (settled < got.all.length || got.all.length < total) {
      await scene.time.soon('the next delivery', () => settled < got.all.length)
      got.all[settled++]!.settle()
      await scene.time.quiet()
    }
    expect(got.times(parked)).toBe(2)
    for (const id of idsOf(events)) if (id !== parked) expect(got.times(id), id).toBe(1)
    expect(out).toHaveLength(2)
    if (scene.capabilities.lag !== 'unknown') expect(subscription.lag().events).toBe(0)
  }),

  clause('a seek with order by key keeps one of a key out, and goes on behind it', async (scene) => {
    if (!seeks(scene, 'earliest') || scene.capabilities.order === 'none') return
    const got = receiver()
    const subscription = await scene.subscribe(got, { order: 'key' })
    const events = scene.events(4, { partitionkey: 'k' })
    await scene.publish(events)
    await scene.handed(got, 1)
    got.all[0]!.settle()
    await scene.handed(got, 2)
    await subscription.seek('earliest')
    await scene.time.quiet()
    expect(got.ids).toEqual(idsOf(events.slice(0, 2)))
    got.all[1]!.settle()
    for (const [i, event] of [events[0]!, events[2]!, events[3]!].entries()) {
      await scene.handed(got, 3 + i)
      await scene.time.quiet()
      expect(got.ids.slice(2 + i)).toEqual([event.id])
      got.all[2 + i]!.settle()
    }
  }),

  clause(
    'read gives what is stored, from a time or position, up to one, filtered and limited; or is refused',
    async (scene) => {
      await scene.subscribe(settler())
      const { first, second, lastOfFirst, between } = await publishHistory(scene)
      const { channel } = scene
      const all = [...first, ...second]
      if (!scene.capabilities.browse) return expectUnsupported('browse', channel.read({}))

      const stored = await channel.read({})
      expectRead(scene, stored, all)
      for (const { time } of stored) expect(Math.abs(time - scene.time.clock.now())).toBeLessThan(60_000)
      expectRead(scene, await channel.read({ from: 'earliest', to: { time: between } }), first)
      expectRead(scene, await channel.read({ from: { time: between } }), second)
      if (scene.capabilities.inOrder) {
        expectRead(scene, await channel.read({ to: { position: lastOfFirst } }), first)
        expectRead(scene, await channel.read({ from: { after: lastOfFirst } }), second)
      }
      expect(await channel.read({ limit: 3 })).toHaveLength(3)
      expect(await channel.read({ limit: 0 })).toEqual([])
      expectRead(
        scene,
        await channel.read({ filter: typeIs('odd') }),
        all.filter((event) => event.type === 'odd'),
      )
      const odd = await channel.read({ filter: typeIs('odd'), limit: 2 })
      expect(odd.map(({ event }) => event.type)).toEqual(['odd', 'odd'])
    },
  ),

  clause('read touches no subscription', async (scene) => {
    if (!scene.capabilities.browse) return expectUnsupported('browse', scene.channel.read({}))
    const got = receiver()
    const subscription = await scene.subscribe(got, { window: { events: 2, bytes: 1e9 } })
    const events = scene.events(6)
    await scene.publish(events)
    await scene.handed(got, 2)
    got.all[0]!.release(scene.time.longDelayMs)
    await scene.handed(got, 3)
    const before = subscription.lag()
    expectRead(scene, await scene.channel.read({}), events)
    await scene.time.quiet()
    expect(got.all).toHaveLength(3)
    expect(subscription.lag()).toEqual(before)
    for (let i = 1; i < 6; i++) {
      await scene.handed(got, i + 1)
      got.all[i]!.settle()
    }
    expect(sorted(got.ids)).toEqual(idsOf(events))
  }),
]

interface History {
  first: Event[]
  second: Event[]
  /** The position of the last event of `first`. */
  lastOfFirst: Position
  /** A wall-clock time when `first` was stored and `second` was not. */
  between: number
}

/** Five events, a moment, and five more, of types `odd` and `even` in turn. */
async function publishHistory(scene: Scene): Promise<History> {
  const events = Array.from({ length: 10 }, (_, i) => scene.event({ type: i % 2 === 0 ? 'even' : 'odd' }))
  const first = events.slice(0, 5)
  const second = events.slice(5)
  const results = await scene.publish(first)
  await scene.time.pass(50)
  const between = scene.time.clock.now()
  await scene.time.pass(50)
  await scene.publish(second)
  const last = results.at(-1)
  return { first, second, lastOfFirst: (last?.stored && last.position) || '', between }
}

/** A new subscription from there gets these, and a start that is not declared is refused and leaves nothing behind. */
function startClause(
  kind: StartKind,
  startOf: (scene: Scene, history: History) => Promise<Start>,
  pick: (history: { all: Event[]; second: Event[] }) => Event[],
): Clause[] {
  return [
    clause(`a new subscription may start at "${kind}", or is refused where starts lacks it`, async (scene) => {
      await scene.subscribe(settler(), { id: 'keeper' })
      const history = await publishHistory(scene)
      const start = await startOf(scene, history)
      const got = settler()
      const opened = scene.subscribe(got, { start })
      if (!scene.capabilities.starts.includes(kind)) {
        await expectUnsupported('starts', opened)
        await scene.subscribe(got) // nothing was opened
        const event = scene.event()
        await scene.publish([event])
        await scene.handed(got, 1)
        expect(got.ids).toEqual([event.id])
        return
      }
      await opened
      const expected = pick({ all: [...history.first, ...history.second], second: history.second })
      await scene.time.soon('what is stored', () => includesAll(got.ids, expected))
      const [live] = scene.events(1)
      await scene.publish([live!])
      await scene.time.soon('what is new', () => got.ids.includes(live!.id))
      await scene.time.quiet()
      expectFrom(got.ids, [...expected, live!], kind === 'after' && !scene.capabilities.inOrder ? 'at least' : 'exact')
    }),
  ]
}

function seeks(scene: Scene, kind: StartKind): boolean {
  return scene.capabilities.seek !== 'none' && scene.capabilities.starts.includes(kind)
}

function includesAll(ids: readonly string[], events: readonly Event[]): boolean {
  return events.every(({ id }) => ids.includes(id))
}

function expectFrom(ids: readonly string[], events: readonly Event[], exactness: Exactness): void {
  if (exactness === 'exact') expect(sorted(ids)).toEqual(idsOf(events))
  else expect(ids).toEqual(expect.arrayContaining(idsOf(events)))
}

function expectRead(scene: Scene, stored: readonly StoredEvent[], events: readonly Event[]): void {
  const ids = stored.map(({ event }) => event.id)
  expect(scene.capabilities.inOrder ? ids : sorted(ids)).toEqual(idsOf(events))
}
