// The channel that a Broker or a Channel asks for. A Broker's spec.config names a ConfigMap, and that has a channel template
// (./channel-template.ts); a Channel has one itself. What names none has that of Knative's own ConfigMap, where the files
// hold that, or of the process.

import {
  channelIn,
  channelOf,
  KNOWN_CHANNELS,
  templateIn,
  TEMPLATE_KEY,
  type TemplateChannel,
} from './channel-template.ts'
import { BROKER_DEFAULTS, brokerDefaults, type BrokerDefaults } from './broker-defaults.ts'
import type { DeliverySpec } from './ducks.ts'
import {
  BROKER_CLASS,
  BROKER_CLASS_DEFAULT,
  classOf,
  configOf,
  isBroker,
  isKnatives,
  type Broker,
} from './kinds/broker.ts'
import type { ChannelResource } from './kinds/channel.ts'
import {
  EXTERNAL_TOPIC,
  KAFKA_BROKER_CLASS,
  KAFKA_BROKER_CONFIG,
  kafkaBroker,
  kafkaChannelServer,
  type KafkaSettings,
} from './kafka-channel.ts'
import { logChannelLimits } from './log-bounds.ts'
import { natsServers, NATS_BROKER_CLASS, type NatsSettings } from './nats-channel.ts'
import { PUBSUB_BROKER_CLASS, type PubsubSettings } from './pubsub-channel.ts'
import { identityOf, isRecord, nameOf, type Identity, type Resource } from './resource.ts'
import { readDocuments } from './yaml.ts'

/** The channel of one Broker. */
export type BrokerChannel =
  /** It names none: that of the process, `--channel`. */
  | { readonly kind: 'default' }
  | Exclude<TemplateChannel, { readonly kind: 'NatsJetStreamChannel' | 'KafkaChannel' | 'PubsubChannel' }>
  | { readonly kind: 'NatsJetStreamChannel'; readonly nats: NatsSettings }
  | { readonly kind: 'KafkaChannel'; readonly kafka: KafkaSettings }
  | { readonly kind: 'PubsubChannel'; readonly pubsub: PubsubSettings }

/** The ConfigMaps that decide which channel it is, there or not, the one that it stands in first; none: it says so itself. */
export function channelConfigsOf(
  hub: Broker | ChannelResource,
  find: (identity: Identity) => Resource | undefined,
): readonly Identity[] {
  if (isBroker(hub)) {
    const own = configOf(hub)
    return own === undefined ? [defaultConfigOf(hub, find), BROKER_DEFAULTS] : [own]
  }
  return hub.kind === 'Channel' && hub.spec.channelTemplate === undefined ? [CHANNEL_DEFAULT] : []
}

/**
 * How a Broker or a channel has events delivered: a Broker that says nothing of it does what config-br-defaults says.
 * `find`: of the resources that are there.
 */
export function deliveryOf(
  hub: Broker | ChannelResource,
  find: (identity: Identity) => Resource | undefined,
): DeliverySpec | undefined {
  if (hub.spec.delivery !== undefined || !isBroker(hub)) return hub.spec.delivery
  return defaultsOf(hub, find).delivery
}

function defaultsOf(broker: Broker, find: (identity: Identity) => Resource | undefined): BrokerDefaults {
  const { namespace } = broker.metadata
  return brokerDefaults({ namespace, brokerClass: classOf(broker) }, find(BROKER_DEFAULTS))
}

/** Of a Broker that names none. */
function defaultConfigOf(broker: Broker, find: (identity: Identity) => Resource | undefined): Identity {
  const isOurs = classOf(broker) === BROKER_CLASS_DEFAULT || isOfKafka(broker)
  const byDefault = isOfKafka(broker) ? KAFKA_BROKER_CONFIG : BROKER_DEFAULT
  return (isOurs ? defaultsOf(broker, find).config : undefined) ?? byDefault
}

