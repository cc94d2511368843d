// Where a subscription stands in the log. Hot path (bench/log.ts).
//
// `live`: it has passed all that is committed, and is offered what comes. Otherwise it walks through the segments'
// indexes, from event to event that is for it. Most of it was judged when it was stored; what was stored before the
// subscription began, what lies after a seek, and what came while nobody had it open, it judges itself:
//
//     position ──▶ judged by itself ──▶ judgesUntil ──▶ judged when stored ──▶ missed ──▶ judged when stored ──▶ live

import type { Event } from '@sluice/event'
import type { LogChannel } from './log.ts'
import { contains, countIn, endOf, within, type Range } from './ranges.ts'
import type { SavedCursor } from './saved.ts'
import type { SegmentIndex } from './segment-index.ts'
import type { Ref } from './pending.ts'
import type { LogSubscription } from './subscription.ts'

/** Entries passed over at once, before others on the event loop have their turn. */
const STEPS_MAX = 20_000
/** Events read and judged at once. */
const JUDGED_MAX = 500

export class Cursor {
  /** Everything before it is taken, or not for this subscription. */
  #position: number
  #isLive = true
  #judgesUntil = 0
  #missed: readonly Range[] = []
  /** Events from the cursor on, committed, that were judged to be for it. */
  #waiting = 0
  /** Some of those are lost, and nobody knows how many. */
  #isAtMost = false
  /** Those that were out when a seek moved the cursor back: they are not handed out twice on that account. */
  #skipped: Set<number> | undefined
  readonly #channel: LogChannel
  readonly #subscription: LogSubscription
  /** Of the segment it walks through: what it knows of its sets; 0 = nothing, 1 = not for it, 2 = for it. */
  #index: SegmentIndex | undefined
  #verdicts = new Uint8Array(64)
  /** Something is being read; a wake follows. */
  #isReading = false
  /** What was read for the event at the cursor. */
  #read: { readonly seq: number; readonly event: Event | 'damaged' } | undefined

  constructor(channel: LogChannel, subscription: LogSubscription) {
    this.#channel = channel
    this.#subscription = subscription
    this.#position = channel.nextSeq
  }

  restore({ position, judgesUntil, missed, waiting, isAtMost, skipped }: SavedCursor): void {
    this.#position = position
    this.#judgesUntil = judgesUntil
    this.#missed = missed
    this.#waiting = waiting
    this.#isAtMost = isAtMost
    this.#skipped = setOf(skipped)
    this.#isLive = false
  }

  /** Begins at `position`; what is stored by now is judged by the subscription's own filter. */
  moveTo(position: number, skipped: Iterable<number> = []): void {
    this.#position = Math.max(position, this.#channel.reader.first)
    this.#judgesUntil = this.#channel.nextSeq
    this.#missed = []
    this.#waiting = 0
    this.#isAtMost = false
    this.#isLive = false
    this.#skipped = setOf(skipped)
  }

