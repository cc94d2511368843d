// Opens the channel: the clients, the topic, and what the server already has of subscriptions.
//
// From: the controller's table of drivers. Next: channel.ts.

import type { Capabilities, Channel } from '@sluice/channel'
import { systemClock, type Clock } from '@sluice/clock'
import { PubsubChannel } from './channel.ts'
import { closeClients, openClients, reasonOf, unavailable, type PubsubConnection } from './client.ts'
import { idOf, type TopicNames } from './names.ts'
import { ATTRIBUTES_ROOM } from './publishing.ts'
import { ensureTopic, listSubscriptions, type TopicSettings } from './topic.ts'

export interface PubsubChannelOptions extends PubsubConnection {
  readonly names: TopicNames
  /** Of a topic that has to be made. */
  readonly topic?: TopicSettings
  /** Largest event. Default: what the service takes, 10 MB, less 64 KiB for attributes. */
  readonly eventBytesMax?: number
  /** Most parked events of one subscription; they stay in memory. Default 10,000. */
  readonly parkedMax?: number
  /**
   * How long the service waits for a word about an event that is out, of a subscription that has to be made, in seconds, 10
   * to 600. Default 60. The library gives one in time.
   */
  readonly ackDeadlineS?: number
  readonly clock?: Clock
}

/** The service's largest message. */
const MESSAGE_BYTES_MAX = 10_000_000

/** Rejects with `SLUICE_CHANNEL_UNAVAILABLE`, retryable, and says what to do. */
export async function openPubsubChannel(options: PubsubChannelOptions): Promise<Channel> {
  const { names, topic: settings = {}, clock = systemClock, project, ackDeadlineS = 60 } = options
  const clients = await openClients(options)
  try {
    const topic = `projects/${project}/topics/${names.topic}`
    await ensureTopic(clients, topic, settings)
    const found = await listSubscriptions(clients, topic)
    const known = new Map(
      found.filter((name) => name.startsWith(names.subscriptionPrefix)).map((name) => [idOf(name), name]),
    )
    const capabilities = capabilitiesOf(options)
    return new PubsubChannel({
      clients,
      connection: options,
      names,
      settings,
      clock,
      capabilities,
      known,
      ackDeadlineS,
    })
  } catch (error) {
    await closeClients(clients)
    throw unavailable(options, reasonOf(error), error)
  }
}

function capabilitiesOf({ eventBytesMax = Infinity, parkedMax = 10_000 }: PubsubChannelOptions): Capabilities {
  return {
    durable: true,
    shared: true,
    browse: false,
    starts: ['latest'],
    seek: 'none',
    attempts: 'process',
    maxDelayMs: 24 * 3600 * 1000,
    maxParked: parkedMax,
    inOrder: false,
    order: 'key',
    filterUpdate: 'live',
    filterJudged: 'handover',
    lag: 'unknown',
    retention: 'server',
    lossDetected: false,
    maxEventBytes: Math.min(eventBytesMax, MESSAGE_BYTES_MAX - ATTRIBUTES_ROOM),
    maxSubscriptions: 1000,
    fidelity: 'binding',
  }
}
