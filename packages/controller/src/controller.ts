// Turns resources into running brokers and triggers, and writes into their status what runs.
//
// From: an apply of files (cli/src/up.ts). The routing table that the ingress reads is built whole and swapped in
// one tick: an event sees the old configuration or the new one, never half of it.

import { memoryBox, openBroker, type Broker, type Observer, type TriggerConfig } from '@sluice/broker'
import type { ChannelState } from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import type { Deliverer } from '@sluice/delivery'
import { SluiceError } from '@sluice/event'
import {
  conditions,
  identityOf,
  keyOf,
  kindOf,
  nameOf,
  readyCondition,
  resolveDestination,
  resourceStore,
  type Declared,
  type Destination,
  type Mark,
  type Resolved,
  type Resource,
  type ResourceStore,
  type Status,
} from '@sluice/resource'
import { DRIVERS } from './drivers.ts'
import {
  NO_DEAD_LETTER_SINK,
  TRUE,
  effectiveDelivery,
  resolvedMark,
  subscribedMark,
  triggerConfig,
  triggerMarks,
  type Delivery,
  type TriggerPlan,
} from './trigger.ts'

export interface ControllerOptions {
  clock: Clock
  deliverer: Deliverer
  observer: Observer
  /** Most bytes that an in-memory channel holds. */
  memoryBytes: number
  /** Hops that an event may take through brokers. */
  hopsMax: number
  /** Uniform in [0, 1). Default Math.random. */
  random?: () => number
  /** DNS suffix of Services that are in no file. Default `svc.cluster.local`. */
  clusterSuffix?: string
}

export interface Controller {
  readonly store: ResourceStore
  /** The broker that takes events at this path now. */
  broker(namespace: string, name: string): Broker | undefined
  brokers(): Iterable<Broker>
  channelState(broker: Broker): ChannelState
  /**
   * Makes `declared` the whole configuration of files. Resolves once every broker takes events and every trigger is
   * subscribed or says in its conditions why not. Rejects, having changed nothing, where something immutable changed.
   */
  apply(declared: readonly Declared[], options: { base: string }): Promise<void>
  /** The resource with its status as of now. */
  get(identity: { group: string; kind: string; namespace: string; name: string }): Resource | undefined
  list(group: string, kind: string): Resource[]
  /** One line for each broker and trigger: what it is, and if it isn't ready, why. */
  summary(): string[]
  /** Drains and closes every broker. */
  close(options: { deadlineMs: number }): Promise<void>
}

export function openController(options: ControllerOptions): Controller {
  return new RunningController(options)
}

const EVENTING = 'eventing.knative.dev'
const BOX_BYTES_MAX = 64 * 1024 * 1024
/** A trigger list longer than this is told in one line, beside those that are not ready. */
const SUMMARY_TRIGGERS_MAX = 20
/** For a broker that was taken out of the files: what is under way may finish. */
const REMOVED_DEADLINE_MS = 10_000

interface RunningBroker {
  readonly broker: Broker
  state: ChannelState
}

interface RunningTrigger {
  plan: TriggerPlan
  broker: Broker
  /** What the plan was made of: an equal one needs no work. */
  fingerprint: string
}

class RunningController implements Controller {
  readonly store: ResourceStore
  readonly #options: ControllerOptions
  #base = ''
  /** By `namespace/name`. Never changed, only replaced. */
  #routes: ReadonlyMap<string, RunningBroker> = new Map()
  /** By resource key. */
  readonly #triggers = new Map<string, RunningTrigger>()
  readonly #plans = new Map<string, TriggerPlan>()

  constructor(options: ControllerOptions) {
    this.#options = options
    this.store = resourceStore({ clock: options.clock })
  }

  broker(namespace: string, name: string): Broker | undefined {
    return this.#routes.get(`${namespace}/${name}`)?.broker
  }

