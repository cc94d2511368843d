// Where resources are reached, and which belong together: read off the store, as it is now.
//
// A hub is what takes events and hands them out: a Broker, or a channel of any kind. What takes them off it is a Trigger of
// a Broker, or a Subscription of a channel; both are called trigger where it makes no difference.

import { isIP } from 'node:net'
import { hostname } from 'node:os'
import {
  deliveryOf,
  groupOf,
  ingressSettings,
  isBroker,
  isChannel,
  isChannelKind,
  isSubscription,
  isTrigger,
  resolveDestination,
  resourceKey,
  type Broker,
  type ChannelResource,
  type DeliverySpec,
  type Destination,
  type Identity,
  type Resolved,
  type Resource,
  type ResourceStore,
  type Status,
  type Subscription,
  type Trigger,
} from '@sluice/resource'

/** A kind, as a store lists it. */
export interface GroupKind {
  readonly group: string
  readonly kind: string
}

/** The kinds that run. */
export const BROKERS = { group: 'eventing.knative.dev', kind: 'Broker' }
export const TRIGGERS = { group: 'eventing.knative.dev', kind: 'Trigger' }
export const SUBSCRIPTIONS = { group: 'messaging.knative.dev', kind: 'Subscription' }
/** Of two channels with one name the first has the address. */
export const CHANNELS: readonly GroupKind[] = [
  { group: 'messaging.knative.dev', kind: 'Channel' },
  { group: 'messaging.knative.dev', kind: 'InMemoryChannel' },
  { group: 'messaging.sluice.dev', kind: 'LogChannel' },
]
export const HUBS: readonly GroupKind[] = [BROKERS, ...CHANNELS]

/** Takes events and hands them out. */
export type Hub = Broker | ChannelResource
/** Takes them off a hub. */
export type AnyTrigger = Trigger | Subscription

/** Whether it takes events and hands them out. */
export function isHub(resource: Resource): resource is Hub {
  return isBroker(resource) || isChannel(resource)
}

/** Whether it takes events off a hub. */
export function isAnyTrigger(resource: Resource): resource is AnyTrigger {
  return isTrigger(resource) || isSubscription(resource)
}

/** Where a hub is reached (KNATIVE.md 1.0). */
export interface Addressable {
  readonly name: string
  readonly url: string
  readonly CACerts?: string
}

/** Of the resources of one store. */
export class Addresses {
  /** Where hubs are reached: `{base}/{namespace}/{name}`, and of channels `{base}/channels/{namespace}/{name}`. */
  base = ''
  /** Who vouches for that, in PEM, where it is for others to know. */
  caCerts: string | undefined
  readonly #store: ResourceStore
  #noted: Set<string> | undefined

  constructor(store: ResourceStore) {
    this.#store = store
  }

  /** The DNS name of where hubs are reached; where that is an address, that of this machine. */
  get host(): string {
    const host = URL.canParse(this.base) ? new URL(this.base).hostname : ''
    return host === '' || host.startsWith('[') || isIP(host) > 0 ? hostname().toLowerCase() : host
  }

  find(identity: Identity): Resource | undefined {
    return this.get(resourceKey(identity))
  }

  /** By resource key. */
  get(key: string): Resource | undefined {
    this.#noted?.add(key)
    return this.#store.get(key)
  }

  /** What `make` returns, and the keys of all that it looked for. */
  noting<T>(make: () => T): { value: T; keys: Set<string> } {
    const keys = new Set<string>()
    this.#noted = keys
    try {
      return { value: make(), keys }
    } finally {
      this.#noted = undefined
    }
  }

  /** The hub that a trigger names, where there is one. */
  hubOf(trigger: AnyTrigger): Hub | undefined {
    const resource = this.find(hubIdentity(trigger))
    return resource !== undefined && isHub(resource) ? resource : undefined
  }

  /** The hub that is known by this path, where there is one. */
  hubAt(path: string): Hub | undefined {
    const [name = '', namespace = '', kind = BROKERS.kind] = path.split('/').toReversed()
    const { group } = HUBS.find((each) => each.kind === kind) ?? BROKERS
    const resource = this.find({ group, kind, namespace, name })
    return resource !== undefined && isHub(resource) ? resource : undefined
  }

