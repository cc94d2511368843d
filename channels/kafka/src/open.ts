// Opens the channel: the clients, the topic, and what the server already knows of subscriptions.
//
// From: the controller's table of drivers. Next: channel.ts.

import type { Capabilities, Channel } from '@sluice/channel'
import { systemClock, type Clock } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import type { Admin } from 'kafkajs'
import { KafkaChannel } from './channel.ts'
import { kafkaClient, MEMBER_RETRY, reasonOf, unavailable, type KafkaConnection } from './client.ts'
import type { TopicNames } from './names.ts'
import { readMetadata } from './progress.ts'
import { HEADERS_ROOM } from './publishing.ts'
import { committedOf, endsOf, ensureTopic, type TopicInfo, type TopicSettings } from './topic.ts'

export interface KafkaChannelOptions extends KafkaConnection {
  readonly names: TopicNames
  /** Of a topic that has to be made. */
  readonly topic?: TopicSettings
  /** Largest event. Default: what the topic takes, less 4 KiB for headers. */
  readonly eventBytesMax?: number
  /** Most parked events of one subscription. Default 100,000. */
  readonly parkedMax?: number
  /** Most subscriptions: each is a group that reads the whole topic, over connections of its own. Default 200. */
  readonly subscriptionsMax?: number
  /** How long the server holds a fetch that finds nothing; a group is left within that time. Default 1000. */
  readonly fetchWaitMs?: number
  readonly clock?: Clock
}

const BATCH_ROOM = 512

/** Rejects with `SLUICE_CHANNEL_UNAVAILABLE` or `SLUICE_CHANNEL_REFUSED`, retryable, and says what to do. */
export async function openKafkaChannel(options: KafkaChannelOptions): Promise<Channel> {
  const { names, topic: settings = {}, clock = systemClock, fetchWaitMs = 1000 } = options
  const kafka = kafkaClient(options, `sluice-${names.topic}`)
  const patient = kafkaClient(options, `sluice-${names.topic}`, MEMBER_RETRY)
  const admin = kafka.admin()
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition!,
  })
  try {
    await admin.connect()
    const topic = await ensureTopic(admin, options, names.topic, settings)
    const ends = await endsOf(admin, names.topic)
    const known = await knownGroups(admin, names)
    await producer.connect()
    const capabilities = capabilitiesOf(topic, options)
    return new KafkaChannel({
      ...{
        kafka,
        patient,
        admin,
        producer,
        connection: options,
        names,
        settings,
        topic,
        ends,
        clock,
        capabilities,
        known,
      },
      fetchWaitMs,
    })
  } catch (error) {
    await Promise.allSettled([admin.disconnect(), producer.disconnect()])
    throw error instanceof SluiceError ? error : unavailable(options, reasonOf(error), error)
  }
}

/** Groups that have committed for this topic, by the ids of their subscriptions. */
async function knownGroups(admin: Admin, { topic, groupPrefix }: TopicNames): Promise<Map<string, string>> {
  const known = new Map<string, string>()
  const { groups } = await admin.listGroups()
  for (const { groupId } of groups) {
    if (!groupId.startsWith(groupPrefix)) continue
    for (const { offset, metadata } of await committedOf(admin, groupId, topic)) {
      const id = readMetadata(metadata, offset)?.id
      if (id !== undefined) known.set(id, groupId)
    }
  }
  return known
}

function capabilitiesOf({ partitions, messageBytesMax }: TopicInfo, options: KafkaChannelOptions): Capabilities {
  const { eventBytesMax = Infinity, parkedMax = 100_000, subscriptionsMax = 200 } = options
  return {
    durable: true,
    shared: true,
    browse: true,
    starts: ['latest', 'earliest', 'time', 'after'],
    seek: 'offline',
    attempts: 'process',
    maxDelayMs: 24 * 3600 * 1000,
    maxParked: parkedMax,
    inOrder: partitions === 1,
    order: 'key',
    filterUpdate: 'live',
    filterJudged: 'handover',
    lag: 'atMost',
    retention: 'server',
    lossDetected: true,
    maxEventBytes: Math.min(eventBytesMax, messageBytesMax - HEADERS_ROOM - BATCH_ROOM),
    maxSubscriptions: subscriptionsMax,
    fidelity: 'binding',
  }
}
