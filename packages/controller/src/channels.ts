// Which channel each Broker is to have, and what each channel is made of: what its ConfigMap or itself asks for, or that of
// the process. Pure.

import { isDeepStrictEqual } from 'node:util'
import {
  brokerChannel,
  channelConfigsOf,
  ingressSettings,
  isBroker,
  keyOf,
  nameOf,
  identityOf,
  ownChannel,
  resourceKey,
  type ApplyOptions,
  type Change,
  type Declared,
  type Identity,
  type LogChannelLimits,
  type KafkaSettings,
  type PubsubSettings,
  type NatsSettings,
  type Problem,
  type Resource,
  WHEN_FULL,
} from '@sluice/resource'
import { HUBS, isHub, pathOf, type GroupKind, type Hub } from './addresses.ts'
import type { ChannelKind } from './drivers.ts'

/** What happens as it fills up; it may change while it is open. */
export type WhenFull = 'reject' | 'deadLetter'

/** The channel that a Broker is to have, or that a channel is. */
export type ChannelSettings =
  | {
      readonly kind: ChannelKind
      readonly limits: LogChannelLimits
      readonly whenFull: WhenFull
      /** Of one at a NATS server. */
      readonly nats?: NatsSettings
      /** Of one at a Kafka server. */
      readonly kafka?: KafkaSettings
      /** Of one at Google Pub/Sub. */
      readonly pubsub?: PubsubSettings
    }
  /** It asks for what it can't have. `why`: what is wrong, and what to do. */
  | { readonly kind: 'none'; readonly why: string }

/** `byDefault`: of a Broker that asks for none. */
export function channelSettings(
  hub: Hub,
  find: (identity: Identity) => Resource | undefined,
  byDefault: ChannelKind,
): ChannelSettings {
  const channel = isBroker(hub) ? brokerChannel(hub, find) : ownChannel(hub, find)
  const annotated = hub.metadata.annotations[WHEN_FULL] as WhenFull | undefined // checked when it was applied
  switch (channel.kind) {
    case 'default':
      return { kind: byDefault, limits: {}, whenFull: annotated ?? 'reject' }
    case 'LogChannel': {
      const { whenFull = 'reject', ...limits } = channel.limits
      return { kind: 'log', limits, whenFull: annotated ?? whenFull }
    }
    case 'InMemoryChannel':
      return { kind: 'memory', limits: {}, whenFull: annotated ?? 'reject' }
    case 'NatsJetStreamChannel':
      return { kind: 'nats', limits: {}, whenFull: annotated ?? 'reject', nats: channel.nats }
    case 'KafkaChannel':
      return { kind: 'kafka', limits: {}, whenFull: annotated ?? 'reject', kafka: channel.kafka }
    case 'PubsubChannel':
      return { kind: 'pubsub', limits: {}, whenFull: annotated ?? 'reject', pubsub: channel.pubsub }
    case 'none':
      return channel
  }
}

/** Whether a channel that was opened as `before` is as `after` says, but for what may change while it is open. */
export function sameChannel(before: ChannelSettings, after: ChannelSettings): boolean {
  if (before.kind === 'none' || after.kind === 'none') return isDeepStrictEqual(before, after)
  const settingsOf = ({ kind, limits, nats, kafka, pubsub }: typeof before): unknown => [
    ...[kind, limits, nats, kafka, pubsub],
  ]
  return isDeepStrictEqual(settingsOf(before), settingsOf(after))
}

/** Whether any of these keeps something in the data directory: its log, or its dead letters. */
export function needsData(declared: readonly Declared[], byDefault: ChannelKind): boolean {
  const find = finder(declared)
  return hubsOf(declared).some(({ hub }) => HAS_DATA.includes(channelSettings(hub, find, byDefault).kind))
}

/**
 * A problem for each Broker whose channel would be of another kind than the one that it has, by its path in `open`: its
 * events would stay behind in that (spec 10: a Broker's config can't be changed).
 */
