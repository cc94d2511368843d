// The log channel: durable on the local disk, no server. Hot path (bench/log.ts).
//
//     publish ── judge, append ── one write, one sync for all that came meanwhile ── 202 and hand over
//
// An event is judged once, when it is published; the numbers of the subscriptions that it is for are stored with it.
// Who keeps up is handed the event itself; who lags reads (./cursor.ts). What is settled is saved every 50 ms.

import {
  INGRESS_SHARE,
  ParkingLot,
  eventTooLarge,
  within,
  type Capabilities,
  type Channel,
  type ChannelState,
  type ChannelUsage,
  type Delivery,
  type Position,
  type PublishOptions,
  type PublishResult,
  type ReadRange,
  type StoredEvent,
  type Subscription,
  type SubscriptionSpec,
} from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import type { Event, SluiceError } from '@sluice/event'
import type { Committed, SegmentStore } from '@sluice/segments'
import { entryBytes, eventBytes, takersEnd, takersKey, writeEntry } from './entry.ts'
import { capabilitiesOf } from './capabilities.ts'
import type { Health } from './health.ts'
import type { Indexes } from './indexes.ts'
import { Laggards } from './laggards.ts'
import type { LogLimits } from './limits.ts'
import type { ProgressHead } from './progress-codec.ts'
import type { Progress } from './progress.ts'
import { Publication, type Appended } from './publication.ts'
import { Reader } from './reader.ts'
import { closed, full, RETRY_AFTER_MS, tooSlow, unstated } from './refusals.ts'
import { Saving } from './saving.ts'
import { Space } from './space.ts'
import { Subscribers, type FoundSubscribers } from './subscribers.ts'
import type { Ref } from './pending.ts'
import type { LogSubscription } from './subscription.ts'
import type { WallClock } from './wall-clock.ts'

/** What an open has found. */
export interface LogParts extends FoundSubscribers {
  readonly clock: Clock
  readonly now: WallClock
  readonly limits: LogLimits
  readonly store: SegmentStore<Appended>
  readonly indexes: Indexes
  readonly progress: Progress
  readonly health: Health
  /** Lets another process have it. */
  readonly unlock: () => Promise<void>
}

export class LogChannel implements Channel {
  readonly capabilities: Capabilities
  readonly clock: Clock
  readonly now: WallClock
  readonly parking: ParkingLot<Ref>
  readonly reader: Reader
  readonly laggards: Laggards = new Laggards()
  isClosing = false
  readonly #limits: LogLimits
  readonly #store: SegmentStore<Appended>
  readonly #indexes: Indexes
  readonly #progress: Progress
  readonly #space: Space
  readonly #health: Health
  readonly #saving: Saving
  readonly #subscribers: Subscribers
  /** Those that judge what is not committed yet by themselves, once it is. */
  readonly #awaiting = new Set<LogSubscription>()
  /** Segments are being removed. */
  #tidying: Promise<void> | undefined
  /** The last sequence number that was committed when progress was saved last. */
  #savedCommitted = 0
  readonly #unlock: () => Promise<void>
  #closing: Promise<void> | undefined

