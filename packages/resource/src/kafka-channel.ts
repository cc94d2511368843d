// Kafka as people's files have it (KNATIVE.md 1.6): the ConfigMap of a Broker of class Kafka, the template of a KafkaChannel, and
// where the server of that is, which stands in Knative's ConfigMap kafka-channel-config. What is written and can't be done is
// refused.

import { durationSchema, secondsOf } from './ducks.ts'
import type { JsonSchema, Kind } from './kind.ts'
import { isRecord, nameOf, type Identity, type Resource } from './resource.ts'

/** What a Kafka channel is opened with. What is absent is the driver's default. */
export interface KafkaSettings {
  /** `HOST:PORT`; several of one cluster. */
  readonly servers: readonly string[]
  /** Whose names it has: those of a Broker of class Kafka, or those of a channel. */
  readonly names: 'broker' | 'channel'
  /** The topic of a Broker that is to use one that is there. */
  readonly externalTopic?: string
  /** Of a topic that has to be made. */
  readonly topic: KafkaTopicSettings
  /** The Secret that says how to get in. */
  readonly secret?: { readonly namespace: string; readonly name: string }
}

/** Of a topic that has to be made. */
export interface KafkaTopicSettings {
  readonly partitions?: number
  readonly replicas?: number
  readonly config?: Readonly<Record<string, string>>
}

/** The class of a Broker that has a topic of its own. */
export const KAFKA_BROKER_CLASS = 'Kafka'
/** The annotation that names a topic which is there. */
export const EXTERNAL_TOPIC = 'kafka.eventing.knative.dev/external.topic'

/** The kind, as far as templates know it. */
export const KAFKA_CHANNEL: Kind = {
  group: 'messaging.knative.dev',
  kind: 'KafkaChannel',
  plural: 'kafkachannels',
  singular: 'kafkachannel',
  shortNames: ['kc'],
  categories: ['all', 'knative', 'messaging', 'channel'],
  namespaced: true,
  versions: ['v1', 'v1beta1'],
  description: 'A KafkaChannel keeps its events in a topic of a Kafka server.',
  run: true,
  naming: 'subdomain',
  fields: {
    spec: {
      type: 'object',
      description: 'Its topic, where that has to be made.',
      additionalProperties: false,
      properties: {
        numPartitions: count('Partitions. Default 1.'),
        replicationFactor: count('Copies of each partition. Default 1.'),
        retentionDuration: durationSchema(
          'After so long the server removes events, delivered or not. Default PT168H.',
          'PT168H',
        ),
      },
    },
  },
}

function count(description: string): JsonSchema {
  return { type: 'integer', minimum: 1, description }
}

/** What a valid template asks for, apart from the server. */
export function kafkaTemplate(spec: unknown): Pick<KafkaSettings, 'topic'> {
  const {
    numPartitions = 1,
    replicationFactor = 1,
    retentionDuration = 'PT168H',
  } = (isRecord(spec) ? spec : {}) as {
    [field in 'numPartitions' | 'replicationFactor']?: number
  } & { retentionDuration?: string }
  return {
    topic: {
      partitions: numPartitions,
      replicas: replicationFactor,
      config: { 'retention.ms': String(Math.round(secondsOf(retentionDuration) * 1000)) },
    },
  }
}

/** Knative's own ConfigMaps: of KafkaChannels, and of Brokers of class Kafka that name none. */
export const CHANNEL_CONFIG: Identity = knatives('kafka-channel-config')
export const KAFKA_BROKER_CONFIG: Identity = knatives('kafka-broker-config')

function knatives(name: string): Identity {
  return { group: '', kind: 'ConfigMap', namespace: 'knative-eventing', name }
}

const SERVERS = 'bootstrap.servers'
const PARTITIONS = 'default.topic.partitions'
const REPLICAS = 'default.topic.replication.factor'
const SECRET = 'auth.secret.ref.name'
const SECRET_NAMESPACE = 'auth.secret.ref.namespace'
const TOPIC_CONFIG = 'default.topic.config.'
const EXAMPLE = `Its key ${SERVERS} has to hold HOST:PORT, several with commas between them.`

