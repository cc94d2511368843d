// NATS JetStream as people's files have it (KNATIVE.md 1.7): the template of a NatsJetStreamChannel, and where the server is,
// which stands in Knative's ConfigMap config-nats. What is written and can't be done is refused.

import type { JsonSchema, Kind } from './kind.ts'
import { isRecord, nameOf, type Identity, type Resource } from './resource.ts'
import { readDocuments } from './yaml.ts'

/** What a NATS channel is opened with. What is absent is the driver's default. */
export interface NatsSettings {
  /** Such as `nats://127.0.0.1:4222`; several of one cluster. */
  readonly servers: readonly string[]
  readonly stream: NatsStreamSettings
  readonly ackWaitMs?: number
  /** Whose names it has: those of a Broker of class NatsJetStreamBroker, or those of a channel. */
  readonly names: 'broker' | 'channel'
}

/** Of its stream. */
export interface NatsStreamSettings {
  readonly bytesMax?: number
  readonly messagesMax?: number
  readonly ageMaxMs?: number
  readonly messageBytesMax?: number
  readonly storage?: 'file' | 'memory'
  readonly replicas?: number
  readonly duplicateWindowMs?: number
}

/** The class of a Broker that has a stream of its own. */
export const NATS_BROKER_CLASS = 'NatsJetStreamBroker'

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const DURATION = '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$'

/** The kind, as far as templates know it. */
export const NATS_CHANNEL: Kind = {
  group: 'messaging.knative.dev',
  kind: 'NatsJetStreamChannel',
  plural: 'natsjetstreamchannels',
  singular: 'natsjetstreamchannel',
  shortNames: ['natsjsmc'],
  categories: ['all', 'knative', 'messaging', 'channel'],
  namespaced: true,
  versions: ['v1alpha1'],
  description: 'A NatsJetStreamChannel keeps its events in a stream of a NATS server.',
  run: true,
  naming: 'subdomain',
  fields: {
    spec: object('The stream and its consumers.', {
      stream: object('The stream at the server.', {
        config: object('Its settings.', {
          retention: choice('Limits: events stay until they are settled and room is needed, or they are too old.', [
            'Limits',
          ]),
          discard: choice('New: a full stream refuses. Default New; what is not delivered is never dropped.', ['New']),
          storage: choice('Where the server keeps events. Default File.', ['File', 'Memory']),
          maxBytes: count('Most bytes; beyond, 429. Default 10 GiB by the count of Sluice.'),
          maxMsgs: count('Most events; beyond, 429. Default unlimited.'),
          maxMsgSize: count('Bytes of the largest event; beyond, 413. Default what the server takes.'),
          maxAge: duration('After so long the server removes events, delivered or not. Default never.'),
          replicas: count('Copies in a cluster. Default 1.'),
          duplicateWindow: duration('How long the same source and id are stored once. Default 2m.'),
        }),
      }),
      consumerConfigTemplate: object('Of the consumer of each trigger.', {
        ackWait: duration('How long the server waits for a word about an event that is out. Default 30s.'),
        consumerType: choice('Always Pull.', ['Pull']),
        replayPolicy: choice('Always Instant.', ['Instant']),
      }),
    }),
  },
}

function object(description: string, properties: Record<string, JsonSchema>): JsonSchema {
  return { type: 'object', description, additionalProperties: false, properties }
}

function choice(description: string, values: string[]): JsonSchema {
  return { type: 'string', enum: values, description }
}

function count(description: string): JsonSchema {
  return { type: 'integer', minimum: 1, description }
}

function duration(description: string): JsonSchema {
  return { type: 'string', pattern: DURATION, patternErrorMessage: 'a duration such as 30s, 2m or 24h', description }
}

/** What a valid template asks for, apart from the server. */
export function natsTemplate(spec: unknown): Pick<NatsSettings, 'stream' | 'ackWaitMs'> {
  const config = at(spec, 'stream', 'config')
  const { ackWait } = at(spec, 'consumerConfigTemplate') as { ackWait?: string }
  const { maxBytes, maxMsgs, maxAge, maxMsgSize, storage, replicas, duplicateWindow } = config as {
    [field in 'maxBytes' | 'maxMsgs' | 'maxMsgSize' | 'replicas']?: number
  } & { [field in 'maxAge' | 'storage' | 'duplicateWindow']?: string }
  return {
    stream: {
      ...(maxBytes !== undefined && { bytesMax: maxBytes }),
      ...(maxMsgs !== undefined && { messagesMax: maxMsgs }),
      ...(maxAge !== undefined && { ageMaxMs: msOf(maxAge) }),
      ...(maxMsgSize !== undefined && { messageBytesMax: maxMsgSize }),
      ...(storage !== undefined && { storage: storage === 'Memory' ? ('memory' as const) : ('file' as const) }),
      ...(replicas !== undefined && { replicas }),
      ...(duplicateWindow !== undefined && { duplicateWindowMs: msOf(duplicateWindow) }),
    },
    ...(ackWait !== undefined && { ackWaitMs: msOf(ackWait) }),
  }
}

function at(value: unknown, ...path: string[]): Record<string, unknown> {
  let found = value
  for (const step of path) found = isRecord(found) ? found[step] : undefined
  return isRecord(found) ? found : {}
}

/** As Go writes durations. */
function msOf(text: string): number {
  let ms = 0
  for (const [, number, unit] of text.matchAll(/([0-9.]+)(ms|s|m|h)/g)) ms += Number(number) * UNITS[unit!]!
  return Math.round(ms)
}

/** Knative's own ConfigMap of where the server is. */
export const CONFIG_NATS: Identity = {
  group: '',
  kind: 'ConfigMap',
  namespace: 'knative-eventing',
  name: 'config-nats',
}
const KEY = 'eventing-nats'
const EXAMPLE = `Its key ${KEY} has to hold "url: nats://HOST:4222", several with commas between them.`

/** Where the server is, or in words why nobody knows. `find`: of the resources that are there. */
export function natsServers(find: (identity: Identity) => Resource | undefined): readonly string[] | { why: string } {
  const title = nameOf(CONFIG_NATS)
  const configMap = find(CONFIG_NATS)
  if (configMap === undefined) return { why: `Where NATS is stands in ${title}, which does not exist. ${EXAMPLE}` }
  const text = at(configMap, 'data')[KEY]
  const settings = typeof text === 'string' ? [...readDocuments(text)][0]?.value : undefined
  if (!isRecord(settings) || typeof settings['url'] !== 'string') return { why: `${title} names no server. ${EXAMPLE}` }
  const others = Object.keys(settings).filter((key) => key !== 'url')
  if (others.length > 0) {
    return {
      why: `${KEY} of ${title} has ${others.join(', ')}, which this version can't do yet: it connects by url alone.`,
    }
  }
  const servers = settings['url'].split(',').map((url) => url.trim())
  const wrong = servers.find((url) => !/^(nats|tls):\/\/[^\s/@]+$/.test(url))
  return wrong === undefined
    ? servers
    : { why: `${title} names a server that is no nats://HOST:PORT; names and passwords can't stand there. ${EXAMPLE}` }
}
