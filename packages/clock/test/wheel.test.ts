import { expect, test } from 'vitest'
import { manualClock, TimerWheel, type Clock, type ManualClock } from '@sluice/clock'

const HOUR_MS = 3_600_000
const expire = (): void => {}

/** A wheel that writes down what expires and when. */
function recordingWheel(clock: Clock, tickMs?: number): { wheel: TimerWheel; expired: [handle: number, at: number][] } {
  const expired: [number, number][] = []
  const record = (handle: number): void => void expired.push([handle, clock.monotonic()])
  return { wheel: new TimerWheel({ clock, expire: record, ...(tickMs === undefined ? {} : { tickMs }) }), expired }
}

/** Counts the timers that are set on a clock. */
function countTimers(clock: ManualClock): { clock: Clock; set: number } {
  const counted = {
    set: 0,
    clock: {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      setTimer: (delayMs: number, wake: () => void) => {
        counted.set++
        return clock.setTimer(delayMs, wake)
      },
    },
  }
  return counted
}

test('an entry expires once, not before it is due and within one tick of it', () => {
  const clock = manualClock()
  const { wheel, expired } = recordingWheel(clock)
  const handle = wheel.add(12)
  expect(wheel.dueAt(handle)).toBe(12)
  clock.advance(11.9)
  expect(expired).toEqual([])
  clock.advance(HOUR_MS)
  expect(expired).toEqual([[handle, 15]])
  expect(wheel.size).toBe(0)
})

test('an entry due a rounding error after the end of a tick waits for the next one', () => {
  const clock = manualClock()
  const { wheel, expired } = recordingWheel(clock, 1.1)
  const due = 5.500000000000001
  expect([5 * 1.1 < due, Math.ceil(due / 1.1)]).toEqual([true, 5])
  wheel.add(due)
  clock.advance(5 * 1.1)
  expect(expired).toEqual([])
  clock.advance(1.2)
  expect(expired).toHaveLength(1)
})

test('an entry added by a slow expire is not early, though time has passed since the wheel woke up', () => {
  const manual = manualClock()
  let slownessMs = 0
  const clock = { ...manual, monotonic: () => manual.monotonic() + slownessMs }
  const expired: number[] = []
  const wheel: TimerWheel = new TimerWheel({
    clock,
    expire: () => {
      expired.push(clock.monotonic())
      if (expired.length > 1) return
      slownessMs = 315
      wheel.add(7)
    },
  })
  wheel.add(10)
  manual.advance(10)
  expect(expired).toEqual([10])
  manual.advance(100)
  expect(expired).toEqual([10, 335])
})

test('hours and days are told apart as finely as milliseconds', () => {
  const clock = manualClock()
  const { wheel, expired } = recordingWheel(clock)
  const delaysMs = [3, 300, 30_000, HOUR_MS, 5 * HOUR_MS + 1, 72 * HOUR_MS, 365 * 24 * HOUR_MS, 2 ** 40]
  const handles = delaysMs.map((delayMs) => wheel.add(delayMs))
  clock.advance(2 ** 40 + 5)
  expect(expired.map(([handle]) => handle)).toEqual(handles)
  expect(expired.map(([, at]) => at)).toEqual(delaysMs.map((delayMs) => Math.ceil(delayMs / 5) * 5))
})

test('entries of one tick expire in the order of adding', () => {
  const clock = manualClock()
  const { wheel, expired } = recordingWheel(clock)
  const handles = [10_004, 10_001, 10_003].map((delayMs) => wheel.add(delayMs))
  clock.advance(9_990)
  handles.push(wheel.add(12))
  clock.advance(20)
  expect(expired.map(([handle]) => handle)).toEqual(handles)
})

test('there is one clock timer however many entries, none while the wheel is empty, and no ticking between', () => {
  const manual = manualClock()
  const counted = countTimers(manual)
  const { wheel, expired } = recordingWheel(counted.clock)
  expect(manual.pending).toBe(0)
  for (let i = 0; i < 1_000; i++) wheel.add(72 * HOUR_MS)
  expect(manual.pending).toBe(1)
  manual.advance(72 * HOUR_MS)
  expect(expired).toHaveLength(1_000)
  expect(counted.set).toBeLessThanOrEqual(7)
  expect(manual.pending).toBe(0)

  const handle = wheel.add(10)
  wheel.cancel(handle)
  expect(manual.pending).toBe(0)
})

test('an earlier entry moves the timer forward, a later one leaves it alone', () => {
  const manual = manualClock()
  const counted = countTimers(manual)
  const { wheel, expired } = recordingWheel(counted.clock)
  const late = wheel.add(100)
  const early = wheel.add(50)
  expect(counted.set).toBe(2)
  wheel.add(200)
  expect(counted.set).toBe(2)
  expect(manual.pending).toBe(1)
  manual.advance(100)
  expect(expired).toEqual([
    [early, 50],
    [late, 100],
  ])
})

test('a cancelled entry does not expire; a handle without a pending entry is refused', () => {
  const clock = manualClock()
  const { wheel, expired } = recordingWheel(clock)
  const [first, second] = [wheel.add(10), wheel.add(10)]
  expect(wheel.cancel(first)).toBe(true)
  expect(wheel.cancel(first)).toBe(false)
  expect(wheel.dueAt(first)).toBeNaN()
  clock.advance(10)
  expect(expired).toEqual([[second, 10]])
  for (const handle of [second, -1, 64, 0.5, Number.NaN]) {
    expect(wheel.cancel(handle)).toBe(false)
    expect(wheel.dueAt(handle)).toBeNaN()
  }
  expect(wheel.size).toBe(0)
})

