// How much of the log is owed to subscriptions, and what of the rest is kept: history, within its bounds of age and
// bytes. It gives way to what is owed.

import type { Segment, SegmentStore } from '@sluice/segments'
import type { Indexes } from './indexes.ts'
import type { LogLimits } from './limits.ts'
import type { Appended } from './publication.ts'
import type { WallClock } from './wall-clock.ts'

export class Space {
  readonly #store: SegmentStore<Appended>
  readonly #indexes: Indexes
  readonly #now: WallClock
  readonly #limits: LogLimits
  /** Bytes of finished segments that are owed wholly or in part, less the part that is not. */
  #owedBefore = 0
  /** The last update's. */
  #lowestSegment: Segment | undefined
  #lowestOffset = 0

  constructor(store: SegmentStore<Appended>, indexes: Indexes, now: WallClock, limits: LogLimits) {
    this.#store = store
    this.#indexes = indexes
    this.#now = now
    this.#limits = limits
  }

  /** Bytes that are not settled by everybody, and those on their way to the disk. */
  get owed(): number {
    const tail = this.#store.segments.at(-1)
    if (tail === undefined) return this.#store.pendingBytes
    const before = this.#lowestSegment === tail ? 0 : this.#owedBefore
    const start = this.#lowestSegment === tail ? this.#lowestOffset : 0
    return before + tail.bytes - start + this.#store.pendingBytes
  }

  /** `lowest`: the lowest sequence number that anybody needs. */
  update(lowest: number): void {
    const { segments } = this.#store
    let at = segments.length - 1
    while (at > 0 && segments[at]!.first > lowest) at--
    const segment = segments[at]
    this.#lowestSegment = segment
    if (segment === undefined) return
    const index = this.#indexes.get(segment)
    this.#lowestOffset = 0
    if (lowest > this.#store.last) this.#lowestOffset = segment.bytes
    else if (index !== undefined && lowest >= segment.first && lowest < index.end) {
      this.#lowestOffset = index.offset(lowest)
    }
    this.#owedBefore = segment.bytes - this.#lowestOffset
    for (let i = at + 1; i < segments.length - 1; i++) this.#owedBefore += segments[i]!.bytes
  }

  /**
   * Removes the oldest segments that nobody needs, and that history has no room or time for. `lowest` is asked before
   * each: while one is being removed, somebody may come to need the next.
   */
  async tidy(lowest: () => number): Promise<void> {
    this.update(lowest())
    const { segments } = this.#store
    let total = segments.reduce((bytes, segment) => bytes + segment.bytes, 0)
    while (segments.length > 1 && segments[1]!.first <= lowest() && this.#isOver(segments[1]!, total)) {
      total -= segments[0]!.bytes
      await this.#removeOldest()
    }
  }

  /** Removes the oldest segment, if nobody needs it: the disk has no room for history. */
  async giveWay(lowest: () => number): Promise<void> {
    const { segments } = this.#store
    if (segments.length > 1 && segments[1]!.first <= lowest()) await this.#removeOldest()
  }

  async #removeOldest(): Promise<void> {
    this.#indexes.forget(this.#store.segments[0]!)
    await this.#store.removeOldest()
  }

  /** `next`: the segment after the one in question, whose beginning is that one's end. */
  #isOver(next: Segment, total: number): boolean {
    const { bytesMax, retentionBytes, retentionMs } = this.#limits
    const ageMs = this.#now() - next.created
    return total > bytesMax || total - this.owed > retentionBytes || ageMs > retentionMs
  }
}
