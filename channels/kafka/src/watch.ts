// What the channel knows of its topic and of its server: how far each partition reaches, and whether the server answers. Makes
// the topic anew where it is gone.
//
// From: channel.ts, by itself every few seconds, and whenever something fails. Next: the server.

import { Trouble, type ChannelState } from '@sluice/channel'
import type { Clock, Timer } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import type { Admin, Kafka } from 'kafkajs'
import { reasonOf, typeOf, unavailable, type KafkaConnection } from './client.ts'
import { endsOf, ensureTopic, type Ends, type TopicSettings } from './topic.ts'

/** How often the topic is measured, and how often the server is asked whether it is there again. */
const MEASURE_MS = 5000
const PROBE_MS = 500

export interface WatchParts {
  readonly kafka: Kafka
  readonly admin: Admin
  readonly connection: KafkaConnection
  readonly topic: string
  readonly settings: TopicSettings
  readonly ends: readonly Ends[]
  readonly clock: Clock
  /** It was measured. */
  readonly measured: () => void
  /** The topic was deleted and is there again; before, its partitions reached so far. */
  readonly madeAnew: (before: readonly number[]) => void
}

export class Watch {
  /** Of every partition, as far as this process knows. */
  ends: Ends[]
  admin: Admin
  readonly #parts: WatchParts
  readonly #trouble = new Trouble()
  #measuring: Promise<readonly Ends[]> | undefined
  #timer: Timer | undefined
  #isClosed = false

  constructor(parts: WatchParts) {
    this.#parts = parts
    this.admin = parts.admin
    this.ends = [...parts.ends]
    this.#later()
  }

  /** Why nothing can be stored, or handed out, now. */
  get trouble(): SluiceError | undefined {
    return this.#trouble.why
  }

  /** The partition reaches to `end`, or further. */
  sawEnd(partition: number, end: number): void {
    const { low, high } = this.ends[partition] ?? { low: 0, high: 0 }
    if (end > high) this.ends[partition] = { low, high: end }
  }

  /** The first offset that the server still has of that partition. */
  lowOf(partition: number): number {
    return this.ends[partition]?.low ?? 0
  }

  /** First and next offset of every partition, as the server says now. */
  measure(): Promise<readonly Ends[]> {
    this.#measuring ??= this.#measure().finally(() => (this.#measuring = undefined))
    return this.#measuring
  }

  async #measure(): Promise<readonly Ends[]> {
    const before = this.ends.map(({ high }) => high)
    const found = await endsOf(this.admin, this.#parts.topic)
    if (found.some(({ high }, partition) => high < (before[partition] ?? 0))) {
      this.ends = found
      this.#parts.madeAnew(before)
    } else {
      for (const [partition, { low, high }] of found.entries()) {
        this.ends[partition] = { low, high: Math.max(high, this.ends[partition]?.high ?? 0) }
      }
    }
    this.#trouble.set(undefined)
    return this.ends
  }

  #later(): void {
    this.#timer?.cancel()
    if (this.#isClosed) return
    const ms = this.trouble === undefined ? MEASURE_MS : PROBE_MS
    this.#timer = this.#parts.clock.setTimer(ms, () => this.look())
  }

  /** Looks at once, and then again in its time. */
  look(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    void this.#look().finally(() => this.#later())
  }

  async #look(): Promise<void> {
    try {
      await this.measure()
      this.#parts.measured()
    } catch (error) {
      if (this.#isClosed) return
      this.#trouble.set(this.unavailable(reasonOf(error), error))
      await this.#renewAdmin()
      if (typeOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION') await this.#makeAgain()
    }
  }

  /** The client goes on asking a broker that no longer leads a partition; a new one asks who does. */
  async #renewAdmin(): Promise<void> {
    this.admin.disconnect().catch(() => {})
    this.admin = this.#parts.kafka.admin()
    await this.admin.connect().catch(() => {})
  }

  async #makeAgain(): Promise<void> {
    const { connection, topic, settings } = this.#parts
    try {
      await ensureTopic(this.admin, connection, topic, settings)
      await this.measure()
    } catch (error) {
      this.#trouble.set(this.inWords(error))
    }
  }

  /** The server does not answer, or not as it should: `why`, a clause. It is asked until it does. */
  troubled(why: string, error?: unknown): SluiceError {
    const trouble = this.unavailable(why, error)
    const isNew = this.trouble === undefined
    this.#trouble.set(trouble)
    if (isNew && this.#timer !== undefined) this.#later()
    return trouble
  }

  onState(listener: (state: ChannelState) => void): () => void {
    return this.#trouble.onState(listener)
  }

  unavailable(why: string, cause?: unknown): SluiceError {
    return unavailable(this.#parts.connection, why, cause)
  }

  inWords(error: unknown): SluiceError {
    return error instanceof SluiceError ? error : this.unavailable(reasonOf(error), error)
  }

  /** Looks no more. {@link admin} stays open. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }
}
