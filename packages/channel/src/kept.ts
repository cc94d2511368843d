// Parked events that stay in memory; the others are fetched again when they are due.

const BYTES_MAX = 16 * 1024 * 1024

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
