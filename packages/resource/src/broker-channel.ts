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
import { BROKER_CLASS, configOf, isBroker, isKnatives, type Broker } from './kinds/broker.ts'
import type { ChannelResource } from './kinds/channel.ts'
import { logChannelLimits } from './log-bounds.ts'
import { natsServers, NATS_BROKER_CLASS, type NatsSettings } from './nats-channel.ts'
import { identityOf, isRecord, nameOf, type Identity, type Resource } from './resource.ts'
import { readDocuments } from './yaml.ts'

/** The channel of one Broker. */
export type BrokerChannel =
  /** It names none: that of the process, `--channel`. */
  | { readonly kind: 'default' }
  | Exclude<TemplateChannel, { readonly kind: 'NatsJetStreamChannel' }>
  | { readonly kind: 'NatsJetStreamChannel'; readonly nats: NatsSettings }

/** The ConfigMap that decides which channel it is, there or not; `undefined`: it says so itself. */
export function channelConfigOf(hub: Broker | ChannelResource): Identity | undefined {
  if (isBroker(hub)) return configOf(hub) ?? BROKER_DEFAULT
  return hub.kind === 'Channel' && hub.spec.channelTemplate === undefined ? CHANNEL_DEFAULT : undefined
}

/** What a Broker asks for. `find`: of the resources that are there. */
export function brokerChannel(broker: Broker, find: (identity: Identity) => Resource | undefined): BrokerChannel {
  if (broker.metadata.annotations[BROKER_CLASS] === NATS_BROKER_CLASS) {
    return served({ kind: 'NatsJetStreamChannel', stream: {} }, 'broker', find)
  }
  const config = configOf(broker) ?? BROKER_DEFAULT
  const title = nameOf(config)
  if (config.group !== '' || config.kind !== 'ConfigMap') {
    return none(`spec.config names ${title}. A channel stands in a ConfigMap of v1, under ${TEMPLATE_KEY}.`)
  }
  const configMap = find(config)
  if (configMap === undefined) {
    if (isKnatives(config)) return { kind: 'default' }
    return none(`${title}, which spec.config names, does not exist. Add it, or take spec.config out.`)
  }
  const found = templateIn(configMap)
  if (found === undefined) return none(`${title}, which spec.config names, has no ${TEMPLATE_KEY}. ${KNOWN_CHANNELS}`)
  return served(channelIn(found.text, title), 'channel', find)
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
