// A clock that stands still until somebody moves it: for tests, and for simulations that own time.

import type { Clock, Timer } from './clock.ts'

/** A {@link Clock} moved by hand. Nothing happens by itself: no timer fires but inside {@link advance}. */
export interface ManualClock extends Clock {
  /**
   * Lets `ms` milliseconds pass (0 or more) and runs, before it returns, every timer that falls due: in the
   * order of due times, and of setting where those are equal. While a timer runs, the clock shows that timer's
   * own due time; timers that it sets run too, if they are due by the end. What runs in a promise does so only
   * when the caller awaits. If a timer throws, the error comes out here and time stands at that timer.
   * Throws a RangeError for a negative or non-finite `ms`, an Error when called from inside a timer.
   */
  advance(ms: number): void
  /** Moves the wall clock alone, either way, as an operator or NTP does (fault 19): no timer notices. */
  jump(ms: number): void
  /** How many timers are set and have neither fired nor been cancelled. */
  readonly pending: number
}

/** Where a manual clock's wall time starts unless told: 2026-01-01T00:00:00Z, a round number in a log. */
const START_MS = Date.UTC(2026, 0, 1)

interface ManualTimer {
  readonly dueMs: number
  readonly order: number
  readonly wake: () => void
}

/**
 * A clock that stands still until moved.
 *
 * @param startMs wall-clock time at the start, in milliseconds since the Unix epoch; default
 *   2026-01-01T00:00:00Z. Monotonic time starts at 0, so that taking one for the other shows.
 */
export function manualClock(startMs: number = START_MS): ManualClock {
  /** Sorted by due time, then by order of setting: the next one is the first. */
  const timers: ManualTimer[] = []
  let elapsedMs = 0
  let wallOffsetMs = startMs
  let timersSet = 0
  let advancing = false

  function setTimer(delayMs: number, wake: () => void): Timer {
    // A delay that is negative or no number is due at once, as with setTimeout.
    const timer = { dueMs: elapsedMs + (delayMs > 0 ? delayMs : 0), order: timersSet++, wake }
    timers.splice(firstIndexNotBefore(timers, timer), 0, timer)
    return { cancel: () => remove(timer) }
  }

  function remove(timer: ManualTimer): void {
    const index = firstIndexNotBefore(timers, timer)
    if (timers[index] === timer) timers.splice(index, 1)
  }

  function advance(ms: number): void {
    if (!(ms >= 0 && ms < Infinity)) throw new RangeError(`a clock advances by 0 ms or more, not by ${ms}`)
    if (advancing) throw new Error('advance() was called from inside a timer; set another timer instead')
    const endMs = elapsedMs + ms
    advancing = true
    try {
      for (let next = timers[0]; next !== undefined && next.dueMs <= endMs; next = timers[0]) {
        timers.shift()
        elapsedMs = next.dueMs
        next.wake()
      }
      elapsedMs = endMs
    } finally {
      advancing = false
    }
  }

  return {
    now: () => wallOffsetMs + elapsedMs,
    monotonic: () => elapsedMs,
    setTimer,
    advance,
    jump: (ms) => {
      wallOffsetMs += ms
    },
    get pending() {
      return timers.length
    },
  }
}

/** The index of `timer`, or where it belongs: binary search, as a simulation may hold many. */
function firstIndexNotBefore(timers: readonly ManualTimer[], timer: ManualTimer): number {
  let low = 0
  let high = timers.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(timers[middle]!, timer)) low = middle + 1
    else high = middle
  }
  return low
}

function isBefore(a: ManualTimer, b: ManualTimer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order)
}
