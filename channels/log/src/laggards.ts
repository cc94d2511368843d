// What subscriptions that lag may have out, all of them together. Whoever keeps up is handed events that all share; who
// lags holds events that were read for it, and a thousand full windows of those would be no bound at all.

/** Events that they have out together, about ... */
const EVENTS = 8192
/** ... each at least so many, however many they are. */
const EVENTS_MIN = 4
/** Bytes of those events; one event each is always allowed. */
const BYTES = 64 * 1024 * 1024

export class Laggards {
  /** Those that have something out which was read for them. */
  #count = 0

  enter(): void {
    this.#count++
  }

  leave(): void {
    this.#count--
  }

  /** Whether one of them that has these out may take one more. */
  hasRoom(events: number, bytes: number): boolean {
    const count = Math.max(1, this.#count)
    return events === 0 || (events < Math.max(EVENTS_MIN, EVENTS / count) && bytes < BYTES / count)
  }
}
