// Gives the disk back what a dead-letter box does not need any more, in the background.
//
//     oldest ┌ dead · live · dead ┐ ┌ live · dead · dead ┐ ┌ live ... ┐ newest
//            └───────────│────────┘ └────────────────────┘ └──────────│
//                        └─────────── written again, then ────────────┘ the oldest goes
//
// Segments go oldest first and no other way. So the removal of an entry, which was written after all frames of that
// entry, outlives them all, and no power cut brings a removed entry back. A frame that was written again has the same
// id, and of several the last one counts: between the two steps there are two frames and one entry.

import type { Segment, SegmentStore } from '@sluice/segments'
import type { Place } from './box-index.ts'

/** A frame that is on its way to the disk. */
export interface Write {
  /** Of its payload. */
  readonly bytes: number
  /** It is durable. */
  readonly stored: (seq: number, place: Place) => void
  readonly failed: (error: Error) => void
}

export interface BoxSpaceOptions {
  store: SegmentStore<Write>
  /** So many dead bytes are left where they are. */
  deadBytesMax: number
  /** Writes every entry that lies in the segment again. Resolves once that is durable, with whether there was any. */
  moveOut: (segment: Segment) => Promise<boolean>
}

/** Bytes of payloads in a segment. */
interface Tally {
  written: number
  /** Of entries that are in the box, and lie here. */
  live: number
}

export class BoxSpace {
  /** Of all segments: what stands in them. */
  written = 0
  /** Of all segments: what is in the box. */
  live = 0
  readonly #options: BoxSpaceOptions
  readonly #tallies = new Map<number, Tally>()
  #tidying: Promise<void> | undefined
  /** The number of the segment, once the only one, after which another was begun. */
  #rolledAfter = 0
  #stopped = false

  constructor(options: BoxSpaceOptions) {
    this.#options = options
  }

  get dead(): number {
    return this.written - this.live
  }

  /** A frame stands in the segment of that number. */
  wrote(segment: number, bytes: number): void {
    this.#tally(segment).written += bytes
    this.written += bytes
  }

  /** An entry lies there. */
  lives({ segment, bytes }: Place): void {
    this.#tally(segment).live += bytes
    this.live += bytes
  }

  /** It does no longer. */
  dies({ segment, bytes }: Place): void {
    this.#tally(segment).live -= bytes
    this.live -= bytes
  }

  /** Looks whether there is something to do. What the disk refuses now is tried again at the next call. */
  tidy(): void {
    this.#tidying ??= this.#tidy()
  }

  /** Resolves once nothing is under way; {@link tidy} does nothing any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#tidying
  }

  async #tidy(): Promise<void> {
    let isDone = this.#stopped
    while (!isDone) isDone = await this.#step().catch(() => true)
    this.#tidying = undefined // in the same tick: whoever calls from here on begins anew
  }

  /** Returns whether nothing is left to do, or nothing can be done now. */
  async #step(): Promise<boolean> {
    const { store, deadBytesMax, moveOut } = this.#options
    if (this.#stopped) return true
    const oldest = store.segments[0]
    if (oldest === undefined) return true
    const isLast = store.segments.length === 1 // it may be the one that is being written
    if (!isLast && this.#tally(oldest.number).live === 0) return await this.#remove(oldest)
    if (this.dead <= Math.max(this.live, deadBytesMax) || store.failure !== undefined) return true
    if (isLast && this.#rolledAfter !== oldest.number) {
      this.#rolledAfter = oldest.number
      store.roll()
    }
    return !(await moveOut(oldest))
  }

  /** Where the disk refuses, the store removes this one before the next one (SegmentStore.removeOldest). */
  async #remove({ number }: Segment): Promise<false> {
    this.written -= this.#tally(number).written
    this.#tallies.delete(number)
    await this.#options.store.removeOldest()
    return false
  }

  #tally(segment: number): Tally {
    let tally = this.#tallies.get(segment)
    if (tally === undefined) {
      tally = { written: 0, live: 0 }
      this.#tallies.set(segment, tally)
    }
    return tally
  }
}
