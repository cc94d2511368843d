// The EventTypes that there are, by what they point to: a Broker or a channel, or a Trigger or Subscription whose subscriber
// answers with their events. For each, the tally of its events.
//
// From: event-types.ts, at each commit.

import {
  attributeValue,
  isEventType,
  resourceKey,
  SCHEMA_DATA,
  type EventType,
  type Identity,
  type ResourceStore,
} from '@sluice/resource'
import { hubIdentity, hubPath, HUBS, isAnyTrigger, type AnyTrigger } from '../addresses.ts'
import { HubTypes } from './hub-types.ts'
import { AUTO_CREATED } from './making.ts'
import type { SchemaRule } from './schemas.ts'
import { referenceOf } from './status.ts'
import type { Place, Tally } from './tallies.ts'

/** Where an EventType stands. */
export interface Listed {
  /** Resource key of what it points to. */
  readonly reference: string | undefined
  /** The Broker or channel that its events come in by, where that is known. */
  readonly hub: HubTypes | undefined
  readonly tally: Tally | undefined
  /** By a person, in whatever way. */
  readonly isDeclared: boolean
}

/** What is told to who keeps the rest. */
export interface CatalogueListener {
  /** The status of the EventType with this resource key says something else. */
  readonly changed: (key: string) => void
  /** A tally has its first EventType. */
  readonly listed: (hub: HubTypes, tally: Tally) => void
  /** One of its EventTypes is gone. */
  readonly unlisted: (hub: HubTypes) => void
}

export class Catalogue {
  readonly #store: ResourceStore
  readonly #listener: CatalogueListener
  readonly #hubs = new Map<string, HubTypes>()
  /** By resource key of the EventType. */
  readonly #listed = new Map<string, Listed>()
  /** By resource key of what they point to: keys of EventTypes. */
  readonly #pointing = new Map<string, Set<string>>()

  constructor(store: ResourceStore, listener: CatalogueListener) {
    this.#store = store
    this.#listener = listener
  }

  /** The Broker or channel at this path, declared or not. */
  hub(path: string): HubTypes {
    let hub = this.#hubs.get(path)
    if (hub === undefined) this.#hubs.set(path, (hub = new HubTypes(path)))
    return hub
  }

  /** That of a trigger, or of a Subscription. */
  hubOf(trigger: AnyTrigger): HubTypes {
    const { kind, namespace, name } = hubIdentity(trigger)
    return this.hub(hubPath(kind, namespace, name))
  }

  hubs(): Iterable<HubTypes> {
    return this.#hubs.values()
  }

  get(key: string): Listed | undefined {
    return this.#listed.get(key)
  }

  keys(): Iterable<string> {
    return this.#listed.keys()
  }

  /** Keys of the EventTypes that point to the resource with this key. */
  pointingTo(key: string): readonly string[] {
    return [...(this.#pointing.get(key) ?? [])]
  }

  /** The EventType with this key is new or another; or what it points to is. */
  set(key: string): void {
    const resource = this.#store.get(key)
    if (resource === undefined || !isEventType(resource)) return
    const identity = referenceOf(resource)
    const found = identity && this.#placeOf(identity)
    const next: Listed = {
      reference: identity && resourceKey(identity),
      hub: found?.hub,
      tally: found?.place.at(attributeValue(resource, 'type'), attributeValue(resource, 'source')),
      isDeclared: resource.metadata.labels[AUTO_CREATED] !== 'true',
    }
    const before = this.#listed.get(key)
    if (before === undefined || !isSame(before, next)) {
      this.remove(key, next.tally)
      this.#list(key, next)
    }
    found?.hub.schemas.set(key, schemaOf(resource))
    this.#listener.changed(key)
  }

  #list(key: string, listed: Listed): void {
    const { reference, hub, tally, isDeclared } = listed
    this.#listed.set(key, listed)
    if (reference !== undefined) {
      const pointing = this.#pointing.get(reference)
      if (pointing === undefined) this.#pointing.set(reference, new Set([key]))
      else pointing.add(key)
    }
    if (hub === undefined || tally === undefined) return
    if (isDeclared) tally.declared++
    if (isDeclared || !tally.isPending) hub.count++
    else tally.isPending = false // it was counted when it was met
    if (tally.eventTypes.size === 0) this.#listener.listed(hub, tally)
    tally.eventTypes.add(key)
  }

  /** It is there no more. `next`: the tally that it gets, which stays. */
  remove(key: string, next?: Tally): void {
    const known = this.#listed.get(key)
    if (known === undefined) return
    const { reference, hub, tally, isDeclared } = known
    this.#listed.delete(key)
    const pointing = reference === undefined ? undefined : this.#pointing.get(reference)
    pointing?.delete(key)
    if (pointing?.size === 0) this.#pointing.delete(reference!)
    if (hub === undefined || tally === undefined) return
    hub.schemas.set(key, undefined)
    hub.count--
    tally.eventTypes.delete(key)
    if (isDeclared) tally.declared--
    if (tally.eventTypes.size === 0 && !tally.isPending && tally !== next) tally.place.remove(tally)
    this.#listener.unlisted(hub)
  }

  #placeOf({ group, kind, namespace, name }: Identity): { hub: HubTypes; place: Place } | undefined {
    if (HUBS.some((each) => each.kind === kind && each.group === group)) {
      const hub = this.hub(hubPath(kind, namespace, name))
      return { hub, place: hub.types }
    }
    const trigger = this.#store.get(resourceKey({ group, kind, namespace, name }))
    if (trigger === undefined || !isAnyTrigger(trigger)) return undefined
    const hub = this.hubOf(trigger)
    return { hub, place: hub.replies(trigger.metadata.uid) }
  }
}

function isSame(one: Listed, other: Listed): boolean {
  return one.tally === other.tally && one.isDeclared === other.isDeclared && one.reference === other.reference
}

function schemaOf(eventType: EventType): SchemaRule | undefined {
  const { namespace, name, annotations } = eventType.metadata
  const text = annotations[SCHEMA_DATA]
  if (text === undefined) return undefined
  const [type, source, dataschema] = ['type', 'source', 'schemadata'].map((each) => attributeValue(eventType, each))
  return { eventType: `${namespace}/${name}`, type, source, dataschema, text }
}
