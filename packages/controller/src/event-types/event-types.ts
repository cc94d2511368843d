// The registry of EventTypes: which there are, what has come in of each, who takes it, and whether data keeps to its schema.
// What comes in of a type that nobody has declared makes an EventType (FL-22).
//
// From: the broker's Observer, for every event that is stored, and the store, for every commit. Next: catalogue.ts knows
// which EventTypes there are, counts.ts what has come in, making.ts makes more.

import { setImmediate } from 'node:timers/promises'
import type { BrokerName, BrokerOptions, Judgement, Observer, TriggerName } from '@sluice/broker'
import type { Clock } from '@sluice/clock'
import type { Event } from '@sluice/event'
import {
  API_SOURCE,
  isEventType,
  keyOf,
  resourceKey,
  type Change,
  type Resource,
  type ResourceStore,
  type ResourceWriter,
} from '@sluice/resource'
import { hubPath, HUBS, isAnyTrigger, isHub, pathOf, SUBSCRIPTIONS, TRIGGERS } from '../addresses.ts'
import type { DataDirectory } from '../data.ts'
import { isReadyAsBefore } from '../plans.ts'
import { Catalogue } from './catalogue.ts'
import { Consumers, type Taker } from './consumers.ts'
import { Counts } from './counts.ts'
import type { HubTypes } from './hub-types.ts'
import { Making } from './making.ts'
import type { SchemaMode } from './schemas.ts'
import { consumersStatus, eventTypeStatus, seenStatus } from './status.ts'
import type { Place, Tally } from './tallies.ts'

/** Where Knative's setting stands by which none are made from traffic. */
const FEATURES = resourceKey({ group: '', kind: 'ConfigMap', namespace: 'knative-eventing', name: 'config-features' })
/** The annotation of a Broker that says what becomes of data which doesn't keep to its schema. */
const SCHEMA = 'sluice.dev/schema'
/** Statuses written before others on the event loop have their turn. */
const AT_ONCE = 500

/** What the registry needs of the controller. */
export interface EventTypesContext {
  readonly store: ResourceStore
  readonly writer: ResourceWriter
  readonly clock: Clock
  readonly data: DataDirectory | undefined
  /** The triggers that are declared for the Broker or channel at this path. */
  readonly takers: (path: string) => Iterable<Taker>
  /** What the status of the Broker or channel at this path says of its EventTypes is another than before. */
  readonly hubChanged: (path: string) => void
  /** Not every type of its events gets an EventType any more, in words. */
  readonly limited: ((broker: BrokerName, why: string) => void) | undefined
}

export class EventTypes {
  readonly #context: EventTypesContext
  readonly #catalogue: Catalogue
  readonly #counts: Counts
  readonly #making: Making
  /** Those of brokers that have had events. */
  readonly #hubs = new WeakMap<BrokerName, HubTypes>()
  /** Keys of EventTypes whose status has to be written. */
  readonly #marked = new Set<string>()
  #flushing: Promise<void> | undefined
  #isOn = true
  #isSwept = false
  #isClosed = false

