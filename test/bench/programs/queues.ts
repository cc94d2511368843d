// The drivers of outside servers, and beside each what its bare client library does for the same: events of 1 KiB, stored
// durably, each named for the server's own recognition of doubles, pulled and acknowledged one by one.

import type { Channel } from '@sluice/channel'
import { encodeKafka, encodeNats, encodePubsub, newEvent, type Event } from '@sluice/event'
import { compileFilters } from '@sluice/filter'

export interface Queue {
  /** Resolves once the event of this token is stored. */
  publish(token: number): Promise<void>
}

/** Opens it; `out` is called with an event's token once it came out and was settled. */
export type OpenQueue = (url: string, out: (token: number) => void) => Promise<Queue>

export type QueueName = `${'nats' | 'kafka' | 'pubsub'}-${'channel' | 'client'}`

export const QUEUES: Readonly<Record<QueueName, OpenQueue>> = {
  'nats-channel': async (url, out) => {
    const { channelNames, openNatsChannel } = await import('@sluice/channel-nats')
    return overChannel(await openNatsChannel({ servers: [url], names: channelNames('bench', unique()) }), out)
  },
  'nats-client': natsClient,
  'kafka-channel': async (url, out) => {
    const { channelNames, openKafkaChannel } = await import('@sluice/channel-kafka')
    const names = channelNames('bench', unique())
    return overChannel(await openKafkaChannel({ servers: [url], names, topic: { partitions: 1, replicas: 1 } }), out)
  },
  'kafka-client': kafkaClient,
  'pubsub-channel': async (url, out) => {
    const { channelNames, openPubsubChannel } = await import('@sluice/channel-pubsub')
    const names = channelNames('bench', unique(), '1')
    return overChannel(await openPubsubChannel({ project: 'bench', emulator: url, names }), out)
  },
  'pubsub-client': pubsubClient,
}

const DATA = Buffer.alloc(1024, '{"order":1} ')
/** What the channel may have out is no bound to either of them. */
const OUT_MAX = 8192

async function overChannel(channel: Channel, out: (token: number) => void): Promise<Queue> {
  await channel.subscribe(
    { id: 'bench', filter: compileFilters([]), window: { events: OUT_MAX, bytes: 64 * 1024 * 1024 } },
    (delivery) => {
      delivery.settle()
      out(tokenOf(delivery.event.attribute('subject')))
    },
  )
  return {
    publish: async (token) => {
      const [result] = await channel.publish([eventOf(token)], { lane: 'ingress' })
      if (!result!.stored) throw result!.error
    },
  }
}

async function natsClient(url: string, out: (token: number) => void): Promise<Queue> {
  const { AckPolicy, connect, DiscardPolicy, headers, RetentionPolicy, StorageType } = await import('nats')
  const name = unique()
  const connection = await connect({ servers: url })
  const manager = await connection.jetstreamManager()
  await manager.streams.add({
    name,
    subjects: [`${name}.events`],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    storage: StorageType.File,
  })
  await manager.consumers.add(name, { durable_name: 'bench', ack_policy: AckPolicy.Explicit, max_ack_pending: OUT_MAX })
  const stream = connection.jetstream()
  const consumer = await stream.consumers.get(name, 'bench')
  const messages = await consumer.consume({ max_messages: 256 })
  void (async () => {
    for await (const message of messages) {
      message.ack()
      out(tokenOf(message.headers!.get('ce-subject')))
    }
  })()
  return {
    publish: async (token) => {
      const event = eventOf(token)
      const own = headers()
      const pairs = encodeNats(event)
      for (let at = 0; at < pairs.length; at += 2) own.append(pairs[at]!, pairs[at + 1]!)
      await stream.publish(`${name}.events`, DATA, { msgID: event.id, headers: own })
    },
  }
}

async function kafkaClient(url: string, out: (token: number) => void): Promise<Queue> {
  const { Kafka, logLevel } = await import('kafkajs')
  const kafka = new Kafka({ brokers: [url], logLevel: logLevel.NOTHING })
  const topic = unique()
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }] })
  await admin.disconnect()
  const producer = kafka.producer()
  await producer.connect()
  const consumer = kafka.consumer({ groupId: topic })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({ eachMessage: async ({ message }) => out(tokenOf(String(message.headers!['ce_subject']))) })
  return {
    publish: async (token) => {
      const { key, headers, value } = encodeKafka(eventOf(token))
      await producer.send({ topic, acks: -1, messages: [{ key, headers, value }] })
    },
  }
}

async function pubsubClient(url: string, out: (token: number) => void): Promise<Queue> {
  process.env['METADATA_SERVER_DETECTION'] = 'none'
  const { PubSub } = await import('@google-cloud/pubsub')
  const pubsub = new PubSub({ projectId: 'bench', apiEndpoint: url, emulatorMode: true })
  const [topic] = await pubsub.createTopic(unique())
  const [subscription] = await topic.createSubscription(unique())
  subscription.on('message', (message: { ack(): void; attributes: Record<string, string> }) => {
    message.ack()
    out(tokenOf(message.attributes['ce-subject']))
  })
  return {
    publish: async (token) => void (await topic.publishMessage(encodePubsub(eventOf(token)))),
  }
}

let events = 0

function eventOf(token: number): Event {
  const id = `${process.pid}-${events++}`
  return newEvent({ id, source: '/bench', type: 'com.example.bench', subject: String(token), data: DATA })
}

function tokenOf(subject: unknown): number {
  return Number(subject)
}

function unique(): string {
  return `bench-${process.pid}`
}
