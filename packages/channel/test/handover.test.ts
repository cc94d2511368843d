// The hand-over where an event is not in memory yet: a log's reader or a server's answer brings it later. What is the
// same with events at hand is proved by the suite on the in-memory channel.

import { describe, expect, test } from 'vitest'
import { HELD_MAX, Handover, ParkingLot, type Delivery, type HandoverOptions, type Window } from '@sluice/channel'
import { manualClock, type ManualClock } from '@sluice/clock'
import { Event } from '@sluice/event'

interface Setup {
  clock: ManualClock
  handover: Handover<string>
  /** What is in the backlog; the key of `k1:a` is k1. */
  backlog: string[]
  /** Asked for, and not brought yet. */
  loading: string[]
  settled: string[]
  delivered: Delivery[]
  ids: () => string[]
  /** Brings what was asked for, the newest first: an order that no driver has to keep. */
  bringAll: () => void
}

function setup(
  options: Partial<HandoverOptions<string>> & { inMemory?: (ref: string) => boolean; bytes?: number } = {},
): Setup {
  const { inMemory = () => false, bytes = 1, ...rest } = options
  const clock = manualClock()
  const backlog: string[] = []
  const loading: string[] = []
  const settled: string[] = []
  const delivered: Delivery[] = []
  const handover = new Handover<string>({
    backlog: {
      next: () => backlog.shift(),
      load: (ref) => {
        if (inMemory(ref)) return eventOf(ref)
        loading.push(ref)
        return undefined
      },
      bytes: () => bytes,
      position: (ref) => ref,
      settled: (ref) => settled.push(ref),
      parked: () => {},
    },
    parking: new ParkingLot(clock),
    deliver: (delivery) => delivered.push(delivery),
    order: 'none',
    window: windowOf(3),
    maxDelayMs: 60_000,
    maxParked: 100,
    ...rest,
  })
  return {
    clock,
    handover,
    backlog,
    loading,
    settled,
    delivered,
    ids: () => delivered.map(({ event }) => event.id),
    bringAll: () => {
      while (loading.length > 0) {
        const ref = loading.pop()!
        handover.loaded(ref, eventOf(ref))
      }
    },
  }
}

function eventOf(ref: string): Event {
  return new Event(
    new Map(Object.entries({ id: ref, source: '/s', type: 't', partitionkey: ref.split(':')[0]! })),
    undefined,
  )
}

function windowOf(events: number): Window {
  return { events, bytes: 1000 }
}

describe('a hand-over whose events are loaded', () => {
  test('counts what is loading for the window, and delivers in the order taken whatever comes first', () => {
    const { handover, backlog, loading, ids, bringAll } = setup()
    backlog.push('k:1', 'k:2', 'k:3', 'k:4')
    handover.wake()
    expect(loading).toEqual(['k:1', 'k:2', 'k:3'])
    expect(handover.inFlight).toBe(3)
    handover.loaded('k:2', eventOf('k:2'))
    expect(ids()).toEqual([])
    bringAll()
    expect(ids()).toEqual(['k:1', 'k:2', 'k:3'])
  })

  test('keeps an event at hand behind one that is still loading', () => {
    const { handover, backlog, ids, bringAll } = setup({ inMemory: (ref) => ref === 'k:2' })
    backlog.push('k:1', 'k:2')
    handover.wake()
    expect(ids()).toEqual([])
    bringAll()
    expect(ids()).toEqual(['k:1', 'k:2'])
  })

  test('paused while it loads, hands the event over after resume, in its place', () => {
    const { handover, backlog, ids, bringAll } = setup()
    backlog.push('k:1', 'k:2', 'k:3', 'k:4')
    handover.wake()
    handover.pause()
    bringAll()
    expect(ids()).toEqual([])
    expect(handover).toMatchObject({ inFlight: 0, waiting: 3, parkedEvents: 0 })
    handover.resume()
    bringAll()
    expect(ids()).toEqual(['k:1', 'k:2', 'k:3'])
  })

  test('closed while it loads, hands nothing to its old receiver, and all to the next one', () => {
    const { handover, backlog, delivered, bringAll } = setup()
    backlog.push('k:1', 'k:2')
    handover.wake()
    handover.close()
    bringAll()
    expect(delivered).toEqual([])
    const next: string[] = []
    handover.reopen((delivery) => next.push(delivery.event.id), false)
    bringAll()
    expect(next).toEqual(['k:1', 'k:2'])
  })

  test('given up while it loads, comes to nobody, and leaves the window', () => {
    const { handover, backlog, delivered, loading, bringAll } = setup()
    backlog.push('k:1', 'k:2')
    handover.wake()
    expect(handover.dropWaiting()).toEqual(['k:1', 'k:2'])
    bringAll()
    expect(delivered).toEqual([])
    expect(handover.inFlight).toBe(0)
    backlog.push('k:3', 'k:4', 'k:5')
    handover.wake()
    expect(loading).toEqual(['k:3', 'k:4', 'k:5'])
  })

  test('asked for again after it was given up, is handed over once', () => {
    const { handover, backlog, ids } = setup()
    backlog.push('k:1')
    handover.wake()
    handover.dropWaiting()
    backlog.push('k:1')
    handover.wake()
    handover.loaded('k:1', eventOf('k:1'))
    handover.loaded('k:1', eventOf('k:1'))
    expect(ids()).toEqual(['k:1'])
  })

  test('with order by key, a retry that loads keeps its key from those behind it', () => {
    const { handover, backlog, delivered, ids, clock, bringAll } = setup({ order: 'key', window: windowOf(10) })
    backlog.push('a:1', 'a:2', 'b:1')
    handover.wake()
    bringAll()
    expect(ids()).toEqual(['a:1', 'b:1'])
    delivered[0]!.release(10)
    clock.advance(20)
    backlog.push('a:3')
    handover.wake()
    handover.loaded('a:3', eventOf('a:3'))
    bringAll()
    expect(ids()).toEqual(['a:1', 'b:1', 'a:1'])
    delivered[2]!.settle()
    bringAll()
    delivered[3]!.settle()
    bringAll()
    expect(ids()).toEqual(['a:1', 'b:1', 'a:1', 'a:2', 'a:3'])
  })

  test('starts from the tries that a process before has made', () => {
    const tried = setup()
    const handover = new Handover<string>({
      backlog: {
        next: () => tried.backlog.shift(),
        load: eventOf,
        tries: () => 4,
        bytes: () => 1,
        position: (ref) => ref,
        settled: () => {},
        parked: () => {},
      },
      parking: new ParkingLot(tried.clock),
      deliver: (delivery) => tried.delivered.push(delivery),
      order: 'key',
      maxDelayMs: 1000,
      maxParked: 10,
    })
    tried.backlog.push('k:1', 'k:2')
    handover.wake()
    tried.delivered[0]!.settle()
    expect(tried.delivered.map(({ attempt }) => attempt)).toEqual([5, 5])
  })
})