/** What a Broker asks for. `find`: of the resources that are there. */
export function brokerChannel(broker: Broker, find: (identity: Identity) => Resource | undefined): BrokerChannel {
  if (broker.metadata.annotations[BROKER_CLASS] === NATS_BROKER_CLASS) {
    return served({ kind: 'NatsJetStreamChannel', stream: {} }, 'broker', find)
  }
  if (broker.metadata.annotations[BROKER_CLASS] === PUBSUB_BROKER_CLASS) {
    return served({ kind: 'PubsubChannel' }, 'broker', find)
  }
  const own = configOf(broker)
  const config = own ?? defaultConfigOf(broker, find)
  if (isOfKafka(broker)) {
    const kafka = kafkaBroker(config, broker.metadata.annotations[EXTERNAL_TOPIC], find)
    return 'why' in kafka ? none(kafka.why) : { kind: 'KafkaChannel', kafka }
  }
  const title = nameOf(config)
  const where = own === undefined ? nameOf(BROKER_DEFAULTS) : 'spec.config'
  if (config.group !== '' || config.kind !== 'ConfigMap') {
    return none(`${where} names ${title}. A channel stands in a ConfigMap of v1, under ${TEMPLATE_KEY}.`)
  }
  const configMap = find(config)
  if (configMap === undefined) {
    if (isKnatives(config)) return { kind: 'default' }
    return none(`${title}, which ${where} names, does not exist. Add it, or take ${where} out.`)
  }
  const found = templateIn(configMap)
  if (found === undefined) return none(`${title}, which ${where} names, has no ${TEMPLATE_KEY}. ${KNOWN_CHANNELS}`)
  return served(channelIn(found.text, title), 'channel', find)
}

function isOfKafka(broker: Broker): boolean {
  return classOf(broker) === KAFKA_BROKER_CLASS
}

/** What a channel that is a resource of its own is made of. `find`: as of {@link brokerChannel}. */
export function ownChannel(
  channel: ChannelResource,
  find: (identity: Identity) => Resource | undefined,
): BrokerChannel {
  if (channel.kind === 'InMemoryChannel') return { kind: 'InMemoryChannel' }
  if (channel.kind === 'LogChannel') return { kind: 'LogChannel', limits: logChannelLimits({ ...channel.spec }) }
  const { channelTemplate } = channel.spec
  if (channelTemplate !== undefined) {
    return served(channelOf({ ...channelTemplate }, nameOf(identityOf(channel))), 'channel', find)
  }
  const data = find(CHANNEL_DEFAULT)?.['data']
  const text = isRecord(data) ? data[CHANNEL_DEFAULT_KEY] : undefined
  const template = typeof text === 'string' ? defaultTemplate(text, channel.metadata.namespace) : undefined
  if (template === undefined) return { kind: 'default' }
  return served(channelOf(template, nameOf(CHANNEL_DEFAULT)), 'channel', find)
}

/** With the server that it is at, where it is at one. */
function served(
  channel: TemplateChannel,
  names: NatsSettings['names'],
  find: (identity: Identity) => Resource | undefined,
): BrokerChannel {
  if (channel.kind === 'KafkaChannel') {
    const server = kafkaChannelServer(find)
    return 'why' in server
      ? none(server.why)
      : { kind: 'KafkaChannel', kafka: { ...server, names: 'channel', topic: channel.topic } }
  }
  if (channel.kind === 'PubsubChannel') return { kind: channel.kind, pubsub: { names } }
  if (channel.kind !== 'NatsJetStreamChannel') return channel
  const servers = natsServers(find)
  if ('why' in servers) return none(servers.why)
  const { kind, ...settings } = channel
  return { kind, nats: { ...settings, servers, names } }
}

/** That of the namespace, else that of all (KNATIVE.md 1.2). */
function defaultTemplate(text: string, namespace: string): Record<string, unknown> | undefined {
  const defaults = [...readDocuments(text)][0]?.value
  if (!isRecord(defaults)) return undefined
  const { namespaceDefaults, clusterDefault } = defaults
  const ofNamespace = isRecord(namespaceDefaults) ? namespaceDefaults[namespace] : undefined
  const template = ofNamespace ?? clusterDefault
  return isRecord(template) ? template : undefined
}

/** Knative's own ConfigMaps, of what names no other. */
const BROKER_DEFAULT = knativeConfigMap('config-br-default-channel')
const CHANNEL_DEFAULT = knativeConfigMap('default-ch-webhook')
const CHANNEL_DEFAULT_KEY = 'default-ch-config'

function knativeConfigMap(name: string): Identity {
  return { group: '', kind: 'ConfigMap', namespace: 'knative-eventing', name }
}

function none(why: string): BrokerChannel {
  return { kind: 'none', why }
}
