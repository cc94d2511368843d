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
  setTimer: (delayMs, wake) => {
    const timeout = setTimeout(wake, delayMs)
    return { cancel: () => clearTimeout(timeout) }
  },
}
