// The drivers of outside servers, and beside each what its bare client library does for the same: events of 1 KiB, stored
// durably, each named for the server's own recognition of doubles, pulled and acknowledged one by one.

import { openNatsChannel, channelNames } from '@sluice/channel-nats'
import type { Channel } from '@sluice/channel'
import { encodeNats, newEvent, type Event } from '@sluice/event'
import { compileFilters } from '@sluice/filter'
import { AckPolicy, connect, DiscardPolicy, headers, RetentionPolicy, StorageType } from 'nats'

export interface Queue {
  /** Resolves once the event of this token is stored. */
  publish(token: number): Promise<void>
}

/** Opens it; `out` is called with an event's token once it came out and was settled. */
export type OpenQueue = (url: string, out: (token: number) => void) => Promise<Queue>

export type QueueName = 'nats-channel' | 'nats-client'

export const QUEUES: Readonly<Record<QueueName, OpenQueue>> = {
  'nats-channel': async (url, out) =>
    overChannel(await openNatsChannel({ servers: [url], names: channelNames('bench', unique()) }), out),
  'nats-client': natsClient,
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