  constructor(parts: LogParts) {
    const { clock, now, limits, store, indexes, progress, health, unlock } = parts
    this.#unlock = unlock
    this.clock = clock
    this.now = now
    this.parking = new ParkingLot(clock)
    this.#limits = limits
    this.#store = store
    this.#indexes = indexes
    this.#progress = progress
    this.#health = health
    this.reader = new Reader(store, indexes, clock, (error) => {
      health.set('reading', error && `The log can't be read: ${error.message}`)
    })
    this.#saving = new Saving({
      clock,
      everyMs: limits.progressMs,
      progress,
      head: () => this.#head,
      savers: () => this.#subscribers.savers(),
      saved: ({ committed }) => this.#tidy(committed),
    })
    this.#subscribers = new Subscribers(this, this.#saving, parts)
    this.#space = new Space(store, indexes, now, limits)
    this.capabilities = capabilitiesOf(limits)
  }

  /** Saves where everybody stands: who is not opened from here on misses what is stored. */
  async begin(): Promise<void> {
    await this.saved().catch(() => this.#saving.soon())
  }

  // --- Publishing ---

  room(bytes: number): number {
    return this.#hasRoom(bytes, this.#limits.bytesMax * INGRESS_SHARE) ? 0 : RETRY_AFTER_MS
  }

  publish(events: readonly Event[], { lane }: PublishOptions): Promise<PublishResult[]> {
    const publication = new Publication(events.length)
    const limit = lane === 'ingress' ? this.#limits.bytesMax * INGRESS_SHARE : this.#limits.bytesMax
    const time = this.clock.now()
    for (let place = 0; place < events.length; place++) this.#append(publication, place, events[place]!, time, limit)
    return publication.done
  }

  #append(publication: Publication, place: number, event: Event, time: number, limit: number): void {
    const size = eventBytes(event)
    const refusal = this.#refusal(size, limit)
    if (refusal !== undefined) return publication.refused(place, refusal)
    const takers = this.#subscribers.filters.match(event)
    const store = this.#store
    const start = store.begin(entryBytes(size, takers))
    const end = writeEntry(store.buffer, start, time, takers, event)
    const key = takersKey(store.buffer, start, takersEnd(store.buffer, start))
    store.end(end - start, { publication, place, event, time, takers, takersKey: key })
  }

  #refusal(bytes: number, limit: number): SluiceError | undefined {
    if (this.isClosing) return closed()
    if (bytes > this.#limits.eventBytesMax) return eventTooLarge(bytes, this.#limits.eventBytesMax)
    if (this.#store.failure !== undefined) return this.#store.failure
    if (!this.#saving.isStated) return unstated()
    if (this.#store.pendingBytes > this.#limits.pendingBytesMax) return tooSlow(this.#store.pendingBytes)
    return this.#hasRoom(bytes, limit) ? undefined : full(this.#space.owed, limit)
  }

  #hasRoom(bytes: number, limit: number): boolean {
    if (this.#space.owed + bytes <= limit) return true
    this.#space.update(this.#lowest()) // it is brought up to date only now and then
    return this.#space.owed + bytes <= limit
  }

  /** From the store: these events are durable. */
  committed({ segment, entries, offsets, first }: Committed<Appended>): void {
    const index = this.#indexes.forWriting(segment)
    for (let i = 0; i < entries.length; i++) {
      const { time, takers, takersKey: key } = entries[i]!
      index.add(first + i, offsets[i]!, offsets[i + 1] ?? segment.bytes, time, key)
      for (const taker of takers) taker.cursor.owe(first + i)
    }
    for (let i = 0; i < entries.length; i++) {
      const { publication, place, event, time, takers } = entries[i]!
      const bytes = (offsets[i + 1] ?? segment.bytes) - offsets[i]!
      publication.stored(place, first + i)
      for (const taker of takers) taker.offer(first + i, segment, offsets[i]!, bytes, time, event)
    }
    this.#wakeAwaiting()
    this.#saving.soon()
  }

  /** It waits for something to be committed. */
  wakeOnCommit(subscription: LogSubscription): void {
    this.#awaiting.add(subscription)
  }

  #wakeAwaiting(): void {
    if (this.#awaiting.size === 0) return
    const awaiting = [...this.#awaiting]
    this.#awaiting.clear()
    for (const subscription of awaiting) subscription.wake()
  }

  /** From the store: these events could not be stored. */
  failed(entries: readonly Appended[], error: SluiceError): void {
    for (const { publication, place } of entries) publication.refused(place, error)
    for (const { cursor } of this.#subscribers) cursor.takeBack(this.nextSeq)
    this.#saving.takenBack()
  }

  // --- Subscriptions ---

  async subscribe(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Promise<Subscription> {
    if (this.isClosing) throw closed()
    return await this.#subscribers.subscribe(spec, deliver)
  }

  remove(id: string): Promise<{ discarded: number }> {
    return this.#subscribers.remove(id)
  }

  place(id: string): Position | undefined {
    return this.#subscribers.place(id)
  }

  subscriptions(): string[] {
    return this.#subscribers.ids()
  }

  judge(subscription: LogSubscription): void {
    this.#subscribers.judge(subscription)
  }

  // --- Progress ---

  progressChanged(subscription: LogSubscription): void {
    if (this.#subscribers.has(subscription)) this.#saving.changed(subscription.number, subscription)
  }

  /** Resolves once all progress made up to now is saved. */
  saved(): Promise<void> {
    return this.#saving.now()
  }

  get #head(): ProgressHead {
    return { nextNumber: this.#subscribers.nextNumber, committed: this.#store.last, savedAt: this.now() }
  }

  /** What nobody needs any more may go. Nothing depends on it: what can't be removed now is removed later. */
  #tidy(committed: number): void {
    this.#savedCommitted = committed
    this.#removeBy((lowest) => this.#space.tidy(lowest))
  }

  /** The disk is full, which is told every second while it is: of what is kept only to be read again a segment gives way. */
  diskFull(): void {
    this.#removeBy((lowest) => this.#space.giveWay(lowest))
  }

  #removeBy(remove: (lowest: () => number) => Promise<void>): void {
    const lowest = (): number => (this.isClosing ? 0 : this.#lowestSaved())
    const done = (): void => (this.#tidying = undefined)
    this.#tidying ??= remove(lowest).then(done, done)
  }

  /** The lowest sequence number that anybody needs: now, or by what is saved, should the process end. */
  #lowestSaved(): number {
    let lowest = Math.min(this.#lowest(), this.#savedCommitted + 1)
    for (const { savedLowest } of this.#subscribers) lowest = Math.min(lowest, savedLowest)
    return lowest
  }

  /** The lowest sequence number that anybody still needs. */
  #lowest(): number {
    return Math.min(this.#store.last + 1, this.#subscribers.lowest())
  }

  get nextSeq(): number {
    return this.#store.next
  }

  get committedSeq(): number {
    return this.#store.last
  }

  read(range: ReadRange): Promise<StoredEvent[]> {
    return this.reader.read(range)
  }

  // --- State, and the end ---

  onState(listener: (state: ChannelState) => void): () => void {
    return this.#health.onState(listener)
  }

  usage(): ChannelUsage {
    this.#space.update(this.#lowest())
    const { segments, last } = this.#store
    const first = segments[0]?.first ?? last + 1
    return { bytes: this.#space.owed, bytesMax: this.#limits.bytesMax, events: last + 1 - first }
  }

  close({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    return (this.#closing ??= this.#close(deadlineMs))
  }

  async #close(deadlineMs: number): Promise<void> {
    this.isClosing = true
    this.reader.close()
    const drained = Array.from(this.#subscribers, (subscription) => subscription.drained())
    await within(this.clock, deadlineMs, Promise.all(drained))
    await this.#store.flushed()
    await this.#saving.stop()
    await this.#tidying
    this.parking.close()
    await this.#store.close()
    await this.#progress.close()
    await this.#unlock()
  }
}
