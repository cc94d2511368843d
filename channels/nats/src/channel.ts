// The NATS JetStream channel: a stream at a server, a durable pull consumer for each subscription. Publishes many events at
// once, keeps count of what the stream holds, and makes room where it is full of what everybody has settled.
//
// From: broker/src/broker.ts publishes. Next: connection.ts sends; subscription.ts hands out.

import {
  alreadySubscribed,
  channelFull,
  channelUnavailable,
  eventTooLarge,
  INGRESS_SHARE,
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
import { decodeNats, encodeNats, recordBytes, SluiceError, type Event } from '@sluice/event'
import { ApiError, headerBlock, NO_RESPONDERS, type Connection, type Message, type PublishAck } from './connection.ts'
import { ACK_WAIT_MS, deleteConsumer, findConsumer, SUBSCRIPTION, type ConsumerInfo } from './consumer.ts'
import { consumerName, type StreamNames } from './names.ts'
import { readStream, storedAt } from './reading.ts'
import { Room } from './room.ts'
import {
  ensureStream,
  storedBytes,
  STREAM_NOT_FOUND,
  streamInfo,
  type StreamInfo,
  type StreamSettings,
} from './stream.ts'
import { ackPendingMax, NatsSubscription, type Taken } from './subscription.ts'

const RETRY_AFTER_MS = 1000
/** How long a publish waits for the server. */
const PUBLISH_MS = 5000
/** How often a reply that waits for room looks for it. */
const ROOM_MS = 25
/** How often the stream is measured, and leases are looked at. */
const [MEASURE_MS, LEASES_MS] = [5000, 10_000]
/** Parked events that stay in memory; the others are fetched again when they are due. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024
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
  readonly #subscriptions = new Map<string, NatsSubscription>()
  readonly #known: Set<string>
  readonly #listeners = new Set<(state: ChannelState) => void>()
  /** Parked events in memory, by subscription and sequence: their bytes. */
  readonly #kept = new Map<NatsSubscription, Map<number, number>>()
  #keptBytes = 0
  #closing = false
  #closed: Promise<void> | undefined
  #streamTrouble: string | undefined
  #ensuring: Promise<void> | undefined
  readonly #timers: Timer[] = []

  constructor({ connection, names, settings, clock, capabilities, stream, known, bytesMax }: ChannelParts) {
    this.capabilities = capabilities
    this.connection = connection
    this.clock = clock
    this.parking = new ParkingLot(clock)
    this.#names = names
    this.#settings = settings
    this.#known = new Set(known)
    this.#room = new Room(connection, names.stream, bytesMax, stream.state, (consumers, first, limit) =>
      this.#settledBehind(consumers, first, limit),
    )
    this.lastSeq = stream.state.last_seq
    connection.changed = (trouble) => this.#connectionChanged(trouble)
    this.#every(MEASURE_MS, () => void this.#measure())
    this.#every(LEASES_MS, () => {
      for (const subscription of this.#subscriptions.values()) subscription.renewLeases(LEASES_MS * 2)
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

  async publish(events: readonly Event[], { lane, signal }: PublishOptions): Promise<PublishResult[]> {
    const until = this.clock.monotonic() + PUBLISH_MS
    const share = lane === 'ingress' ? INGRESS_SHARE : 1
    const answers: Promise<PublishResult>[] = []
    for (const event of events) {
      const message = this.#messageOf(event, lane)
      const refusal = this.#refusal(event, message)
      if (refusal !== undefined) {
        answers.push(Promise.resolve({ stored: false, error: refusal }))
        continue
      }
      // Others may take what was made before this one goes on.
      let mayWait = this.#room.left(share) < message.bytes
      while (this.#room.left(share) < message.bytes && mayWait) mayWait = await this.#makeRoom(lane, until)
      if (this.#room.left(share) < message.bytes) {
        answers.push(Promise.resolve({ stored: false, error: this.#full() }))
        continue
      }
      answers.push(this.#store(message, { until, signal }))
    }
    return Promise.all(answers)
  }

  #messageOf(event: Event, lane: 'ingress' | 'reply'): Outgoing {
    const headers = encodeNats(event)
    // The pair of both, never the id alone (CloudEvents "id"). A reply that keeps the id of what it answers is none of these.
    if (lane === 'ingress') headers.push('Nats-Msg-Id', messageId(event))
    const block = headerBlock(headers)
    const payload = event.data ?? EMPTY
    const subject = this.#names.subjectOf(event.type)
    return { subject, headers: block, payload, bytes: storedBytes(subject, block, payload) }
  }

  #refusal(event: Event, { headers, payload }: Outgoing): SluiceError | undefined {
    if (this.#closing) return channelUnavailable('The channel is closed.', RETRY_AFTER_MS)
    const size = Math.max(recordBytes(event), headers.length + payload.length)
    const { maxEventBytes } = this.capabilities
    if (size > maxEventBytes && recordBytes(event) > maxEventBytes)
      return eventTooLarge(recordBytes(event), maxEventBytes)
    const { payloadBytesMax } = this.connection
    return headers.length + payload.length > payloadBytesMax
      ? eventTooLarge(headers.length + payload.length, payloadBytesMax)
      : undefined
  }

  async #store(
    message: Outgoing,
    options: { until: number; signal: AbortSignal | undefined },
    isAgain = false,
  ): Promise<PublishResult> {
    const { subject, headers, payload, bytes } = message
    this.#room.take(bytes)
    const ack = await this.connection.publish(subject, headers, payload, options)
    if (!(ack instanceof Error)) return this.#stored(ack, bytes)
    this.#room.give(bytes)
    if (!(ack instanceof ApiError)) return { stored: false, error: ack as SluiceError }
    if (ack.code === NO_RESPONDERS && !isAgain && !this.#closing) {
      try {
        await this.ensureStream()
        return await this.#store(message, options, true)
      } catch (error) {
        return { stored: false, error: this.#inWords(error) }
      }
    }
    return { stored: false, error: this.#ofAck(ack, message) }
  }

  #stored({ seq, duplicate }: PublishAck, bytes: number): PublishResult {
    if (duplicate === true) this.#room.give(bytes)
    else this.#room.stored(seq, bytes)
    this.sawSeq(seq)
    return { stored: true, position: String(seq) }
  }

  #ofAck(error: ApiError, { headers, payload }: Outgoing): SluiceError {
    if (/maximum (bytes|messages) exceeded/.test(error.message)) return this.#full()
    if (/message size exceeds/.test(error.message)) {
      return eventTooLarge(headers.length + payload.length, this.#settings.messageBytesMax ?? 0)
    }
    return this.connection.unavailable(`it refuses to store: ${error.message}.`, error)
  }

  /**
   * Returns whether to look again. A reply waits for room: nothing settles without it, and by what settles room is made.
   */
  async #makeRoom(lane: 'ingress' | 'reply', until: number): Promise<boolean> {
    await this.#room.make()
    if (lane === 'ingress' || this.#closing || this.clock.monotonic() >= until) return false
    await new Promise<void>((resolve) => this.clock.setTimer(ROOM_MS, resolve))
    return true
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

  #full(): SluiceError {
    return channelFull(
      `The NATS stream ${this.#names.stream} is full. It empties as its triggers' subscribers take their events. ` +
        'Nothing was stored.',
      RETRY_AFTER_MS,
    )
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
      ackWaitMs: ACK_WAIT_MS,
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

  /** Keeps a parked event in memory, while there is room for it. */
  keep(bytes: number, seq: number, of: NatsSubscription): boolean {
    if (this.#keptBytes + bytes > KEPT_BYTES_MAX) return false
    let kept = this.#kept.get(of)
    if (kept === undefined) this.#kept.set(of, (kept = new Map()))
    kept.set(seq, bytes)
    this.#keptBytes += bytes
    return true
  }

  /** Returns whether it was kept. */
  unkeep(seq: number, of: NatsSubscription): boolean {
    const kept = this.#kept.get(of)
    const bytes = kept?.get(seq)
    if (bytes === undefined) return false
    kept!.delete(seq)
    this.#keptBytes -= bytes
    return true
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

interface Outgoing {
  readonly subject: string
  readonly headers: Buffer
  readonly payload: Uint8Array
  /** In the stream. */
  readonly bytes: number
}

const EMPTY = Buffer.alloc(0)

/** Source and id, so that no two pairs are one: neither can hold a line break. */
function messageId(event: Event): string {
  return Buffer.from(`${event.source}\n${event.id}`).toString('base64url')
}
