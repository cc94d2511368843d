// One subscription of the log: where it stands, what it has taken and not settled, and its hand-over. Hot path
// (bench/log.ts).
//
// Who keeps up is handed each event as it becomes durable, and never reads. Whose window is full falls behind: from
// there on it goes by the segments' indexes, and reads, until it has caught up.
//
// From: ./log.ts offers what is committed. Next: the subscription's receiver.

import {
  Fifo,
  Handover,
  WINDOW_DEFAULT,
  orderingKey,
  type Delivery,
  type Lag,
  type Loss,
  type Start,
  type Subscription,
  type SubscriptionSpec,
  type Window,
} from '@sluice/channel'
import type { Event } from '@sluice/event'
import type { Filter } from '@sluice/filter'
import type { Segment } from '@sluice/segments'
import { Cursor } from './cursor.ts'
import type { LogChannel } from './log.ts'
import { Pending, type Ref } from './pending.ts'
import { isIdle, type SavedCursor, type SavedState, type Saver, type Unsaved } from './saved.ts'

const UNTRIED = { tries: 0, isParked: false, due: 0, key: undefined, isSaved: false }
/** Events that wait in memory for a window that is full, before the subscription falls behind. */
const AHEAD_MAX: Window = { events: 64, bytes: 256 * 1024 }

export class LogSubscription implements Subscription, Saver {
  readonly id: string
  /** Names it in the log. Never given to another one. */
  readonly number: number
  open = false
  filter: Filter
  readonly cursor: Cursor
  readonly #channel: LogChannel
  readonly #handover: Handover<Ref>
  #order: 'none' | 'key' = 'none'
  #removed = false
  /** Taken by a process that is gone, and never tried: they go first. */
  readonly #again = new Fifo<Ref>()
  /** Offered while the window was full; newer than all that was taken, older than the cursor. */
  readonly #ahead = new Fifo<Ref>()
  #aheadBytes = 0
  /** It has something out that was read for it. */
  #isLaggard = false
  readonly #pending = new Pending()
  /** All of it is to be saved, not only what has changed. */
  #savesAll = true
  /** Whoever saves has heard that there is something to save. */
  #isChanged = false
  /** The lowest sequence number that it needs by what is saved; and by what is being saved. */
  #savedLowest = Infinity
  #savingLowest = Infinity
  readonly #lossListeners = new Set<(loss: Loss) => void>()
  /** Losses that were met before anybody listened. */
  readonly #untold: Loss[] = []