export function channelChanges(
  declared: readonly Declared[],
  open: (path: string) => ChannelKind | undefined,
  { byDefault, locate }: { byDefault: ChannelKind } & Pick<ApplyOptions, 'locate'>,
): Problem[] {
  const find = finder(declared)
  return hubsOf(declared).flatMap(({ hub, declared: written }) => {
    const before = open(pathOf(hub))
    const after = channelSettings(hub, find, byDefault).kind
    if (before === undefined || after === 'none' || before === after) return []
    const configs = channelConfigsOf(hub, find).map(resourceKey)
    const place = declared.find(({ resource }) => configs.includes(keyOf(resource))) ?? written
    const { file, line, column } = locate?.(place, []) ?? place.origin ?? { file: 'files', line: 0, column: 0 }
    return [
      {
        severity: 'error' as const,
        code: 'SLUICE_RESOURCE_IMMUTABLE',
        ...{ file, line, column },
        resource: nameOf(identityOf(hub)),
        message: `Its channel is ${CHANNELS[before]} and would be ${CHANNELS[after]}: what waits there would stay behind.`,
        hint: `That of a ${hub.kind} can't be changed: delete it and create it again, or give the new one another name.`,
      },
    ]
  })
}

/** Whether it has a part in which channel is open where: it is of {@link OF_CHANNELS}. */
export function isOfChannels(resource: Resource): boolean {
  return isHub(resource) || isConfigMap(resource)
}

export const OF_CHANNELS: readonly GroupKind[] = [...HUBS, { group: '', kind: 'ConfigMap' }]

function isConfigMap({ apiVersion, kind }: Resource): boolean {
  return apiVersion === 'v1' && kind === 'ConfigMap'
}

/** What a commit changes, by itself, by its ConfigMap or by the Secret of its tokens; removed ones too. `hubs`: all there are. */
export function hubsConcerned(
  { added, updated, removed }: Change,
  hubs: () => Resource[],
  find: (identity: Identity) => Resource | undefined,
): Hub[] {
  const written = updated.filter(({ before, after }) => before.status === after.status).map(({ after }) => after)
  const all = [...removed, ...added, ...written]
  const concerned = all.filter(isHub)
  const named = new Set(all.filter((each) => isConfigMap(each) || isSecret(each)).map(keyOf))
  if (named.size === 0) return concerned
  const known = new Set(concerned.map(keyOf))
  const naming = hubs().filter((hub): hub is Hub => {
    if (!isHub(hub) || known.has(keyOf(hub))) return false
    const { tokenSecret: name } = ingressSettings(hub)
    const secrets = name ? [{ ...SECRETS, namespace: hub.metadata.namespace, name }] : []
    return [...channelConfigsOf(hub, find), ...secrets].some((each) => named.has(resourceKey(each)))
  })
  return [...concerned, ...naming]
}

function isSecret({ apiVersion, kind }: Resource): boolean {
  return apiVersion === 'v1' && kind === SECRETS.kind
}

const SECRETS = { group: '', kind: 'Secret' }
const HAS_DATA: readonly string[] = ['log', 'nats', 'kafka', 'pubsub'] satisfies ChannelKind[]
const CHANNELS = {
  log: 'a log',
  memory: 'in memory',
  nats: 'at a NATS server',
  kafka: 'at a Kafka server',
  pubsub: 'at Google Pub/Sub',
} as const

function hubsOf(declared: readonly Declared[]): { hub: Hub; declared: Declared }[] {
  return declared.flatMap((each) => (isHub(each.resource) ? [{ hub: each.resource, declared: each }] : []))
}

/** Of what decides which channel it is: ConfigMaps. */
function finder(declared: readonly Declared[]): (identity: Identity) => Resource | undefined {
  const configMaps = declared.filter(({ resource }) => isConfigMap(resource))
  const byKey = new Map(configMaps.map(({ resource }) => [keyOf(resource), resource]))
  return (identity) => byKey.get(resourceKey(identity))
}
