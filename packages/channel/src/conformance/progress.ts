// Clauses about progress: what outlives a subscription's close, a channel's close, a removal, and another process.

import { setImmediate } from 'node:timers/promises'
import { expect } from 'vitest'
import { orderingKey } from '../channel.ts'
import { clause, idsOf, receiver, settler, sorted, typeIs, type Clause, type Receiver } from './scene.ts'

export const progressClauses: readonly Clause[] = [
  clause('a new subscription gets what is published from then on, and nothing older', async (scene) => {
    await scene.subscribe(settler(), { id: 'older' })
    await scene.publish(scene.events(5))
    const got = settler()
    await scene.subscribe(got)
    const events = scene.events(5)
    await scene.publish(events)
    await scene.handed(got, 5)
    await scene.time.quiet()
    expect(sorted(got.ids)).toEqual(idsOf(events))
  }),

  clause(
    'while others publish, a subscription misses nothing after subscribe has resolved (spec 20)',
    async (scene) => {
      const got = settler()
      const after: string[] = []
      let subscribed = false
      let ended = false
      const publisher = (async () => {
        for (let i = 0; i < 60 || !ended; i++) {
          const events = scene.events(3)
          if (subscribed) after.push(...idsOf(events))
          await scene.publish(events)
          await setImmediate()
        }
      })()
      await setImmediate()
      await scene.subscribe(got)
      subscribed = true
      await scene.time.soon('some events after it', () => after.length > 30)
      ended = true
      await publisher
      await scene.time.soon('every event after it', () => after.every((id) => got.ids.includes(id)))
      for (const id of after) expect(got.times(id)).toBe(1)
    },
  ),

  clause('an id that is open already is refused, and the first subscription goes on', async (scene) => {
    const got = settler()
    await scene.subscribe(got)
    await expect(scene.subscribe(receiver())).rejects.toMatchObject({ code: 'SLUICE_CHANNEL_SUBSCRIBED', status: 409 })
    await scene.publish(scene.events(2))
    await scene.handed(got, 2)
  }),

  clause('a closed subscription is handed nothing, and taken up again where it stood', async (scene) => {
    const before = receiver()
    const subscription = await scene.subscribe(before, { window: { events: 3, bytes: 1e9 } })
    const events = scene.events(6)
    await scene.publish(events)
    await scene.handed(before, 3)
    await subscription.close()
    before.all[0]!.settle() // late, and it counts
    const later = scene.events(2)
    await scene.publish(later)
    await scene.time.quiet()
    expect(before.all).toHaveLength(3)

    const after = settler()
    await scene.subscribe(after, { start: 'latest' }) // counts only the first time
    before.all[1]!.settle()
    before.all[2]!.release(0)
    const expected = [...events.filter(({ id }) => id !== before.ids[0] && id !== before.ids[1]), ...later]
    await scene.time.soon('the rest', () => expected.every(({ id }) => after.ids.includes(id)))
    await scene.time.quiet()
    expect(after.ids).not.toContain(before.ids[0])
    expect(sorted([...new Set(after.ids)].filter((id) => id !== before.ids[1]))).toEqual(idsOf(expected))
  }),

  clause('a subscription taken up again goes by its new filter, order and window, and is not paused', async (scene) => {
    const before = receiver()
    const first = await scene.subscribe(before, { filter: typeIs('a'), window: { events: 1, bytes: 1e9 } })
    first.pause()
    await first.close()
    const got = receiver()
    const order = scene.capabilities.order === 'none' ? 'none' : 'key'
    await scene.subscribe(got, { filter: typeIs('b'), order })
    const events = [
      scene.event({ type: 'a' }),
      scene.event({ type: 'b', partitionkey: '1' }),
      scene.event({ type: 'b', partitionkey: '1' }),
      scene.event({ type: 'b', partitionkey: '2' }),
    ]
    await scene.publish(events)
    const expected = order === 'key' ? [events[1]!, events[3]!] : events.slice(1)
    await scene.handed(got, expected.length)
    await scene.time.quiet()
    expect(sorted(got.ids)).toEqual(idsOf(expected))
    expect(before.all).toHaveLength(0)
  }),

  clause('what is parked while its subscription is closed comes again once it is taken up', async (scene) => {
    const before = receiver((delivery) => delivery.release(scene.time.shortDelayMs))
    const subscription = await scene.subscribe(before)
    await scene.publish(scene.events(3))
    await scene.handed(before, 3)
    await subscription.close()
    await scene.time.pass(scene.time.shortDelayMs + 20)
    await scene.time.quiet()
    expect(before.all).toHaveLength(3)
    const after = settler()
    await scene.subscribe(after)
    await scene.handed(after, 3)
    expect(sorted(after.ids)).toEqual(sorted(before.ids))
    for (const { attempt } of after.all) expect(attempt).toBe(2)
  }),

  clause(
    'after a restart what was settled is not handed over again, and what was not is, where durable',
    async (scene) => {
      const before = receiver()
      await scene.subscribe(before, { window: { events: 12, bytes: 1e9 } })
      const events = scene.events(20)
      await scene.publish(events)
      await scene.handed(before, 12)
      const settled = [0, 2, 3, 5, 7, 11].map((i) => before.all[i]!)
      for (const delivery of settled) delivery.settle()
      before.all[1]!.release(scene.time.longDelayMs)
      before.all[4]!.release(0)
      await scene.reopen()

      const after = receiver((delivery) => delivery.settle())
      await scene.subscribe(after)
      if (!scene.capabilities.durable) {
        await scene.time.quiet()
        expect(after.all).toHaveLength(0)
        return
      }
      await scene.time.pass(0)
      const gone = new Set(settled.map(({ event }) => event.id))
      const parked = before.ids[1]!
      const expected = idsOf(events).filter((id) => !gone.has(id) && id !== parked)
      await scene.time.soon('the rest', () => expected.every((id) => after.ids.includes(id)))
      await scene.time.quiet()
      for (const id of gone) expect(after.ids, id).not.toContain(id)
      for (const id of expected) expect(after.times(id)).toBe(1)
      // A delay may end with the process that kept it; it must not be longer than it was.
      if (scene.time.shortDelayMs > 1000) {
        await scene.time.pass(scene.time.longDelayMs + 20)
        await scene.time.soon('the parked one', () => after.times(parked) === 1)
      }
    },
  ),

  clause('after a restart the attempts go on where attempts are durable, and else from 1', async (scene) => {
    if (!scene.capabilities.durable) {
      expect(scene.capabilities.attempts).toBe('process')
      return
    }
    const before = receiver((delivery) => {
      if (delivery.attempt < 3) delivery.release(0)
    })
    await scene.subscribe(before)
    await scene.publish([scene.event()])
    await scene.handed(before, 3)
    before.all[2]!.release(0)
    await scene.reopen()
    const after = settler()
    await scene.subscribe(after)
    await scene.time.pass(20)
    await scene.handed(after, 1)
    const { attempt } = after.all[0]!
    if (scene.capabilities.attempts === 'durable') expect(attempt).toBe(4)
    else expect(attempt).toBeGreaterThanOrEqual(1)
  }),

  clause(
    'a removed subscription is handed nothing more; what it had is discarded and counted (fault 44)',
    async (scene) => {
      const got = receiver()
      const other = settler()
      await scene.subscribe(got, { window: { events: 4, bytes: 1e9 } })
      await scene.subscribe(other, { id: 'other' })
      await scene.publish(scene.events(10))
      await scene.handed(got, 4)
      await scene.handed(other, 10)
      got.all[0]!.release(0, 'unused')
      await scene.handed(got, 5)
      got.all[1]!.release(scene.time.longDelayMs)
      await scene.handed(got, 6)
      const { discarded } = await scene.channel.remove('one')
      // Of ten events four are out, one is parked and five wait.
      if (scene.capabilities.lag === 'exact') expect(discarded).toBe(6)
      if (scene.capabilities.lag === 'atMost') expect(discarded).toBeGreaterThanOrEqual(6)

      got.all[2]!.settle()
      got.all[3]!.release(0)
      got.all[4]!.release(0)
      await scene.publish([scene.event()])
      await scene.handed(other, 11)
      await scene.time.pass(20)
      await scene.time.quiet()
      expect(got.all).toHaveLength(6)
    },
  ),

  clause('it knows the ids of the subscriptions whose progress it has, until they are removed', async (scene) => {
    const known = (): string[] => sorted([...scene.channel.subscriptions()])
    expect(known()).toEqual([])
    await scene.subscribe(settler())
    const closed = await scene.subscribe(settler(), { id: 'closed' })
    await closed.close()
    await scene.subscribe(settler(), { id: 'removed' })
    await scene.channel.remove('removed')
    expect(known()).toEqual(['closed', 'one'])
    await scene.reopen()
    if (!scene.capabilities.durable) return expect(known()).toEqual([])
    await scene.subscribe(settler())
    expect(known()).toEqual(['closed', 'one'])
    await scene.channel.remove('closed') // which nobody has taken up since
    expect(known()).toEqual(['one'])
  }),

  clause(
    'a new subscription that starts at the place of one that is removed gets all that this one had not settled',
    async (scene) => {
      if (!scene.capabilities.starts.includes('after') || scene.channel.place === undefined) return
      await scene.subscribe(settler(), { id: 'keeper' })
      const held = receiver()
      await scene.subscribe(held, { window: { events: 3, bytes: 1e9 } })
      const events = scene.events(6)
      await scene.publish(events)
      await scene.handed(held, 3)
      held.all[1]!.settle() // a hole: the first is not settled
      held.all[2]!.release(60_000)
      const place = scene.channel.place('one')
      expect(place).toEqual(expect.any(String))
      await scene.channel.remove('one')
      await scene.publish(scene.events(1))
      expect(scene.channel.place('one')).toBeUndefined()
      const got = settler()
      await scene.subscribe(got, { id: 'two', start: { after: place! } })
      const owed = idsOf(events.filter((_, at) => at !== 1))
      await scene.time.soon('what was not settled', () => owed.every((id) => got.ids.includes(id)))
    },
  ),

  clause('what is parked comes at once where it is hurried, with the tries that it has', async (scene) => {
    const held = receiver()
    const subscription = await scene.subscribe(held)
    if (subscription.hurry === undefined) return
    await scene.publish(scene.events(3))
    await scene.handed(held, 3)
    for (const delivery of [...held.all]) delivery.release(3_600_000)
    subscription.hurry()
    await scene.handed(held, 6)
    expect(held.all.slice(3).map(({ attempt }) => attempt)).toEqual([2, 2, 2])
    for (const delivery of held.all.slice(3)) delivery.settle()
    await scene.time.quiet()
    expect(subscription.lag().events).toBe(0)
  }),

  clause('removing what is not there discards nothing', async (scene) => {
    expect(await scene.channel.remove('nobody')).toEqual({ discarded: 0 })
  }),

  clause('a subscription created again after its removal starts from now', async (scene) => {
    const before = receiver()
    await scene.subscribe(before)
    await scene.publish(scene.events(3))
    await scene.handed(before, 3)
    await scene.channel.remove('one')
    await scene.publish(scene.events(3))
    const got = settler()
    await scene.subscribe(got)
    before.all[0]!.release(0) // of the old one, and of no account to the new one
    const events = scene.events(3)
    await scene.publish(events)
    await scene.handed(got, 3)
    await scene.time.pass(20)
    await scene.time.quiet()
    expect(sorted(got.ids)).toEqual(idsOf(events))
  }),

  clause('a receiver may remove its own subscription from within deliver', async (scene) => {
    const removed: Promise<unknown>[] = []
    const got = receiver((delivery) => {
      if (removed.length === 0) removed.push(scene.channel.remove('one'))
      delivery.settle()
    })
    const other = settler()
    await scene.subscribe(got, { window: { events: 1, bytes: 1e9 } })
    await scene.subscribe(other, { id: 'other' })
    await scene.publish(scene.events(5))
    await scene.handed(other, 5)
    await Promise.all(removed)
    await scene.time.quiet()
    expect(got.all).toHaveLength(1)
  }),

  clause('close waits for what is out, and hands out nothing meanwhile', async (scene) => {
    const got = receiver()
    await scene.subscribe(got, { window: { events: 2, bytes: 1e9 } })
    await scene.publish(scene.events(6))
    await scene.handed(got, 2)
    let closed = false
    const closing = scene.channel.close({ deadlineMs: scene.time.longDelayMs }).then(() => (closed = true))
    got.all[0]!.settle()
    await scene.time.quiet()
    expect(closed).toBe(false)
    got.all[1]!.release(0)
    await closing
    expect(got.all).toHaveLength(2)
  }),

  clause('close gives up waiting at its deadline, and what settles later does no harm', async (scene) => {
    const got = receiver()
    await scene.subscribe(got)
    await scene.publish(scene.events(2))
    await scene.handed(got, 2)
    let closed = false
    const closing = scene.channel.close({ deadlineMs: scene.time.shortDelayMs }).then(() => (closed = true))
    await scene.time.pass(scene.time.shortDelayMs + 20)
    await scene.time.soon('the channel to close', () => closed)
    await closing
    got.all[0]!.settle()
    got.all[1]!.release(0)
    await scene.time.pass(20)
    await scene.time.quiet()
    expect(got.all).toHaveLength(2)
  }),

  clause(
    'a second process shares the work where shared, and else is refused or has a store of its own',
    async (scene) => {
      const one = settler()
      await scene.subscribe(one)
      if (!scene.capabilities.shared) {
        if (scene.capabilities.durable) await expect(scene.openAnother()).rejects.toThrow()
        return
      }
      const another = await scene.openAnother()
      const two = settler()
      await another.subscribe({ id: 'one', filter: typeIs('a') }, two.deliver)
      const events = scene.events(200)
      for (let i = 0; i < 200; i += 20) {
        const by = i % 40 === 0 ? scene.channel : another
        const results = await by.publish(events.slice(i, i + 20), { lane: 'ingress' })
        expect(results.every((result) => result.stored)).toBe(true)
      }
      const all = (): string[] => [...one.ids, ...two.ids]
      await scene.time.soon('every event at one of both', () => new Set(all()).size === 200)
      // Taking over may hand a few over twice (at least once); the work as a whole is shared, not doubled.
      expect(all().length).toBeLessThan(300)
    },
  ),

  clause('a process that closes leaves its unsettled events to the other, where shared', async (scene) => {
    if (!scene.capabilities.shared) return
    const stuck = receiver()
    await scene.subscribe(stuck, { window: { events: 10, bytes: 1e9 } })
    const events = scene.events(30)
    await scene.publish(events)
    await scene.handed(stuck, 1)
    const another = await scene.openAnother()
    const taker = settler()
    await another.subscribe({ id: 'one', filter: typeIs('a') }, taker.deliver)
    await scene.close(scene.channel)
    await scene.time.soon('every event', () => events.every(({ id }) => taker.ids.includes(id)))
  }),

  clause('two processes keep the order of keys where order is "key" and shared', async (scene) => {
    if (!scene.capabilities.shared || scene.capabilities.order !== 'key') return
    const another = await scene.openAnother()
    const seen: string[] = []
    const keepSeen = (): Receiver =>
      receiver((delivery) => {
        seen.push(`${orderingKey(delivery.event)} ${delivery.event.id}`)
        void setImmediate().then(() => delivery.settle())
      })
    await scene.subscribe(keepSeen(), { order: 'key' })
    await another.subscribe({ id: 'one', filter: typeIs('a'), order: 'key' }, keepSeen().deliver)
    const events = Array.from({ length: 100 }, (_, i) => scene.event({ partitionkey: `k${i % 5}` }))
    await scene.publish(events)
    await scene.time.soon('every event', () => new Set(seen).size === 100)
    for (const key of ['k0', 'k1', 'k2', 'k3', 'k4']) {
      const ofKey = [...new Set(seen.filter((line) => line.startsWith(`${key} `)))]
      expect(ofKey).toEqual(sorted(ofKey))
    }
  }),
]
