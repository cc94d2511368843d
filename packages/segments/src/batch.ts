// Entries that become durable together.

import type { Slab } from './recent.ts'
import type { Segment } from './segment.ts'

/** A batch that is durable. */
export interface Committed<Entry> {
  readonly segment: Segment
  readonly entries: readonly Entry[]
  /** Offsets of their frames in the segment. */
  readonly offsets: readonly number[]
  /** Sequence number of the first one; the others follow without a gap. */
  readonly first: number
}

/** Entries that one write and one sync make durable. */
export interface Batch<Entry> {
  segment: Segment
  slab: Slab
  /** Where its bytes begin in the slab, the segment's head before them if it is the first. */
  start: number
  end: number
  headBytes: number
  readonly first: number
  readonly entries: Entry[]
  /** Offsets of their frames in the slab. */
  readonly at: number[]
  isSecondTry: boolean
}
