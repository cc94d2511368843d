// The log channel: durable on the local disk, no server. Hot path (bench/log.ts).
//
//     publish ── judge, append ── one write, one sync for all that came meanwhile ── 202 and hand over
//
// An event is judged once, when it is published; the numbers of the subscriptions that it is for are stored with it.
// Who keeps up is handed the event itself; who lags reads (./cursor.ts). What is settled is saved every 50 ms.

import {
  INGRESS_SHARE,
  ParkingLot,
  alreadySubscribed,
  channelUnavailable,
  eventTooLarge,
  unsupported,
  within,
  type Capabilities,
  type Channel,
  type ChannelState,
  type ChannelUsage,
  type Delivery,
  type PublishOptions,
  type PublishResult,
  type ReadRange,
  type StoredEvent,
  type Subscription,
  type SubscriptionSpec,
} from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import type { Event, SluiceError } from '@sluice/event'
import { FilterIndex } from '@sluice/filter'
import type { Committed, SegmentStore } from '@sluice/segments'
import { entryBytes, eventBytes, takersEnd, takersKey, writeEntry } from './entry.ts'
import { capabilitiesOf } from './capabilities.ts'
import type { Health } from './health.ts'
import type { Indexes } from './indexes.ts'
import type { LogLimits } from './limits.ts'
import type { ProgressHead } from './progress-codec.ts'
import type { Progress } from './progress.ts'
import { Publication, type Appended } from './publication.ts'
import { unopenedSaver, type SavedPending, type SavedState } from './saved.ts'
import { Reader } from './reader.ts'
import { closed, full, RETRY_AFTER_MS, tooSlow } from './refusals.ts'
import { Saving } from './saving.ts'
import { Space } from './space.ts'
import { LogSubscription, type Ref } from './subscription.ts'
import type { WallClock } from './wall-clock.ts'

/** What an open has found. */
export interface LogParts {
  readonly clock: Clock
  readonly now: WallClock
  readonly limits: LogLimits
  readonly store: SegmentStore<Appended>
  readonly indexes: Indexes
  readonly progress: Progress
  readonly health: Health
  /** Subscriptions of processes that are gone. */
  readonly saved: readonly SavedState[]
  /** The next number that no subscription has had. */
  readonly nextNumber: number
  /** Progress was lost: whoever is not known begins at the earliest event. */
  readonly isRewound: boolean
  /** Lets another process have it. */
  readonly unlock: () => Promise<void>
}

export class LogChannel implements Channel {
  readonly capabilities: Capabilities
  readonly clock: Clock
  readonly now: WallClock
  readonly parking: ParkingLot<Ref>
  readonly reader: Reader
  readonly #limits: LogLimits
  readonly #store: SegmentStore<Appended>
  readonly #indexes: Indexes
  readonly #progress: Progress
  readonly #space: Space
  readonly #health: Health
  readonly #filters = new FilterIndex<LogSubscription>()
  readonly #subscriptions = new Map<string, LogSubscription>()
  /** Of a process that is gone, until they are opened. */
  readonly #saved: Map<string, SavedState>
  readonly #isRewound: boolean
  /** Ids that are being subscribed for the first time. */
  readonly #opening = new Set<string>()
  #nextNumber: number
  readonly #saving: Saving
  readonly #unlock: () => Promise<void>
  #isClosing = false
  #closing: Promise<void> | undefined