  *brokers(): Generator<Broker> {
    for (const { broker } of this.#routes.values()) yield broker
  }

  channelState({ namespace, name }: Broker): ChannelState {
    return this.#routes.get(`${namespace}/${name}`)?.state ?? { state: 'degraded', reason: 'The broker is closed.' }
  }

  async apply(declared: readonly Declared[], { base }: { base: string }): Promise<void> {
    this.#base = base
    this.store.apply(declared, { source: 'files' })
    const before = this.#routes
    const routes = await this.#openBrokers(before)
    await this.#setTriggers(routes)
    this.#routes = routes
    await this.#removeTriggers()
    for (const [name, { broker }] of before) {
      if (routes.get(name)?.broker !== broker) void broker.close({ deadlineMs: REMOVED_DEADLINE_MS })
    }
    for (const resource of this.#all()) this.#writeStatus(resource)
  }

  /** The brokers that are declared: those that run, and new ones, which take no events yet. */
  async #openBrokers(running: ReadonlyMap<string, RunningBroker>): Promise<Map<string, RunningBroker>> {
    const routes = new Map<string, RunningBroker>()
    for (const { metadata } of this.store.list(EVENTING, 'Broker')) {
      const name = `${metadata.namespace}/${metadata.name}`
      routes.set(name, running.get(name) ?? (await this.#openBroker(metadata.namespace, metadata.name)))
    }
    return routes
  }

  async #openBroker(namespace: string, name: string): Promise<RunningBroker> {
    const { clock, deliverer, observer, memoryBytes, hopsMax, random } = this.#options
    const open = DRIVERS['memory'] as (typeof DRIVERS)[string]
    const channel = await open({ clock, memoryBytes })
    const box = memoryBox({ clock, bytesMax: BOX_BYTES_MAX })
    const broker = openBroker({
      namespace,
      name,
      channel,
      box,
      deliverer,
      observer,
      clock,
      hopsMax,
      ...(random && { random }),
    })
    const running: RunningBroker = { broker, state: { state: 'ready' } }
    channel.onState((state) => {
      running.state = state
    })
    return running
  }

  async #setTriggers(routes: ReadonlyMap<string, RunningBroker>): Promise<void> {
    this.#plans.clear()
    for (const resource of this.store.list(EVENTING, 'Trigger')) {
      const key = keyOf(resource)
      const { namespace } = resource.metadata
      const brokerName = String(resource.spec?.['broker'])
      const route = routes.get(`${namespace}/${brokerName}`)
      const brokerResource = this.store.get({ group: EVENTING, kind: 'Broker', namespace, name: brokerName })
      const plan = this.#plan(resource, brokerResource)
      this.#plans.set(key, plan)
      if (route === undefined || plan.config === undefined) continue
      await this.#setTrigger(key, plan, plan.config, route.broker, brokerResource as Resource)
    }
  }

  async #setTrigger(
    key: string,
    plan: TriggerPlan,
    config: TriggerConfig,
    broker: Broker,
    of: Resource,
  ): Promise<void> {
    const { subscriber, deadLetterSink } = config.route
    const versions = `${plan.resource.metadata.resourceVersion} ${of.metadata.resourceVersion}`
    const fingerprint = `${versions} ${subscriber.url} ${deadLetterSink?.url ?? ''}`
    const running = this.#triggers.get(key)
    if (running?.fingerprint === fingerprint && running.broker === broker) return
    try {
      await broker.setTrigger(config)
      this.#triggers.set(key, { plan, broker, fingerprint })
    } catch (error) {
      // A start or an order that this channel can't do: the trigger says so, the others run.
      if (!(error instanceof SluiceError)) throw error
      this.#plans.set(key, { ...plan, config: undefined, refused: error.message })
    }
  }

