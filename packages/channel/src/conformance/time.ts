// How the suite waits. With a manual clock it moves time itself; against a real server time passes by itself. A
// clause reads the same either way: it awaits what has to come, and never sleeps in the hope that it came.

import { setImmediate, setTimeout } from 'node:timers/promises'
import { systemClock, type Clock, type ManualClock } from '@sluice/clock'

export interface Time {
  /** What the channel goes by. */
  readonly clock: Clock
  /** A delay that is over soon, but not at once: 60 s by hand, 200 ms really. */
  readonly shortDelayMs: number
  /** A delay that no clause waits for. */
  readonly longDelayMs: number
  /**
   * Resolves once `condition` holds, rejects when it has not within the driver's `timeoutMs`. A manual clock goes on
   * meanwhile as fast as a real one, so that a driver's own short timers fire, and nothing of a minute does.
   */
  soon(what: string, condition: () => boolean): Promise<void>
  /** Lets `ms` milliseconds pass. */
  pass(ms: number): Promise<void>
  /** Lets whatever might still come come, before the suite says that it did not. */
  quiet(): Promise<void>
}

export interface TimeOptions {
  clock: ManualClock | undefined
  timeoutMs: number
  quietMs: number
}

export function timeOf({ clock, timeoutMs, quietMs }: TimeOptions): Time {
  let followed = performance.now()

  /** Lets others run, and moves a manual clock by what has really passed since. */
  async function turn(turns: number): Promise<void> {
    if (clock === undefined && turns > 50) return setTimeout(1)
    await setImmediate()
    if (clock === undefined) return
    const passedMs = Math.floor(performance.now() - followed)
    if (passedMs < 1) return
    followed += passedMs
    clock.advance(Math.min(passedMs, 50)) // the machine may have stood still; the clause did not ask for that
  }

  async function soon(what: string, condition: () => boolean): Promise<void> {
    followed = performance.now()
    const deadline = followed + timeoutMs
    for (let turns = 0; !condition(); turns++) {
      if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms, and this never came: ${what}`)
      await turn(turns)
    }
  }

  async function pass(ms: number): Promise<void> {
    if (clock === undefined) return setTimeout(ms)
    clock.advance(ms)
    await settleDown()
  }

  async function quiet(): Promise<void> {
    followed = performance.now()
    const end = followed + quietMs
    await settleDown()
    clock?.advance(SHORT_TIMERS_MS)
    await settleDown()
    while (performance.now() < end) await turn(Infinity)
  }

  return {
    clock: clock ?? systemClock,
    shortDelayMs: clock === undefined ? 200 : 60_000,
    longDelayMs: 3600_000,
    soon,
    pass,
    quiet,
  }
}

/** What a driver calls "at once" may still go through a timer of so many milliseconds. */
const SHORT_TIMERS_MS = 20

/** Lets promises and callbacks that need no time run to their ends. */
async function settleDown(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await setImmediate()
}
