// The segments' indexes that are in memory: that of the segment being written, and those where somebody reads.

import { frameBytes, type Frame, type Segment, type SegmentStore } from '@sluice/segments'
import { takersEnd, takersKey, timeOf } from './entry.ts'
import type { Appended } from './publication.ts'
import { SegmentIndex } from './segment-index.ts'

/** Bytes of indexes of finished segments. */
const BYTES_MAX = 16 * 1024 * 1024

export class Indexes {
  readonly #store: () => SegmentStore<Appended>
  /** The least lately used first. */
  readonly #known = new Map<Segment, SegmentIndex>()
  readonly #loading = new Map<Segment, Promise<SegmentIndex>>()
  #written: SegmentIndex | undefined

  constructor(store: () => SegmentStore<Appended>) {
    this.#store = store
  }

  /** That of the segment being written, or of one that is read at open. */
  forWriting(segment: Segment): SegmentIndex {
    if (this.#written?.segment !== segment) {
      if (this.#written !== undefined) this.#keep(this.#written)
      this.#written = new SegmentIndex(segment)
    }
    return this.#written
  }

  get(segment: Segment): SegmentIndex | undefined {
    if (this.#written?.segment === segment) return this.#written
    const known = this.#known.get(segment)
    if (known === undefined) return undefined
    this.#known.delete(segment)
    this.#known.set(segment, known)
    return known
  }

  /** Reads the segment. Rejects where the disk does. */
  load(segment: Segment): Promise<SegmentIndex> {
    let loading = this.#loading.get(segment)
    if (loading === undefined) {
      loading = this.#load(segment).finally(() => this.#loading.delete(segment))
      this.#loading.set(segment, loading)
    }
    return loading
  }

  forget(segment: Segment): void {
    this.#known.delete(segment)
  }

  async #load(segment: Segment): Promise<SegmentIndex> {
    const index = new SegmentIndex(segment)
    await this.#store().scan(segment, (frame, buffer, offset) => addEntry(index, frame, buffer, offset))
    this.#keep(index)
    return index
  }

  #keep(index: SegmentIndex): void {
    this.#known.set(index.segment, index)
    let bytes = 0
    for (const each of this.#known.values()) bytes += each.bytes
    for (const [segment, oldest] of this.#known) {
      if (bytes <= BYTES_MAX || this.#known.size === 1) break
      this.#known.delete(segment)
      bytes -= oldest.bytes
    }
  }
}

/** Adds the entry in a frame of `buffer`, which lies at `offset` of the segment. */
export function addEntry(index: SegmentIndex, frame: Frame, buffer: Buffer, offset: number): void {
  const { seq, start, length } = frame
  const key = takersKey(buffer, start, takersEnd(buffer, start))
  index.add(seq, offset, offset + frameBytes(length), timeOf(buffer, start), key)
}
