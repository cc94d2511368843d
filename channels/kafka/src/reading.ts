// Reading the topic without a subscription: by a group of its own that commits nothing and is gone afterwards.
//
// From: channel.ts, for who browses, and for the time of one event. Next: the server.

import type { ReadRange, StoredEvent } from '@sluice/channel'
import type { Event } from '@sluice/event'
import type { Admin, Kafka, KafkaMessage } from 'kafkajs'
import { positionOf, readPosition } from './taken.ts'
import type { Ends } from './topic.ts'

/** Nothing is waited for that is not there yet. */
const FETCH_WAIT_MS = 50

export interface ReadParts {
  readonly kafka: Kafka
  readonly admin: Admin
  readonly topic: string
  /** The first offset to read of every partition. */
  readonly from: readonly number[]
  /** What is there. */
  readonly ends: readonly Ends[]
}

/** As `Channel.read`: by time across partitions, and by offset within one. */
export async function readTopic(
  parts: ReadParts,
  { to, filter, limit = 100 }: ReadRange,
  decode: (message: KafkaMessage) => Event,
): Promise<StoredEvent[]> {
  if (limit <= 0) return []
  const last = to !== undefined && 'position' in to ? readPosition(to.position) : undefined
  const found: { partition: number; offset: number; stored: StoredEvent }[] = []
  const counts = new Map<number, number>()
  await scan(parts, (partition, message) => {
    const [offset, time] = [Number(message.offset), Number(message.timestamp)]
    if (to !== undefined && 'time' in to && time > to.time) return false
    if (last?.partition === partition && offset > last.offset) return false
    const event = eventOf(message, decode)
    if (event === undefined || (filter !== undefined && !filter.matches(event))) return true
    found.push({ partition, offset, stored: { position: positionOf(partition, offset), time, event } })
    const count = (counts.get(partition) ?? 0) + 1
    counts.set(partition, count)
    return count < limit
  })
  found.sort((a, b) => a.stored.time - b.stored.time || a.partition - b.partition || a.offset - b.offset)
  return found.slice(0, limit).map(({ stored }) => stored)
}

/** The time of one event; `undefined`: it is not there. */
export async function timeOf(
  kafka: Kafka,
  admin: Admin,
  topic: string,
  partition: number,
  offset: number,
): Promise<number | undefined> {
  const from: number[] = []
  from[partition] = offset
  const ends: Ends[] = []
  ends[partition] = { low: offset, high: offset + 1 }
  let time: number | undefined
  await scan({ kafka, admin, topic, from, ends }, (_, message) => {
    if (Number(message.offset) === offset) time = Number(message.timestamp)
    return false
  })
  return time
}

function eventOf(message: KafkaMessage, decode: (message: KafkaMessage) => Event): Event | undefined {
  try {
    return decode(message)
  } catch {
    return undefined
  }
}

/** Calls `visit` with what is stored, in the order of each partition; it returns whether that partition goes on. */
async function scan(
  { kafka, admin, topic, from, ends }: ReadParts,
  visit: (partition: number, message: KafkaMessage) => boolean,
): Promise<void> {
  const open = new Map<number, number>()
  for (const [partition, end] of ends.entries()) {
    if (end === undefined) continue
    const first = Math.max(from[partition] ?? 0, end.low)
    if (first < end.high) open.set(partition, first)
  }
  if (open.size === 0) return
  const groupId = `sluice-reader-${crypto.randomUUID()}`
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: FETCH_WAIT_MS, allowAutoTopicCreation: false })
  const done = Promise.withResolvers<void>()
  const close = (partition: number): void => {
    open.delete(partition)
    consumer.pause([{ topic, partitions: [partition] }])
    if (open.size === 0) done.resolve()
  }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    for (const partition of payload.memberAssignment[topic] ?? []) {
      const first = open.get(partition)
      if (first === undefined) consumer.pause([{ topic, partitions: [partition] }])
      else consumer.seek({ topic, partition, offset: String(first) })
    }
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => done.reject(payload.error))
  // The last offsets may be no records, such as ends of transactions.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) => {
    if (open.has(partition) && Number(lastOffset) + 1 >= ends[partition]!.high) close(partition)
  })
  try {
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch: { partition, messages }, isStale }) => {
        for (const message of messages) {
          if (!open.has(partition) || isStale()) return
          if (Number(message.offset) >= ends[partition]!.high || !visit(partition, message)) return close(partition)
        }
      },
    })
    await done.promise
  } finally {
    await consumer.disconnect().catch(() => {})
    await admin.deleteGroups([groupId]).catch(() => {}) // without commits the server forgets it by itself
  }
}
