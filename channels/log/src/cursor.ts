// Where a subscription stands in the log. Hot path (bench/log.ts).
//
// `live`: it has passed all that is committed, and is offered what comes. Otherwise it walks through the segments'
// indexes, from event to event that is for it.

import type { Event } from '@sluice/event'
import type { LogChannel } from './log.ts'
import type { SavedCursor } from './saved.ts'
import type { SegmentIndex } from './segment-index.ts'
import type { LogSubscription, Ref } from './subscription.ts'

/** Entries passed over at once, before others on the event loop have their turn. */
const STEPS_MAX = 20_000
/** Events read and judged at once. */
const JUDGED_MAX = 500

export class Cursor {
  /** Everything before it is taken, or not for this subscription. */
  #position: number
  #isLive = true
  #judgesUntil = 0
  /** Events from the cursor on, committed, that were judged to be for it. */
  #waiting = 0
  /** Those that were out when a seek moved the cursor back: they are not handed out twice on that account. */
  #skipped: Set<number> | undefined
  readonly #channel: LogChannel
  readonly #subscription: LogSubscription
  /** Of the segment it walks through: what it knows of its sets; 0 = nothing, 1 = not for it, 2 = for it. */
  #index: SegmentIndex | undefined
  #verdicts = new Uint8Array(64)
  /** Something is being read; a wake follows. */
  #isReading = false
  /** What was read for the event at the cursor; `event` is undefined where it is damaged. */
  #read: { readonly seq: number; readonly event: Event | undefined } | undefined

  constructor(channel: LogChannel, subscription: LogSubscription) {
    this.#channel = channel
    this.#subscription = subscription
    this.#position = channel.nextSeq
  }

  restore({ position, judgesUntil, waiting }: SavedCursor): void {
    this.#position = position
    this.#judgesUntil = judgesUntil
    this.#waiting = waiting
    this.#isLive = false
  }

  /** Begins at `position`; what is stored by now is judged by the subscription's own filter. */
  moveTo(position: number, skipped?: Set<number>): void {
    this.#position = position
    this.#judgesUntil = this.#channel.nextSeq
    this.#waiting = 0
    this.#isLive = false
    this.#skipped = skipped !== undefined && skipped.size > 0 ? skipped : undefined
  }

  /** Nothing is before it any more. */
  stop(): void {
    this.#position = Infinity
    this.#isLive = true
  }

