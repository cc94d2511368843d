// How much of what is parked stays in memory, of a channel whose server has it too: the rest is fetched again when it is due.

/** Bytes of parked events that one channel keeps. */
const BYTES_MAX = 16 * 1024 * 1024

/** The count of those. */
export class Kept {
  #bytes = 0

  /** Returns whether there is room for it; then it counts until {@link give}. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > BYTES_MAX) return false
    this.#bytes += bytes
    return true
  }

  give(bytes: number): void {
    this.#bytes -= bytes
  }
}
