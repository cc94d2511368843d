// Hot path (bench/attempt.ts). The body of an answer, as far as it is kept.

/**
 * Puts chunks together as they come. Most bodies are one chunk, and need no copy; a list of very small chunks would
 * cost a hundred times their bytes.
 */
export class Body {
  #buffer: Buffer = EMPTY
  #length = 0

  add(chunk: Buffer): void {
    const length = this.#length + chunk.length
    if (this.#length === 0) {
      this.#buffer = chunk
    } else {
      if (length > this.#buffer.length) {
        const larger = Buffer.allocUnsafe(Math.max(length * 2, GROWN_BYTES_MIN))
        this.#buffer.copy(larger, 0, 0, this.#length)
        this.#buffer = larger
      }
      chunk.copy(this.#buffer, this.#length)
    }
    this.#length = length
  }

  /** All of it. Without room to spare: a channel may hold on to these bytes for long. */
  all(): Buffer {
    const isFull = this.#buffer.length === this.#length
    return isFull ? this.#buffer : Buffer.from(this.#buffer.subarray(0, this.#length))
  }

  /** A copy of the first `bytes`, or fewer; a chunk is a view of all that the socket had read. */
  start(bytes: number): Buffer {
    return Buffer.from(this.#buffer.subarray(0, Math.min(bytes, this.#length)))
  }
}

const EMPTY: Buffer = Buffer.alloc(0)
const GROWN_BYTES_MIN = 4096
