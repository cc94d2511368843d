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
import type { SavedPending, SavedState, Saver, Unsaved } from './saved.ts'

/** An event that the subscription has taken and not settled. */
export interface Ref extends SavedPending {
  readonly segment: Segment
  /** When it was stored, wall-clock ms. */
  readonly time: number
  /** Until it is handed out, where it was in memory anyway. */
  event: Event | undefined
  /** It stands in the progress. */
  isSaved: boolean
}

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
  /** Everything taken and not settled, in the order of taking. */
  readonly #pending = new Set<Ref>()
  /** A seek has mixed the order of `#pending`. */
  #isMixed = false
  readonly #unsaved = new Set<Ref>()
  #settledSaved: number[] = []
  /** All of it is to be saved, not only what has changed. */
  #savesAll = true
  readonly #lossListeners = new Set<(loss: Loss) => void>()

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

  /** Takes up what a process that is gone has left: before anything is handed out. */
  restore(saved: SavedState, refs: readonly Ref[]): void {
    this.cursor.restore(saved)
    this.#savesAll = false
    const parked: Ref[] = []
    for (const ref of refs) {
      this.#pending.add(ref)
      if (ref.tries === 0) this.#again.push(ref)
      else parked.push(ref)
    }
    const haveKeys = parked.every(({ key }) => key !== undefined)
    const now = this.#channel.clock.now()
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
      this.#ahead.push({ seq, segment, offset, bytes, time, event, tries: 0, due: 0, key: undefined, isSaved: false })
      this.#aheadBytes += bytes
    }
    this.#handover.wake()
  }

  wake(): void {
    this.#handover.wake()
  }

  #next(): Ref | undefined {
    const again = this.#again.shift()
    if (again !== undefined) return again // pending since it was restored
    let ref = this.#ahead.shift()
    if (ref === undefined) ref = this.cursor.next()
    else this.#aheadBytes -= ref.bytes
    if (ref === undefined) return undefined
    this.#pending.add(ref)
    this.#unsaved.add(ref)
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
    if (event === undefined) this.#damaged(ref)
    else this.#handover.loaded(ref, event)
  }

  /** It can't be read any more. */
  #damaged(ref: Ref): void {
    if (!this.#pending.has(ref)) return
    this.#handover.unloadable(ref, ref.key)
    this.#forget(ref)
    this.tellLoss(ref.seq, ref.seq)
  }

  #parked(ref: Ref, event: Event, tries: number, delayMs: number): void {
    ref.tries = tries
    ref.due = this.#channel.clock.now() + delayMs
    if (this.#order === 'key') ref.key = orderingKey(event)
    this.#unsaved.add(ref)
    this.changed()
  }

  #forget(ref: Ref): void {
    this.#pending.delete(ref)
    if (ref.isSaved) this.#settledSaved.push(ref.seq)
    this.#unsaved.delete(ref)
    if (this.#pending.size === 0) this.#isMixed = false
    this.changed()
  }

  /** Its progress is not what was saved last. */
  changed(): void {
    this.#channel.progressChanged(this)
  }

  takeUnsaved(): Unsaved {
    const isFull = this.#savesAll
    const refs = isFull ? this.#pending : this.#unsaved
    const unsaved: Unsaved = {
      number: this.number,
      id: isFull ? this.id : undefined,
      ...this.cursor.save(this.#ahead.length, this.#ahead.peek()?.seq),
      pending: [...refs],
      settled: isFull ? [] : this.#settledSaved,
    }
    for (const ref of refs) ref.isSaved = true
    this.#savesAll = false
    this.#unsaved.clear()
    this.#settledSaved = []
    return unsaved
  }

  saveFailed(): void {
    this.#savesAll = true
    this.changed()
  }

  saveAll(): void {
    this.#savesAll = true
  }

  /** The lowest sequence number that it still needs. */
  lowest(): number {
    let lowest = Math.min(this.cursor.lowest, this.#ahead.peek()?.seq ?? Infinity)
    for (const { seq } of this.#pending) {
      lowest = Math.min(lowest, seq)
      if (!this.#isMixed) break // the first one taken is the oldest
    }
    return lowest
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

  async seek(start: Start): Promise<void> {
    const target = await this.#channel.reader.findStart(start)
    for (const ref of this.#takeWaiting()) this.#forget(ref)
    this.#isMixed = this.#pending.size > 0
    this.cursor.moveTo(target, new Set([...this.#handover.out()].map(({ seq }) => seq)))
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
    let since = Math.min(oldest ?? Infinity, this.#ahead.peek()?.time ?? Infinity)
    for (const { time } of this.#pending) {
      since = Math.min(since, time)
      if (!this.#isMixed) break
    }
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
    return () => this.#lossListeners.delete(listener)
  }

  /** Events from `first` to `last`, any of which may have been for this subscription, can't be read any more. */
  tellLoss(first: number, last: number): void {
    const loss: Loss = { events: last - first + 1, range: [String(first), String(last)], cause: 'damage' }
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
    this.cursor.stop()
    return events - inFlight
  }

  get isRemoved(): boolean {
    return this.#removed
  }
}
