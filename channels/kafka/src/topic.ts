// The topic: made where it is not there, and what the server says of it.
//
// From: open.ts, and channel.ts where it is gone. Next: the server.

import { SluiceError } from '@sluice/event'
import kafkajs, { type Admin } from 'kafkajs'
import { reasonOf, typeOf, unavailable, type KafkaConnection } from './client.ts'

/** Of a topic that has to be made. One that is there stays as it is. */
export interface TopicSettings {
  /** Default 10. */
  readonly partitions?: number
  /** Copies of each partition. Default 3. */
  readonly replicas?: number
  /** As the server knows them, such as `retention.ms`. */
  readonly config?: Readonly<Record<string, string>>
  /** It has to be there: it is never made. Default false. */
  readonly isGiven?: boolean
}

export interface TopicInfo {
  readonly partitions: number
  /** Bytes of the largest batch that it takes. */
  readonly messageBytesMax: number
  /** Its events have the times at which the server stored them, and not those that their senders say. */
  readonly isAppendTime: boolean
}

/** First and next offset of a partition. */
export interface Ends {
  readonly low: number
  readonly high: number
}

const MADE_WAIT_MS = 100
const MADE_TRIES = 50

/** Makes the topic where there is none. Rejects with a SluiceError that says what to do. */
export async function ensureTopic(
  admin: Admin,
  connection: KafkaConnection,
  topic: string,
  settings: TopicSettings,
): Promise<TopicInfo> {
  const found = await topicInfo(admin, topic)
  if (found !== undefined) return found
  if (settings.isGiven === true) throw unavailable(connection, `it has no topic ${topic}, and that is not made here`)
  await makeTopic(admin, connection, topic, settings)
  for (let tries = 0; tries < MADE_TRIES; tries++) {
    const made = await topicInfo(admin, topic)
    const isThere = made !== undefined && (await endsOf(admin, topic).then(Boolean, () => false))
    if (isThere) return made
    await new Promise((resolve) => setTimeout(resolve, MADE_WAIT_MS))
  }
  throw unavailable(connection, `the topic ${topic} was made, and can't be seen yet`)
}

/** `undefined`: there is none. */
async function topicInfo(admin: Admin, topic: string): Promise<TopicInfo | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    const partitions = topics[0]?.partitions ?? []
    if (partitions.length === 0 || partitions.some(({ leader }) => leader < 0)) return undefined
    const configNames = ['max.message.bytes', 'message.timestamp.type']
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames }],
    })
    const valueOf = (name: string): string | undefined =>
      resources[0]?.configEntries.find(({ configName }) => configName === name)?.configValue
    return {
      partitions: partitions.length,
      messageBytesMax: Number(valueOf('max.message.bytes') ?? MESSAGE_BYTES_MAX),
      isAppendTime: valueOf('message.timestamp.type') === 'LogAppendTime',
    }
  } catch (error) {
    if (typeOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION' || typeOf(error) === 'LEADER_NOT_AVAILABLE') return undefined
    throw error
  }
}

/** The server's default. */
const MESSAGE_BYTES_MAX = 1_048_588

async function makeTopic(
  admin: Admin,
  connection: KafkaConnection,
  topic: string,
  { partitions = 10, replicas = 3, config = {} }: TopicSettings,
): Promise<void> {
  const entries = Object.entries({ 'message.timestamp.type': 'LogAppendTime', ...config })
  try {
    await admin.createTopics({
      waitForLeaders: false, // it is looked for afterwards
      topics: [
        {
          topic,
          numPartitions: partitions,
          replicationFactor: replicas,
          configEntries: entries.map(([name, value]) => ({ name, value })),
        },
      ],
    })
  } catch (error) {
    const type = typeOf(error) ?? ''
    if (type === 'TOPIC_ALREADY_EXISTS') return
    if (type === 'INVALID_REPLICATION_FACTOR') {
      const servers = connection.servers.join(', ')
      throw refused(
        `${topic} is to have ${replicas} copies, and the Kafka at ${servers} has fewer brokers. ` +
          'Set default.topic.replication.factor (of a KafkaChannel: replicationFactor) to as many as it has.',
        error,
      )
    }
    if (WRONG.includes(type)) {
      throw refused(`Kafka refuses to make the topic ${topic}: ${reasonOf(error)}. Correct its settings.`, error)
    }
    throw unavailable(connection, `it can't make the topic ${topic}: ${reasonOf(error)}`, error)
  }
}

const WRONG: readonly string[] = ['INVALID_CONFIG', 'INVALID_PARTITIONS', 'INVALID_TOPIC_EXCEPTION', 'POLICY_VIOLATION']

function refused(detail: string, cause: unknown): SluiceError {
  return new SluiceError('SLUICE_CHANNEL_REFUSED', detail, {
    status: 503,
    retryable: true,
    retryAfterMs: 30_000,
    cause,
  })
}

/** Of every partition, by its number. */
export async function endsOf(admin: Admin, topic: string): Promise<Ends[]> {
  const ends: Ends[] = []
  for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
    ends[partition] = { low: Number(low), high: Number(high) }
  }
  return ends
}

/** The first offset of every partition whose event is from `time`, wall-clock ms, or later. */
export async function offsetsAt(admin: Admin, topic: string, time: number): Promise<number[]> {
  const offsets: number[] = []
  for (const { partition, offset } of await admin.fetchTopicOffsetsByTimestamp(topic, time)) {
    offsets[partition] = Number(offset)
  }
  return offsets
}

/** What a group has committed for a partition. */
export interface Committed {
  /** Below 0: nothing. */
  readonly offset: number
  readonly metadata: string
}

/** Of every partition, by its number. */
export async function committedOf(admin: Admin, groupId: string, topic: string): Promise<Committed[]> {
  const committed: Committed[] = []
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
  for (const { partition, offset, metadata } of found?.partitions ?? []) {
    committed[partition] = { offset: Number(offset), metadata: metadata ?? '' }
  }
  return committed
}
