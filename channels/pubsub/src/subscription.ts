// One subscription: what the server hands out, filtered, through the hand-over that all drivers share, and what is settled
// back to the server. The library keeps the leases of everything that is here, parked events among it: the server has no
// delays, and would hand them out again.
//
// From: the library's stream. Next: the subscription's receiver (broker/src/dispatch.ts).

import { Duration, type Message, type Subscription as Stream } from '@google-cloud/pubsub'
import {
  Fifo,
  Handover,
  unsupported,
  WINDOW_DEFAULT,
  type Delivery,
  type Lag,
  type Loss,
  type Subscription,
  type SubscriptionSpec,
  type Window,
} from '@sluice/channel'
import type { Event } from '@sluice/event'
import type { Filter } from '@sluice/filter'
import type { PubsubChannel } from './channel.ts'
import { codeOf, NOT_FOUND, reasonOf } from './client.ts'
import type { Taken } from './taken.ts'
import { ensureSubscription } from './topic.ts'

/** Events that wait here for room in the window, beside those that it holds and those that are parked. */
const AHEAD_EVENTS = 1000
/** Of everything that is here: beyond, the library takes nothing more. */
const HERE_BYTES_MAX = 64 * 1024 * 1024
/** How long the library keeps a lease: longer than any delay. */
const LEASE = Duration.from({ hours: 25 })
/** Settled of late: handed out again where the server has not heard of it. */
const SETTLED_MAX = 8192
/** Counted for each event beside its data. */
const RECORD_OVERHEAD = 256

export class PubsubSubscription implements Subscription {
  readonly id: string
  readonly handover: Handover<Taken>
  open = true
  #isRemoved = false
  #isPaused: boolean
  #filter: Filter
  readonly #channel: PubsubChannel
  readonly #name: string
  readonly #isOrdered: boolean
  #stream: Stream | undefined
  #rebuilding: Promise<void> | undefined
  readonly #taken = new Map<string, Taken>()
  readonly #settled = new Set<string>()
  readonly #queue = new Fifo<Taken>()
  readonly #listeners = new Set<(loss: Loss) => void>()

  /** `name`: the full one, of the server. */
  constructor(channel: PubsubChannel, name: string, spec: SubscriptionSpec, deliver: (delivery: Delivery) => void) {
    this.id = spec.id
    this.#channel = channel
    this.#name = name
    this.#isOrdered = spec.order === 'key'
    this.#filter = spec.filter
    this.#isPaused = spec.paused ?? false
    this.handover = new Handover<Taken>({
      backlog: {
        next: () => this.#next(),
        load: ({ event }) => event,
        bytes: ({ bytes }) => bytes,
        position: ({ id }) => id,
        settled: (taken) => this.#settle(taken),
        parked: () => {}, // it stays here, and so does its lease
      },
      parking: channel.parking,
      deliver,
      order: spec.order ?? 'none',
      window: spec.window ?? WINDOW_DEFAULT,
      paused: this.#isPaused,
      maxDelayMs: channel.capabilities.maxDelayMs,
      maxParked: channel.capabilities.maxParked,
    })
  }

  /** Resolves once the server has it. */
  async begin(): Promise<void> {
    await this.#ensure()
    this.#listen()
  }

  async #ensure(): Promise<void> {
    const { clients, topic, ackDeadlineS } = this.#channel
    await ensureSubscription(clients, this.#name, topic, { isOrdered: this.#isOrdered, ackDeadlineS })
  }

