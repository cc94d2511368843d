// Events that a hand-over has taken and that are not in memory yet: a driver brings them, in any order, and they leave in
// the order in which they were taken. Hot path of whoever lags.

import type { Event } from '@sluice/event'
import { Fifo } from './fifo.ts'

/** An event taken from the backlog, on its way out. */
export interface Taken<Ref> {
  readonly ref: Ref
  /** Tries made so far. */
  readonly tries: number
  /** Whether its key is already blocked in its name. */
  readonly ownsKey: boolean
  /** That key, where it was held behind it. */
  readonly key: string | undefined
  /** It was never out. */
  readonly isFresh: boolean
}

export interface Loading<Ref> {
  readonly taken: Taken<Ref>
  /** Once it is in memory. */
  event: Event | undefined
  /** It never will be. */
  isGone: boolean
}

export class LoadingQueue<Ref> {
  readonly #queue = new Fifo<Loading<Ref>>()

  get length(): number {
    return this.#queue.length
  }

  /** `event`: it is in memory, and waits for what was taken before. */
  push(taken: Taken<Ref>, event: Event | undefined): void {
    this.#queue.push({ taken, event, isGone: false })
  }

  /** It is in memory now. Nothing happens where it was given up meanwhile. */
  came(ref: Ref, event: Event): void {
    const loading = this.#find(ref)
    if (loading !== undefined) loading.event = event
  }

  /** It never will be. Returns it; `undefined`: it was given up meanwhile. */
  gone(ref: Ref): Taken<Ref> | undefined {
    const loading = this.#find(ref)
    if (loading === undefined) return undefined
    loading.isGone = true
    return loading.taken
  }

  /** Takes the oldest, if it is in memory or never will be. */
  shift(): Loading<Ref> | undefined {
    const first = this.#queue.peek()
    return first !== undefined && (first.isGone || first.event !== undefined) ? this.#queue.shift() : undefined
  }

  /** Gives up all of them. */
  takeAll(): Taken<Ref>[] {
    return this.#queue.takeAll().map(({ taken }) => taken)
  }

  *refs(): Generator<Ref> {
    for (const { taken, isGone } of this.#queue) if (!isGone) yield taken.ref
  }

  #find(ref: Ref): Loading<Ref> | undefined {
    for (const loading of this.#queue) {
      if (loading.taken.ref === ref && loading.event === undefined && !loading.isGone) return loading
    }
    return undefined
  }
}