  /** An event that is for it is committed. */
  owe(seq: number): void {
    if (seq >= this.#judgesUntil) this.#waiting++
  }

  /** Whether the event that is offered is the next one, and is taken here and now; with no `room` for it, it falls behind. */
  follows(seq: number, room: boolean): boolean {
    if (!this.#isLive || seq < this.#position) return false
    if (!room) {
      this.#isLive = false
      this.#position = seq
      return false
    }
    this.#position = seq + 1
    this.#waiting--
    return true
  }

  /** For saving. `ahead`: events before the cursor that wait in memory only, and the first of them. */
  save(ahead: number, first: number | undefined): SavedCursor {
    return { position: first ?? this.lowest, judgesUntil: this.#judgesUntil, waiting: this.#waiting + ahead }
  }

  /** The lowest sequence number that it has still to look at. */
  get lowest(): number {
    return this.#isLive ? this.#channel.committedSeq + 1 : this.#position
  }

  get #judged(): number {
    return this.#isLive ? 0 : Math.max(0, Math.min(this.#judgesUntil, this.#channel.committedSeq + 1) - this.#position)
  }

  /** Events that it has still to take; at most so many where not {@link isExact}. */
  get waiting(): number {
    return this.#waiting + this.#judged
  }

  get isExact(): boolean {
    return this.#judged === 0
  }

  /** When the next event that may be for it was stored, where that is known. */
  get oldest(): number | undefined {
    return this.waiting === 0 ? undefined : this.#channel.reader.timeFrom(this.#position)
  }

  /** Whether it waits for entries that are not committed yet, to judge them itself. */
  get awaitsCommit(): boolean {
    return !this.#isLive && this.#judgesUntil > this.#channel.committedSeq + 1
  }

  /** The next event that is for it; `undefined`: there is none now, and a wake follows when there may be. */
  next(): Ref | undefined {
    if (this.#isLive || this.#isReading) return undefined
    let judged = 0
    for (let steps = 0; steps < STEPS_MAX; steps++) {
      if (this.#position > this.#channel.committedSeq) {
        if (this.#position >= this.#judgesUntil) this.#isLive = true
        return undefined
      }
      const index = this.#indexHere()
      if (index === undefined) return undefined
      const seq = this.#position
      if (index.offset(seq) === 0) {
        this.#passHole(index)
        continue
      }
      if (seq < this.#judgesUntil) {
        if (++judged > JUDGED_MAX) break
        const ref = this.#judge(index, seq)
        if (ref === 'reading') return undefined
        this.#position++
        if (ref !== undefined) return ref
        continue
      }
      this.#position++
      if (!this.#isFor(index, index.set(seq))) continue
      this.#waiting--
      return this.#refAt(index, seq)
    }
    this.#wakeAfter(new Promise((resolve) => setImmediate(resolve)))
    return undefined
  }

  /** The index of the segment where the cursor stands; `undefined`: it is being read. */
  #indexHere(): SegmentIndex | undefined {
    const known = this.#index
    if (known !== undefined && this.#position >= known.segment.first && this.#position < known.end) return known
    const segment = this.#channel.reader.segmentOf(this.#position)!
    if (this.#position < segment.first) this.#passTo(segment.first)
    const index = this.#channel.reader.indexOf(segment)
    if (index === undefined) {
      this.#wakeAfter(this.#channel.reader.loadIndex(segment))
      return undefined
    }
    if (this.#position >= index.end) {
      // The segment's last entries are gone, and the next one begins later.
      this.#passTo(this.#channel.reader.segmentAfter(segment)?.first ?? this.#channel.committedSeq + 1)
      return this.#position > this.#channel.committedSeq ? undefined : this.#indexHere()
    }
    if (index !== known) this.#verdicts.fill(0)
    this.#index = index
    return index
  }

  /** Numbers that no entry has: left out at a restart, or lost. */
  #passTo(seq: number): void {
    const lost = this.#channel.reader.lostBetween(this.#position, seq - 1)
    if (lost !== undefined) this.#subscription.tellLoss(...lost)
    this.#position = seq
  }

  #passHole(index: SegmentIndex): void {
    const first = this.#position
    while (this.#position < index.end && index.offset(this.#position) === 0) this.#position++
    this.#subscription.tellLoss(first, this.#position - 1)
  }

  #isFor(index: SegmentIndex, set: number): boolean {
    if (set >= this.#verdicts.length) {
      const larger = new Uint8Array(Math.max(set + 1, this.#verdicts.length * 2))
      larger.set(this.#verdicts)
      this.#verdicts = larger
    }
    const verdict = this.#verdicts[set]
    if (verdict !== 0) return verdict === 2
    const isFor = index.has(set, this.#subscription.number)
    this.#verdicts[set] = isFor ? 2 : 1
    return isFor
  }

  /** Reads the event there, and judges it by the subscription's own filter. */
  #judge(index: SegmentIndex, seq: number): Ref | 'reading' | undefined {
    if (this.#skipped?.delete(seq)) return undefined
    const ref = this.#refAt(index, seq)
    const read = this.#read
    this.#read = undefined
    ref.event = read?.seq === seq ? read.event : this.#channel.reader.eventAt(ref)
    if (ref.event !== undefined) return this.#subscription.filter.matches(ref.event) ? ref : undefined
    if (read?.seq === seq) {
      this.#subscription.tellLoss(seq, seq)
      return undefined
    }
    this.#wakeAfter(
      this.#channel.reader.loadEvent(ref).then((event) => {
        this.#read = { seq, event }
      }),
    )
    return 'reading'
  }

  #refAt(index: SegmentIndex, seq: number): Ref {
    return {
      seq,
      segment: index.segment,
      offset: index.offset(seq),
      bytes: index.frameBytes(seq),
      time: index.time(seq),
      event: undefined,
      tries: 0,
      due: 0,
      key: undefined,
      isSaved: false,
    }
  }

  #wakeAfter(work: Promise<unknown>): void {
    this.#isReading = true
    void work.then(() => {
      this.#isReading = false
      this.#subscription.wake()
    })
  }
}
