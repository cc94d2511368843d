// Clauses about `order: key`: of events with the same key one is in flight, retries included, and the others wait.

import { expect } from 'vitest'
import { orderingKey, type Delivery } from '../channel.ts'
import { HELD_MAX } from '../keys.ts'
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

export const orderClauses: readonly Clause[] = [
  clause('a subscription in the order of keys is opened, or refused where there is none', async (scene) => {
    const opened = scene.subscribe(settler(), { order: 'key' })
    if (scene.capabilities.order !== 'none') await opened
    else {
      await expectUnsupported('order', opened)
      const got = settler()
      await scene.subscribe(got) // the refusal left nothing open
      await scene.publish([scene.event()])
      await scene.handed(got, 1)
    }
  }),

  ordered('one event of a key is out at a time, and other keys flow past it', async (scene) => {
    const got = receiver()
    await scene.subscribe(got, { order: 'key' })
    const as = scene.events(5, { partitionkey: 'a' })
    const bs = scene.events(5, { partitionkey: 'b' })
    await scene.publish([...as, ...bs])
    await scene.handed(got, 2)
    await scene.time.quiet()
    expect(sorted(got.ids)).toEqual([as[0]!.id, bs[0]!.id])
    for (const [i, b] of bs.entries()) {
      await scene.handed(got, i + 2)
      got.last(b.id).settle()
    }
    await scene.time.quiet()
    expect(got.ids.filter((id) => id !== as[0]!.id)).toEqual(idsOf(bs))
    for (const [i, a] of as.entries()) {
      await scene.handed(got, bs.length + i + 1)
      got.last(a.id).settle()
    }
    expect(got.ids.filter((id) => idsOf(as).includes(id))).toEqual(idsOf(as))
  }),

  ordered(
    'a key that fails waits through its tries while others flow, and then goes on in order (fault 40)',
    async (scene) => {
      const failing = new Set<string>()
      const got = receiver((delivery) => {
        if (failing.has(delivery.event.id)) delivery.release(scene.time.shortDelayMs)
        else delivery.settle()
      })
      await scene.subscribe(got, { order: 'key' })
      const hot = scene.events(5, { partitionkey: 'hot' })
      const cold = scene.events(20, { partitionkey: 'cold' })
      const [first, ...later] = idsOf(hot) as [string, ...string[]]
      failing.add(first)
      await scene.publish([...hot, ...cold])
      await scene.time.soon('the other key', () => cold.every(({ id }) => got.ids.includes(id)))
      for (let attempt = 1; attempt < 4; attempt++) {
        await scene.time.soon(`attempt ${attempt}`, () => got.times(first) >= attempt)
        await scene.time.quiet()
        expect(got.ids).not.toContain(later[0])
        await scene.time.pass(scene.time.shortDelayMs + 20)
      }
      failing.clear()
      await scene.time.pass(scene.time.shortDelayMs + 20)
      await scene.time.soon('the others of that key', () => later.every((id) => got.ids.includes(id)))
      const ofHot = got.ids.filter((id) => idsOf(hot).includes(id))
      expect(ofHot).toEqual([...Array<string>(got.times(first)).fill(first), ...later])
      expect(got.ids.filter((id) => idsOf(cold).includes(id))).toEqual(idsOf(cold))
    },
  ),

  ordered('without partitionkey the key is source and subject', async (scene) => {
    const got = receiver()
    await scene.subscribe(got, { order: 'key' })
    const [first, same, subject, source, keyed, alsoKeyed] = [
      scene.event({ source: '/s', subject: '1' }),
      scene.event({ source: '/s', subject: '1', type: 'b' }),
      scene.event({ source: '/s', subject: '2' }),
      scene.event({ source: '/t', subject: '1' }),
      scene.event({ source: '/s', subject: '1', partitionkey: 'k' }),
      scene.event({ source: '/u', subject: '9', partitionkey: 'k' }),
    ]
    await scene.publish([first, same, subject, source, keyed, alsoKeyed])
    await scene.handed(got, 4)
    await scene.time.quiet()
    expect(sorted(got.ids)).toEqual(idsOf([first, subject, source, keyed]))
    got.last(first.id).settle()
    got.last(keyed.id).settle()
    await scene.handed(got, 6)
    expect(sorted(got.ids.slice(4))).toEqual(idsOf([same, alsoKeyed]))
  }),

  ordered('a key may be released and settled at random, and its events never overtake each other', async (scene) => {
    const out = new Map<string, string>()
    const done: string[] = []
    const finishing: Delivery[] = []
    let overtaken = ''
    const got = receiver((delivery) => {
      const key = orderingKey(delivery.event)
      if (out.has(key)) overtaken = `${delivery.event.id} came while ${out.get(key)} was out`
      out.set(key, delivery.event.id)
      finishing.push(delivery)
    })
    await scene.subscribe(got, { order: 'key', window: { events: 8, bytes: 1e9 } })
    const events = Array.from({ length: 120 }, (_, i) => scene.event({ partitionkey: `k${(i * 7) % 5}` }))
    for (let i = 0; i < 120; i += 30) await scene.publish(events.slice(i, i + 30))
    let random = 12345
    while (done.length < events.length) {
      await scene.time.soon('something to finish', () => finishing.length > 0)
      random = (random * 1103515245 + 12345) % 2147483648
      const [delivery] = finishing.splice(random % finishing.length, 1) as [Delivery]
      out.delete(orderingKey(delivery.event))
      if (random % 3 === 0) delivery.release(0)
      else {
        done.push(delivery.event.id)
        delivery.settle()
      }
    }
    expect(overtaken).toBe('')
    for (const key of ['k0', 'k1', 'k2', 'k3', 'k4']) {
      const ofKey = idsOf(events.filter((event) => event.text('partitionkey') === key))
      expect(done.filter((id) => ofKey.includes(id))).toEqual(ofKey)
    }
  }),

  ordered(
    'behind a blocked key only so many events are held; then the whole subscription waits, and loses none',
    async (scene) => {
      const got = receiver()
      const subscription = await scene.subscribe(got, { order: 'key' })
      const hot = scene.events(HELD_MAX.events + 300, { partitionkey: 'hot' })
      const early = scene.event({ partitionkey: 'cold' })
      const late = scene.event({ partitionkey: 'cold' })
      const some = hot.slice(0, 50)
      await scene.publish([...some, early])
      await scene.handed(got, 2)
      expect(sorted(got.ids)).toEqual(idsOf([some[0]!, early]))
      for (let i = 50; i < hot.length; i += 500) await scene.publish(hot.slice(i, i + 500))
      await scene.publish([late])
      got.last(early.id).settle()
      await scene.time.quiet()
      expect(got.all).toHaveLength(2)
      if (subscription.lag().bound !== 'unknown') {
        await scene.time.soon('the lag', () => subscription.lag().events >= hot.length + 1)
      }
      for (const [i, { id }] of hot.entries()) {
        await scene.time.soon(`event ${i}`, () => got.ids.at(-1) === id || got.ids.at(-2) === id)
        got.all.at(got.ids.at(-1) === id ? -1 : -2)!.settle()
      }
      await scene.time.soon('the last of the other key', () => got.ids.includes(late.id))
      expect(got.ids.filter((id) => id !== late.id && id !== early.id)).toEqual(idsOf(hot))
    },
  ),

  ordered('filter and order go together: events that do not match block nobody', async (scene) => {
    const got = receiver()
    await scene.subscribe(got, { order: 'key', filter: typeIs('a') })
    const [other, wanted] = [
      scene.event({ type: 'b', partitionkey: 'k' }),
      scene.event({ type: 'a', partitionkey: 'k' }),
    ]
    await scene.publish([other, wanted])
    await scene.handed(got, 1)
    expect(got.ids).toEqual([wanted.id])
  }),

  ordered('from no order to order by key, what was handed out before ends first', async (scene) => {
    const got = receiver()
    const subscription = await scene.subscribe(got, { window: { events: 2, bytes: 1e9 } })
    const events = scene.events(5, { partitionkey: 'k' })
    await scene.publish(events)
    await scene.handed(got, 2)
    await subscription.update({ order: 'key', window: { events: 10, bytes: 1e9 } })
    await scene.time.quiet()
    expect(got.all).toHaveLength(2)
    got.all[1]!.settle()
    got.all[0]!.release(0)
    await scene.handed(got, 3)
    expect(got.ids[2]).toBe(got.ids[0])
    await scene.time.quiet()
    expect(got.all).toHaveLength(3)
    for (let i = 2; i < 6; i++) {
      got.all[i]!.settle()
      if (i < 5) await scene.handed(got, i + 2)
      await scene.time.quiet()
      expect(got.all).toHaveLength(Math.min(i + 2, 6))
    }
    expect(got.ids.slice(3)).toEqual(idsOf(events).filter((id) => !got.ids.slice(0, 2).includes(id)))
  }),

  ordered('from order by key to no order, what was held behind its key goes out', async (scene) => {
    const got = receiver()
    const subscription = await scene.subscribe(got, { order: 'key' })
    const events = scene.events(5, { partitionkey: 'k' })
    await scene.publish(events)
    await scene.handed(got, 1)
    await subscription.update({ order: 'none' })
    await scene.handed(got, 5)
    expect(sorted(got.ids)).toEqual(idsOf(events))
  }),
]

/** A clause for those that have an order at all. */
function ordered(name: string, run: (scene: Scene) => Promise<void>): Clause {
  return clause(name, async (scene) => {
    if (scene.capabilities.order !== 'none') await run(scene)
    else await expectUnsupported('order', scene.subscribe(settler(), { order: 'key' }))
  })
}
