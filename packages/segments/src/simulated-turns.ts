// When each operation of a simulated disk completes: in an order that the seed chooses, one at a time.

import type { Clock, Timer } from '@sluice/clock'

/** Numbers from 0 up to 1, the same ones for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Completes what is under way, each by a call of its own. */
export interface Turns {
  /** Calls `complete` later, never before this returns. */
  add(complete: () => void): void
  /** Nothing completes any more. */
  stop(): void
}

/** Each after a delay of its own. */
export function timedTurns(clock: Clock, latencyMs: () => number, random: () => number): Turns {
  const timers = new Set<Timer>()
  return {
    add: (complete) => {
      const timer = clock.setTimer(random() * latencyMs(), () => {
        timers.delete(timer)
        complete()
      })
      timers.add(timer)
    },
    stop: () => {
      for (const timer of timers) timer.cancel()
      timers.clear()
    },
  }
}

/** A random one of those under way in each turn of the event loop or of the queue of microtasks. */
export function untimedTurns(turn: 'immediate' | 'microtask', random: () => number): Turns {
  const underWay: (() => void)[] = []
  const schedule = turn === 'immediate' ? setImmediate : queueMicrotask
  const completeOne = (): void => {
    const [complete] = underWay.splice(Math.floor(random() * underWay.length), 1)
    if (underWay.length > 0) schedule(completeOne)
    complete?.()
  }
  return {
    add: (complete) => {
      if (underWay.push(complete) === 1) schedule(completeOne)
    },
    stop: () => void underWay.splice(0),
  }
}