  /** What was about to be stored was not: `next` is the next sequence number once more. */
  takeBack(next: number): void {
    if (Math.max(this.#position, this.#unjudgedUntil) <= next) return
    this.#position = Math.min(this.#position, next)
    this.#judgesUntil = Math.min(this.#judgesUntil, next)
    this.#missed = within(this.#missed, 0, next)
    this.#subscription.changed()
  }

  /** Nothing is before it any more. */
  stop(): void {
    this.#position = Infinity
    this.#isLive = true
    this.#waiting = 0
    this.#judgesUntil = 0
    this.#missed = []
  }

  /** An event that is for it is committed. */
  owe(seq: number): void {
    if (seq < this.#position || this.#isUnjudged(seq)) return
    this.#waiting++
    this.#subscription.changed() // its progress says by how much it lags, and whether there is anything for it at all
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
    return {
      position: first ?? this.lowest,
      judgesUntil: this.#judgesUntil,
      missed: this.#missed,
      waiting: this.#waiting + ahead,
      isAtMost: this.#isAtMost,
      skipped: this.#skipped === undefined ? [] : [...this.#skipped],
    }
  }

  /** The lowest sequence number that it has still to look at. */
  get lowest(): number {
    return this.#isLive ? Math.max(this.#position, this.#channel.committedSeq + 1) : this.#position
  }

  /** Whether nobody judged it for this subscription when it was stored. */
  #isUnjudged(seq: number): boolean {
    return seq < this.#judgesUntil || contains(this.#missed, seq)
  }

  /** How many from `first` to `last` nobody judged. */
  #unjudged(first: number, last: number): number {
    const own = Math.max(0, Math.min(this.#judgesUntil, last + 1) - first)
    return own + countIn(this.#missed, Math.max(first, this.#judgesUntil), last)
  }

  /** From where on all is judged when it is stored. */
  get #unjudgedUntil(): number {
    return Math.max(this.#judgesUntil, endOf(this.#missed))
  }

  get #judges(): number {
    return this.#isLive ? 0 : this.#unjudged(this.#position, this.#channel.committedSeq)
  }

  /** Events that it has still to take; at most so many where not {@link isExact}. */
  get waiting(): number {
    return this.#waiting + this.#judges
  }

  get isExact(): boolean {
    return !this.#isAtMost && this.#judges === 0
  }

  /** When the next event that may be for it was stored, where that is known. */
  get oldest(): number | undefined {
    return this.waiting === 0 ? undefined : this.#channel.reader.timeFrom(this.#position)
  }

  /** Whether it has still to come to what is offered: until then it reads. */
  get isBehind(): boolean {
    return !this.#isLive
  }

  /** The next event that is for it; `undefined`: there is none now, and a wake follows when there may be. */
  next(): Ref | undefined {
    if (this.#isLive || this.#isReading) return undefined
    let judged = 0
    for (let steps = 0; steps < STEPS_MAX; steps++) {
      if (this.#position > this.#channel.committedSeq) {
        if (this.#position >= this.#unjudgedUntil) this.#becomeLive()
        else this.#channel.wakeOnCommit(this.#subscription) // what it judges itself is not committed yet
        return undefined
      }
      const index = this.#indexHere()
      if (index === 'reading') return undefined
      if (index === 'passed') continue
      const seq = this.#position
      if (index.offset(seq) === 0) {
        this.#passHole(index)
        continue
      }
      if (this.#isUnjudged(seq)) {
        if (++judged > JUDGED_MAX) break
        const ref = this.#judge(index, seq)
        if (ref === 'reading') return undefined
        this.#position++
        if (ref !== undefined) return ref
        continue
      }
      this.#position++
      if (!this.#isFor(index, index.set(seq))) continue
      if (this.#waiting > 0) this.#waiting--
      return this.#refAt(index, seq)
    }
    this.#wakeAfter(new Promise((resolve) => setImmediate(resolve)))
    return undefined
  }

  #becomeLive(): void {
    this.#isLive = true
    this.#waiting = 0 // whatever else was counted is lost
    this.#isAtMost = false
    this.#judgesUntil = 0
    this.#missed = []
    this.#skipped = undefined
    this.#index = undefined
    this.#subscription.changed()
  }

  /** The index of the segment where the cursor stands. `reading`: it is being read. `passed`: it stands elsewhere now. */
  #indexHere(): SegmentIndex | 'reading' | 'passed' {
    const known = this.#index
    if (known !== undefined && this.#position >= known.segment.first && this.#position < known.end) return known
    const { reader, committedSeq } = this.#channel
    const segment = reader.segmentOf(this.#position)
    if (segment === undefined) return this.#passTo(committedSeq + 1)
    if (this.#position < segment.first) return this.#passTo(segment.first)
    const index = reader.indexOf(segment)
    if (index === undefined) {
      this.#wakeAfter(reader.loadIndex(segment))
      return 'reading'
    }
    if (this.#position >= index.end) return this.#passTo(reader.segmentAfter(segment)?.first ?? committedSeq + 1)
    if (index !== known) this.#verdicts.fill(0)
    this.#index = index
    this.#subscription.changed() // now and then, so that what it has passed may go
    return index
  }

  /** No entry from here up to `seq` can be read: their segment ends too early, or is missing. */
  #passTo(seq: number): 'passed' {
    this.#lose(this.#position, seq - 1)
    this.#position = seq
    return 'passed'
  }

  #passHole(index: SegmentIndex): void {
    const first = this.#position
    let end = first
    while (end < index.end && index.offset(end) === 0) end++
    this.#lose(first, end - 1)
    this.#position = end
  }

  /** The entries from `first` to `last` are lost. Tells how many of them were for it, at most. */
  #lose(first: number, last: number): void {
    const unjudged = this.#unjudged(first, last)
    const judged = last - first + 1 - unjudged
    const judgedLeft = this.#channel.committedSeq + 1 - first - this.#judges
    let mine = Math.min(judged, this.#waiting)
    if (this.#waiting >= judgedLeft) this.#waiting -= mine // all that is left is for it, so that was too
    else if (mine > 0) this.#isAtMost = true
    mine += unjudged
    for (const seq of this.#skipped ?? []) if (seq >= first && seq <= last) mine--
    if (mine > 0) this.#subscription.tellLoss(first, last, mine)
    this.#subscription.changed()
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
    // Of what is said to be missed some may have been judged after all, where the process ended before it was saved.
    if (seq >= this.#judgesUntil && this.#isFor(index, index.set(seq))) return ref
    const read = this.#read
    this.#read = undefined
    const event = read?.seq === seq ? read.event : this.#channel.reader.eventAt(ref)
    if (event === 'damaged') {
      this.#lose(seq, seq)
      return undefined
    }
    if (event !== undefined) {
      ref.event = event
      return this.#subscription.filter.matches(event) ? ref : undefined
    }
    this.#wakeAfter(
      this.#channel.reader.loadEvent(ref).then((loaded) => {
        if (loaded !== undefined) this.#read = { seq, event: loaded }
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
      isParked: false,
      due: 0,
      key: undefined,
      isSaved: false,
    }
  }

  #wakeAfter(work: Promise<unknown>): void {
    this.#isReading = true
    void work.then(() => {
      this.#isReading = false
      if (!this.#channel.reader.isClosed) this.#subscription.wake()
    })
  }
}

function setOf(numbers: Iterable<number>): Set<number> | undefined {
  const set = new Set(numbers)
  return set.size > 0 ? set : undefined
}
