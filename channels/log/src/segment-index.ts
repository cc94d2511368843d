// Where the events of one segment lie, when they were stored, and whom they are for: 16 bytes an event, in memory while
// somebody reads there. It is made while the segment is written, or by reading it once.

import type { Segment } from '@sluice/segments'
import { takersOf } from './entry.ts'

const FIRST_SIZE = 1024

/** What is known of a segment's events, by sequence number. */
export class SegmentIndex {
  readonly segment: Segment
  /** Events, holes included. */
  count = 0
  /** 0 = a hole: the event can't be read any more. No event lies at 0, for the segment's head does. */
  #offsets = new Uint32Array(FIRST_SIZE)
  /** When it was stored, wall-clock ms. */
  #times = new Float64Array(FIRST_SIZE)
  /** Whom it is for: index into `#takers`. */
  #sets = new Uint32Array(FIRST_SIZE)
  readonly #takers: Uint32Array[] = []
  readonly #setOf = new Map<string, number>()
  /** Offset after the last event's frame. */
  #endOffset = 0

  constructor(segment: Segment) {
    this.segment = segment
  }

  /** The sequence number after the last one that is known. */
  get end(): number {
    return this.segment.first + this.count
  }

  /** Bytes of memory, nearly. */
  get bytes(): number {
    return this.#offsets.length * 16 + this.#takers.reduce((bytes, numbers) => bytes + numbers.byteLength + 64, 0)
  }

  /**
   * Adds an event whose frame lies from `offset` to `end`, after those with lower numbers; what lies between is a hole.
   * `takers`: a key of `takersKey`.
   */
  add(seq: number, offset: number, end: number, time: number, takers: string): void {
    const at = seq - this.segment.first
    if (at >= this.#offsets.length) this.#grow(at + 1)
    this.#offsets[at] = offset
    this.#times[at] = time
    this.#endOffset = end
    this.#sets[at] = this.#setFor(takers)
    this.count = at + 1
  }

  /** Offset of its frame; 0 for a hole. */
  offset(seq: number): number {
    return this.#offsets[seq - this.segment.first]!
  }

  /** When it was stored, wall-clock ms. */
  time(seq: number): number {
    return this.#times[seq - this.segment.first]!
  }

  /** Bytes of its frame; where a hole follows, with those of the hole. */
  frameBytes(seq: number): number {
    const offset = this.offset(seq)
    for (let next = seq + 1; next < this.end; next++) {
      const end = this.offset(next)
      if (end > 0) return end - offset
    }
    return this.#endOffset - offset
  }

  /** Names the set of those whom it is for; equal ones have equal numbers within a segment. */
  set(seq: number): number {
    return this.#sets[seq - this.segment.first]!
  }

  /** Whether that set has the subscription of that number. */
  has(set: number, subscription: number): boolean {
    return this.#takers[set]!.includes(subscription)
  }

  /** The numbers of the subscriptions that it is for. */
  takers(seq: number): Uint32Array {
    return this.#takers[this.set(seq)]!
  }

  #setFor(takers: string): number {
    const known = this.#setOf.get(takers)
    if (known !== undefined) return known
    const set = this.#takers.push(takersOf(takers)) - 1
    this.#setOf.set(takers, set)
    return set
  }

  #grow(least: number): void {
    const size = Math.max(this.#offsets.length * 2, least)
    this.#offsets = grown(this.#offsets, new Uint32Array(size))
    this.#times = grown(this.#times, new Float64Array(size))
    this.#sets = grown(this.#sets, new Uint32Array(size))
  }
}

function grown<Numbers extends Uint32Array | Float64Array>(array: Numbers, larger: Numbers): Numbers {
  larger.set(array)
  return larger
}
