// What the in-memory channel promises beyond the contract: its books, its history, and what it keeps in memory.

import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { memoryChannel } from '@sluice/channel-memory'
import type { Delivery } from '@sluice/channel'
import { manualClock } from '@sluice/clock'
import { Event } from '@sluice/event'
import { compileAttributes } from '@sluice/filter'

const everything = compileAttributes({})
const INGRESS = { lane: 'ingress' } as const

function eventOf(id: number, bytes = 1000, key?: string): Event {
  const attributes = { specversion: '1.0', id: String(id), source: '/s', type: 't', ...(key && { partitionkey: key }) }
  return new Event(new Map(Object.entries(attributes)), Buffer.alloc(bytes))
}

describe('the in-memory channel', () => {
  test('an event that nobody is waiting for costs nothing and has no position', async () => {
    const channel = memoryChannel()
    expect(await channel.publish([eventOf(1)], INGRESS)).toEqual([{ stored: true, position: undefined }])
    expect(channel.usage()).toMatchObject({ bytes: 0, events: 0 })
  })

  test('an event is counted once, whoever it waits for, until the last of them has settled it', async () => {
    const channel = memoryChannel()
    const out: Delivery[] = []
    for (const id of ['a', 'b', 'c'])
      await channel.subscribe({ id, filter: everything }, (delivery) => out.push(delivery))
    await channel.publish([eventOf(1, 10_000)], INGRESS)
    const { bytes } = channel.usage()
    expect(bytes).toBeGreaterThan(10_000)
    expect(bytes).toBeLessThan(10_600)
    out[0]!.settle()
    out[1]!.settle()
    expect(channel.usage()).toMatchObject({ bytes, events: 1 })
    out[2]!.settle()
    expect(channel.usage()).toMatchObject({ bytes: 0, events: 0 })
  })

  test('an event settled at once while others are held behind their key leaves no bytes behind', async () => {
    const channel = memoryChannel()
    const held: Delivery[] = []
    await channel.subscribe({ id: 'one', filter: everything, order: 'key' }, (delivery) => {
      if (delivery.event.text('partitionkey') === 'hot') held.push(delivery)
      else delivery.settle()
    })
    await channel.publish([eventOf(1, 1000, 'hot'), eventOf(2, 1000, 'hot')], INGRESS)
    await channel.publish(
      Array.from({ length: 100 }, (_, i) => eventOf(i + 3, 1000, 'cold')),
      INGRESS,
    )
    expect(channel.usage().events).toBe(2)
    held[0]!.settle()
    held[1]!.settle()
    expect(channel.usage()).toMatchObject({ bytes: 0, events: 0 })
    // @ts-expect-error the slabs are its own affair; here their books are what is asked for
    expect(channel.slabs.liveBytes).toBe(0)
  })

  test('a receiver that removes another subscription in the middle of a publish leaves no bytes behind', async () => {
    const channel = memoryChannel()
    await channel.subscribe({ id: 'first', filter: everything }, (delivery) => {
      void channel.remove('second')
      delivery.settle()
    })
    const got: Delivery[] = []
    await channel.subscribe({ id: 'second', filter: everything }, (delivery) => got.push(delivery))
    await channel.publish([eventOf(1)], INGRESS)
    expect(got).toEqual([])
    expect(channel.usage()).toMatchObject({ bytes: 0, events: 0 })
  })

  test('an event that waits is kept as bytes alone', async () => {
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    const channel = memoryChannel()
    await channel.subscribe({ id: 'one', filter: everything, paused: true }, () => {})
    const parked: Delivery[] = []
    await channel.subscribe({ id: 'two', filter: everything }, (delivery) => {
      parked.push(delivery)
      delivery.release(60_000)
      parked.length = 0
    })
    const objects: WeakRef<Event>[] = []
    await publish(100)
    for (let i = 0; i < 10 && objects.some((object) => object.deref() !== undefined); i++) {
      await setImmediate()
      gc()
    }
    expect(objects.filter((object) => object.deref() !== undefined)).toEqual([])
    expect(channel.usage().events).toBe(100)
    await channel.close({ deadlineMs: 0 })

    async function publish(count: number): Promise<void> {
      for (let i = 0; i < count; i++) {
        const event = eventOf(i)
        objects.push(new WeakRef(event))
        await channel.publish([event], INGRESS)
      }
    }
  })

  test('history gives way, oldest settled first, and never makes the channel full', async () => {
    const channel = memoryChannel({ bytesMax: 100_000, historyBytes: 50_000 })
    const subscription = await channel.subscribe({ id: 'one', filter: everything }, (delivery) => delivery.settle())
    for (let i = 0; i < 500; i++) {
      expect(await channel.publish([eventOf(i)], INGRESS)).toMatchObject([{ stored: true }])
      expect(channel.usage().bytes).toBeLessThanOrEqual(51_500)
    }
    const kept = (await channel.read({ limit: 1000 })).map(({ event }) => Number(event.id))
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 500 - kept.length + i))
    expect(kept.length).toBeGreaterThan(35)
    expect(channel.room(1000)).toBe(0)

    subscription.pause()
    for (let i = 500; (await channel.publish([eventOf(i)], INGRESS))[0]!.stored; i++) {
      expect(channel.usage().bytes).toBeLessThanOrEqual(100_000)
    }
    expect(subscription.lag().events).toBeGreaterThan(60) // 80 % is for what waits, whatever is remembered
    const { events } = subscription.lag()
    await subscription.seek('earliest')
    expect(subscription.lag().events).toBeGreaterThanOrEqual(events)
  })

  test('what a seek hands over again is no history meanwhile, and is not forgotten', async () => {
    const channel = memoryChannel({ historyBytes: 30_000 })
    const got: Delivery[] = []
    const subscription = await channel.subscribe({ id: 'one', filter: everything }, (delivery) => {
      got.push(delivery)
      delivery.settle()
    })
    const old = Array.from({ length: 20 }, (_, i) => eventOf(i + 1))
    await channel.publish(old, INGRESS)
    subscription.pause()
    await channel.publish(
      Array.from({ length: 10 }, (_, i) => eventOf(i + 21)),
      INGRESS,
    )
    // Twenty are settled and fill the history; ten wait, and the seek lets go of them only after it has them again.
    await subscription.seek('earliest')
    await subscription.update({ filter: compileAttributes({ type: 'none' }) })
    await channel.subscribe({ id: 'two', filter: everything }, (delivery) => delivery.settle())
    await channel.publish(
      Array.from({ length: 100 }, (_, i) => eventOf(i + 31)),
      INGRESS,
    )
    got.length = 0
    subscription.resume()
    expect(got.map(({ event }) => Number(event.id))).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
  })

  test('with less history than one event, an event that is settled is forgotten', async () => {
    const channel = memoryChannel({ historyBytes: 100 })
    await channel.subscribe({ id: 'one', filter: everything }, (delivery) => delivery.settle())
    await channel.publish([eventOf(1), eventOf(2)], INGRESS)
    expect(channel.usage()).toMatchObject({ bytes: 0, events: 0 })
    expect(await channel.read({})).toEqual([])
  })

  test('closed, it keeps no timer alive', async () => {
    const clock = manualClock()
    const channel = memoryChannel({ clock })
    await channel.subscribe({ id: 'one', filter: everything }, (delivery) => delivery.release(60_000))
    await channel.publish([eventOf(1)], INGRESS)
    expect(clock.pending).toBe(1)
    await channel.close({ deadlineMs: 1000 })
    expect(clock.pending).toBe(0)
  })

  test('what it declares: volatile, of one process, and history only where it was given bytes', () => {
    const plain = memoryChannel().capabilities
    expect(plain).toMatchObject({ durable: false, shared: false, browse: false, starts: ['latest'], seek: 'none' })
    expect(plain).toMatchObject({ maxEventBytes: 25 * 1024 * 1024, maxParked: 100_000, retention: 'settled' })
    const history = memoryChannel({ historyBytes: 1 }).capabilities
    expect(history).toMatchObject({ browse: true, seek: 'online', starts: ['latest', 'earliest', 'time', 'after'] })
    expect(memoryChannel().usage().bytesMax).toBe(256 * 1024 * 1024)
  })
})
