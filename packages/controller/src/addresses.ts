// Where resources are reached, and which belong together: read off the store, as it is now.

import {
  isBroker,
  resolveDestination,
  resourceKey,
  type Broker as BrokerResource,
  type Destination,
  type Identity,
  type Resolved,
  type Resource,
  type ResourceStore,
  type Status,
  type Trigger,
} from '@sluice/resource'

/** The kinds that run, as a store lists them. */
export const BROKERS = { group: 'eventing.knative.dev', kind: 'Broker' }
export const TRIGGERS = { group: 'eventing.knative.dev', kind: 'Trigger' }

/** Of the resources of one store. */
export class Addresses {
  /** Where brokers are reached: their addresses are `{base}/{namespace}/{name}`. */
  base = ''
  readonly #store: ResourceStore
  #noted: Set<string> | undefined

  constructor(store: ResourceStore) {
    this.#store = store
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

  /** The Broker that a Trigger names, where there is one. */
  brokerOf({ metadata, spec }: Trigger): BrokerResource | undefined {
    const resource = this.find({ ...BROKERS, namespace: metadata.namespace, name: spec.broker })
    return resource !== undefined && isBroker(resource) ? resource : undefined
  }

  urlOf(broker: BrokerResource): string {
    return `${this.base}/${pathOf(broker)}`
  }

  resolve(destination: Destination, namespace: string, role: 'subscriber' | 'deadLetterSink'): Resolved {
    return resolveDestination(destination, (identity) => this.#addressed(identity), { namespace, role })
  }

  /** A resource as destinations see it: a broker's address is known before its status is written. */
  #addressed(identity: Identity): Resource | undefined {
    const resource = this.find(identity)
    if (resource === undefined || !isBroker(resource)) return resource
    const status = { ...resource.status, address: { url: this.urlOf(resource) } } as Status
    return { ...resource, status }
  }
}

/** `namespace/name`, as in the path of a broker. */
export function pathOf({ metadata }: Resource): string {
  return `${metadata.namespace}/${metadata.name}`
}

/** The path of the broker that a trigger names, whether or not there is one. */
export function brokerPathOf({ metadata, spec }: Trigger): string {
  return `${metadata.namespace}/${spec.broker}`
}