  constructor(channel: LogChannel, spec: SubscriptionSpec, number: number, deliver: (delivery: Delivery) => void) {
    this.id = spec.id
    this.number = number
    this.filter = spec.filter
    this.#channel = channel
    this.cursor = new Cursor(channel, this)
    this.#order = spec.order ?? 'none'
    this.#handover = new Handover<Ref>({
      backlog: {
        next: () => this.#next(),
        load: (ref) => this.#load(ref),
        tries: (ref) => ref.tries,
        bytes: (ref) => ref.bytes,
        position: (ref) => String(ref.seq),
        settled: (ref) => this.#forget(ref),
        parked: (ref, event, tries, delayMs) => this.#parked(ref, event, tries, delayMs),
      },
      parking: channel.parking,
      deliver,
      order: this.#order,
      window: spec.window ?? WINDOW_DEFAULT,
      paused: true,
      maxDelayMs: channel.capabilities.maxDelayMs,
      maxParked: channel.capabilities.maxParked,
    })
  }

  /**
   * Takes up what a process that is gone has left, before anything is handed out. `refs`: what was taken and not settled,
   * in order; `gone`: of that, what is not stored any more.
   */
  restore(saved: SavedState, refs: readonly Ref[], gone: readonly number[]): void {
    this.cursor.restore(saved)
    this.#savesAll = false
    const parked: Ref[] = []
    this.#pending.restore(refs, gone, saved.position)
    for (const ref of refs) {
      if (ref.isParked) parked.push(ref)
      else this.#again.push(ref)
    }
    for (const seq of gone) if (!saved.isRewound) this.tellLoss(seq, seq, 1)
    this.#savedLowest = this.#lowestNeeded(saved)
    const haveKeys = parked.every(({ key }) => key !== undefined)
    const now = this.#channel.now()
    for (const ref of parked) {
      const delayMs = Math.min(Math.max(0, ref.due - now), this.#channel.capabilities.maxDelayMs)
      this.#handover.restore(ref, ref.tries, delayMs, haveKeys ? ref.key : undefined)
    }
  }

  /** Begins to hand out. */
  start(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): void {
    this.open = true
    this.filter = spec.filter
    this.#order = spec.order ?? 'none'
    this.#handover.setOrder(this.#order)
    this.#handover.setWindow(spec.window ?? WINDOW_DEFAULT)
    this.#handover.reopen(deliver, spec.paused ?? false)
  }

  /** An event is durable that was judged to be for this subscription. */
  offer(seq: number, segment: Segment, offset: number, bytes: number, time: number, event: Event): void {
    if (this.#removed) return
    if (this.cursor.follows(seq, this.#ahead.length < AHEAD_MAX.events && this.#aheadBytes < AHEAD_MAX.bytes)) {
      this.#ahead.push({ seq, segment, offset, bytes, time, event, ...UNTRIED })
      this.#aheadBytes += bytes
    }
    this.#handover.wake()
  }

  wake(): void {
    this.#handover.wake()
  }

  #next(): Ref | undefined {
    const isBehind = this.#again.length > 0 || (this.#ahead.length === 0 && this.cursor.isBehind)
    if (!isBehind) return this.#take()
    const { laggards } = this.#channel
    if (!laggards.admits(this, this.#handover.inFlight, this.#handover.bytesInFlight)) return undefined
    const ref = this.#take()
    if (ref === undefined) return undefined
    laggards.took()
    if (!this.#isLaggard) laggards.enter()
    this.#isLaggard = true
    return ref
  }

  #take(): Ref | undefined {
    const again = this.#again.shift()
    if (again !== undefined) return again // pending since it was restored
    let ref = this.#ahead.shift()
    if (ref === undefined) ref = this.cursor.next()
    else this.#aheadBytes -= ref.bytes
    if (ref === undefined) return undefined
    this.#pending.take(ref)
    this.changed()
    return ref
  }

  #load(ref: Ref): Event | undefined {
    const { event } = ref
    ref.event = undefined // from here on the hand-over has it
    if (event !== undefined) return event
    const known = this.#channel.reader.eventAt(ref)
    if (known === undefined) void this.#loadLater(ref)
    return known
  }

  async #loadLater(ref: Ref): Promise<void> {
    const event = await this.#channel.reader.loadEvent(ref)
    if (event === 'damaged') this.#damaged(ref)
    else if (event !== undefined) this.#handover.loaded(ref, event)
    // Else the log is closed, and it stays as it is.
  }

  /** It can't be read any more. */
  #damaged(ref: Ref): void {
    if (!this.#pending.has(ref)) return
    this.#forget(ref)
    this.tellLoss(ref.seq, ref.seq, 1)
    this.#handover.unloadable(ref, ref.key)
  }

  #parked(ref: Ref, event: Event, tries: number, delayMs: number): void {
    ref.tries = tries
    ref.isParked = true
    ref.due = this.#channel.now() + delayMs
    ref.key = this.#order === 'key' ? orderingKey(event) : undefined
    this.#pending.changed(ref)
    this.#afterOut()
  }

  #forget(ref: Ref): void {
    this.#pending.settle(ref)
    this.#afterOut()
  }

  #afterOut(): void {
    if (this.#isLaggard && this.#handover.inFlight === 0) {
      this.#isLaggard = false
      this.#channel.laggards.leave()
    }
    this.changed()
  }

  /** Its progress is not what was saved last. */
  changed(): void {
    if (this.#isChanged) return
    this.#isChanged = true
    this.#channel.progressChanged(this)
  }

  takeUnsaved(): Unsaved {
    const isFull = this.#savesAll
    const cursor = this.cursor.save(this.#ahead.length, this.#ahead.peek()?.seq)
    const unsaved: Unsaved = {
      number: this.number,
      id: isFull ? this.id : undefined,
      ...cursor,
      ...this.#pending.save(isFull),
    }
    this.#savesAll = false
    this.#isChanged = false
    this.#savingLowest = this.#lowestNeeded(cursor)
    return unsaved
  }

  wasSaved(): void {
    this.#savedLowest = this.#savingLowest
  }

  saveFailed(): void {
    this.#savesAll = true
    this.#isChanged = false
    this.changed()
  }

  saveAll(): void {
    this.#savesAll = true
  }

  /** The lowest sequence number that it still needs. */
  lowest(): number {
    return this.#pending.lowest(Math.min(this.cursor.lowest, this.#ahead.peek()?.seq ?? Infinity))
  }

  /** The same, by what is saved, and up to what was committed then: whoever restarts needs that. */
  get savedLowest(): number {
    return this.#savedLowest
  }

  #lowestNeeded(cursor: SavedCursor): number {
    return this.#pending.lowest(isIdle(cursor) ? Infinity : cursor.position)
  }

  async update(change: { filter?: Filter; window?: Window; order?: 'none' | 'key' }): Promise<void> {
    if (change.order !== undefined) {
      this.#order = change.order
      this.#handover.setOrder(change.order)
    }
    if (change.filter !== undefined) {
      this.filter = change.filter
      this.#channel.judge(this)
    }
    if (change.window !== undefined) this.#handover.setWindow(change.window)
  }

  pause(): void {
    this.#handover.pause()
  }

  resume(): void {
    this.#handover.resume()
  }

  hurry(): void {
    this.#handover.hurry()
  }

  async seek(start: Start): Promise<void> {
    const target = await this.#channel.reader.findStart(start)
    for (const ref of this.#takeWaiting()) this.#forget(ref)
    this.#pending.sought()
    this.cursor.moveTo(
      target,
      Array.from(this.#handover.out(), ({ seq }) => seq),
    )
    this.#savesAll = true
    this.changed()
    this.#handover.wake()
    await this.#channel.saved()
  }

  #takeWaiting(): Ref[] {
    this.#aheadBytes = 0
    this.#ahead.takeAll()
    return [...this.#again.takeAll(), ...this.#handover.dropWaiting()]
  }

  lag(): Lag {
    const { waiting, isExact, oldest } = this.cursor
    const events = waiting + this.#ahead.length + this.#pending.size
    const since = this.#pending.since(Math.min(oldest ?? Infinity, this.#ahead.peek()?.time ?? Infinity))
    return {
      events,
      bound: isExact ? 'exact' : 'atMost',
      ...(events > 0 && since < Infinity && { oldest: since }),
      inFlight: this.#handover.inFlight,
      parked: this.#handover.parkedEvents,
    }
  }

  onLoss(listener: (loss: Loss) => void): () => void {
    this.#lossListeners.add(listener)
    for (const loss of this.#untold.splice(0)) listener(loss)
    return () => this.#lossListeners.delete(listener)
  }

  /** Of the entries from `first` to `last`, which can't be read any more, so many were for this subscription, at most. */
  tellLoss(first: number, last: number, events: number): void {
    const loss: Loss = { events, range: [String(first), String(last)], cause: 'damage' }
    if (this.#lossListeners.size === 0) this.#untold.push(loss)
    for (const listener of this.#lossListeners) listener(loss)
  }

  async close(): Promise<void> {
    this.open = false
    this.#handover.close()
  }

  /** Stops handing out, and resolves once nothing is out. */
  drained(): Promise<void> {
    this.#handover.close()
    return this.#handover.drained()
  }

  /** Gives up everything that is not out; returns how much that was. */
  discard(): number {
    const { events, inFlight } = this.lag()
    this.open = false
    this.#removed = true
    this.#handover.remove()
    this.#takeWaiting()
    this.#afterOut()
    this.cursor.stop()
    return events - inFlight
  }

  get isRemoved(): boolean {
    return this.#removed
  }
}
