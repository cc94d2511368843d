// One subscription: what its consumer hands out, filtered, through the hand-over that all drivers share, and what becomes
// of it back to the server. The server keeps the progress; this keeps the leases alive.
//
// From: consumer.ts brings messages. Next: the subscription's receiver (broker/src/dispatch.ts).

import {
  Fifo,
  Handover,
  HELD_MAX,
  WINDOW_DEFAULT,
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
import type { NatsChannel } from './channel.ts'
import type { Message } from './connection.ts'
import {
  createConsumer,
  deleteConsumer,
  deliveredAs,
  ensureConsumer,
  Puller,
  type ConsumerInfo,
  type ConsumerSpec,
} from './consumer.ts'
import type { Taken } from './taken.ts'

/** Events that wait here for room in the window, beside those that the window holds. */
const AHEAD_EVENTS = 256
const AHEAD_BYTES = 16 * 1024 * 1024
/** Of what is not out, and not parked for longer. */
const WAITING_LEASE_MS = 60_000
/** What a parked event's lease outlives its delay by. */
const LEASE_MARGIN_MS = 30_000
/** Settled of late: handed out again where the server has not heard of it. */
const SETTLED_MAX = 8192

export class NatsSubscription implements Subscription {
  readonly id: string
  readonly handover: Handover<Taken>
  open = true
  #removed = false
  #paused: boolean
  #filter: Filter
  readonly #channel: NatsChannel
  readonly #spec: ConsumerSpec
  readonly #taken = new Map<number, Taken>()
  readonly #settled = new Set<number>()
  readonly #queue = new Fifo<Taken>()
  #queueBytes = 0
  #puller: Puller | undefined
  #window: Window
  readonly #listeners = new Set<(loss: Loss) => void>()
  /** The highest sequence that the consumer has handed out, and its own count then. */
  #delivered = { stream: 0, consumer: 0 }
  #redelivered = 0
  /** A rebuilding that is under way. */
  #rebuilding: Promise<void> | undefined

  constructor(
    channel: NatsChannel,
    consumer: ConsumerSpec,
    spec: SubscriptionSpec,
    deliver: (delivery: Delivery) => void,
  ) {
    this.id = spec.id
    this.#channel = channel
    this.#spec = consumer
    this.#filter = spec.filter
    this.#window = spec.window ?? WINDOW_DEFAULT
    this.#paused = spec.paused ?? false
    this.handover = new Handover<Taken>({
      backlog: {
        next: () => this.#next(),
        load: (taken) => this.#load(taken),
        bytes: ({ bytes }) => bytes,
        position: ({ seq }) => String(seq),
        settled: (taken) => this.#settle(taken),
        parked: (taken, event, _, delayMs) => this.#park(taken, event, delayMs),
      },
      parking: channel.parking,
      deliver,
      order: spec.order ?? 'none',
      window: this.#window,
      paused: this.#paused,
      maxDelayMs: channel.capabilities.maxDelayMs,
      maxParked: channel.capabilities.maxParked,
    })
  }

  /** Resolves once the server keeps where it starts, or goes on. */
  async begin(start: Start): Promise<void> {
    this.#listen(await ensureConsumer(this.#channel.connection, this.#spec, start))
  }

  #listen(info: ConsumerInfo): void {
    this.#puller?.close()
    this.#delivered = { stream: info.delivered.stream_seq, consumer: info.delivered.consumer_seq }
    this.#redelivered = 0
    const { connection, clock } = this.#channel
    this.#puller = new Puller({
      connection,
      clock,
      stream: this.#spec.stream,
      consumer: this.#spec.name,
      room: () => this.#room(),
      receive: (message) => this.#receive(message),
      gone: () => void this.rebuild(),
    })
    this.#puller.pull()
  }

  #room(): { events: number; bytes: number } {
    if (this.#paused || !this.open || this.#removed || this.#queueBytes >= AHEAD_BYTES) return { events: 0, bytes: 0 }
    const room = AHEAD_EVENTS - this.#queue.length
    // A pull for every event that there is room for again would be one pull an event.
    return { events: room < AHEAD_EVENTS / 2 ? 0 : room, bytes: AHEAD_BYTES + this.#channel.connection.payloadBytesMax }
  }

  #receive(message: Message): void {
    const { reply } = message
    if (reply === undefined || this.#removed) return
    const at = deliveredAs(reply)
    if (at.deliveries > 1) this.#redelivered++
    else this.#advance(at.streamSeq, at.consumerSeq)
    this.#channel.sawSeq(at.streamSeq)
    const known = this.#taken.get(at.streamSeq)
    if (known !== undefined) return this.#renew(known)
    if (this.#settled.has(at.streamSeq)) return this.#channel.connection.send(reply, '+ACK')
    const taken: Taken = {
      seq: at.streamSeq,
      reply,
      time: at.time,
      bytes: message.size + RECORD_OVERHEAD,
      message,
      event: undefined,
      isOut: false,
      isKept: false,
      leaseUntil: this.#channel.clock.monotonic() + this.#spec.ackWaitMs,
    }
    this.#taken.set(taken.seq, taken)
    this.#queue.push(taken)
    this.#queueBytes += taken.bytes
    this.handover.wake()
  }

  /**
   * What lies between two events that the consumer hands out for the first time was handed to other processes, which its
   * own count tells, or is gone from the stream.
   */
  #advance(stream: number, consumer: number): void {
    const gap = stream - this.#delivered.stream - 1
    const others = Math.max(0, consumer - this.#delivered.consumer - 1 - this.#redelivered)
    if (gap > others) {
      const range = [String(this.#delivered.stream + 1), String(stream - 1)] as const
      this.#lost({ events: gap - others, range, cause: 'retention' })
    }
    if (stream <= this.#delivered.stream) return
    this.#delivered = { stream, consumer }
    this.#redelivered = 0
  }

  #lost(loss: Loss): void {
    for (const listener of this.#listeners) listener(loss)
  }

  #next(): Taken | undefined {
    for (let taken = this.#queue.shift(); taken !== undefined; taken = this.#queue.shift()) {
      this.#queueBytes -= taken.bytes
      const event = this.#decode(taken)
      if (event !== undefined && this.#filter.matches(event)) {
        taken.event = event
        this.#puller?.pull()
        return taken
      }
      this.#settle(taken)
    }
    this.#puller?.pull()
    return undefined
  }

  /** `undefined`: somebody has put something there that is no event. Counted, as it will never come. */
  #decode(taken: Taken): Event | undefined {
    const { message } = taken
    taken.message = undefined
    try {
      return this.#channel.decode(message!)
    } catch {
      this.#lost({ events: 1, range: [String(taken.seq), String(taken.seq)], cause: 'malformed' })
      return undefined
    }
  }

  #load(taken: Taken): Event | undefined {
    taken.isOut = true
    const { event } = taken
    if (event !== undefined) {
      if (taken.isKept) {
        this.#unkeep(taken)
        this.#renew(taken)
      }
      return event
    }
    void this.#fetch(taken)
    return undefined
  }

  async #fetch(taken: Taken): Promise<void> {
    this.#renew(taken)
    const found = await this.#channel.fetchUntilThere(taken.seq)
    if (found !== undefined) return this.handover.loaded(taken, found)
    this.#taken.delete(taken.seq)
    this.#lost({ events: 1, range: [String(taken.seq), String(taken.seq)], cause: 'retention' })
    this.handover.unloadable(taken)
  }

  #settle(taken: Taken): void {
    if (this.#channel.isClosed) return
    this.#taken.delete(taken.seq)
    if (this.#removed) return
    this.#settled.add(taken.seq)
    if (this.#settled.size > SETTLED_MAX)
      for (const oldest of this.#settled) {
        this.#settled.delete(oldest)
        break
      }
    this.#channel.connection.send(taken.reply, '+ACK')
  }

  #park(taken: Taken, event: Event, delayMs: number): void {
    taken.isOut = false
    if (this.#channel.isClosed) return
    taken.isKept = this.#channel.kept.take(taken.bytes)
    taken.event = taken.isKept ? event : undefined
    this.#lease(taken, delayMs + LEASE_MARGIN_MS)
  }

  /** Of all that it has: the server would hand it out again. */
  renewLeases(withinMs: number): void {
    if (this.#removed) return
    const soon = this.#channel.clock.monotonic() + withinMs
    for (const taken of this.#taken.values()) if (taken.leaseUntil < soon) this.#renew(taken)
  }

  #renew(taken: Taken): void {
    if (!taken.isOut) return this.#lease(taken, WAITING_LEASE_MS)
    taken.leaseUntil = this.#channel.clock.monotonic() + this.#spec.ackWaitMs
    this.#channel.connection.send(taken.reply, '+WPI')
  }

  /** The server takes a negative answer with a delay as a lease of that length. */
  #lease(taken: Taken, ms: number): void {
    taken.leaseUntil = this.#channel.clock.monotonic() + ms
    this.#channel.connection.send(taken.reply, `-NAK {"delay":${Math.ceil(ms)}000000}`)
  }

  async update(change: { filter?: Filter; window?: Window; order?: 'none' | 'key' }): Promise<void> {
    if (change.order !== undefined) this.handover.setOrder(change.order)
    if (change.filter !== undefined) this.#filter = change.filter
    if (change.window !== undefined) {
      this.#window = change.window
      this.handover.setWindow(change.window)
    }
  }

  async reopen(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Promise<void> {
    this.open = true
    this.#paused = spec.paused ?? false
    await this.update({ filter: spec.filter, order: spec.order ?? 'none', window: spec.window ?? WINDOW_DEFAULT })
    this.handover.reopen(deliver, this.#paused)
    this.#puller?.pull()
  }

  pause(): void {
    this.#paused = true
    this.handover.pause()
  }

  resume(): void {
    this.#paused = false
    this.handover.resume()
    this.#puller?.pull()
  }

  /** A consumer can't be moved: it is made anew. What is out stays out, and is not handed over twice on that account. */
  async seek(start: Start): Promise<void> {
    const { connection } = this.#channel
    await this.#rebuilding
    this.#puller?.close()
    await deleteConsumer(connection, this.#spec.stream, this.#spec.name)
    this.#dropWaiting()
    this.#settled.clear()
    this.#listen(await createConsumer(connection, this.#spec, start))
  }

  #unkeep(taken: Taken): void {
    if (taken.isKept) this.#channel.kept.give(taken.bytes)
    taken.isKept = false
  }

  #dropWaiting(): void {
    const dropped = [...this.#queue.takeAll(), ...this.handover.dropWaiting()]
    this.#queueBytes = 0
    for (const taken of dropped) {
      this.#taken.delete(taken.seq)
      this.#unkeep(taken)
    }
  }

  /**
   * The consumer is gone, or the stream: both are made again, and it goes on where it stood. What it has settled behind its
   * oldest open event comes again, but for what it remembers.
   */
  rebuild(): Promise<void> {
    this.#rebuilding ??= this.#rebuild().finally(() => (this.#rebuilding = undefined))
    return this.#rebuilding
  }

  async #rebuild(): Promise<void> {
    const first = Math.min(this.#delivered.stream + 1, ...this.#taken.keys())
    await this.#channel.untilDone(async () => {
      if (this.#removed) return
      await this.#channel.ensureStream()
      this.#listen(await ensureConsumer(this.#channel.connection, this.#spec, { after: String(first - 1) }))
    })
  }

  /** The connection is there again: what it had asked for is gone, and the consumer may be. */
  reconnected(): void {
    this.renewLeases(Infinity)
    this.#puller?.reset()
  }

  lag(): Lag {
    let oldest = Infinity
    for (const { time } of this.#taken.values()) oldest = Math.min(oldest, time)
    return {
      events: this.#taken.size + Math.max(0, this.#channel.lastSeq - this.#delivered.stream),
      bound: 'atMost',
      ...(oldest < Infinity && { oldest }),
      inFlight: this.handover.inFlight,
      parked: this.handover.parkedEvents,
    }
  }

  /** Whether all that the consumer has open is here. Adds it to `open`. */
  hasAll({ delivered, num_ack_pending }: ConsumerInfo, open: Set<number>): boolean {
    let count = 0
    for (const seq of this.#taken.keys()) {
      open.add(seq)
      if (seq <= delivered.stream_seq) count++
    }
    return count === num_ack_pending
  }

  onLoss(listener: (loss: Loss) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    this.open = false
    this.handover.close()
  }

  /** Gives up everything that is not out; returns how much of it was here. */
  discard(): number {
    this.open = false
    this.#removed = true
    this.#puller?.close()
    const given = this.handover.remove()
    for (const taken of given) this.#unkeep(taken)
    const waiting = this.#queue.takeAll().length + given.length
    this.#taken.clear()
    return waiting
  }

  /** The channel closes: everything that is not settled may go to another process at once. */
  giveBack(): void {
    this.#puller?.close()
    if (this.#removed) return
    for (const { reply } of this.#taken.values()) this.#channel.connection.send(reply, '-NAK')
  }
}

/** Counted for each event beside its data. */
const RECORD_OVERHEAD = 256
/** What a consumer has to allow: parked, held behind keys, out, and waiting here. */
export function ackPendingMax(parkedMax: number): number {
  return parkedMax + HELD_MAX.events + AHEAD_EVENTS + 16_384
}