/** What can't be had. `why`: what is wrong, and what to do. */
export interface Why {
  readonly why: string
}

/** Where the server of KafkaChannels is, or in words why nobody knows. `find`: of the resources that are there. */
export function kafkaChannelServer(
  find: (identity: Identity) => Resource | undefined,
): Pick<KafkaSettings, 'servers' | 'secret'> | Why {
  const read = readConfig(CHANNEL_CONFIG, find, [SERVERS, SECRET, SECRET_NAMESPACE])
  if ('why' in read) return read
  const { servers, secret } = read
  return { servers, ...(secret !== undefined && { secret }) }
}

/** What a Broker of class Kafka has, by its ConfigMap, or in words why it can't. */
export function kafkaBroker(
  config: Identity,
  externalTopic: string | undefined,
  find: (identity: Identity) => Resource | undefined,
): KafkaSettings | Why {
  const read = readConfig(config, find, [SERVERS, PARTITIONS, REPLICAS, SECRET, SECRET_NAMESPACE], TOPIC_CONFIG)
  if ('why' in read) return read
  const { servers, secret, data } = read
  const title = nameOf(config)
  const topic: { -readonly [field in keyof KafkaTopicSettings]: KafkaTopicSettings[field] } = {}
  for (const [key, field] of [
    [PARTITIONS, 'partitions'],
    [REPLICAS, 'replicas'],
  ] as const) {
    const text = data[key]
    if (text === undefined) continue
    if (!/^[1-9]\d{0,4}$/.test(text.trim())) return { why: `${key} of ${title} has to be a whole number from 1 on.` }
    topic[field] = Number(text)
  }
  const entries = Object.entries(data).filter(([key]) => key.startsWith(TOPIC_CONFIG))
  if (entries.length > 0)
    topic.config = Object.fromEntries(entries.map(([key, value]) => [key.slice(TOPIC_CONFIG.length), value]))
  return {
    ...{ servers, topic, names: 'broker' },
    ...(secret !== undefined && { secret }),
    ...(externalTopic !== undefined && { externalTopic }),
  }
}

interface Config extends Pick<KafkaSettings, 'servers' | 'secret'> {
  readonly data: Readonly<Record<string, string>>
}

function readConfig(
  identity: Identity,
  find: (identity: Identity) => Resource | undefined,
  known: readonly string[],
  prefix?: string,
): Config | Why {
  const title = nameOf(identity)
  if (identity.group !== '' || identity.kind !== 'ConfigMap') {
    return { why: `spec.config names ${title}. Where Kafka is stands in a ConfigMap of v1. ${EXAMPLE}` }
  }
  const found = find(identity)
  if (found === undefined) return { why: `Where Kafka is stands in ${title}, which does not exist. ${EXAMPLE}` }
  const data = (isRecord(found['data']) ? found['data'] : {}) as Record<string, string>
  const others = Object.keys(data).filter(
    (key) => !known.includes(key) && key !== '_example' && !(prefix !== undefined && key.startsWith(prefix)),
  )
  if (others.length > 0) {
    const all = [...known, ...(prefix === undefined ? [] : [`${prefix}*`])].join(', ')
    return { why: `${title} has ${others.join(', ')}, which this version can't do. Known are ${all}.` }
  }
  const servers = (data[SERVERS] ?? '').split(',').map((server) => server.trim())
  if (servers.join('') === '') return { why: `${title} names no server. ${EXAMPLE}` }
  const wrong = servers.find((server) => !/^([^\s/@:]+|\[[0-9a-fA-F:]+\]):\d{1,5}$/.test(server))
  if (wrong !== undefined) return { why: `${title} names a server that is no HOST:PORT. ${EXAMPLE}` }
  const secret = data[SECRET]?.trim()
  if (secret === undefined || secret === '') return { servers, data }
  return { servers, data, secret: { namespace: data[SECRET_NAMESPACE]?.trim() || identity.namespace, name: secret } }
}
