// Wall-clock time that does not jump: what it was when the log was opened, and what has passed since. Due times and ages
// go by it, so that a clock that is set wrong, or right again, makes no retries burst or stall, and no history old
// (fault 19). Across a restart there is only the wall clock to go by; see `remainingMs`.

import type { Clock } from '@sluice/clock'

/** In ms, as `Date.now()`. */
export type WallClock = () => number

export function wallClock(clock: Clock): WallClock {
  const offset = clock.now() - clock.monotonic()
  return () => offset + clock.monotonic()
}

/**
 * How long it still is until `due`, which an earlier process saved at `savedAt`, both by its own clock. Never longer than
 * it was when it was saved: a clock that was set back makes nobody wait for it.
 */
export function remainingMs(due: number, savedAt: number, now: number): number {
  return Math.max(0, due - savedAt - Math.max(0, now - savedAt))
}
