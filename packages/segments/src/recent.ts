// What was written last, still in memory: who keeps up never waits for the disk. Hot path (bench/append.ts).

import type { Segment } from './segment.ts'

/** A run of bytes of one segment: written from here, and read from here until it is the oldest. */
export interface Slab {
  readonly buffer: Buffer
  readonly segment: Segment
  /** Offset in the segment of the slab's first byte. */
  readonly base: number
  used: number
  /** Batches in it that are not durable yet. */
  pins: number
}

/** A bounded run of slabs. Their memory is used again, so what is read is copied. */
export class Recent {
  readonly #slabBytes: number
  readonly #bytesMax: number
  /** Oldest first. */
  readonly #slabs: Slab[] = []
  readonly #free: Buffer[] = []
  #bytes = 0

  constructor(slabBytes: number, bytesMax: number) {
    this.#slabBytes = slabBytes
    this.#bytesMax = bytesMax
  }

  /** A new slab from `base` on, for `bytes` bytes at least. */
  open(segment: Segment, base: number, bytes: number): Slab {
    const size = Math.max(this.#slabBytes, bytes)
    this.#evict(size)
    const buffer =
      size === this.#slabBytes ? (this.#free.pop() ?? Buffer.allocUnsafeSlow(size)) : Buffer.allocUnsafeSlow(size)
    const slab = { buffer, segment, base, used: 0, pins: 0 }
    this.#slabs.push(slab)
    this.#bytes += size
    return slab
  }

  /** The slab that holds these bytes of the segment. */
  find(segment: Segment, from: number, to: number): Slab | undefined {
    for (let i = this.#slabs.length - 1; i >= 0; i--) {
      const slab = this.#slabs[i]!
      if (slab.segment === segment && slab.base <= from && to <= slab.base + slab.used) return slab
    }
    return undefined
  }

  #evict(incoming: number): void {
    while (this.#slabs.length > 0 && this.#bytes + incoming > this.#bytesMax) {
      const oldest = this.#slabs[0]!
      if (oldest.pins > 0) return // not durable yet: the disk is slow, and whoever appends has a bound of its own
      this.#slabs.shift()
      this.#bytes -= oldest.buffer.length
      if (oldest.buffer.length === this.#slabBytes) this.#free.push(oldest.buffer)
    }
  }
}
