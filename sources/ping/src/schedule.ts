// When a cron schedule is due. Pure; the library is asked for one time after another.

import { Cron } from 'croner'

/** Times of a schedule, wall-clock ms. */
export interface Schedule {
  /** The first after `afterMs`; `undefined`: there is none any more. */
  next(afterMs: number): number | undefined
  /** Those after `afterMs` up to `untilMs`, the newest `max` of them, in order. */
  between(afterMs: number, untilMs: number, max: number): { readonly times: number[]; readonly left: number }
}

/** Five fields or six, or a descriptor such as `@hourly`; checked before. `timezone`: empty = UTC. */
export function schedule(pattern: string, timezone: string): Schedule {
  const cron = new Cron(pattern, { paused: true, timezone: timezone === '' ? 'UTC' : timezone })
  const next = (afterMs: number): number | undefined => cron.nextRun(new Date(afterMs))?.getTime()
  return {
    next,
    between(afterMs, untilMs, max) {
      const times: number[] = []
      let left = 0
      for (let at = next(afterMs); at !== undefined && at <= untilMs; at = next(at)) {
        times.push(at)
        if (times.length <= max) continue
        times.shift()
        left++
      }
      return { times, left }
    },
  }
}
