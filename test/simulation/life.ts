// One life of the simulated process: when it ends, so do its timers.

import type { Clock, Timer } from '@sluice/clock'

export interface LifeClock extends Clock {
  /** No timer of this life fires any more. */
  end(): void
}

export function lifeClock(clock: Clock): LifeClock {
  const timers = new Set<Timer>()
  let hasEnded = false
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimer: (delayMs, wake) => {
      if (hasEnded) return { cancel: () => {} }
      const timer = clock.setTimer(delayMs, () => {
        timers.delete(timer)
        wake()
      })
      timers.add(timer)
      return {
        cancel: () => {
          timers.delete(timer)
          timer.cancel()
        },
      }
    },
    end: () => {
      hasEnded = true
      for (const timer of timers) timer.cancel()
      timers.clear()
    },
  }
}