describe('a hand-over', () => {
  test('goes on when its receiver settles or releases within deliver', () => {
    const order: string[] = []
    const { handover, backlog, clock, settled } = setup({
      inMemory: () => true,
      window: windowOf(1),
      deliver: (delivery) => {
        order.push(`${delivery.event.id}/${delivery.attempt}`)
        if (delivery.event.id === 'k:2' && delivery.attempt === 1) delivery.release(0)
        else delivery.settle()
      },
    })
    backlog.push('k:1', 'k:2', 'k:3')
    handover.wake()
    clock.advance(10)
    expect(order).toEqual(['k:1/1', 'k:2/1', 'k:3/1', 'k:2/2'])
    expect(settled).toEqual(['k:1', 'k:3', 'k:2'])
  })

  test('is drained once nothing is out, for everybody who waits', async () => {
    const { handover, backlog, delivered } = setup({ inMemory: () => true })
    backlog.push('k:1', 'k:2')
    handover.wake()
    handover.close()
    const both = Promise.all([handover.drained(), handover.drained()])
    delivered[0]!.settle()
    delivered[1]!.release(1000)
    await both
    await handover.drained()
  })

  test('takes a delay that is no number as none, and loses nothing by it', () => {
    const { handover, backlog, delivered, clock } = setup({ inMemory: () => true })
    backlog.push('k:1', 'k:2')
    handover.wake()
    delivered[0]!.release(Number.NaN)
    delivered[1]!.release(-5)
    clock.advance(10)
    expect(delivered.map(({ attempt }) => attempt)).toEqual([1, 1, 2, 2])
  })

  test(`holds at most ${HELD_MAX.bytes} bytes behind blocked keys`, () => {
    const bytes = 1024 * 1024
    const { handover, backlog, delivered } = setup({
      inMemory: () => true,
      order: 'key',
      bytes,
      window: { events: 100, bytes: 100 * bytes },
    })
    for (let i = 0; i < 40; i++) backlog.push(`hot:${i}`)
    backlog.push('cold:1')
    handover.wake()
    // One is out, and 16 MiB are held; the rest stays with the driver, and so does the other key.
    expect(handover.deferred).toBe(HELD_MAX.bytes / bytes)
    expect(delivered).toHaveLength(1)
    while (backlog.length > 0) delivered.at(-1)!.settle()
    expect(delivered.map(({ event }) => event.id)).toContain('cold:1')
  })

  test('parks no more than it may, when the order of keys ends and all that was held goes out', () => {
    const { handover, backlog, delivered } = setup({
      inMemory: () => true,
      order: 'key',
      window: windowOf(50),
      maxParked: 5,
      deliver: (delivery) => {
        delivered.push(delivery)
        delivery.release(1000)
      },
    })
    for (let i = 0; i < 20; i++) backlog.push(`k:${i}`)
    handover.wake()
    expect(handover.parkedEvents).toBe(1)
    handover.setOrder('none')
    expect(handover.parkedEvents).toBe(5)
  })

  test('goes on with what did not fit the window, when the order changes meanwhile', () => {
    const { handover, backlog, delivered, ids } = setup({ inMemory: () => true, bytes: 600 })
    backlog.push('k:1', 'k:2', 'k:3')
    handover.wake()
    handover.setOrder('key')
    for (let i = 0; i < 3; i++) delivered[i]!.settle()
    expect(ids()).toEqual(['k:1', 'k:2', 'k:3'])
  })

  test('gives up what did not fit the window too', () => {
    const { handover, backlog, delivered, ids } = setup({ inMemory: () => true, bytes: 600 })
    backlog.push('k:1', 'k:2')
    handover.wake()
    expect(handover.waiting).toBe(1)
    expect(handover.dropWaiting()).toEqual(['k:2'])
    expect(handover.waiting).toBe(0)
    backlog.push('k:2')
    delivered[0]!.settle()
    delivered[1]!.settle()
    expect(ids()).toEqual(['k:1', 'k:2'])
  })

  test('names everything that it has taken and that is not settled', () => {
    const { handover, backlog, delivered } = setup({
      inMemory: (ref) => ref !== 'late:1',
      order: 'key',
      window: windowOf(4),
    })
    backlog.push('a:1', 'a:2', 'b:1', 'c:1', 'late:1', 'd:1', 'e:1')
    handover.wake()
    delivered[1]!.release(1000)
    expect([...handover.refs()].toSorted()).toEqual(['a:1', 'a:2', 'b:1', 'c:1', 'd:1', 'late:1'])
    expect([...handover.out()].toSorted()).toEqual(['a:1', 'c:1'])
    expect(handover.remove().toSorted()).toEqual(['a:2', 'b:1', 'd:1', 'late:1'])
    expect([...handover.refs()].toSorted()).toEqual(['a:1', 'c:1'])
  })
})

