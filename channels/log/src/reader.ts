// Where what is stored lies, and what it is: for subscriptions that lag, for starts, and for `read`.

import type { ReadRange, Start, StoredEvent } from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import type { Event } from '@sluice/event'
import type { Problem, Segment, SegmentStore } from '@sluice/segments'
import { readEvent } from './entry.ts'
import type { Indexes } from './indexes.ts'
import type { Appended } from './publication.ts'
import type { SegmentIndex } from './segment-index.ts'

/** A frame in the log. */
export interface Place {
  readonly seq: number
  readonly segment: Segment
  readonly offset: number
}

const RETRY_MS = 1000

export class Reader {
  readonly #store: SegmentStore<Appended>
  readonly #indexes: Indexes
  readonly #clock: Clock
  /** First and last sequence numbers of what is lost. */
  readonly #lost: (readonly [number, number])[]
  readonly #failing: (error: Error | undefined) => void
  #isClosed = false

  /** @param failing told that the disk can't be read now, and that it can again */
  constructor(
    store: SegmentStore<Appended>,
    indexes: Indexes,
    clock: Clock,
    problems: readonly Problem[],
    failing: (error: Error | undefined) => void,
  ) {
    this.#store = store
    this.#indexes = indexes
    this.#clock = clock
    this.#lost = problems.map(({ lost }) => lost).filter(([first, last]) => last >= first)
    this.#failing = failing
  }

  /** Gives up what the disk does not let read. */
  close(): void {
    this.#isClosed = true
  }

  /** The segment that has `seq`, or would have it: the last one that begins at or before it, else the first. */
  segmentOf(seq: number): Segment | undefined {
    const { segments } = this.#store
    let low = 0
    let high = segments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (segments[middle]!.first <= seq) low = middle + 1
      else high = middle
    }
    return segments[Math.max(0, low - 1)]
  }

  segmentAfter(segment: Segment): Segment | undefined {
    return this.#store.segments[this.#store.segments.indexOf(segment) + 1]
  }

  indexOf(segment: Segment): SegmentIndex | undefined {
    return this.#indexes.get(segment)
  }

  /** Resolves with `undefined` only once the log is closed. */
  async loadIndex(segment: Segment): Promise<SegmentIndex | undefined> {
    return this.#indexes.get(segment) ?? (await this.#untilRead(() => this.#indexes.load(segment)))
  }

  /** The event, if it is in memory. */
  eventAt({ segment, offset, seq }: Place): Event | undefined {
    const entry = this.#store.read(segment, offset, seq)
    return entry && readEvent(entry)
  }

  /** The event from the disk; `undefined` where it can't be read any more. */
  async loadEvent({ segment, offset, seq }: Place): Promise<Event | undefined> {
    const entry = await this.#untilRead(() => this.#store.load(segment, offset, seq))
    return entry && readEvent(entry)
  }

  /** A disk that can't be read now may be read later; what is not read is not lost. */
  async #untilRead<Read>(read: () => Promise<Read>): Promise<Read | undefined> {
    for (let isFirst = true; !this.#isClosed; isFirst = false) {
      try {
        const result = await read()
        if (!isFirst) this.#failing(undefined)
        return result
      } catch (error) {
        this.#failing(error as Error)
      }
      await new Promise<void>((resolve) => {
        this.#clock.setTimer(RETRY_MS, resolve)
      })
    }
    return undefined
  }

  /** When the first event from `seq` on was stored, as far as memory knows. */
  timeFrom(seq: number): number | undefined {
    const segment = this.segmentOf(seq)
    if (segment === undefined) return undefined
    const index = this.#indexes.get(segment)
    return index !== undefined && seq >= segment.first && seq < index.end ? index.time(seq) : segment.created
  }

  /** The events between these numbers that are lost; `undefined`: none. */
  lostBetween(first: number, last: number): readonly [number, number] | undefined {
    const found = this.#lost.find((lost) => lost[0] <= last && lost[1] >= first)
    return found && [Math.max(first, found[0]), Math.min(last, found[1])]
  }

  /** The sequence number where a start begins. */
  async findStart(start: Start): Promise<number> {
    const earliest = this.#store.segments[0]?.first ?? this.#store.next
    if (start === 'latest') return this.#store.next
    if (start === 'earliest') return earliest
    return 'after' in start ? Math.max(earliest, Number(start.after) + 1) : await this.#firstSince(start.time)
  }

  async #firstSince(time: number): Promise<number> {
    for (const segment of [...this.#store.segments]) {
      if (segment.created >= time) return segment.first
      const after = this.segmentAfter(segment)
      if (after !== undefined && after.created < time) continue // all of it is older
      const index = await this.loadIndex(segment)
      const end = index?.end ?? 0
      for (let seq = segment.first; seq < end; seq++) {
        if (index!.offset(seq) > 0 && index!.time(seq) >= time) return seq
      }
    }
    return this.#store.next
  }

  /** As {@link Channel.read} of the contract. */
  async read({ from = 'earliest', to, filter, limit = 100 }: ReadRange): Promise<StoredEvent[]> {
    const found: StoredEvent[] = []
    const last = to !== undefined && 'position' in to ? Number(to.position) : Infinity
    const until = to !== undefined && 'time' in to ? to.time : Infinity
    let seq = await this.findStart(from)
    for (let segment = this.segmentOf(seq); segment !== undefined; segment = this.segmentAfter(segment)) {
      const index = await this.loadIndex(segment)
      if (index === undefined) return found
      for (seq = Math.max(seq, segment.first); seq < index.end && seq <= this.#store.last; seq++) {
        if (found.length >= limit || seq > last) return found
        if (index.offset(seq) === 0) continue
        const time = index.time(seq)
        if (time > until) return found
        const event = await this.loadEvent({ seq, segment, offset: index.offset(seq) })
        if (event !== undefined && (filter === undefined || filter.matches(event))) {
          found.push({ position: String(seq), time, event })
        }
      }
    }
    return found
  }
}
