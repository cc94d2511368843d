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
  channelFull,
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
import type { Committed, Problem, SegmentStore } from '@sluice/segments'
import { entryBytes, eventBytes, takersEnd, takersKey, writeEntry } from './entry.ts'
import type { Indexes } from './indexes.ts'
import type { LogLimits } from './limits.ts'
import { Publication, type Appended } from './publication.ts'
import type { Progress } from './progress.ts'
import type { SavedProgress } from './progress-codec.ts'
import { unopenedSaver, type SavedPending, type SavedState } from './saved.ts'
import { Reader } from './reader.ts'
import { Saving } from './saving.ts'
import { Space } from './space.ts'
import { LogSubscription, type Ref } from './subscription.ts'

/** What an open has found. */
export interface LogParts {
  readonly clock: Clock
  readonly limits: LogLimits
  readonly store: SegmentStore<Appended>
  readonly indexes: Indexes
  readonly progress: Progress
  readonly saved: SavedProgress
  /** Events that can't be read any more. */
  readonly problems: readonly Problem[]
  /** Lets another process have it. */
  readonly unlock: () => Promise<void>
}

const RETRY_AFTER_MS = 1000
const DELAY_MAX_MS = 24 * 3600 * 1000
const SUBSCRIPTIONS_MAX = 200_000

export class LogChannel implements Channel {
  readonly capabilities: Capabilities
  readonly clock: Clock
  readonly parking: ParkingLot<Ref>
  readonly reader: Reader
  readonly #limits: LogLimits
  readonly #store: SegmentStore<Appended>
  readonly #indexes: Indexes
  readonly #progress: Progress
  readonly #space: Space
  readonly #filters = new FilterIndex<LogSubscription>()
  readonly #subscriptions = new Map<string, LogSubscription>()
  /** Of a process that is gone, until they are opened. */
  readonly #saved: Map<string, SavedState>
  readonly #savedAt: number
  /** Progress was lost: whoever subscribes before anything is published begins at the earliest event. */
  #isRewound: boolean
  #nextNumber: number
  readonly #saving: Saving
  readonly #stateListeners = new Set<(state: ChannelState) => void>()
  #state: ChannelState = { state: 'ready' }
  readonly #unlock: () => Promise<void>
  #isClosing = false
  #closing: Promise<void> | undefined

  constructor({ clock, limits, store, indexes, progress, saved, problems, unlock }: LogParts) {
    this.#unlock = unlock
    this.clock = clock
    this.parking = new ParkingLot(clock)
    this.#limits = limits
    this.#store = store
    this.#indexes = indexes
    this.#progress = progress
    this.#saved = new Map([...saved.states.values()].map((state) => [state.id, state]))
    this.#savedAt = saved.committed
    this.#nextNumber = saved.nextNumber
    this.#isRewound = store.segments.length > 0 && saved.isBroken
    this.reader = new Reader(store, indexes, clock, problems, (error) => this.#readFailed(error))
    this.#saving = new Saving({ clock, everyMs: limits.progressMs, save: (changed) => this.#save(changed) })
    this.#space = new Space(store, indexes, clock, limits)
    this.capabilities = {
      durable: true,
      shared: false,
      browse: true,
      starts: ['latest', 'earliest', 'time', 'after'],
      seek: 'online',
      attempts: 'durable',
      maxDelayMs: DELAY_MAX_MS,
      maxParked: limits.parkedMax,
      inOrder: true,
      order: 'key',
      filterUpdate: 'live',
      filterJudged: 'publish',
      lag: 'exact',
      retention: 'ours',
      lossDetected: true,
      maxEventBytes: limits.eventBytesMax,
      maxSubscriptions: SUBSCRIPTIONS_MAX,
      fidelity: 'exact',
    }
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
    this.#isRewound = false
  }

  #refusal(bytes: number, limit: number): SluiceError | undefined {
    if (this.#isClosing) return closed()
    if (bytes > this.#limits.eventBytesMax) return eventTooLarge(bytes, this.#limits.eventBytesMax)
    if (this.#store.failure !== undefined) return this.#store.failure
    if (this.#store.pendingBytes > this.#limits.pendingBytesMax) return tooSlow(this.#store.pendingBytes)
    return this.#hasRoom(bytes, limit) ? undefined : this.#full(limit)
  }

  #hasRoom(bytes: number, limit: number): boolean {
    if (this.#space.owed + bytes <= limit) return true
    this.#space.update(this.#lowest()) // it is brought up to date only now and then
    return this.#space.owed + bytes <= limit
  }

  #full(limit: number): SluiceError {
    return channelFull(
      `The log holds ${this.#space.owed} bytes that are not delivered to every trigger, of the ${limit} it may hold. ` +
        'It empties as its triggers’ subscribers take their events. Nothing was stored.',
      RETRY_AFTER_MS,
    )
  }

  /** From the store: these events are durable. */
  committed({ segment, entries, offsets, first }: Committed<Appended>): void {
    const index = this.#indexes.forWriting(segment)
    for (let i = 0; i < entries.length; i++) {
      const { time, takers, takersKey: key } = entries[i]!
      index.add(first + i, offsets[i]!, time, key)
      for (const taker of takers) taker.cursor.owe(first + i)
    }
    for (let i = 0; i < entries.length; i++) {
      const { publication, place, event, time, takers } = entries[i]!
      const bytes = (offsets[i + 1] ?? segment.bytes) - offsets[i]!
      publication.stored(place, first + i)
      for (const taker of takers) taker.offer(first + i, segment, offsets[i]!, bytes, time, event)
    }
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.cursor.awaitsCommit) subscription.wake()
    }
    this.#saving.soon()
  }

  /** From the store: these events could not be stored. */
  failed(entries: readonly Appended[], error: SluiceError): void {
    for (const { publication, place } of entries) publication.refused(place, error)
  }

  /** From the store: the disk fails, or works again. */
  diskChanged(failure: SluiceError | undefined): void {
    this.#setState(failure === undefined ? { state: 'ready' } : { state: 'degraded', reason: failure.message })
  }

  #setState(state: ChannelState): void {
    this.#state = state
    for (const listener of this.#stateListeners) listener(state)
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
    return saved === undefined ? await this.#subscribeNew(spec, deliver) : await this.#takeUp(saved, spec, deliver)
  }

  async #subscribeNew(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Promise<Subscription> {
    if (this.#subscriptions.size >= SUBSCRIPTIONS_MAX) {
      throw unsupported('maxSubscriptions', `This channel takes at most ${SUBSCRIPTIONS_MAX} subscriptions.`)
    }
    const start = this.#isRewound ? 'earliest' : (spec.start ?? 'latest')
    const position = start === 'latest' ? undefined : await this.reader.findStart(start)
    const subscription = new LogSubscription(this, spec, this.#nextNumber++, deliver)
    if (position !== undefined) subscription.cursor.moveTo(position)
    this.#join(subscription)
    subscription.open = true
    try {
      await this.saved()
    } catch (error) {
      this.#leave(subscription)
      throw channelUnavailable(`The subscription can't be stored: ${(error as Error).message}`, RETRY_AFTER_MS, error)
    }
    subscription.start(spec, deliver)
    return subscription
  }

  async #takeUp(saved: SavedState, spec: SubscriptionSpec, deliver: (d: Delivery) => void): Promise<Subscription> {
    this.#saved.delete(spec.id)
    const subscription = new LogSubscription(this, spec, saved.number, deliver)
    const refs: Ref[] = []
    for (const pending of [...saved.pending.values()].toSorted((one, other) => one.seq - other.seq)) {
      const ref = this.#refOf(pending)
      if (ref !== undefined) refs.push(ref)
    }
    subscription.restore({ ...saved, ...this.#reach(saved) }, refs)
    this.#join(subscription)
    if (saved.isRewound) subscription.saveAll()
    subscription.start(spec, deliver)
    return subscription
  }

  #join(subscription: LogSubscription): void {
    this.#subscriptions.set(subscription.id, subscription)
    this.#filters.add(subscription, subscription.filter)
    this.progressChanged(subscription)
  }

  #leave(subscription: LogSubscription): number {
    this.#subscriptions.delete(subscription.id)
    this.#filters.remove(subscription)
    this.#saving.forget(subscription)
    return subscription.discard()
  }

