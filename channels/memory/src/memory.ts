// The in-memory channel: volatile, bounded by bytes, and the reference for all other drivers. Hot path
// (bench: channels/memory/bench/memory.ts).
//
// An event is judged once, when it is published, and then belongs to the subscriptions that matched. Each takes it
// as soon as its window has room; only where one can't, the event is written to a slab. Nobody else keeps it.

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
  type Position,
  type PublishOptions,
  type PublishResult,
  type ReadRange,
  type Start,
  type StoredEvent,
  type Subscription,
  type SubscriptionSpec,
} from '@sluice/channel'
import { systemClock, type Clock } from '@sluice/clock'
import { recordBytes, type Event } from '@sluice/event'
import { FilterIndex, type Filter } from '@sluice/filter'
import { Slabs } from './slabs.ts'
import { MemorySubscription, type Stored } from './subscription.ts'

export interface MemoryChannelOptions {
  /** Most bytes stored, by {@link MemoryChannel.usage}'s count. Default 256 MiB. */
  bytesMax?: number
  /** Bytes of settled events kept for `read` and `seek`, inside `bytesMax`. Default 0: then it can do neither. */
  historyBytes?: number
  /** Largest event. Default 25 MiB. */
  eventBytesMax?: number
  /** Most parked events of one subscription. Default 100,000. */
  parkedMax?: number
  clock?: Clock
}

const MIB = 1024 * 1024
/** Counted for each stored event beside its bytes: its record and its place in a queue. */
const RECORD_OVERHEAD = 128
/** Counted for each subscription that an event waits for. */
const OWED_OVERHEAD = 16
/** A full channel empties as fast as its slowest subscriber; nobody knows when, so senders ask again in a second. */
const RETRY_AFTER_MS = 1000
const PARKED_MAX = 100_000
const DELAY_MAX_MS = 24 * 3600 * 1000
const SUBSCRIPTIONS_MAX = 200_000

/** Opens an in-memory channel. What it holds ends with the process, or with `close`. */
export function memoryChannel(options: MemoryChannelOptions = {}): Channel {
  return new MemoryChannel(options)
}

export class MemoryChannel implements Channel {
  readonly capabilities: Capabilities
  readonly clock: Clock
  readonly parking: ParkingLot<Stored>
  readonly slabs: Slabs = new Slabs()
  readonly #bytesMax: number
  readonly #historyBytes: number
  readonly #index = new FilterIndex<MemorySubscription>()
  readonly #subscriptions = new Map<string, MemorySubscription>()
  /** With history: everything stored, by position. */
  readonly #kept = new Map<number, Stored>()
  /** With history: what is settled, in the order it was settled. */
  readonly #settled = new Map<number, Stored>()
  #settledBytes = 0
  #bytes = 0
  #events = 0
  #seq = 0
  #closed = false

  constructor(options: MemoryChannelOptions) {
    this.clock = options.clock ?? systemClock
    this.parking = new ParkingLot(this.clock)
    this.#bytesMax = options.bytesMax ?? 256 * MIB
    this.#historyBytes = options.historyBytes ?? 0
    const history = this.#historyBytes > 0
    this.capabilities = {
      durable: false,
      shared: false,
      browse: history,
      starts: history ? ['latest', 'earliest', 'time', 'after'] : ['latest'],
      seek: history ? 'online' : 'none',
      attempts: 'process',
      maxDelayMs: DELAY_MAX_MS,
      maxParked: options.parkedMax ?? PARKED_MAX,
      inOrder: true,
      order: 'key',
      filterUpdate: 'live',
      filterJudged: 'publish',
      lag: 'exact',
      retention: history ? 'ours' : 'settled',
      lossDetected: true, // there is none: what is not settled is never removed
      maxEventBytes: options.eventBytesMax ?? 25 * MIB,
      maxSubscriptions: SUBSCRIPTIONS_MAX,
      fidelity: 'exact',
    }
  }

