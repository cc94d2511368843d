// Where what is stored lies, and what it is: for subscriptions that lag, for starts, and for `read`.

import type { ReadRange, Start, StoredEvent } from '@sluice/channel'
import type { Clock, Timer } from '@sluice/clock'
import type { Event, SluiceError } from '@sluice/event'
import type { Segment, SegmentStore } from '@sluice/segments'
import { readEvent } from './entry.ts'
import type { Indexes } from './indexes.ts'
import type { Appended } from './publication.ts'
import type { SegmentIndex } from './segment-index.ts'
import { closed } from './refusals.ts'
import { Shelf } from './shelf.ts'

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
  readonly #failing: (error: Error | undefined) => void
  readonly #shelf = new Shelf()
  /** Events being read, by sequence number. */
  readonly #loading = new Map<number, Promise<Event | 'damaged' | undefined>>()
  /** Reads that wait to be tried again. */
  readonly #waiting = new Map<Timer, () => void>()
  /** Reads that have failed and not succeeded since. */
  #failures = 0
  isClosed = false

  /** @param failing told that the disk can't be read now, and that it can again */
  constructor(
    store: SegmentStore<Appended>,
    indexes: Indexes,
    clock: Clock,
    failing: (error: Error | undefined) => void,
  ) {
    this.#store = store
    this.#indexes = indexes
    this.#clock = clock
    this.#failing = failing
  }

  /** Gives up what the disk does not let read. */
  close(): void {
    this.isClosed = true
    for (const [timer, wake] of this.#waiting) {
      timer.cancel()
      wake()
    }
    this.#waiting.clear()
  }

  /** The first sequence number that is stored, or is about to be. */
  get first(): number {
    return this.#store.segments[0]?.first ?? this.#store.last + 1
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
    return this.#store.segments.find(({ number }) => number > segment.number)
  }

  indexOf(segment: Segment): SegmentIndex | undefined {
    return this.#indexes.get(segment)
  }

  /** Resolves with `undefined` only once the log is closed, or the segment is removed. */
  async loadIndex(segment: Segment): Promise<SegmentIndex | undefined> {
    return this.#indexes.get(segment) ?? (await this.#untilRead(segment, () => this.#indexes.load(segment)))
  }

  /** The event, if it is in memory; else, or where it is damaged there, `undefined`. */
  eventAt({ segment, offset, seq }: Place): Event | undefined {
    const known = this.#shelf.get(seq)
    if (known !== undefined) return known
    try {
      const entry = this.#store.read(segment, offset, seq)
      return entry && this.#shelve(seq, entry)
    } catch (error) {
      if (isDamage(error)) return undefined // `loadEvent` says so
      throw error
    }
  }

  /**
   * The event from the disk. `damaged`: it can't be read any more. Resolves with `undefined` only once the log is closed,
   * or the segment is removed.
   */
  loadEvent(place: Place): Promise<Event | 'damaged' | undefined> {
    const { seq } = place
    let loading = this.#loading.get(seq)
    if (loading === undefined) {
      loading = this.#loadEvent(place).finally(() => this.#loading.delete(seq))
      this.#loading.set(seq, loading)
    }
    return loading
  }

  #loadEvent({ segment, offset, seq }: Place): Promise<Event | 'damaged' | undefined> {
    return this.#untilRead(segment, async () => {
      try {
        return this.#shelve(seq, await this.#store.load(segment, offset, seq))
      } catch (error) {
        if (isDamage(error)) return 'damaged'
        throw error
      }
    })
  }

  #shelve(seq: number, entry: Buffer): Event {
    const event = readEvent(entry)
    this.#shelf.put(seq, event, entry.length)
    return event
  }

  /** A disk that can't be read now may be read later; what is not read is not lost. */
  async #untilRead<Read>(segment: Segment, read: () => Promise<Read>): Promise<Read | undefined> {
    let hasFailed = false
    try {
      while (!this.isClosed) {
        try {
          return await read()
        } catch (error) {
          if (this.isClosed || !this.#store.segments.includes(segment)) return undefined
          if (!hasFailed) this.#failures++
          hasFailed = true
          this.#failing(error as Error)
        }
        await this.#pause()
      }
      return undefined
    } finally {
      if (hasFailed && --this.#failures === 0) this.#failing(undefined)
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(RETRY_MS, () => {
        this.#waiting.delete(timer)
        resolve()
      })
      this.#waiting.set(timer, resolve)
    })
  }

  /** When the first event from `seq` on was stored, as far as memory knows. */
  timeFrom(seq: number): number | undefined {
    const segment = this.segmentOf(seq)
    if (segment === undefined) return undefined
    const index = this.#indexes.get(segment)
    const isKnown = index !== undefined && seq >= segment.first && seq < index.end && index.offset(seq) > 0
    return isKnown ? index.time(seq) : segment.created
  }

  /** The sequence number where a start begins. */
  async findStart(start: Start): Promise<number> {
    if (start === 'latest') return this.#store.next
    if (start === 'earliest') return this.first
    if ('after' in start) return Math.min(this.#store.next, Math.max(this.first, Number(start.after) + 1))
    return await this.#firstSince(start.time)
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
    // What is being written has no index yet, and came just now.
    return time > this.#clock.now() ? this.#store.next : this.#store.last + 1
  }

  /** As {@link Channel.read} of the contract. */
  async read({ from = 'earliest', to, filter, limit = 100 }: ReadRange): Promise<StoredEvent[]> {
    const found: StoredEvent[] = []
    const last = to !== undefined && 'position' in to ? Number(to.position) : Infinity
    const until = to !== undefined && 'time' in to ? to.time : Infinity
    let seq = await this.findStart(from)
    for (let segment = this.segmentOf(seq); segment !== undefined; segment = this.segmentAfter(segment)) {
      const index = await this.loadIndex(segment)
      for (seq = Math.max(seq, segment.first); seq < (index?.end ?? 0) && seq <= this.#store.last; seq++) {
        if (found.length >= limit || seq > last) return found
        if (index!.offset(seq) === 0) continue
        const time = index!.time(seq)
        if (time > until) return found
        const event = await this.loadEvent({ seq, segment, offset: index!.offset(seq) })
        if (event === undefined || event === 'damaged') continue
        if (filter === undefined || filter.matches(event)) found.push({ position: String(seq), time, event })
      }
    }
    if (this.isClosed) throw closed() // or what was not read would be taken for not being there
    return found
  }
}

function isDamage(error: unknown): boolean {
  return (error as SluiceError).code === 'SLUICE_RECORD_DAMAGED'
}
