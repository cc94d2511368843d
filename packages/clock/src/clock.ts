// Time as a parameter. Everything that waits, stamps or expires takes a Clock, so that a test moves
// time by hand and a simulation owns it.

/** What tells the time and wakes people up. The only door through which Sluice sees time. */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch. It can jump; never measure a duration with it. */
  now(): number
  /** Monotonic time in milliseconds, with fractions; its zero has no meaning. Durations and due times use this. */
  monotonic(): number
  /** Calls `wake` once, not before `delayMs` milliseconds have passed. */
  setTimer(delayMs: number, wake: () => void): Timer
}

/** A pending wake-up of {@link Clock.setTimer}. */
export interface Timer {
  /** Takes the wake-up back; after it fired, does nothing. */
  cancel(): void
}

/** The machine's own clock. Its timers keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: setSystemTimer,
}

/** The longest delay that `setTimeout` takes; it fires a longer one at once. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1

/**
 * `setTimeout` with the two promises of {@link Clock.setTimer} that it lacks: it may fire up to a millisecond
 * before `performance.now()` says so (it counts whole milliseconds of the event loop's own time), and it
 * fires at once where the delay is above 24.8 days.
 */
function setSystemTimer(delayMs: number, wake: () => void): Timer {
  const due = performance.now() + delayMs
  let timeout = setTimeout(check, timeoutFor(delayMs))
  function check(): void {
    const leftMs = due - performance.now()
    if (leftMs > 0) timeout = setTimeout(check, timeoutFor(leftMs))
    else wake()
  }
  return { cancel: () => clearTimeout(timeout) }
}

function timeoutFor(delayMs: number): number {
  return Math.min(Math.ceil(delayMs), TIMEOUT_MS_MAX)
}