  constructor(context: EventTypesContext) {
    this.#context = context
    this.#catalogue = new Catalogue(context.store, {
      changed: (key) => this.#mark(key),
      listed: (hub, tally) => this.#counts.restore(hub, tally),
      unlisted: (hub) => this.#foundRoom(hub),
    })
    this.#counts = new Counts({ ...context, hubs: () => this.#catalogue.hubs(), write: (key) => this.#write(key) })
    this.#making = new Making({ ...context, isKept: () => context.data?.isOpen === true })
  }

  // --- Events ---

  /** `observer`, and what is stored is counted. */
  noting(observer: Observer): Observer {
    return {
      ...observer,
      accepted: (broker, event, trigger) => {
        if (trigger === undefined) this.#accepted(this.#hubOf(broker), event)
        else this.#replied(this.#hubOf(broker), event, trigger)
        observer.accepted(broker, event, trigger)
      },
      attempted: (trigger, event, outcome, at, attempt) => {
        // The reply of a Subscription that was taken elsewhere.
        if (at === 'reply' && outcome.verdict === 'delivered')
          this.#replied(this.#hubOf(trigger.broker), event, trigger)
        observer.attempted(trigger, event, outcome, at, attempt)
      },
    }
  }

  #accepted(hub: HubTypes, event: Event): void {
    const tally = hub.types.find(event.type, event.source) ?? this.#meet(hub, hub.types, event, keyOfHub(hub))
    this.#counts.add(hub, tally)
  }

  /** A reply is one of the Broker's own types where a person has declared it so, else one of the trigger's. */
  #replied(hub: HubTypes, event: Event, trigger: TriggerName): void {
    const { type, source } = event
    const declared = hub.types.find(type, source)
    const place = hub.replies(trigger.id)
    const tally = declared !== undefined && declared.declared > 0 ? declared : place.find(type, source)
    this.#counts.add(hub, tally ?? this.#meet(hub, place, event, keyOfTrigger(trigger)))
  }

  #hubOf(broker: BrokerName): HubTypes {
    let hub = this.#hubs.get(broker)
    if (hub === undefined) {
      hub = this.#catalogue.hub(hubPath(broker.kind, broker.namespace, broker.name))
      this.#hubs.set(broker, hub)
    }
    return hub
  }

  /** An event that no EventType describes: one is made, within the bounds. */
  #meet(hub: HubTypes, place: Place, event: Event, ownerKey: string): Tally | undefined {
    if (!this.#isOn || this.#isClosed || hub.uid === undefined) return undefined
    const { type, source, specversion } = event
    const why = hub.whyNoMore(place, type, source)
    if (why !== undefined) this.#limited(hub, why)
    const owner = why === undefined ? this.#context.store.get(ownerKey) : undefined
    if (owner === undefined) return undefined
    const tally = hub.met(place, type, source)
    this.#counts.restore(hub, tally)
    this.#making.make({ tally, owner, specversion, dataschema: event.text('dataschema') })
    return tally
  }

  #limited(hub: HubTypes, why: string): void {
    if (hub.limit !== undefined) return
    hub.limit = why
    this.#context.hubChanged(hub.path)
    this.#context.limited?.(hub, why)
  }

  #foundRoom(hub: HubTypes): void {
    if (hub.limit === undefined) return
    hub.limit = undefined // the next event of a new type says whether there is room for all
    this.#context.hubChanged(hub.path)
  }

  // --- Schemas ---

  /** Judges events and replies of a Broker before they are stored; it costs nothing where its schemas are off. */
  readonly judge = (broker: BrokerName): BrokerOptions['judge'] => {
    const hub = this.#catalogue.hub(hubPath(broker.kind, broker.namespace, broker.name))
    return (event): Judgement | undefined => {
      if (hub.mode === 'off') return undefined
      const fault = hub.schemas.judge(event)
      if (fault === undefined) return undefined
      const { pointer, problem } = fault
      const tally = hub.types.find(event.type, event.source)
      if (tally !== undefined) this.#counts.addViolation(tally, pointer === '' ? problem : `${pointer} ${problem}`)
      return { ...fault, isRefused: hub.mode === 'reject' }
    }
  }

  // --- Commits ---

  /** Takes a commit in, before brokers run by it. */
  committed({ added, updated, removed }: Change): void {
    for (const resource of removed) this.#removed(resource)
    for (const resource of added) this.#came(resource)
    for (const { before, after, specChanged } of updated) {
      if (specChanged || before.metadata.annotations !== after.metadata.annotations) this.#came(after)
      else if (isHub(after) && !isReadyAsBefore(before, after)) this.#markPointing(keyOf(after))
    }
  }

  #came(resource: Resource): void {
    const key = keyOf(resource)
    if (isEventType(resource)) this.#catalogue.set(key)
    else if (isHub(resource)) {
      const hub = this.#catalogue.hub(pathOf(resource))
      hub.mode = (resource.metadata.annotations[SCHEMA] ?? 'off') as SchemaMode
      if (hub.uid !== resource.metadata.uid) {
        hub.uid = resource.metadata.uid
        this.#counts.appeared(hub)
      }
    } else if (isAnyTrigger(resource)) {
      this.#catalogue.hubOf(resource).consumers = undefined
      for (const pointing of this.#catalogue.pointingTo(key)) this.#catalogue.set(pointing) // its Broker is known now
    } else if (key === FEATURES) this.#isOn = isAutoCreateOn(resource)
    this.#markPointing(key)
  }

  #removed(resource: Resource): void {
    const key = keyOf(resource)
    const pointing = this.#catalogue.pointingTo(key)
    if (isEventType(resource)) this.#catalogue.remove(key)
    else if (isHub(resource)) {
      const hub = this.#catalogue.hub(pathOf(resource))
      hub.removed()
      this.#counts.removed(hub)
    } else if (isAnyTrigger(resource)) {
      const hub = this.#catalogue.hubOf(resource)
      hub.consumers = undefined
      for (const each of pointing) this.#catalogue.set(each)
      hub.forgetReplies(resource.metadata.uid)
    } else if (key === FEATURES) this.#isOn = true
    this.#markPointing(key)
    for (const each of pointing) this.#removeOrphan(each)
  }

  /** Once: of owners that were taken away while no process ran. */
  sweep(): void {
    if (this.#isSwept) return
    this.#isSwept = true
    for (const key of this.#catalogue.keys()) this.#removeOrphan(key)
  }

  /** What traffic has made goes with its owner, as in Kubernetes by its ownerReferences. */
  #removeOrphan(key: string): void {
    const { store } = this.#context
    const resource = store.get(key)
    if (resource === undefined || store.source(key) !== API_SOURCE) return
    const owners = (resource.metadata.ownerReferences ?? []) as { uid?: unknown }[]
    const reference = this.#catalogue.get(key)?.reference
    const owner = reference === undefined ? undefined : store.get(reference)
    if (owners.length > 0 && owners.every(({ uid }) => uid !== owner?.metadata.uid)) this.#making.remove(resource)
  }

  // --- Statuses ---

  #mark(key: string): void {
    this.#marked.add(key)
    if (!this.#isClosed) void this.flush()
  }

  #markPointing(key: string): void {
    for (const pointing of this.#catalogue.pointingTo(key)) this.#mark(pointing)
  }

  /** Writes the statuses that have to be, in slices. */
  async flush(): Promise<void> {
    if (this.#marked.size > 0) this.#flushing ??= this.#flush()
    await this.#flushing
  }

  async #flush(): Promise<void> {
    await setImmediate() // what this turn still marks is among it
    for (let written = 1; this.#marked.size > 0 && !this.#isClosed; written++) {
      const [key] = this.#marked
      this.#write(key!)
      if (written % AT_ONCE === 0) await setImmediate()
    }
    this.#flushing = undefined
  }

  /** Writes those that have to be, now. */
  writeNow(): void {
    for (const key of [...this.#marked]) this.#write(key)
  }

  #write(key: string): void {
    this.#marked.delete(key)
    const { store } = this.#context
    const resource = store.get(key)
    if (resource === undefined || !isEventType(resource)) return
    const { reference, tally } = this.#catalogue.get(key) ?? {}
    store.setStatus(key, eventTypeStatus(resource, reference === undefined ? undefined : store.get(reference), tally))
  }

  /** An EventType with what has come in of it up to now, and who takes it; any other resource as it is. */
  shown(resource: Resource): Resource {
    if (!isEventType(resource) || resource.status === undefined) return resource
    const { tally, hub } = this.#catalogue.get(keyOf(resource)) ?? {}
    if (tally === undefined || hub === undefined) return resource
    hub.consumers ??= new Consumers(this.#context.takers(hub.path))
    const status = { ...resource.status, ...seenStatus(tally), ...consumersStatus(hub.consumers.of(tally)) }
    return { ...resource, status }
  }

  /** Why not every type of the Broker or channel at this path has an EventType, in words. */
  limitOf(path: string): string | undefined {
    const { limit } = this.#catalogue.hub(path)
    return (
      limit && `${limit} Other events are routed like all, and only counted (sluice_event_types_other_events_total).`
    )
  }

  /** How many EventTypes a Broker or channel has, and how many of its events none of them describes. */
  usage(broker: BrokerName): { readonly eventTypes: number; readonly others: number } {
    const { count, others } = this.#hubOf(broker)
    return { eventTypes: count, others }
  }

  // --- The end ---

  /** Resolves once an EventType is made for all that has come in, and statuses are written. */
  async settled(): Promise<void> {
    await this.#making.settled()
    await this.flush()
  }

  /** Resolves once what was counted is on the disk. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#making.close()
    await this.#counts.close()
  }
}

/** Off where the ConfigMap says anything but enabled, as in Knative; there its own says disabled. */
function isAutoCreateOn({ data }: Resource): boolean {
  const flag = (data as Record<string, string> | undefined)?.['eventtype-auto-create']
  return flag === undefined || flag.toLowerCase() === 'enabled'
}

function keyOfHub({ kind, namespace, name }: HubTypes): string {
  const { group } = HUBS.find((each) => each.kind === kind)!
  return resourceKey({ group, kind, namespace, name })
}

function keyOfTrigger({ broker, namespace, name }: TriggerName): string {
  return resourceKey({ ...(broker.kind === 'Broker' ? TRIGGERS : SUBSCRIPTIONS), namespace, name })
}
