// The Kafka channel: a topic at a server, a consumer group for each subscription.
//
// From: broker/src/broker.ts publishes. Next: publishing.ts sends; subscription.ts hands out.

import {
  alreadySubscribed,
  channelUnavailable,
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
  type Start,
  type StoredEvent,
  type Subscription,
  type SubscriptionSpec,
} from '@sluice/channel'
import type { Clock, Timer } from '@sluice/clock'
import { decodeKafka, type Event } from '@sluice/event'
import type { Admin, Kafka, KafkaMessage, Producer } from 'kafkajs'
import type { KafkaConnection } from './client.ts'
import type { TopicNames } from './names.ts'
import { Publisher } from './publishing.ts'
import { readTopic, timeOf } from './reading.ts'
import { KafkaSubscription } from './subscription.ts'
import { readPosition, type Taken } from './taken.ts'
import {
  committedOf,
  endsOf,
  offsetsAt,
  type Committed,
  type Ends,
  type TopicInfo,
  type TopicSettings,
} from './topic.ts'
import { Watch } from './watch.ts'

const RETRY_AFTER_MS = 1000
/** How often what is settled is committed. */
const COMMIT_MS = 250
/** How far the clocks of brokers may differ, and those of senders, where the events have their times. */
const APPEND_SKEW_MS = 1000
const SENDER_SKEW_MS = 60_000
const REMOVE_TRIES = 5

export interface ChannelParts {
  readonly kafka: Kafka
  /** Of members of groups: it is more patient. */
  readonly patient: Kafka
  readonly admin: Admin
  readonly producer: Producer
  readonly connection: KafkaConnection
  readonly names: TopicNames
  readonly settings: TopicSettings
  readonly topic: TopicInfo
  readonly ends: readonly Ends[]
  readonly clock: Clock
  readonly capabilities: Capabilities
  /** Of subscriptions that have committed: their ids, and their groups. */
  readonly known: ReadonlyMap<string, string>
  readonly fetchWaitMs: number
}

export class KafkaChannel implements Channel {
  readonly capabilities: Capabilities
  readonly kafka: Kafka
  /** For members of groups. */
  readonly patient: Kafka
  readonly clock: Clock
  readonly topic: string
  readonly fetchWaitMs: number
  readonly parking: ParkingLot<Taken>
  readonly kept: Kept = new Kept()
  isClosed = false
  readonly watch: Watch
  readonly #parts: ChannelParts
  readonly #publisher: Publisher
  readonly #subscriptions = new Map<string, KafkaSubscription>()
  readonly #groups: Map<string, string>
  #timer: Timer | undefined
  /** Records and bytes that this process has stored, for the size of one. */
  #stored = { events: 0, bytes: 0 }
  #isClosing = false
  #closing: Promise<void> | undefined

