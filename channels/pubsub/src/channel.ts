// The Google Pub/Sub channel: a topic holds the events, a subscription of its own for each trigger their progress.
//
// From: broker/src/broker.ts publishes. Next: publishing.ts sends; subscription.ts hands out.

import type { Message } from '@google-cloud/pubsub'
import {
  alreadySubscribed,
  channelUnavailable,
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
  type StoredEvent,
  type Subscription,
  type SubscriptionSpec,
} from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import { decodePubsub, type Event } from '@sluice/event'
import { closeClients, type Clients, type PubsubConnection } from './client.ts'
import type { TopicNames } from './names.ts'
import { Publisher } from './publishing.ts'
import { PubsubSubscription } from './subscription.ts'
import type { Taken } from './taken.ts'
import { deleteSubscription, type TopicSettings } from './topic.ts'
import { Watch } from './watch.ts'

const RETRY_AFTER_MS = 1000
const [REBUILD_MS_MIN, REBUILD_MS_MAX] = [200, 5000]
/** For giving back what is not settled; a server that is gone answers to none of it. */
const LEAVE_MS = 2000

export interface ChannelParts {
  readonly clients: Clients
  readonly connection: PubsubConnection
  readonly names: TopicNames
  readonly settings: TopicSettings
  readonly clock: Clock
  readonly capabilities: Capabilities
  /** Subscriptions that the server has: their ids, and the last parts of their names. */
  readonly known: ReadonlyMap<string, string>
  readonly ackDeadlineS: number
}

export class PubsubChannel implements Channel {
  readonly capabilities: Capabilities
  readonly clients: Clients
  readonly parking: ParkingLot<Taken>
  readonly watch: Watch
  /** The full name. */
  readonly topic: string
  readonly ackDeadlineS: number
  isClosed = false
  readonly #parts: ChannelParts
  readonly #publisher: Publisher
  readonly #subscriptions = new Map<string, PubsubSubscription>()
  readonly #known: Map<string, string>
  #isClosing = false
  #closing: Promise<void> | undefined

  constructor(parts: ChannelParts) {
    this.#parts = parts
    this.capabilities = parts.capabilities
    this.clients = parts.clients
    this.ackDeadlineS = parts.ackDeadlineS
    this.parking = new ParkingLot(parts.clock)
    this.topic = `projects/${parts.connection.project}/topics/${parts.names.topic}`
    this.#known = new Map(parts.known)
    this.watch = new Watch({
      ...parts,
      topic: this.topic,
      madeAnew: () => {
        for (const subscription of this.#subscriptions.values()) void subscription.rebuild()
      },
    })
    this.#publisher = new Publisher({
      clients: parts.clients,
      topic: this.topic,
      eventBytesMax: parts.capabilities.maxEventBytes,
      clock: parts.clock,
      trouble: () => this.watch.trouble,
      troubled: (why, error) => this.watch.troubled(why, error),
    })
  }

  /** Nothing is ever refused for room: the service has no bound. */
  room(): number {
    return 0
  }

  publish(events: readonly Event[], options: PublishOptions): Promise<PublishResult[]> {
    return this.#publisher.publish(events, options)
  }

  decode({ attributes, data }: Message): Event {
    return decodePubsub(attributes, data, { maxEventBytes: Infinity })
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
    if ((spec.start ?? 'latest') !== 'latest' && !this.#known.has(spec.id)) {
      throw unsupported('starts', 'Google Pub/Sub gives a new subscription what is published from now on, and no more.')
    }
    const name = this.#known.get(spec.id) ?? this.#parts.names.subscriptionOf(spec.id, spec.name)
    const subscription = new PubsubSubscription(this, this.#fullName(name), spec, deliver)
    this.#subscriptions.set(spec.id, subscription)
    try {
      await subscription.begin()
    } catch (error) {
      this.#subscriptions.delete(spec.id)
      await subscription.discard()
      throw this.watch.inWords(error)
    }
    this.#known.set(spec.id, name)
    return subscription
  }

  #fullName(name: string): string {
    return `projects/${this.#parts.connection.project}/subscriptions/${name}`
  }

  async remove(id: string): Promise<{ discarded: number }> {
    this.#requireOpen()
    const name = this.#known.get(id)
    const subscription = this.#subscriptions.get(id)
    this.#subscriptions.delete(id)
    const discarded = (await subscription?.discard()) ?? 0
    try {
      if (name !== undefined) await deleteSubscription(this.clients, this.#fullName(name))
      this.#known.delete(id)
      return { discarded }
    } catch (error) {
      throw this.watch.inWords(error)
    }
  }

  subscriptions(): Iterable<string> {
    return this.#known.keys()
  }

  read(): Promise<StoredEvent[]> {
    return Promise.reject(unsupported('browse', 'Google Pub/Sub hands events out, and shows none otherwise.'))
  }

  /** Tries until it succeeds or the channel is closed, with growing waits. */
  async untilDone(work: () => Promise<void>): Promise<void> {
    for (let waitMs = REBUILD_MS_MIN; !this.isClosed; waitMs = Math.min(waitMs * 2, REBUILD_MS_MAX)) {
      try {
        return await work()
      } catch {
        await new Promise<void>((resolve) => this.#parts.clock.setTimer(waitMs, resolve))
      }
    }
  }

  onState(listener: (state: ChannelState) => void): () => void {
    return this.watch.onState(listener)
  }

  /** The service tells neither. */
  usage(): ChannelUsage {
    return { bytes: 0, bytesMax: Infinity, events: 0 }
  }

  close({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    this.#closing ??= this.#close(deadlineMs)
    return this.#closing
  }

  async #close(deadlineMs: number): Promise<void> {
    this.#isClosing = true
    this.#publisher.close()
    const all = [...this.#subscriptions.values()]
    for (const { handover } of all) handover.close()
    const { clock } = this.#parts
    await within(clock, deadlineMs, Promise.all(all.map(({ handover }) => handover.drained())))
    this.isClosed = true
    this.parking.close()
    this.watch.close()
    await within(clock, LEAVE_MS, Promise.all(all.map((subscription) => subscription.giveBack())))
    await within(clock, LEAVE_MS, closeClients(this.clients))
  }

  #requireOpen(): void {
    if (this.#isClosing) throw channelUnavailable('The channel is closed.', RETRY_AFTER_MS)
  }
}
