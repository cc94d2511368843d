// One membership in a consumer group: joins, fetches, commits, and joins again, with a new consumer where the old one ended.
//
// From: subscription.ts. Next: the server; what comes goes back to subscription.ts.

import { within } from '@sluice/channel'
import type { Clock, Timer } from '@sluice/clock'
import { MEMBER_RETRY } from './client.ts'
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs'

/** How long the server waits for a sign of life before others take over. */
export const SESSION_MS = 15_000
const HEARTBEAT_MS = 1000
/** How long the others have to join again, once somebody comes or goes. */
const REBALANCE_MS = 20_000
/** Of one fetch, and of that from one partition. */
const FETCH_BYTES_MAX = 4 * 1024 * 1024
const PARTITION_BYTES_MAX = 512 * 1024
const COMMIT_MS = 10_000
const [REBUILD_MS_MIN, REBUILD_MS_MAX] = [200, 5000]

export interface MemberParts {
  readonly kafka: Kafka
  readonly group: string
  readonly topic: string
  readonly clock: Clock
  /** How long the server holds a fetch that finds nothing. */
  readonly fetchWaitMs: number
  /** It is in the group, with these partitions, all of them held until {@link Member.goOn}. */
  readonly joined: (partitions: readonly number[]) => void
  /** The group is being shared out anew. */
  readonly leaving: () => void
  /** Records of a partition, ascending. Returns the offset of the last one that was taken; `undefined`: none. */
  readonly received: (partition: number, messages: readonly KafkaMessage[], end: number) => number | undefined
  /** It fell out of the group; it joins again by itself. */
  readonly failed: (error: unknown) => void
}

interface Commit {
  readonly partition: number
  readonly offset: number
  readonly metadata: string
}

export class Member {
  readonly #parts: MemberParts
  #consumer: Consumer | undefined
  /** Commits by the generation of now, and not by a later one. */
  #commitNow: EachBatchPayload['commitOffsetsIfNecessary'] | undefined
  #isClosed = false
  #rebuildMs = REBUILD_MS_MIN
  #timer: Timer | undefined
  /** `clock.monotonic()` of the last sign of life that the server has answered. */
  #seen = -Infinity

  constructor(parts: MemberParts) {
    this.#parts = parts
  }

  /** Whether the server may have given its partitions to others. */
  get isOverdue(): boolean {
    return this.#parts.clock.monotonic() - this.#seen > SESSION_MS - HEARTBEAT_MS
  }

  start(): void {
    void this.#start()
  }

  async #start(): Promise<void> {
    const { kafka, group, topic, fetchWaitMs } = this.#parts
    const consumer = kafka.consumer({
      groupId: group,
      sessionTimeout: SESSION_MS,
      rebalanceTimeout: REBALANCE_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxBytes: FETCH_BYTES_MAX,
      maxBytesPerPartition: PARTITION_BYTES_MAX,
      maxWaitTimeInMs: fetchWaitMs,
      metadataMaxAge: 60_000,
      allowAutoTopicCreation: false,
      retry: { ...MEMBER_RETRY, restartOnFailure: async () => false },
    })
    this.#consumer = consumer
    this.#commitNow = undefined
    const { GROUP_JOIN, REBALANCING, CRASH, HEARTBEAT, FETCH } = consumer.events
    consumer.on(GROUP_JOIN, ({ payload }) => this.#joined(consumer, payload.memberAssignment[topic] ?? []))
    consumer.on(REBALANCING, () => this.#isNow(consumer) && this.#parts.leaving())
    consumer.on(HEARTBEAT, () => this.#sawLife(consumer))
    consumer.on(CRASH, ({ payload }) => this.#crashed(consumer, payload.error))
    consumer.on(FETCH, () => this.#isNow(consumer) && (this.#rebuildMs = REBUILD_MS_MIN))
    try {
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: async (payload) => this.#received(consumer, payload),
      })
    } catch (error) {
      this.#crashed(consumer, error)
    }
  }

  #isNow(consumer: Consumer): boolean {
    return consumer === this.#consumer && !this.#isClosed
  }

  #sawLife(consumer: Consumer): void {
    if (this.#isNow(consumer)) this.#seen = this.#parts.clock.monotonic()
  }

  #joined(consumer: Consumer, partitions: readonly number[]): void {
    if (!this.#isNow(consumer)) return
    this.#sawLife(consumer)
    // What was resumed in an earlier generation is held too: nobody knows yet where it goes on.
    this.hold(partitions)
    this.#parts.joined(partitions)
  }

  #received(consumer: Consumer, payload: EachBatchPayload): void {
    const { batch, isStale, resolveOffset, commitOffsetsIfNecessary } = payload
    if (!this.#isNow(consumer) || isStale()) return
    this.#commitNow ??= commitOffsetsIfNecessary
    const last = this.#parts.received(batch.partition, batch.messages, Number(batch.highWatermark))
    if (last !== undefined) resolveOffset(String(last))
  }

  #crashed(consumer: Consumer, error: unknown): void {
    if (!this.#isNow(consumer)) return
    this.#consumer = undefined
    consumer.disconnect().catch(() => {})
    this.#parts.failed(error)
    this.#timer = this.#parts.clock.setTimer(this.#rebuildMs, () => this.start())
    this.#rebuildMs = Math.min(this.#rebuildMs * 2, REBUILD_MS_MAX)
  }

  /** The next fetch of that partition begins at `offset`. */
  seek(partition: number, offset: number): void {
    this.#consumer?.seek({ topic: this.#parts.topic, partition, offset: String(offset) })
  }

  hold(partitions: readonly number[]): void {
    if (partitions.length > 0) this.#consumer?.pause([{ topic: this.#parts.topic, partitions: [...partitions] }])
  }

  goOn(partitions: readonly number[]): void {
    if (partitions.length > 0) this.#consumer?.resume([{ topic: this.#parts.topic, partitions: [...partitions] }])
  }

  /**
   * Rejects where this process is not in the group any more, or the server is gone. Before the first record has come the
   * client may try once more in a later generation: then it moves a mark back, and never forward.
   */
  async commit(commits: readonly Commit[]): Promise<void> {
    const { topic } = this.#parts
    const partitions = commits.map(({ partition, offset, metadata }) => ({
      partition,
      offset: String(offset),
      metadata,
    }))
    if (this.#commitNow !== undefined) return this.#commitNow({ topics: [{ topic, partitions }] })
    if (this.#consumer === undefined) throw new Error('it is not in the group')
    const committing = this.#consumer.commitOffsets(partitions.map((each) => ({ topic, ...each })))
    committing.catch(() => {})
    if (!(await within(this.#parts.clock, COMMIT_MS, committing))) throw new Error('its commit has no answer')
  }

  /** Leaves the group. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    await this.#consumer?.disconnect().catch(() => {})
  }
}