  judge(subscription: LogSubscription): void {
    this.#filters.add(subscription, subscription.filter)
  }

  async remove(id: string): Promise<{ discarded: number }> {
    const saved = this.#saved.get(id)
    if (saved !== undefined) {
      await this.#progress.saveRemoval(saved.number)
      this.#saved.delete(id)
      return { discarded: saved.pending.size + saved.waiting }
    }
    const subscription = this.#subscriptions.get(id)
    if (subscription === undefined) return { discarded: 0 }
    void subscription.close()
    await this.saved().catch(() => {}) // else a save under way would bring it back
    await this.#progress.saveRemoval(subscription.number)
    return { discarded: this.#leave(subscription) }
  }

  subscriptions(): string[] {
    return [...this.#subscriptions.keys(), ...this.#saved.keys()]
  }

  // --- Progress ---

  progressChanged(subscription: LogSubscription): void {
    if (this.#subscriptions.get(subscription.id) === subscription) this.#saving.changed(subscription)
  }

  /** Resolves once all progress made up to now is saved. */
  saved(): Promise<void> {
    return this.#saving.now()
  }

  async #save(changed: LogSubscription[]): Promise<void> {
    const committed = (): number => this.#store.last
    await this.#progress.save(this.#nextNumber, committed(), changed)
    if (this.#progress.isLong) {
      const unopened = Array.from(this.#saved.values(), unopenedSaver)
      await this.#progress.beginAnew(this.#nextNumber, committed, [...this.#subscriptions.values(), ...unopened])
    }
    // Nothing depends on it: what can't be removed now is removed later.
    await this.#space.tidy(this.#lowest()).catch(() => {})
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

  /** How far a subscription had come that had nothing waiting when progress was last saved. */
  #reach({ position, judgesUntil, waiting, isRewound }: SavedState): { position: number } {
    const isIdle = waiting === 0 && judgesUntil <= position && !isRewound
    return { position: isIdle ? Math.max(position, this.#savedAt + 1) : position }
  }

  /** `undefined`: its segment is gone. */
  #refOf(pending: SavedPending): Ref | undefined {
    const segment = this.reader.segmentOf(pending.seq)
    if (segment === undefined || pending.seq < segment.first) return undefined
    return { ...pending, segment, time: segment.created, event: undefined, isSaved: true }
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

  #readFailed(error: Error | undefined): void {
    if (error === undefined) this.diskChanged(this.#store.failure)
    else this.#setState({ state: 'degraded', reason: `The log can't be read: ${error.message}` })
  }

  onState(listener: (state: ChannelState) => void): () => void {
    this.#stateListeners.add(listener)
    listener(this.#state)
    return () => this.#stateListeners.delete(listener)
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

function closed(): SluiceError {
  return channelUnavailable('The channel is closed.', RETRY_AFTER_MS)
}

function tooSlow(bytes: number): SluiceError {
  return channelUnavailable(`The disk is slow: ${bytes} bytes wait to be written. Nothing was stored.`, RETRY_AFTER_MS)
}
