// Clauses about handing over: window, settle, release, parking, pause, and that nobody's trouble is another's.

import { expect } from 'vitest'
import type { Delivery } from '../channel.ts'
import { clause, idsOf, receiver, settler, sorted, typeIs, type Clause } from './scene.ts'

export const handoverClauses: readonly Clause[] = [
  clause('no more events are out than the window has', async (scene) => {
    const got = receiver()
    await scene.subscribe(got, { window: { events: 3, bytes: 1e9 } })
    const events = scene.events(10)
    await scene.publish(events)
    for (let settled = 0; settled < 10; settled++) {
      await scene.handed(got, Math.min(settled + 3, 10))
      await scene.time.quiet()
      expect(got.all.length).toBe(Math.min(settled + 3, 10))
      got.all[settled]!.settle()
    }
    expect(sorted(got.ids)).toEqual(idsOf(events))
  }),

  clause('no more bytes are out than the window has', async (scene) => {
    const got = receiver()
    await scene.subscribe(got, { window: { events: 100, bytes: 25 * 1024 } })
    await scene.publish(scene.events(10, {}, Buffer.alloc(10 * 1024)))
    for (let settled = 0; settled < 10; settled++) {
      await scene.handed(got, Math.min(settled + 2, 10))
      await scene.time.quiet()
      expect(got.all.length).toBe(Math.min(settled + 2, 10))
      got.all[settled]!.settle()
    }
  }),

  clause('an event larger than the window goes out alone', async (scene) => {
    let bytesOut = 0
    const together: number[] = []
    const got = receiver((delivery) => {
      bytesOut += delivery.event.data!.length
      together.push(bytesOut)
    })
    await scene.subscribe(got, { window: { events: 100, bytes: 10 * 1024 } })
    const sizes = [1, 2, 40, 1, 40, 40, 2].map((kib) => kib * 1024)
    await scene.publish(sizes.map((size) => scene.event({}, Buffer.alloc(size))))
    for (let settled = 0; settled < sizes.length; settled++) {
      await scene.handed(got, settled + 1)
      await scene.time.quiet()
      bytesOut -= got.all[settled]!.event.data!.length
      got.all[settled]!.settle()
    }
    for (const bytes of together) expect(bytes <= 10 * 1024 || bytes === 40 * 1024, `${bytes} out`).toBe(true)
    expect(together).toHaveLength(sizes.length)
  }),

  clause('events settle in any order', async (scene) => {
    const got = receiver()
    const subscription = await scene.subscribe(got, { window: { events: 10, bytes: 1e9 } })
    const events = scene.events(30)
    await scene.publish(events)
    for (let round = 1; round <= 3; round++) {
      await scene.handed(got, round * 10)
      for (const i of [7, 0, 9, 3, 1, 8, 2, 6, 5, 4]) got.all[(round - 1) * 10 + i]!.settle()
    }
    await scene.time.quiet()
    expect(sorted(got.ids)).toEqual(idsOf(events))
    expect(subscription.lag()).toMatchObject({ inFlight: 0, parked: 0 })
  }),

  clause('a receiver may settle at once, a thousand times on end', async (scene) => {
    const got = settler()
    const subscription = await scene.subscribe(got, { window: { events: 1, bytes: 1e9 } })
    subscription.pause()
    const events = scene.events(1000)
    await scene.publish(events)
    subscription.resume()
    await scene.handed(got, 1000)
    expect(sorted(got.ids)).toEqual(idsOf(events))
  }),

  clause('settled or released twice is a bug of the receiver, and refused as one', async (scene) => {
    const got = receiver()
    await scene.subscribe(got)
    await scene.publish(scene.events(2))
    await scene.handed(got, 2)
    const [first, second] = got.all as [Delivery, Delivery]
    first.settle()
    expect(() => first.settle()).toThrow('twice')
    expect(() => first.release(0)).toThrow('twice')
    second.release(scene.time.longDelayMs)
    expect(() => second.release(0)).toThrow('twice')
    expect(() => second.settle()).toThrow('twice')
    await scene.time.quiet()
    expect(got.all).toHaveLength(2)
  }),

  clause('an event released with a delay is not handed over before it, and is handed over after it', async (scene) => {
    const { clock, shortDelayMs } = scene.time
    const at: number[] = []
    const got = receiver(() => at.push(clock.monotonic()))
    await scene.subscribe(got)
    await scene.publish([scene.event()])
    await scene.handed(got, 1)
    const released = clock.monotonic()
    got.all[0]!.release(shortDelayMs)
    await scene.time.quiet()
    await scene.time.pass(shortDelayMs - 1 - (clock.monotonic() - released))
    if (clock.monotonic() - released < shortDelayMs) expect(got.all).toHaveLength(1)
    await scene.time.pass(20)
    await scene.handed(got, 2)
    expect(at[1]! - released).toBeGreaterThanOrEqual(shortDelayMs)
    expect(got.ids[1]).toBe(got.ids[0])
    expect(got.all[1]!.position).toBe(got.all[0]!.position)
    got.all[1]!.settle()
    await scene.time.pass(shortDelayMs * 2)
    expect(got.all).toHaveLength(2)
  }),

  clause('the attempt counts up with each try, and a try given back is not counted', async (scene) => {
    const got = receiver()
    await scene.subscribe(got)
    await scene.publish([scene.event()])
    await scene.handed(got, 1)
    got.all[0]!.release(0)
    await scene.handed(got, 2)
    got.all[1]!.release(0, 'unused')
    await scene.handed(got, 3)
    got.all[2]!.release(0, 'unused')
    await scene.handed(got, 4)
    got.all[3]!.release(0, 'used')
    await scene.handed(got, 5)
    expect(got.all.map(({ attempt }) => attempt)).toEqual([1, 2, 2, 2, 3])
  }),

  clause('a released event leaves the window at once', async (scene) => {
    const got = receiver((delivery) => delivery.release(scene.time.longDelayMs))
    const subscription = await scene.subscribe(got, { window: { events: 2, bytes: 1e9 } })
    const events = scene.events(20)
    await scene.publish(events)
    await scene.handed(got, 20)
    expect(sorted(got.ids)).toEqual(idsOf(events))
    expect(subscription.lag()).toMatchObject({ inFlight: 0, parked: 20 })
  }),

  clause('released events come again each when its own delay is over, not in the order of release', async (scene) => {
    const { shortDelayMs, pass } = scene.time
    const got = receiver((delivery) => {
      if (delivery.attempt > 1) delivery.settle()
    })
    await scene.subscribe(got)
    const events = scene.events(3)
    await scene.publish(events)
    await scene.handed(got, 3)
    const [a, b, c] = idsOf(events) as [string, string, string]
    got.last(a).release(shortDelayMs * 3)
    got.last(b).release(shortDelayMs)
    got.last(c).release(shortDelayMs * 2)
    await pass(shortDelayMs * 3 + 20)
    await scene.handed(got, 6)
    expect(got.ids.slice(3)).toEqual([b, c, a])
  }),

  clause('a delay longer than maxDelayMs is cut to it', async (scene) => {
    const got = receiver()
    const subscription = await scene.subscribe(got)
    await scene.publish([scene.event()])
    await scene.handed(got, 1)
    got.all[0]!.release(scene.capabilities.maxDelayMs * 3)
    expect(subscription.lag().parked).toBe(1)
    if (scene.time.shortDelayMs < 1000) return // real time: nobody waits so long
    await scene.time.pass(scene.capabilities.maxDelayMs + 20)
    await scene.handed(got, 2)
  }),

  clause(
    'a subscription that has parked as many events as it may takes no new ones until one of them is settled',
    async (scene) => {
      const { maxParked } = scene.capabilities
      const got = receiver((delivery) => delivery.release(scene.time.shortDelayMs * 10))
      const subscription = await scene.subscribe(got, { window: { events: 4, bytes: 1e9 } })
      await scene.publish(scene.events(maxParked + 20))
      await scene.handed(got, maxParked)
      await scene.time.quiet()
      expect(got.all).toHaveLength(maxParked)
      expect(subscription.lag().parked).toBe(maxParked)

      await scene.time.pass(scene.time.shortDelayMs * 10 + 20)
      const isBack = (): boolean => got.all.length >= maxParked * 2
      await scene.time.soon('the parked events to come again', isBack)
      expect(sorted(got.ids.slice(maxParked, maxParked * 2))).toEqual(sorted(got.ids.slice(0, maxParked)))
    },
    { parkedMax: 16 },
  ),

  clause(
    'events that were parked to the bound settle, and then all that waited follow',
    async (scene) => {
      const { maxParked } = scene.capabilities
      const got = receiver((delivery) => {
        if (delivery.attempt === 1) delivery.release(0)
        else delivery.settle()
      })
      await scene.subscribe(got, { window: { events: 50, bytes: 1e9 } })
      const events = scene.events(maxParked + 60)
      await scene.publish(events)
      await scene.handed(got, 2 * events.length)
      for (const { id } of events) expect(got.times(id)).toBe(2)
    },
    { parkedMax: 16 },
  ),

  clause('a paused subscription is handed nothing, and everything once it is resumed', async (scene) => {
    const got = settler()
    const other = settler()
    const subscription = await scene.subscribe(got)
    await scene.subscribe(other, { id: 'other' })
    subscription.pause()
    const events = scene.events(10)
    await scene.publish(events)
    await scene.handed(other, 10)
    await scene.time.quiet()
    expect(got.all).toHaveLength(0)
    subscription.resume()
    await scene.handed(got, 10)
    expect(sorted(got.ids)).toEqual(idsOf(events))
  }),

  clause(
    'what is out while a subscription is paused may settle or be released, and comes again after',
    async (scene) => {
      const got = receiver()
      const subscription = await scene.subscribe(got)
      const events = scene.events(2)
      await scene.publish(events)
      await scene.handed(got, 2)
      subscription.pause()
      got.all[0]!.settle()
      got.all[1]!.release(0)
      await scene.time.pass(20)
      await scene.time.quiet()
      expect(got.all).toHaveLength(2)
      subscription.resume()
      await scene.handed(got, 3)
      expect(got.all[2]).toMatchObject({ attempt: 2, position: got.all[1]!.position })
    },
  ),

  clause('a subscription opened paused is handed not even its first event', async (scene) => {
    const got = settler()
    const subscription = await scene.subscribe(got, { paused: true })
    await scene.publish(scene.events(3))
    await scene.time.quiet()
    expect(got.all).toHaveLength(0)
    subscription.resume()
    await scene.handed(got, 3)
  }),

  clause('a window changed at run time holds from then on, and the backlog stays', async (scene) => {
    const got = receiver()
    const subscription = await scene.subscribe(got, { window: { events: 2, bytes: 1e9 } })
    const events = scene.events(20)
    await scene.publish(events)
    await scene.handed(got, 2)
    await subscription.update({ window: { events: 5, bytes: 1e9 } })
    await scene.handed(got, 5)
    await scene.time.quiet()
    expect(got.all).toHaveLength(5)

    await subscription.update({ window: { events: 1, bytes: 1e9 } })
    for (let i = 0; i < 4; i++) got.all[i]!.settle()
    await scene.time.quiet()
    expect(got.all).toHaveLength(5)
    for (let i = 4; i < 20; i++) {
      await scene.handed(got, i + 1)
      got.all[i]!.settle()
    }
    await scene.time.quiet()
    expect(sorted(got.ids)).toEqual(idsOf(events))
  }),

  clause('one stuck subscription among a hundred changes nothing for the others (fault 39)', async (scene) => {
    const count = Math.min(100, scene.capabilities.maxSubscriptions)
    const stuck = receiver()
    await scene.subscribe(stuck, { id: 'stuck', window: { events: 2, bytes: 1e9 } })
    const others = await Promise.all(
      Array.from({ length: count - 1 }, async (_, i) => {
        const other = settler()
        await scene.subscribe(other, { id: `other-${i}`, window: { events: 2, bytes: 1e9 } })
        return other
      }),
    )
    const events = scene.events(40)
    for (let i = 0; i < 40; i += 10) await scene.publish(events.slice(i, i + 10))
    await Promise.all(others.map((other) => scene.handed(other, 40)))
    for (const other of others) expect(sorted(other.ids)).toEqual(idsOf(events))
    expect(stuck.all).toHaveLength(2)
  }),

  clause('a filter is judged when filterJudged says so', async (scene) => {
    const got = settler()
    const subscription = await scene.subscribe(got, { filter: typeIs('a') })
    if (scene.capabilities.filterUpdate === 'replace') return
    subscription.pause()
    const [a] = await publishOneOfEach(scene)
    await subscription.update({ filter: typeIs('b') })
    const [, b] = await publishOneOfEach(scene)
    subscription.resume()
    await scene.time.soon('the last event', () => got.ids.includes(b))
    await scene.time.quiet()
    if (scene.capabilities.filterJudged === 'publish') expect(sorted(got.ids)).toEqual([a, b])
    else {
      expect(got.ids).not.toContain(a)
      for (const { event } of got.all) expect(event.type).toBe('b')
    }
  }),

  clause(
    'a filter changed at run time holds from then on, or the change is refused and the old one holds',
    async (scene) => {
      const got = settler()
      const subscription = await scene.subscribe(got, { filter: typeIs('a') })
      const change = subscription.update({ filter: typeIs('b') })
      const live = scene.capabilities.filterUpdate === 'live'
      if (live) await change
      else {
        await expect(change).rejects.toMatchObject({ code: 'SLUICE_CHANNEL_UNSUPPORTED', subject: 'filterUpdate' })
      }
      const [a, b] = await publishOneOfEach(scene)
      await scene.handed(got, 1)
      await scene.time.quiet()
      expect(got.ids).toEqual([live ? b : a])
    },
  ),
]

/** Publishes an event of type `a` and one of type `b`; returns their ids. */
async function publishOneOfEach(scene: Parameters<Clause['run']>[0]): Promise<[string, string]> {
  const events = [scene.event({ type: 'a' }), scene.event({ type: 'b' })]
  await scene.publish(events)
  return idsOf(events) as [string, string]
}
