// What subscriptions that lag may take, all of them together. Whoever keeps up is handed events that all share; who lags
// holds events that were read for it, and a thousand full windows of those would be no bound at all. And a backlog is
// worked off beside what comes in: were all of it taken that windows have room for, each turn of the event loop would be
// so long that senders get next to none of it.

import type { LogSubscription } from './subscription.ts'

/** Events that they have out together, about ... */
const EVENTS = 8192
/** ... each at least so many, however many they are. */
const EVENTS_MIN = 4
/** Bytes of those events; one event each is always allowed. */
const BYTES = 64 * 1024 * 1024
/** Events that they take in one turn of the event loop. */
const EVENTS_A_TURN = 64

export class Laggards {
  /** Those that have something out which was read for them. */
  #count = 0
  /** Events that may be taken before the next turn. */
  #allowed = EVENTS_A_TURN
  /** Those that would have taken more: they go on in turn. */
  readonly #waiting = new Set<LogSubscription>()

  enter(): void {
    this.#count++
  }

  leave(): void {
    this.#count--
  }

  /** Whether one that has these out may take one more. If not, it is woken when it may, or by what it has out. */
  admits(subscription: LogSubscription, events: number, bytes: number): boolean {
    if (!this.#hasRoom(events, bytes)) return false
    if (this.#allowed > 0) return true
    this.#waiting.add(subscription)
    return false
  }

  /** One event was taken. */
  took(): void {
    if (this.#allowed-- === EVENTS_A_TURN) setImmediate(() => this.#goOn())
  }

  #hasRoom(events: number, bytes: number): boolean {
    const count = Math.max(1, this.#count)
    return events === 0 || (events < Math.max(EVENTS_MIN, EVENTS / count) && bytes < BYTES / count)
  }

  #goOn(): void {
    this.#allowed = EVENTS_A_TURN
    for (const subscription of this.#waiting) {
      if (this.#allowed === 0) return
      this.#waiting.delete(subscription)
      subscription.wake()
    }
  }
}