test('handles are dense, reused after expiry and cancellation, and always below the capacity, which doubles', () => {
  const clock = manualClock()
  const { wheel } = recordingWheel(clock)
  expect(wheel.capacity).toBe(64)
  const handles = Array.from({ length: 65 }, () => wheel.add(10))
  expect(handles).toEqual(Array.from({ length: 65 }, (_, i) => i))
  expect(wheel.capacity).toBe(128)
  wheel.cancel(7)
  expect(wheel.add(20)).toBe(7)
  clock.advance(10)
  expect(wheel.size).toBe(1)
  const again = Array.from({ length: 64 }, () => wheel.add(10))
  expect(new Set(again).size).toBe(64)
  expect(Math.max(...again)).toBeLessThan(65)
  expect(wheel.capacity).toBe(128)
})

test('fault 6: after a pause of the process everything due expires at once, in order, and the rest on time', () => {
  const manual = manualClock()
  let pausedMs = 0
  const clock = { ...manual, monotonic: () => manual.monotonic() + pausedMs }
  const { wheel, expired } = recordingWheel(clock)
  const handles = [40_000, 10, 1_000, 29_999].map((delayMs) => wheel.add(delayMs))
  pausedMs = 30_000
  manual.advance(10)
  expect(expired.map(([handle]) => handle)).toEqual([handles[1], handles[2], handles[3]])
  manual.advance(9_989)
  expect(expired).toHaveLength(3)
  manual.advance(1)
  expect(expired.at(-1)).toEqual([handles[0], 40_000])
})

test('fault 19: a jump of the wall clock neither delays nor hastens an entry', () => {
  const clock = manualClock()
  const { wheel, expired } = recordingWheel(clock)
  wheel.add(1_000)
  clock.jump(HOUR_MS)
  clock.advance(999)
  expect(expired).toEqual([])
  clock.jump(-2 * HOUR_MS)
  clock.advance(1)
  expect(expired).toHaveLength(1)
})

test('expire may cancel neighbours of its slot and add again, also without delay, and the wheel still returns', () => {
  const clock = manualClock()
  const expired: number[] = []
  let again = 3
  const wheel: TimerWheel = new TimerWheel({
    clock,
    expire: (handle) => {
      expired.push(clock.monotonic())
      wheel.cancel(handle + 1)
      if (again-- > 0) wheel.add(0)
    },
  })
  wheel.add(10)
  wheel.add(10)
  clock.advance(100)
  expect(expired).toEqual([10, 15, 20, 25])
  expect(clock.pending).toBe(0)
})

test('if expire throws, the error reaches the clock and the other entries that are due follow', () => {
  const clock = manualClock()
  const expired: number[] = []
  const wheel = new TimerWheel({
    clock,
    expire: (handle) => {
      if (handle === 0) throw new Error('boom')
      expired.push(handle)
    },
  })
  wheel.add(10)
  wheel.add(10)
  expect(() => clock.advance(10)).toThrow('boom')
  expect(wheel.size).toBe(1)
  clock.advance(0)
  expect(expired).toEqual([1])
})

test('closing forgets all entries and the timer, also from inside expire; adding is refused afterwards', () => {
  const clock = manualClock()
  let expired = 0
  const wheel: TimerWheel = new TimerWheel({
    clock,
    expire: () => {
      expired++
      wheel.close()
    },
  })
  for (let i = 0; i < 3; i++) wheel.add(10)
  wheel.add(1_000)
  clock.advance(HOUR_MS)
  expect(expired).toBe(1)
  expect(wheel.size).toBe(0)
  expect(wheel.capacity).toBe(0)
  expect(wheel.cancel(0)).toBe(false)
  expect(clock.pending).toBe(0)
  expect(() => wheel.add(1)).toThrow('closed')
})

test('a wheel at maxEntries refuses another entry and takes one again when one has gone', () => {
  const clock = manualClock()
  const wheel = new TimerWheel({ clock, expire, maxEntries: 2 })
  wheel.add(10)
  const handle = wheel.add(10)
  expect(() => wheel.add(10)).toThrow('full')
  expect(wheel.size).toBe(2)
  wheel.cancel(handle)
  expect(wheel.add(10)).toBe(handle)
})

test('delays and settings out of bounds are refused, and a negative delay is none', () => {
  const clock = manualClock()
  const { wheel, expired } = recordingWheel(clock)
  for (const delayMs of [Number.NaN, Infinity, 2 ** 40 + 1]) expect(() => wheel.add(delayMs)).toThrow(RangeError)
  expect(wheel.size).toBe(0)
  wheel.add(-5)
  clock.advance(0)
  expect(expired).toHaveLength(1)
  for (const tickMs of [0, 0.5, -1, Number.NaN, Infinity]) {
    expect(() => new TimerWheel({ clock, expire, tickMs })).toThrow('tickMs')
  }
  for (const maxEntries of [0, Number.NaN, 2 ** 31]) {
    expect(() => new TimerWheel({ clock, expire, maxEntries })).toThrow('maxEntries')
  }
})