  constructor(parts: ChannelParts) {
    this.#parts = parts
    this.capabilities = parts.capabilities
    this.kafka = parts.kafka
    this.patient = parts.patient
    this.clock = parts.clock
    this.topic = parts.names.topic
    this.fetchWaitMs = parts.fetchWaitMs
    this.parking = new ParkingLot(parts.clock)
    this.watch = new Watch({
      ...parts,
      topic: this.topic,
      measured: () => this.#each((subscription) => subscription.measured()),
      madeAnew: (before) => this.#each((subscription) => subscription.madeAnew(before)),
    })
    this.#groups = new Map(parts.known)
    this.#publisher = new Publisher({
      producer: parts.producer,
      topic: this.topic,
      partitions: parts.topic.partitions,
      batchBytesMax: parts.topic.messageBytesMax,
      eventBytesMax: parts.capabilities.maxEventBytes,
      clock: parts.clock,
      trouble: () => this.watch.trouble,
      troubled: (why, error) => this.watch.troubled(why, error),
      stored: (partition, end, bytes) => this.#sawStored(partition, end, bytes),
    })
    this.#tickLater()
  }

  #tickLater(): void {
    this.#timer = this.clock.setTimer(COMMIT_MS, () => {
      this.#each((subscription) => subscription.tick())
      if (!this.isClosed) this.#tickLater()
    })
  }

  #each(run: (subscription: KafkaSubscription) => void): void {
    for (const subscription of this.#subscriptions.values()) run(subscription)
  }

  /** Nothing is ever refused for room: retention takes the oldest. */
  room(): number {
    return 0
  }

  publish(events: readonly Event[], options: PublishOptions): Promise<PublishResult[]> {
    return this.#publisher.publish(events, options)
  }

  #sawStored(partition: number, end: number, bytes: number): void {
    const before = this.watch.ends[partition]?.high ?? 0
    this.#stored.events += Math.max(0, end - before)
    this.#stored.bytes += bytes
    this.watch.sawEnd(partition, end)
  }

  decode({ headers, value }: KafkaMessage): Event {
    return decodeKafka(headers ?? {}, value, { maxEventBytes: Infinity })
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
    const group = this.#groups.get(spec.id) ?? this.#parts.names.groupOf(spec.id, spec.name)
    const subscription = new KafkaSubscription(this, group, spec, deliver)
    this.#subscriptions.set(spec.id, subscription)
    try {
      await subscription.begin(spec.start ?? 'latest')
    } catch (error) {
      this.#subscriptions.delete(spec.id)
      await subscription.discard()
      throw this.watch.inWords(error)
    }
    this.#groups.set(spec.id, group)
    return subscription
  }

  /** The server deletes a group once the last process has left it: where others have it open, they do. */
  async remove(id: string): Promise<{ discarded: number }> {
    this.#requireOpen()
    const group = this.#groups.get(id)
    const subscription = this.#subscriptions.get(id)
    this.#subscriptions.delete(id)
    if (group === undefined) return { discarded: 0 }
    try {
      const discarded = (await subscription?.discard()) ?? (await this.#waitingOf(group))
      await this.#deleteGroup(group)
      this.#groups.delete(id)
      return { discarded }
    } catch (error) {
      throw this.watch.inWords(error)
    }
  }

  async #waitingOf(group: string): Promise<number> {
    const [committed, ends] = [await this.committed(group), await this.watch.measure()]
    return ends.reduce(
      (sum, { low, high }, at) => sum + Math.max(0, high - Math.max(low, committed[at]?.offset ?? low)),
      0,
    )
  }

  async #deleteGroup(group: string): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.watch.admin.deleteGroups([group])
        return
      } catch (error) {
        const [found] = (error as { groups?: { errorCode?: number }[] }).groups ?? []
        if (found?.errorCode === GROUP_NOT_FOUND) return
        if (found?.errorCode !== NON_EMPTY_GROUP) throw error
        if (tries === REMOVE_TRIES) return
        await new Promise<void>((resolve) => this.clock.setTimer(100, resolve))
      }
    }
  }

  subscriptions(): Iterable<string> {
    return this.#groups.keys()
  }

  /** What a group has committed of every partition. */
  committed(group: string): Promise<Committed[]> {
    return committedOf(this.watch.admin, group, this.topic)
  }

  /** Where a new subscription begins in every partition, or a seek goes. */
  async startOffsets(start: Start): Promise<number[]> {
    const admin = this.watch.admin
    if (start === 'latest') return (await endsOf(admin, this.topic)).map(({ high }) => high)
    if (start === 'earliest') return (await endsOf(admin, this.topic)).map(({ low }) => low)
    if ('time' in start) return offsetsAt(admin, this.topic, start.time)
    const { partition, offset } = readPosition(start.after)
    const lows = (await endsOf(admin, this.topic)).map(({ low }) => low)
    if (lows.length === 1) return [offset + 1]
    // Elsewhere from the time at which it was stored: more than asked for, and never less.
    const time = await timeOf(this.kafka, admin, this.topic, partition, offset)
    const skewMs = this.#parts.topic.isAppendTime ? APPEND_SKEW_MS : SENDER_SKEW_MS
    const offsets = time === undefined ? lows : await offsetsAt(admin, this.topic, time - skewMs)
    offsets[partition] = offset + 1
    return offsets
  }

  async read(range: ReadRange): Promise<StoredEvent[]> {
    this.#requireOpen()
    try {
      const from = await this.startOffsets(range.from ?? 'earliest')
      const ends = await endsOf(this.watch.admin, this.topic)
      return await readTopic(
        { kafka: this.kafka, admin: this.watch.admin, topic: this.topic, from, ends },
        range,
        (message) => this.decode(message),
      )
    } catch (error) {
      throw this.watch.inWords(error)
    }
  }

  onState(listener: (state: ChannelState) => void): () => void {
    return this.watch.onState(listener)
  }

  /** The bytes are those of an average event that this process has stored, for each event. */
  usage(): ChannelUsage {
    const events = this.watch.ends.reduce((sum, { low, high }) => sum + high - low, 0)
    const average = this.#stored.events === 0 ? 0 : this.#stored.bytes / this.#stored.events
    return { bytes: Math.round(events * average), bytesMax: Infinity, events }
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
    await within(this.clock, deadlineMs, Promise.all(all.map(({ handover }) => handover.drained())))
    this.isClosed = true
    this.parking.close()
    this.#timer?.cancel()
    this.watch.close()
    // A server that is gone answers to none of this.
    const ms = this.watch.trouble === undefined ? Math.max(deadlineMs, LEAVE_MS) : GONE_MS
    await within(this.clock, ms, Promise.all(all.map((subscription) => subscription.giveBack())))
    await within(this.clock, ms, Promise.allSettled([this.#parts.producer.disconnect(), this.watch.admin.disconnect()]))
  }

  #requireOpen(): void {
    if (this.#isClosing) throw channelUnavailable('The channel is closed.', RETRY_AFTER_MS)
  }
}

const NON_EMPTY_GROUP = 68
const GROUP_NOT_FOUND = 69
/** For committing and leaving the groups. */
const LEAVE_MS = 5000
const GONE_MS = 500