  /** Everything about a trigger that its resource, its broker's and those it points at decide. */
  #plan(resource: Resource, broker: Resource | undefined): TriggerPlan {
    const spec = resource.spec as { subscriber: Destination; delivery?: Delivery }
    const { namespace } = resource.metadata
    const { policy, deadLetterSink } = effectiveDelivery(spec.delivery, broker?.spec?.['delivery'] as Delivery)
    const subscriber = this.#resolve(spec.subscriber, namespace)
    const sink = deadLetterSink === undefined ? undefined : this.#resolve(deadLetterSink as Destination, namespace)
    const base = { resource, subscriber, deadLetterSink: sink, refused: undefined }
    const resolved = 'url' in subscriber && (sink === undefined || 'url' in sink)
    if (!resolved) return { ...base, config: undefined }
    return { ...base, config: triggerConfig(resource, subscriber.url, sink?.url, policy) }
  }

  #resolve(destination: Destination, namespace: string): Resolved {
    return resolveDestination(destination, (identity) => this.#addressed(identity), {
      namespace,
      ...(this.#options.clusterSuffix !== undefined && { clusterSuffix: this.#options.clusterSuffix }),
    })
  }

  /** A resource as destinations see it: a Broker's address is known before its status is written. */
  #addressed(identity: Parameters<ResourceStore['get']>[0]): Resource | undefined {
    const resource = this.store.get(identity)
    if (resource === undefined || identity.group !== EVENTING || identity.kind !== 'Broker') return resource
    const status = { ...resource.status, address: { url: this.#url(identity.namespace, identity.name) } } as Status
    return { ...resource, status }
  }

  #url(namespace: string, name: string): string {
    return `${this.#base}/${namespace}/${name}`
  }

  async #removeTriggers(): Promise<void> {
    for (const [key, { plan, broker }] of this.#triggers) {
      const stays = this.#plans.get(key)?.resource.metadata.uid === plan.resource.metadata.uid
      if (stays && this.#runs(broker)) continue
      this.#triggers.delete(key)
      await broker.removeTrigger(plan.resource.metadata.uid)
    }
  }

  #runs(broker: Broker): boolean {
    return this.broker(broker.namespace, broker.name) === broker
  }

  get(identity: Parameters<Controller['get']>[0]): Resource | undefined {
    const resource = this.store.get(identity)
    return resource && this.#current(resource)
  }

  list(group: string, kind: string): Resource[] {
    return this.store.list(group, kind).map((resource) => this.#current(resource))
  }

  /** The store's copy, after its status was brought up to date. */
  #current(resource: Resource): Resource {
    this.#writeStatus(resource)
    return this.store.get(identityOf(resource)) as Resource
  }

  *#all(): Generator<Resource> {
    yield* this.store.list(EVENTING, 'Broker')
    yield* this.store.list(EVENTING, 'Trigger')
  }

  #writeStatus(resource: Resource): void {
    if (resource.apiVersion !== `${EVENTING}/v1`) return
    if (resource.kind === 'Broker') this.#writeBrokerStatus(resource)
    else if (resource.kind === 'Trigger') this.#writeTriggerStatus(resource)
  }

  #writeBrokerStatus(resource: Resource): void {
    const { namespace, name } = resource.metadata
    const channel = this.#channelMark(namespace, name)
    const sink = (resource.spec?.['delivery'] as Delivery | undefined)?.deadLetterSink
    const resolved = sink === undefined ? undefined : this.#resolve(sink as Destination, namespace)
    const url = this.#url(namespace, name)
    this.#setStatus(
      resource,
      {
        IngressReady: channel,
        TriggerChannelReady: channel,
        FilterReady: channel,
        Addressable: TRUE,
        DeadLetterSinkResolved: resolved === undefined ? NO_DEAD_LETTER_SINK : resolvedMark(resolved),
        EventPoliciesReady: { status: 'True', reason: 'DefaultAuthorizationMode' },
      },
      { address: { name: new URL(url).protocol.slice(0, -1), url }, ...sinkStatus(resolved) },
    )
  }

  #channelMark(namespace: string, name: string): Mark {
    const state = this.#routes.get(`${namespace}/${name}`)?.state
    if (state === undefined)
      return { status: 'Unknown', reason: 'ChannelNotReady', message: 'The channel is not open yet.' }
    if (state.state === 'ready') return TRUE
    return { status: 'False', reason: 'ChannelNotReady', message: state.reason }
  }

  #writeTriggerStatus(resource: Resource): void {
    const plan = this.#plans.get(keyOf(resource))
    if (plan === undefined) return
    const running = this.#triggers.get(keyOf(resource))
    const subscribed: Mark =
      plan.refused === undefined
        ? subscribedMark(running?.broker.status(resource.metadata.uid))
        : { status: 'False', reason: 'NotSubscribed', message: plan.refused }
    this.#setStatus(resource, triggerMarks(plan, this.#brokerMark(resource), subscribed), {
      subscriberUri: 'url' in plan.subscriber ? plan.subscriber.url : '', // spec 16
      ...sinkStatus(plan.deadLetterSink),
    })
  }

  #brokerMark(trigger: Resource): Mark {
    const { namespace } = trigger.metadata
    const name = String(trigger.spec?.['broker'])
    const broker = this.store.get({ group: EVENTING, kind: 'Broker', namespace, name })
    if (broker === undefined) {
      return { status: 'False', reason: 'BrokerDoesNotExist', message: `Broker "${name}" does not exist` }
    }
    this.#writeBrokerStatus(broker)
    const ready = readyCondition(this.store.get(identityOf(broker))?.status?.conditions)
    if (ready?.status === 'True') return TRUE
    return {
      status: 'False',
      reason: ready?.reason ?? 'BrokerNotReady',
      message: ready?.message ?? 'The broker is not ready.',
    }
  }

  #setStatus(resource: Resource, marks: Record<string, Mark>, fields: Record<string, unknown>): void {
    const kind = kindOf(EVENTING, resource.kind)
    if (kind?.conditions === undefined) return
    this.store.setStatus(identityOf(resource), {
      observedGeneration: resource.metadata.generation,
      conditions: conditions(kind.conditions, marks),
      ...fields,
    })
  }

  summary(): string[] {
    const lines = this.list(EVENTING, 'Broker').map(
      (broker) => `${nameOf(identityOf(broker))}  ${addressOf(broker)}${whyNot(broker)}`,
    )
    const triggers = this.list(EVENTING, 'Trigger')
    const shown =
      triggers.length <= SUMMARY_TRIGGERS_MAX ? triggers : triggers.filter((trigger) => whyNot(trigger) !== '')
    for (const trigger of shown.slice(0, SUMMARY_TRIGGERS_MAX)) {
      lines.push(
        `${nameOf(identityOf(trigger))} → ${String(trigger.status?.['subscriberUri'] || 'nowhere')}${whyNot(trigger)}`,
      )
    }
    if (shown.length < triggers.length) lines.push(`${triggers.length} triggers, of which ${shown.length} not ready`)
    return lines
  }

  async close(options: { deadlineMs: number }): Promise<void> {
    await Promise.all([...this.brokers()].map((broker) => broker.close(options)))
  }
}

function sinkStatus(sink: Resolved | undefined): { deadLetterSinkUri?: string } {
  return sink !== undefined && 'url' in sink ? { deadLetterSinkUri: sink.url } : {}
}

function addressOf(resource: Resource): string {
  return (resource.status?.['address'] as { url: string } | undefined)?.url ?? ''
}

function whyNot(resource: Resource): string {
  const ready = readyCondition(resource.status?.conditions)
  return ready?.status === 'True' ? '' : `  NOT READY: ${ready?.reason ?? 'Unknown'}: ${ready?.message ?? ''}`
}