describe('fault 32: what comes back again and again leaves a quarter of the window to what was never out', () => {
  const setUp = (window: Window): Setup => setup({ inMemory: () => true, bytes: 10, window })

  test.each<[string, Window, number, number]>([
    ['events', { events: 8, bytes: 1000 }, 6, 2],
    ['bytes', { events: 100, bytes: 80 }, 6, 2],
    ['a window of one event', { events: 1, bytes: 1000 }, 1, 0],
  ])('counted in %s', (_, window, repeats, fresh) => {
    const { handover, backlog, delivered, clock } = setUp(window)
    backlog.push(...Array.from({ length: 20 }, (_, n) => `k:poison${n}`))
    handover.wake()
    while (delivered.length > 0) delivered.pop()!.release(1000)
    expect(delivered.splice(0)).toEqual([])
    clock.advance(1000)
    expect(delivered.filter(({ attempt }) => attempt > 1)).toHaveLength(repeats)
    backlog.push('k:well1', 'k:well2', 'k:well3')
    handover.wake()
    expect(delivered.filter(({ attempt }) => attempt === 1)).toHaveLength(fresh)
    for (const delivery of delivered.splice(0)) delivery.settle()
    expect(delivered.length).toBeGreaterThan(0)
  })

  test('an event that came back goes out alone where it is more than that quarter leaves', () => {
    const { handover, backlog, delivered, clock } = setUp({ events: 4, bytes: 10 })
    backlog.push('k:large')
    handover.wake()
    delivered.pop()!.release(10)
    clock.advance(10)
    expect(delivered.map(({ attempt }) => attempt)).toEqual([2])
  })
})

test('what was lost to another process is given up wherever it waits, its keys go on, and what is out stays out', () => {
  const { handover, backlog, delivered, settled, ids, clock } = setup({
    inMemory: () => true,
    order: 'key',
    window: windowOf(3),
  })
  backlog.push('a:1', 'a:2-lost', 'a:3', 'b:1-lost', 'b:2', 'c:1-lost', 'd:1-lost', 'd:2')
  handover.wake()
  expect(ids()).toEqual(['a:1', 'b:1-lost', 'c:1-lost'])
  delivered[1]!.release(50)
  expect(ids().at(-1)).toBe('d:1-lost')

  const isLost = (ref: string): boolean => ref.endsWith('lost')
  expect(handover.dropLost(isLost, (ref) => ref.split(':')[0]!).toSorted()).toEqual(['a:2-lost', 'b:1-lost'])
  delivered[0]!.settle()
  expect(ids().slice(4)).toEqual(['b:2'])
  delivered[2]!.settle()
  expect(settled).toEqual(['a:1', 'c:1-lost'])
  expect(ids().slice(5)).toEqual(['a:3'])
  clock.advance(100)
  delivered[3]!.settle()
  expect(ids().slice(6)).toEqual(['d:2'])
  expect(handover).toMatchObject({ inFlight: 3, waiting: 0 })
})
