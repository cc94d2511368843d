// Which channel each Broker is to have: what its ConfigMap asks for, or that of the process. Pure.

import {
  brokerChannel,
  channelConfigOf,
  isBroker,
  keyOf,
  nameOf,
  identityOf,
  resourceKey,
  type ApplyOptions,
  type Broker,
  type Change,
  type Declared,
  type Identity,
  type LogChannelLimits,
  type Problem,
  type Resource,
} from '@sluice/resource'
import { pathOf } from './addresses.ts'
import type { ChannelKind } from './drivers.ts'

/** The channel that a Broker is to have. */
export type ChannelSettings =
  | { readonly kind: ChannelKind; readonly limits: LogChannelLimits }
  /** It asks for what it can't have. `why`: what is wrong, and what to do. */
  | { readonly kind: 'none'; readonly why: string }

/** `byDefault`: of a Broker that asks for none. */
export function channelSettings(
  broker: Broker,
  find: (identity: Identity) => Resource | undefined,
  byDefault: ChannelKind,
): ChannelSettings {
  const channel = brokerChannel(broker, find)
  switch (channel.kind) {
    case 'default':
      return { kind: byDefault, limits: {} }
    case 'LogChannel':
      return { kind: 'log', limits: channel.limits }
    case 'InMemoryChannel':
      return { kind: 'memory', limits: {} }
    case 'none':
      return channel
  }
}

/** Whether any Broker of these is to have a log. */
export function needsData(declared: readonly Declared[], byDefault: ChannelKind): boolean {
  const find = finder(declared)
  return brokersOf(declared).some(({ broker }) => channelSettings(broker, find, byDefault).kind === 'log')
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
  return brokersOf(declared).flatMap(({ broker, declared: written }) => {
    const before = open(pathOf(broker))
    const after = channelSettings(broker, find, byDefault).kind
    if (before === undefined || after === 'none' || before === after) return []
    const config = channelConfigOf(broker)
    const configMap = config && declared.find(({ resource }) => keyOf(resource) === resourceKey(config))
    const place = configMap ?? written
    const { file, line, column } = locate?.(place, []) ?? place.origin ?? { file: 'files', line: 0, column: 0 }
    return [
      {
        severity: 'error' as const,
        code: 'SLUICE_RESOURCE_IMMUTABLE',
        ...{ file, line, column },
        resource: nameOf(identityOf(broker)),
        message: `Its channel is ${CHANNELS[before]} and would be ${CHANNELS[after]}: what waits there would stay behind.`,
        hint: "A Broker's channel can't be changed: delete the Broker and create it again, or give the new one another name.",
      },
    ]
  })
}

/** Whether it has a part in which channel a Broker has. */
export function isOfChannels(resource: Resource): boolean {
  return isBroker(resource) || isConfigMap(resource)
}

function isConfigMap({ apiVersion, kind }: Resource): boolean {
  return apiVersion === 'v1' && kind === 'ConfigMap'
}

/** The Brokers that a commit changes, by themselves or by their ConfigMaps; removed ones too. `brokers`: all there are. */
export function brokersConcerned({ added, updated, removed }: Change, brokers: () => Resource[]): Broker[] {
  const written = updated.filter(({ before, after }) => before.status === after.status).map(({ after }) => after)
  const all = [...removed, ...added, ...written]
  const concerned = all.filter(isBroker)
  const configMaps = new Set(all.filter(isConfigMap).map(keyOf))
  if (configMaps.size === 0) return concerned
  const known = new Set(concerned.map(keyOf))
  const configured = brokers().filter((broker): broker is Broker => {
    const config = isBroker(broker) && !known.has(keyOf(broker)) ? channelConfigOf(broker) : undefined
    return config !== undefined && configMaps.has(resourceKey(config))
  })
  return [...concerned, ...configured]
}

const CHANNELS = { log: 'a log', memory: 'in memory' } as const

function brokersOf(declared: readonly Declared[]): { broker: Broker; declared: Declared }[] {
  return declared.flatMap((each) => (isBroker(each.resource) ? [{ broker: each.resource, declared: each }] : []))
}

function finder(declared: readonly Declared[]): (identity: Identity) => Resource | undefined {
  const byKey = new Map(declared.map(({ resource }) => [keyOf(resource), resource]))
  return (identity) => byKey.get(resourceKey(identity))
}
