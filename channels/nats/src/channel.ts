// The NATS JetStream channel: a stream at a server, a durable pull consumer for each subscription. Publishes many events at
// once, keeps count of what the stream holds, and makes room where it is full of what everybody has settled.
//
// From: broker/src/broker.ts publishes. Next: connection.ts sends; subscription.ts hands out.

import {
  alreadySubscribed,
  channelUnavailable,
  INGRESS_SHARE,
  Kept,
  ParkingLot,
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
import type { Clock, Timer } from '@sluice/clock'
import { decodeNats, SluiceError, type Event } from '@sluice/event'
import { ApiError, type Connection, type Message } from './connection.ts'
import { deleteConsumer, findConsumer, SUBSCRIPTION, type ConsumerInfo } from './consumer.ts'
import { consumerName, type StreamNames } from './names.ts'
import { Publisher } from './publishing.ts'
import { readStream, storedAt } from './reading.ts'
import { Room } from './room.ts'
import { ensureStream, STREAM_NOT_FOUND, streamInfo, type StreamInfo, type StreamSettings } from './stream.ts'
import { ackPendingMax, NatsSubscription } from './subscription.ts'
import type { Taken } from './taken.ts'

const RETRY_AFTER_MS = 1000
/** How often the stream is measured. */
const MEASURE_MS = 5000
const [REBUILD_MS_MIN, REBUILD_MS_MAX] = [200, 5000]

export interface ChannelParts {
  readonly connection: Connection
  readonly names: StreamNames
  readonly settings: StreamSettings
  readonly clock: Clock
  readonly capabilities: Capabilities
  readonly stream: StreamInfo
  /** Ids of subscriptions whose consumers are there. */
  readonly known: readonly string[]
  readonly bytesMax: number
  readonly ackWaitMs: number
}

export class NatsChannel implements Channel {
  readonly capabilities: Capabilities
  readonly connection: Connection
  readonly clock: Clock
  readonly parking: ParkingLot<Taken>
  isClosed = false
  /** The highest sequence of the stream that this process knows of. */
  lastSeq: number
  readonly #names: StreamNames
  readonly #settings: StreamSettings
  readonly #room: Room
  readonly #publisher: Publisher
  readonly kept: Kept = new Kept()
  readonly #subscriptions = new Map<string, NatsSubscription>()
  readonly #known: Set<string>
  readonly #ackWaitMs: number
  readonly #listeners = new Set<(state: ChannelState) => void>()
  #closing = false
  #closed: Promise<void> | undefined
  #streamTrouble: string | undefined
  #ensuring: Promise<void> | undefined
  readonly #timers: Timer[] = []

  constructor({ connection, names, settings, clock, capabilities, stream, known, bytesMax, ackWaitMs }: ChannelParts) {
    this.capabilities = capabilities
    this.connection = connection
    this.clock = clock
    this.parking = new ParkingLot(clock)
    this.#names = names
    this.#settings = settings
    this.#known = new Set(known)
    this.#ackWaitMs = ackWaitMs
    this.#room = new Room(connection, names.stream, bytesMax, stream.state, (consumers, first, limit) =>
      this.#settledBehind(consumers, first, limit),
    )
    this.lastSeq = stream.state.last_seq
    this.#publisher = new Publisher({
      ...{ connection, names, clock, capabilities, messageBytesMax: settings.messageBytesMax, room: this.#room },
      sawSeq: (seq) => this.sawSeq(seq),
      ensureStream: () => this.ensureStream(),
    })
    connection.changed = (trouble) => this.#connectionChanged(trouble)
    this.#every(MEASURE_MS, () => void this.#measure())
    const leasesMs = ackWaitMs / 3
    this.#every(leasesMs, () => {
      for (const subscription of this.#subscriptions.values()) subscription.renewLeases(leasesMs * 2)
    })
  }

  #every(ms: number, run: () => void): void {
    const slot = this.#timers.length
    const again = (): void => {
      this.#timers[slot] = this.clock.setTimer(ms, () => {
        run()
        if (!this.isClosed) again()
      })
    }
    again()
  }

  room(bytes: number): number {
    return this.#room.left(INGRESS_SHARE) >= bytes ? 0 : (this.#room.make(), RETRY_AFTER_MS)
  }

  publish(events: readonly Event[], options: PublishOptions): Promise<PublishResult[]> {
    return this.#publisher.publish(events, options)
  }

  /** Only where every consumer is a subscription of this process, and no other process has an event of it. */
  #settledBehind(consumers: readonly ConsumerInfo[], first: number, limit: number): number[] {
    let last = Infinity
    const open = new Set<number>()
    for (const info of consumers) {
      const id = info.config.metadata?.[SUBSCRIPTION] ?? ''
      if (this.#subscriptions.get(id)?.hasAll(info, open) !== true) return []
      last = Math.min(last, info.delivered.stream_seq)
    }
    const settled: number[] = []
    for (let seq = first; seq <= last && last < Infinity && settled.length < limit; seq++) {
      if (!open.has(seq)) settled.push(seq)
    }
    return settled
  }

  sawSeq(seq: number): void {
    if (seq > this.lastSeq) this.lastSeq = seq
  }

  decode(message: Message): Event {
    return decodeNats(message.headers(), message.data, { maxEventBytes: Infinity })
  }

  async subscribe(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Promise<Subscription> {
    this.#requireOpen()
    const known = this.#subscriptions.get(spec.id)
    if (known !== undefined) {
      if (known.open) throw alreadySubscribed(spec.id)
      await known.reopen(spec, deliver)
      return known
    }
    if (this.#subscriptions.size >= this.capabilities.maxSubscriptions) {
      throw unsupported('maxSubscriptions', `It takes at most ${this.capabilities.maxSubscriptions} subscriptions.`)
    }
    const subscription = new NatsSubscription(this, this.#consumerOf(spec.id), spec, deliver)
    this.#subscriptions.set(spec.id, subscription)
    try {
      await this.#begin(subscription, spec)
    } catch (error) {
      subscription.discard()
      this.#subscriptions.delete(spec.id)
      throw this.#inWords(error)
    }
    this.#known.add(spec.id)
    return subscription
  }

  async #begin(subscription: NatsSubscription, { start = 'latest' }: SubscriptionSpec): Promise<void> {
    try {
      await subscription.begin(start)
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== STREAM_NOT_FOUND) throw error
      await this.ensureStream()
      await subscription.begin(start)
    }
  }

  #consumerOf(id: string) {
    return {
      stream: this.#names.stream,
      name: consumerName(this.#names.consumerPrefix, id),
      id,
      ackWaitMs: this.#ackWaitMs,
      maxAckPending: ackPendingMax(this.capabilities.maxParked),
    }
  }

  async remove(id: string): Promise<{ discarded: number }> {
    this.#requireOpen()
    const { stream, name } = this.#consumerOf(id)
    const subscription = this.#subscriptions.get(id)
    this.#subscriptions.delete(id)
    const here = subscription?.discard() ?? 0
    try {
      const info = await findConsumer(this.connection, stream, name)
      await deleteConsumer(this.connection, stream, name)
      this.#known.delete(id)
      if (info === undefined) return { discarded: 0 }
      return { discarded: info.num_pending + (subscription === undefined ? info.num_ack_pending : here) }
    } catch (error) {
      if (error instanceof ApiError && error.code === STREAM_NOT_FOUND) return { discarded: 0 }
      throw this.#inWords(error)
    }
  }

  subscriptions(): Iterable<string> {
    return this.#known
  }

  async read(range: ReadRange): Promise<StoredEvent[]> {
    this.#requireOpen()
    try {
      return await readStream(this.connection, this.#names.stream, range, (message) => this.decode(message))
    } catch (error) {
      throw this.#inWords(error)
    }
  }

  /** A stored event; waits for the server where it has to. `undefined`: there is none of that sequence any more. */
  async fetchUntilThere(seq: number): Promise<Event | undefined> {
    let found: Event | undefined
    await this.untilDone(async () => {
      const message = await storedAt(this.connection, this.#names.stream, seq)
      found = message && this.decode(message)
    })
    return found
  }

  /** Tries until it succeeds or the channel is closed, with growing waits. */
  async untilDone(work: () => Promise<void>): Promise<void> {
    for (let waitMs = REBUILD_MS_MIN; !this.isClosed; waitMs = Math.min(waitMs * 2, REBUILD_MS_MAX)) {
      try {
        return await work()
      } catch {
        await new Promise<void>((resolve) => this.clock.setTimer(waitMs, resolve))
      }
    }
  }

  /** Makes the stream again where it is gone, its numbers going on where they were. */
  ensureStream(): Promise<void> {
    this.#ensuring ??= this.#ensureStream().finally(() => (this.#ensuring = undefined))
    return this.#ensuring
  }

  async #ensureStream(): Promise<void> {
    try {
      const { state } = await ensureStream(this.connection, this.#names, this.#settings, this.lastSeq + 1)
      this.#room.measured(state)
      this.sawSeq(state.last_seq)
      this.#setStreamTrouble(undefined)
    } catch (error) {
      this.#setStreamTrouble(this.#inWords(error).message)
      throw error
    }
  }

  async #measure(): Promise<void> {
    if (this.#closing || this.connection.trouble !== undefined) return
    try {
      const { state } = await streamInfo(this.connection, this.#names.stream)
      this.#room.measured(state)
      this.sawSeq(state.last_seq)
      this.#setStreamTrouble(undefined)
    } catch (error) {
      if (!(error instanceof ApiError)) return
      if (error.code !== STREAM_NOT_FOUND) return this.#setStreamTrouble(this.#inWords(error).message)
      await Promise.allSettled([
        this.ensureStream(),
        ...Array.from(this.#subscriptions.values(), (each) => each.rebuild()),
      ])
    }
  }

  onState(listener: (state: ChannelState) => void): () => void {
    this.#listeners.add(listener)
    listener(this.#state)
    return () => this.#listeners.delete(listener)
  }

  get #state(): ChannelState {
    const { trouble } = this.connection
    const reason = trouble === undefined ? this.#streamTrouble : this.connection.unavailable(trouble).message
    return reason === undefined ? { state: 'ready' } : { state: 'degraded', reason }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.#state)
  }

  #setStreamTrouble(trouble: string | undefined): void {
    if (trouble === this.#streamTrouble) return
    this.#streamTrouble = trouble
    this.#tell()
  }

  #connectionChanged(trouble: string | undefined): void {
    this.#tell()
    if (trouble !== undefined) return
    for (const subscription of this.#subscriptions.values()) subscription.reconnected()
    void this.#measure()
  }

  usage(): ChannelUsage {
    return this.#room.usage()
  }

  close({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    this.#closed ??= this.#close(deadlineMs)
    return this.#closed
  }

  async #close(deadlineMs: number): Promise<void> {
    this.#closing = true
    this.#publisher.close()
    const all = [...this.#subscriptions.values()]
    for (const { handover } of all) handover.close()
    await within(this.clock, deadlineMs, Promise.all(all.map(({ handover }) => handover.drained())))
    this.isClosed = true
    this.parking.close()
    for (const timer of this.#timers) timer.cancel()
    for (const subscription of all) subscription.giveBack()
    if (this.connection.trouble === undefined) {
      await within(
        this.clock,
        Math.max(deadlineMs, 1000),
        this.connection.flush().catch(() => {}),
      )
    }
    await this.connection.close()
  }

  #requireOpen(): void {
    if (this.#closing) throw channelUnavailable('The channel is closed.', RETRY_AFTER_MS)
  }

  #inWords(error: unknown): SluiceError {
    if (error instanceof SluiceError) return error
    return this.connection.unavailable(`${error instanceof Error ? error.message : String(error)}.`, error)
  }
}