  room(bytes: number): number {
    const owed = this.#bytes - this.#settledBytes // history gives way
    return owed + bytes + RECORD_OVERHEAD <= this.#bytesMax * INGRESS_SHARE ? 0 : RETRY_AFTER_MS
  }

  publish(events: readonly Event[], { lane }: PublishOptions): Promise<PublishResult[]> {
    const limit = lane === 'ingress' ? this.#bytesMax * INGRESS_SHARE : this.#bytesMax
    const results: PublishResult[] = []
    for (const event of events) results.push(this.#store(event, limit))
    return Promise.resolve(results)
  }

  #store(event: Event, limit: number): PublishResult {
    if (this.#closed) return { stored: false, error: channelUnavailable('The channel is closed.', RETRY_AFTER_MS) }
    const size = recordBytes(event)
    if (size > this.capabilities.maxEventBytes) {
      return { stored: false, error: eventTooLarge(size, this.capabilities.maxEventBytes) }
    }
    const takers = this.#index.match(event)
    if (takers.length === 0 && this.#historyBytes === 0) return STORED_FOR_NOBODY
    const bytes = size + RECORD_OVERHEAD + takers.length * OWED_OVERHEAD
    if (this.#bytes - this.#settledBytes + bytes > limit) return { stored: false, error: this.#full(limit) }
    if (this.#historyBytes > 0) this.#evict(this.#historyBytes, limit - bytes)

    const stored: Stored = {
      slab: undefined,
      offset: 0,
      length: 0,
      seq: ++this.#seq,
      time: this.clock.now(),
      bytes,
      event,
      owed: takers.length,
    }
    this.#bytes += bytes
    this.#events++
    if (this.#historyBytes > 0) this.#keep(stored, event)
    let waiting = false
    for (const subscription of takers) waiting = subscription.offer(stored) || waiting
    if (waiting && stored.owed > 0) this.toSlab(stored, event)
    stored.event = undefined
    return new StoredResult(stored.seq)
  }

  #full(limit: number): ReturnType<typeof channelFull> {
    return channelFull(
      `The in-memory channel holds ${this.#bytes} bytes of the ${limit} it may (--memory-bytes). ` +
        `It empties as its triggers' subscribers take their events. Nothing was stored.`,
      RETRY_AFTER_MS,
    )
  }

  /** Writes the event where it can wait. */
  toSlab(stored: Stored, event: Event): void {
    if (stored.slab === undefined) this.slabs.place(stored, event)
  }

  /** One subscription fewer has still to settle it. */
  release(stored: Stored): void {
    stored.owed--
    if (stored.owed > 0) return
    if (this.#historyBytes > 0) this.#settle(stored)
    else this.#forget(stored)
  }

  #forget(stored: Stored): void {
    if (stored.slab !== undefined) this.slabs.free(stored)
    this.#bytes -= stored.bytes
    this.#events--
  }

  async subscribe(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Promise<Subscription> {
    if (this.#closed) throw channelUnavailable('The channel is closed.', RETRY_AFTER_MS)
    const start = spec.start ?? 'latest'
    this.#supports(start)
    const known = this.#subscriptions.get(spec.id)
    if (known !== undefined) {
      if (known.open) throw alreadySubscribed(spec.id)
      known.reopen(spec, deliver)
      return known
    }
    if (this.#subscriptions.size >= SUBSCRIPTIONS_MAX) {
      throw unsupported('maxSubscriptions', `This channel takes at most ${SUBSCRIPTIONS_MAX} subscriptions.`)
    }
    const subscription = new MemorySubscription(this, spec, deliver)
    this.#subscriptions.set(spec.id, subscription)
    this.#index.add(subscription, spec.filter)
    if (start !== 'latest') await subscription.seek(start)
    return subscription
  }

  judge(subscription: MemorySubscription, filter: Filter): void {
    this.#index.add(subscription, filter)
  }

  async remove(id: string): Promise<{ discarded: number }> {
    const subscription = this.#subscriptions.get(id)
    if (subscription === undefined) return { discarded: 0 }
    this.#subscriptions.delete(id)
    this.#index.remove(subscription)
    return { discarded: subscription.discard() }
  }

  place(id: string): Position | undefined {
    const subscription = this.#subscriptions.get(id)
    if (subscription === undefined || this.#historyBytes === 0) return undefined
    return String(Math.min(subscription.lowest(), this.#seq + 1) - 1)
  }

  subscriptions(): Iterable<string> {
    return this.#subscriptions.keys()
  }

  async read(range: ReadRange): Promise<StoredEvent[]> {
    if (!this.capabilities.browse) throw unsupported('browse', 'This in-memory channel keeps no history to read.')
    const found: StoredEvent[] = []
    const { to, filter, limit = 100 } = range
    for (const stored of this.from(range.from ?? 'earliest')) {
      if (found.length >= limit) break
      if (to !== undefined && ('time' in to ? stored.time > to.time : stored.seq > Number(to.position))) break
      const event = this.slabs.read(stored)
      if (filter === undefined || filter.matches(event)) {
        found.push({ position: String(stored.seq), time: stored.time, event })
      }
    }
    return found
  }

  /** What is stored from `start` on, oldest first. */
  *from(start: Start): Generator<Stored> {
    if (start === 'latest') return
    for (const stored of this.#kept.values()) {
      if (start === 'earliest') yield stored
      else if ('time' in start ? stored.time >= start.time : stored.seq > Number(start.after)) yield stored
    }
  }

  /** A seek hands an old event to one more subscription. */
  owe(stored: Stored): void {
    stored.owed++
    if (this.#settled.delete(stored.seq)) this.#settledBytes -= stored.bytes
  }

  #supports(start: Start): void {
    const kind = typeof start === 'string' ? start : 'time' in start ? 'time' : 'after'
    if (!this.capabilities.starts.includes(kind)) {
      throw unsupported(
        'starts',
        `This in-memory channel keeps no history, so a subscription can't start at "${kind}".`,
      )
    }
  }

  #keep(stored: Stored, event: Event): void {
    this.toSlab(stored, event)
    this.#kept.set(stored.seq, stored)
    if (stored.owed === 0) this.#settle(stored)
  }

  #settle(stored: Stored): void {
    this.#settled.set(stored.seq, stored)
    this.#settledBytes += stored.bytes
    this.#evict(this.#historyBytes, this.#bytesMax)
  }

  /** Forgets settled events, first settled first, until history and the whole keep to these bounds. */
  #evict(historyBytes: number, bytesMax: number): void {
    for (const oldest of this.#settled.values()) {
      if (this.#settledBytes <= historyBytes && this.#bytes <= bytesMax) break
      this.#settled.delete(oldest.seq)
      this.#kept.delete(oldest.seq)
      this.#settledBytes -= oldest.bytes
      this.#forget(oldest)
    }
  }

  onState(listener: (state: ChannelState) => void): () => void {
    listener({ state: 'ready' }) // memory has no other state while it is open
    return () => {}
  }

  usage(): ChannelUsage {
    return { bytes: this.#bytes, bytesMax: this.#bytesMax, events: this.#events }
  }

  async close({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    this.#closed = true
    const drained: Promise<void>[] = []
    for (const subscription of this.#subscriptions.values()) {
      subscription.handover.close()
      drained.push(subscription.handover.drained())
    }
    await within(this.clock, deadlineMs, Promise.all(drained))
    this.parking.close()
  }
}

/** Made for every stored event; the text of its position only for who asks. */
class StoredResult {
  readonly stored = true
  readonly #seq: number
  constructor(seq: number) {
    this.#seq = seq
  }
  get position(): Position {
    return String(this.#seq)
  }
}

const STORED_FOR_NOBODY: PublishResult = { stored: true, position: undefined }
