// Events that were read last: subscriptions that catch up together read and decode each of them once. Hot path of
// whoever lags (bench/log.ts).

import type { Event } from '@sluice/event'

/** Bytes of their entries. */
const BYTES_MAX = 4 * 1024 * 1024

interface Shelved {
  readonly event: Event
  readonly bytes: number
}

export class Shelf {
  /** By sequence number, in the order in which they came. */
  readonly #events = new Map<number, Shelved>()
  #bytes = 0

  get(seq: number): Event | undefined {
    return this.#events.get(seq)?.event
  }

  put(seq: number, event: Event, bytes: number): void {
    if (bytes > BYTES_MAX || this.#events.has(seq)) return
    this.#events.set(seq, { event, bytes })
    this.#bytes += bytes
    for (const [oldest, { bytes: freed }] of this.#events) {
      if (this.#bytes <= BYTES_MAX) return
      this.#events.delete(oldest)
      this.#bytes -= freed
    }
  }
}