  constructor(parts: LogParts) {
    const { clock, now, limits, store, indexes, progress, health, saved, nextNumber, isRewound, unlock } = parts
    this.#unlock = unlock
    this.clock = clock
    this.now = now
    this.parking = new ParkingLot(clock)
    this.#limits = limits
    this.#store = store
    this.#indexes = indexes
    this.#progress = progress
    this.#health = health
    this.#saved = new Map(saved.map((state) => [state.id, state]))
    this.#nextNumber = nextNumber
    this.#isRewound = isRewound
    this.reader = new Reader(store, indexes, clock, (error) => {
      health.set('reading', error && `The log can't be read: ${error.message}`)
    })
    this.#saving = new Saving({
      clock,
      everyMs: limits.progressMs,
      progress,
      head: () => this.#head,
      savers: () => [...this.#subscriptions.values(), ...Array.from(this.#saved.values(), unopenedSaver)],
      saved: ({ committed }) => this.#tidy(committed),
    })
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
    const takers = this.#filters.match(event)
    const store = this.#store
    const start = store.begin(entryBytes(size, takers))
    const end = writeEntry(store.buffer, start, time, takers, event)
    const key = takersKey(store.buffer, start, takersEnd(store.buffer, start))
    store.end(end - start, { publication, place, event, time, takers, takersKey: key })
  }

  #refusal(bytes: number, limit: number): SluiceError | undefined {
    if (this.#isClosing) return closed()
    if (bytes > this.#limits.eventBytesMax) return eventTooLarge(bytes, this.#limits.eventBytesMax)
    if (this.#store.failure !== undefined) return this.#store.failure
    if (this.#saved.size > 0 && !this.#progress.hasBegun) return unjudged(this.#saved.size)
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
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.cursor.awaited(first)) subscription.wake()
    }
    this.#saving.soon()
  }

  /** From the store: these events could not be stored. */
  failed(entries: readonly Appended[], error: SluiceError): void {
    for (const { publication, place } of entries) publication.refused(place, error)
    for (const { cursor } of this.#subscriptions.values()) cursor.takeBack(this.nextSeq)
  }

  // --- Subscriptions ---

  async subscribe(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Promise<Subscription> {
    if (this.#isClosing) throw closed()
    const known = this.#subscriptions.get(spec.id)
    if (known !== undefined) {
      if (known.open) throw alreadySubscribed(spec.id)
      this.#filters.add(known, spec.filter)
      known.start(spec, deliver)
      return known
    }
    const saved = this.#saved.get(spec.id)
    return saved === undefined ? await this.#subscribeNew(spec, deliver) : this.#takeUp(saved, spec, deliver)
  }

  async #subscribeNew(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Promise<Subscription> {
    const { id } = spec
    const { maxSubscriptions } = this.capabilities
    if (this.#subscriptions.size >= maxSubscriptions) {
      throw unsupported('maxSubscriptions', `This channel takes at most ${maxSubscriptions} subscriptions.`)
    }
    if (this.#opening.has(id)) throw alreadySubscribed(id)
    this.#opening.add(id)
    try {
      const start = this.#isRewound ? 'earliest' : (spec.start ?? 'latest')
      const position = start === 'latest' ? undefined : await this.reader.findStart(start)
      const subscription = new LogSubscription(this, spec, this.#nextNumber++, deliver)
      if (position !== undefined) subscription.cursor.moveTo(position)
      this.#join(subscription)
      subscription.open = true
      await this.#storeStart(subscription)
      if (!this.#isClosing) subscription.start(spec, deliver) // else the next process hands out
      return subscription
    } finally {
      this.#opening.delete(id)
    }
  }

  async #storeStart(subscription: LogSubscription): Promise<void> {
    try {
      await this.saved()
    } catch (error) {
      this.#leave(subscription)
      this.#saving.forget(subscription.number)
      throw channelUnavailable(`The subscription can't be stored: ${(error as Error).message}`, RETRY_AFTER_MS, error)
    }
  }

  #takeUp(saved: SavedState, spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Subscription {
    this.#saved.delete(spec.id)
    const subscription = new LogSubscription(this, spec, saved.number, deliver)
    const refs: Ref[] = []
    const gone: number[] = []
    for (const pending of [...saved.pending.values()].toSorted((one, other) => one.seq - other.seq)) {
      const ref = this.#refOf(pending)
      if (ref === undefined) gone.push(pending.seq)
      else refs.push(ref)
    }
    subscription.restore({ ...saved, missed: this.#missed(saved) }, refs, gone)
    this.#join(subscription)
    if (saved.isRewound) subscription.saveAll()
    subscription.start(spec, deliver)
    return subscription
  }

  /** From here on it is judged for as all others are. */
  #missed({ missed }: SavedState): SavedState['missed'] {
    if (missed === undefined) return undefined
    const until = Math.min(missed.until, this.nextSeq)
    return missed.from < until ? { from: missed.from, until } : undefined
  }

  #join(subscription: LogSubscription): void {
    this.#subscriptions.set(subscription.id, subscription)
    this.#filters.add(subscription, subscription.filter)
    this.progressChanged(subscription)
  }

  #leave(subscription: LogSubscription): number {
    this.#subscriptions.delete(subscription.id)
    this.#filters.remove(subscription)
    return subscription.discard()
  }

  judge(subscription: LogSubscription): void {
    this.#filters.add(subscription, subscription.filter)
  }

  async remove(id: string): Promise<{ discarded: number }> {
    const number = this.#subscriptions.get(id)?.number ?? this.#saved.get(id)?.number
    if (number === undefined) return { discarded: 0 }
    void this.#subscriptions.get(id)?.close()
    let discarded = 0
    try {
      await this.#saving.remove(number, () => (discarded = this.#discard(id)))
    } catch (error) {
      this.#subscriptions.get(id)?.saveFailed()
      throw error
    }
    return { discarded }
  }

  #discard(id: string): number {
    const subscription = this.#subscriptions.get(id)
    if (subscription !== undefined) return this.#leave(subscription)
    const saved = this.#saved.get(id)
    this.#saved.delete(id)
    return saved === undefined ? 0 : saved.pending.size + saved.waiting
  }

  subscriptions(): string[] {
    return [...this.#subscriptions.keys(), ...this.#saved.keys()]
  }

  // --- Progress ---

  progressChanged(subscription: LogSubscription): void {
    if (this.#subscriptions.get(subscription.id) !== subscription) return
    this.#saving.changed(subscription.number, subscription)
  }

  /** Resolves once all progress made up to now is saved. */
  saved(): Promise<void> {
    return this.#saving.now()
  }

  get #head(): ProgressHead {
    return { nextNumber: this.#nextNumber, committed: this.#store.last, savedAt: this.now() }
  }

  /** What nobody needs any more may go: neither now, nor by what is saved, up to `committed`, should the process end. */
  async #tidy(committed: number): Promise<void> {
    let lowest = Math.min(this.#lowest(), committed + 1)
    for (const { savedLowest } of this.#subscriptions.values()) lowest = Math.min(lowest, savedLowest)
    await this.#space.tidy(lowest).catch(() => {}) // nothing depends on it: what can't be removed now is removed later
  }

  /** The lowest sequence number that anybody still needs. */
  #lowest(): number {
    let lowest = this.#store.last + 1
    for (const subscription of this.#subscriptions.values()) lowest = Math.min(lowest, subscription.lowest())
    for (const { position, pending } of this.#saved.values()) {
      lowest = Math.min(lowest, position)
      for (const seq of pending.keys()) lowest = Math.min(lowest, seq)
    }
    return lowest
  }

  /** `undefined`: its segment is gone. */
  #refOf(pending: SavedPending): Ref | undefined {
    const segment = this.reader.segmentOf(pending.seq)
    if (segment === undefined || pending.seq < segment.first) return undefined
    const time = this.reader.timeFrom(pending.seq) ?? segment.created
    return { ...pending, segment, time, event: undefined, isSaved: true }
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
    this.#isClosing = true
    this.reader.close()
    const drained = [...this.#subscriptions.values()].map((subscription) => subscription.drained())
    await within(this.clock, deadlineMs, Promise.all(drained))
    await this.#store.flushed()
    await this.#saving.stop()
    this.parking.close()
    await this.#store.close()
    await this.#progress.close()
    await this.#unlock()
  }
}

/** As long as the disk does not take down that they have missed it, what is stored would be lost for those. */
function unjudged(subscriptions: number): SluiceError {
  return channelUnavailable(
    `Progress can't be saved, and ${subscriptions} subscriptions are not open yet. Nothing was stored.`,
    RETRY_AFTER_MS,
  )
}