  /** The channel of another kind that has the address which this one would have. */
  addressTakenBy(hub: Hub): Hub | undefined {
    if (isBroker(hub)) return undefined
    const { namespace, name } = hub.metadata
    for (const each of CHANNELS) {
      if (each.kind === hub.kind) return undefined
      const other = this.find({ ...each, namespace, name })
      if (other !== undefined && isHub(other)) return other
    }
    return undefined
  }

  /** How it has events delivered, where its triggers don't say so. */
  deliveryOf(hub: Hub): DeliverySpec | undefined {
    return deliveryOf(hub, (identity) => this.find(identity))
  }

  /** All that there are. */
  hubs(): Resource[] {
    return HUBS.flatMap((kind) => this.#store.list(kind))
  }

  /** As it stands in its status (spec 21, 48, 61). */
  addressOf(hub: Hub): Addressable {
    const { namespace, name } = hub.metadata
    return {
      name: this.base.slice(0, this.base.indexOf(':')),
      url: `${this.base}/${isBroker(hub) ? '' : 'channels/'}${namespace}/${name}`,
      ...(this.caCerts !== undefined && { CACerts: this.caCerts }),
    }
  }

  /** The Secret with the tokens of the hub that a destination names, where that asks for one. */
  tokenSecretOf({ ref, uri = '' }: Destination, namespace: string): Identity | undefined {
    if (ref === undefined || uri !== '') return undefined
    const { apiVersion, kind, name, group = groupOf(apiVersion ?? '') } = ref
    const hub = this.find({ group, kind, namespace: ref.namespace ?? namespace, name })
    const secret = hub !== undefined && isHub(hub) ? ingressSettings(hub).tokenSecret : undefined
    if (secret === undefined) return undefined
    return { group: '', kind: 'Secret', namespace: hub!.metadata.namespace, name: secret }
  }

  resolve(destination: Destination, namespace: string, role: 'subscriber' | 'deadLetterSink'): Resolved {
    return resolveDestination(destination, (identity) => this.#addressed(identity), { namespace, role })
  }

  /** A resource as destinations see it: a hub's address is known before its status is written (spec 46, 47). */
  #addressed(identity: Identity): Resource | undefined {
    const resource = this.find(identity)
    if (resource === undefined || !isHub(resource)) return resource
    if (this.addressTakenBy(resource) !== undefined) return resource
    const status = { ...resource.status, address: this.addressOf(resource) } as unknown as Status
    return { ...resource, status }
  }
}

/** Of channels, whose kinds share their addresses: the paths that have this one's now, or have it no longer. */
export function pathsOfAddress({ kind, metadata: { namespace, name } }: Hub): string[] {
  if (kind === BROKERS.kind) return []
  return CHANNELS.map((each) => hubPath(each.kind, namespace, name))
}

/** Whether it is of a channel. */
export function isChannelPath(path: string): boolean {
  return path.split('/').length > 2
}

/** What a hub is known by: `namespace/name` of a Broker, `Kind/namespace/name` of a channel. */
export function pathOf({ kind, metadata: { namespace, name } }: Resource): string {
  return hubPath(kind, namespace, name)
}

/** As {@link pathOf}. */
export function hubPath(kind: string, namespace: string, name: string): string {
  return kind === BROKERS.kind ? `${namespace}/${name}` : `${kind}/${namespace}/${name}`
}

/** The path of the hub that a trigger names, whether or not there is one. */
export function hubPathOf(trigger: AnyTrigger): string {
  const { kind, namespace, name } = hubIdentity(trigger)
  return hubPath(kind, namespace, name)
}

/** The hub that a trigger names. */
export function hubIdentity(trigger: AnyTrigger): Identity {
  const { namespace } = trigger.metadata
  if (isTrigger(trigger)) return { ...BROKERS, namespace, name: trigger.spec.broker }
  const { apiVersion, kind, name } = trigger.spec.channel
  const group = groupOf(apiVersion)
  // One of another group that is called as a channel of ours is not that one.
  return { group, kind: isChannelKind(group, kind) ? kind : `${kind}.${group}`, namespace, name }
}
