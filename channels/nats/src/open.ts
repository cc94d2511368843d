// Opens the channel: the connection, the stream, and what the server already knows of subscriptions.
//
// From: the controller's table of drivers. Next: channel.ts.

import type { Capabilities, Channel } from '@sluice/channel'
import { systemClock, type Clock } from '@sluice/clock'
import { NatsChannel } from './channel.ts'
import { Connection, type Credentials } from './connection.ts'
import { ACK_WAIT_MS, listConsumers, SUBSCRIPTION } from './consumer.ts'
import type { StreamNames } from './names.ts'
import { ensureStream, type StreamInfo, type StreamSettings } from './stream.ts'

export interface NatsChannelOptions {
  /** Such as `nats://127.0.0.1:4222`; several of one cluster. */
  readonly servers: readonly string[]
  readonly credentials?: Credentials
  readonly names: StreamNames
  readonly stream?: StreamSettings
  /** Largest event. Default: what the server takes, less 4 KiB for headers. */
  readonly eventBytesMax?: number
  /** Most parked events of one subscription. Default 100,000. */
  readonly parkedMax?: number
  /** How long the server waits for a word about an event that is out. Default 30 s; it has one every third of it. */
  readonly ackWaitMs?: number
  readonly clock?: Clock
}

const BYTES_MAX = 10 * 1024 * 1024 * 1024
const HEADERS_ROOM = 4096

/** Rejects with `SLUICE_CHANNEL_UNAVAILABLE` or `SLUICE_CHANNEL_REFUSED`, retryable, and says what to do. */
export async function openNatsChannel(options: NatsChannelOptions): Promise<Channel> {
  const { servers, credentials = {}, names, stream: settings = {}, clock = systemClock } = options
  const connection = await Connection.open(servers, credentials, `sluice ${names.stream}`, clock)
  try {
    const stream = await ensureStream(connection, names, settings)
    const consumers = await listConsumers(connection, names.stream)
    const known = consumers.flatMap(({ config }) => config.metadata?.[SUBSCRIPTION] ?? [])
    const capabilities = capabilitiesOf(connection, options)
    return new NatsChannel({
      ...{ connection, names, settings, clock, capabilities, stream, known },
      bytesMax: bytesMaxOf(stream),
      ackWaitMs: options.ackWaitMs ?? ACK_WAIT_MS,
    })
  } catch (error) {
    await connection.close()
    throw error
  }
}

/** Where the server takes the oldest to store the newest, nothing is ever refused. */
function bytesMaxOf({ config }: StreamInfo): number {
  if (config['discard'] === 'old') return Infinity
  const bytesMax = Number(config['max_bytes'])
  return bytesMax > 0 ? bytesMax : BYTES_MAX
}

function capabilitiesOf(connection: Connection, options: NatsChannelOptions): Capabilities {
  const { stream: { messageBytesMax = Infinity } = {}, eventBytesMax = Infinity, parkedMax = 100_000 } = options
  return {
    durable: true,
    shared: true,
    browse: true,
    starts: ['latest', 'earliest', 'time', 'after'],
    seek: 'online',
    attempts: 'process',
    maxDelayMs: 24 * 3600 * 1000,
    maxParked: parkedMax,
    inOrder: true,
    order: 'key-one-process',
    filterUpdate: 'live',
    filterJudged: 'handover',
    lag: 'atMost',
    retention: 'server',
    lossDetected: true,
    maxEventBytes: Math.min(eventBytesMax, messageBytesMax, connection.payloadBytesMax - HEADERS_ROOM),
    maxSubscriptions: 1000,
    fidelity: 'binding',
  }
}