  #listen(): void {
    if (this.#isRemoved || this.#channel.isClosed) return
    const stream = this.#channel.clients.pubsub.subscription(this.#name, {
      flowControl: {
        maxMessages: this.#channel.capabilities.maxParked + AHEAD_EVENTS,
        maxBytes: HERE_BYTES_MAX,
        allowExcessMessages: false,
      },
      streamingOptions: { maxStreams: 1 },
      maxExtensionTime: LEASE,
    })
    this.#stream = stream
    stream.on('message', (message: Message) => this.#receive(message))
    stream.on('error', (error: Error) => void this.#streamEnded(error))
  }

  /** The subscription is gone, or its topic; or the server refuses to speak. It is asked until it does. */
  async #streamEnded(error: Error): Promise<void> {
    if (this.#isRemoved || this.#channel.isClosed) return
    if (codeOf(error) !== NOT_FOUND) this.#channel.watch.troubled(reasonOf(error), error)
    await this.rebuild()
  }

  /** Makes it again where it is gone. What is out stays out; what was published since it went is gone with it. */
  rebuild(): Promise<void> {
    this.#rebuilding ??= this.#rebuild().finally(() => (this.#rebuilding = undefined))
    return this.#rebuilding
  }

  async #rebuild(): Promise<void> {
    await this.#stream?.close().catch(() => {})
    await this.#channel.untilDone(async () => {
      if (!this.#isRemoved) await this.#ensure()
    })
    this.#listen()
  }

  #receive(message: Message): void {
    if (this.#isRemoved || this.#channel.isClosed) return message.nack()
    const known = this.#taken.get(message.id)
    if (known !== undefined) return void known.messages.push(message)
    if (this.#settled.has(message.id)) return message.ack()
    const taken: Taken = {
      id: message.id,
      time: message.publishTime.getTime(),
      bytes: message.length + RECORD_OVERHEAD,
      messages: [message],
      event: undefined,
    }
    this.#taken.set(taken.id, taken)
    this.#queue.push(taken)
    this.handover.wake()
  }

  #next(): Taken | undefined {
    for (let taken = this.#queue.shift(); taken !== undefined; taken = this.#queue.shift()) {
      const event = this.#decode(taken)
      if (event !== undefined && this.#filter.matches(event)) {
        taken.event = event
        return taken
      }
      this.#settle(taken)
    }
    return undefined
  }

  /** `undefined`: somebody has put something there that is no event. Counted, as it will never come. */
  #decode({ id, messages: [message] }: Taken): Event | undefined {
    try {
      return this.#channel.decode(message!)
    } catch {
      for (const listener of this.#listeners) listener({ events: 1, range: [id, id], cause: 'malformed' })
      return undefined
    }
  }

  #settle(taken: Taken): void {
    if (this.#channel.isClosed) return
    this.#taken.delete(taken.id)
    if (this.#isRemoved) return
    this.#settled.add(taken.id)
    if (this.#settled.size > SETTLED_MAX) this.#settled.delete(this.#settled.values().next().value!)
    for (const message of taken.messages) message.ack()
  }

  async update(change: { filter?: Filter; window?: Window; order?: 'none' | 'key' }): Promise<void> {
    if (change.order !== undefined) this.handover.setOrder(change.order)
    if (change.filter !== undefined) this.#filter = change.filter
    if (change.window !== undefined) this.handover.setWindow(change.window)
  }

  async reopen(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Promise<void> {
    this.open = true
    this.#isPaused = spec.paused ?? false
    await this.update({ filter: spec.filter, order: spec.order ?? 'none', window: spec.window ?? WINDOW_DEFAULT })
    this.handover.reopen(deliver, this.#isPaused)
  }

  pause(): void {
    this.#isPaused = true
    this.handover.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.handover.resume()
  }

  hurry(): void {
    this.handover.hurry()
  }

  seek(): Promise<void> {
    return Promise.reject(unsupported('seek', 'Google Pub/Sub keeps nothing that could be read again.'))
  }

  lag(): Lag {
    let oldest = Infinity
    for (const { time } of this.#taken.values()) oldest = Math.min(oldest, time)
    return {
      events: this.#taken.size,
      bound: 'unknown',
      ...(oldest < Infinity && { oldest }),
      inFlight: this.handover.inFlight,
      parked: this.handover.parkedEvents,
    }
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
  async discard(): Promise<number> {
    this.open = false
    this.#isRemoved = true
    const waiting = this.handover.remove().length + this.#queue.takeAll().length
    this.#taken.clear()
    await this.giveBack()
    return waiting
  }

  /** Everything that is not settled may go to another process at once. */
  async giveBack(): Promise<void> {
    await this.#stream?.close().catch(() => {})
  }
}
