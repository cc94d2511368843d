// Waiting no longer than so long.

import type { Clock } from '@sluice/clock'

/** Resolves with `true` once `work` is done, or with `false` after `deadlineMs` milliseconds. Rejects as `work` does. */
export function within(clock: Clock, deadlineMs: number, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(deadlineMs, () => resolve(false))
    work.then(
      () => {
        timer.cancel()
        resolve(true)
      },
      (error: unknown) => {
        timer.cancel()
        reject(error)
      },
    )
  })
}
