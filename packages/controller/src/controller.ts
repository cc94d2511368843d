// Turns resources into running brokers and triggers, and writes into their status what runs.
//
// From: an apply of files (cli/src/up.ts). The routing table that the ingress reads is built whole and swapped in
// one tick: an event sees the old configuration or the new one, never half of it.

import { setImmediate } from 'node:timers/promises'
import { memoryBox, openBroker, type Broker, type Observer, type TriggerConfig } from '@sluice/broker'
import type { ChannelState } from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import type { Deliverer } from '@sluice/delivery'
import { SluiceError } from '@sluice/event'
import {
  isBroker,
  isTrigger,
  keyOf,
  resolveDestination,
  resourceKey,
  resourceStore,
  type ApplyOptions,
  type Broker as BrokerResource,
  type Declared,
  type Destination,
  type Identity,
  type Problem,
  type Resolved,
  type Resource,
  type ResourceStore,
  type Status,
  type Trigger,
} from '@sluice/resource'
import { DRIVERS } from './drivers.ts'
import { brokerStatus, summary, triggerStatus, whyFull } from './status.ts'
import { effectiveDelivery, samePlan, triggerConfig, type TriggerPlan } from './trigger.ts'

/** What every broker that it opens is given. */
export interface ControllerOptions {
  clock: Clock
  deliverer: Deliverer
  observer: Observer
  /** Most bytes that an in-memory channel holds. */
  memoryBytes: number
  /** Most bytes of a broker's dead-letter box; a trigger may have a quarter of them. Default 64 MiB. */
  boxBytes?: number
  /** Hops that an event may take through brokers. Default 255. */
  hopsMax?: number
  /** Uniform in [0, 1). Default Math.random. */
  random?: () => number
}

/** Runs what is declared. One of its kind in a process. */
export interface Controller {
  /** Read it through {@link get} and {@link list}, which bring the statuses up to now. */
  readonly store: ResourceStore
  /** The broker that takes events at this path now. */
  broker(namespace: string, name: string): Broker | undefined
  /** Those that take events now. */
  brokers(): Iterable<Broker>
  /** Whether its channel works; where not, why. */
  channelState(broker: Broker): ChannelState
  /**
   * Makes `declared` all that the files say. Resolves once every broker takes events and every trigger is subscribed,
   * or says in its conditions why not; with problems, and nothing changed, where something immutable changed. Applies
   * are made in turn.
   */
  apply(declared: readonly Declared[], options: ApplyFiles): Promise<readonly Problem[]>
  /** The resource with its status as of now. */
  get(identity: Identity): Resource | undefined
  /** All of a kind, with their statuses as of now. */
  list(of: { group: string; kind: string }): Resource[]
  /** A line for each broker and trigger: where it is or goes, and if it isn't ready, why. */
  summary(): string[]
  /** Drains and closes every broker. */
  close(options: { deadlineMs: number }): Promise<void>
}

/** Of {@link Controller.apply}. */
export interface ApplyFiles extends Pick<ApplyOptions, 'locate'> {
  /** Where brokers are reached: their addresses are `{base}/{namespace}/{name}`. */
  base: string
}

/** A controller with nothing to run yet. */
export function openController(options: ControllerOptions): Controller {
  return new RunningController(options)
}

const BROKERS = { group: 'eventing.knative.dev', kind: 'Broker' }
const TRIGGERS = { group: 'eventing.knative.dev', kind: 'Trigger' }
const BOX_BYTES = 64 * 1024 * 1024
/** For a broker that was taken out of the files: what is under way may finish. */
const REMOVED_DEADLINE_MS = 10_000

interface RunningBroker {
  readonly broker: Broker
  state: ChannelState
}

interface RunningTrigger {
  readonly plan: TriggerPlan
  readonly broker: Broker
  readonly config: TriggerConfig
}

/** Statuses written before others on the event loop have their turn. */
const STATUSES_AT_ONCE = 500

class RunningController implements Controller {
  readonly store: ResourceStore
  readonly #options: ControllerOptions
  #base = ''
  /** By `namespace/name`. Never changed, only replaced. */
  #routes: ReadonlyMap<string, RunningBroker> = new Map()
  /** What each declared trigger comes to, by resource key. */
  #plans = new Map<string, TriggerPlan>()
  /** Those that are subscribed, by resource key. */
  readonly #running = new Map<string, RunningTrigger>()
  /** Brokers that were removed, and finish what is under way. */
  readonly #closing = new Set<Promise<void>>()
  #lastApply: Promise<unknown> = Promise.resolve()

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

  apply(declared: readonly Declared[], options: ApplyFiles): Promise<readonly Problem[]> {
    const turn = this.#lastApply.then(() => this.#apply(declared, options))
    this.#lastApply = turn.catch(() => {})
    return turn
  }

  async #apply(declared: readonly Declared[], { base, ...options }: ApplyFiles): Promise<readonly Problem[]> {
    const { problems } = this.store.apply(declared, { source: 'files', ...options })
    if (problems !== undefined) return problems
    this.#base = base
    const removed = this.#withdrawRemoved()
    const routes = await this.#openBrokers()
    this.#plans = this.#planTriggers()
    await Promise.all([...this.#setTriggers(routes), ...this.#removeTriggers(routes)]) // begun in one tick
    this.#routes = routes // a new broker takes events once its triggers are subscribed
    for (const broker of removed) this.#closeRemoved(broker)
    await this.#writeStatuses()
    return []
  }

  /** In the tick of the commit: a removed broker takes no event any more. */
  #withdrawRemoved(): Broker[] {
    const declared = new Set(this.store.list(BROKERS).map(pathOf))
    const stays = new Map<string, RunningBroker>()
    const removed: Broker[] = []
    for (const [path, running] of this.#routes) {
      if (declared.has(path)) stays.set(path, running)
      else removed.push(running.broker)
    }
    this.#routes = stays
    return removed
  }

  /** The brokers that are declared: those that run, and new ones, which take no events yet. */
  async #openBrokers(): Promise<Map<string, RunningBroker>> {
    const routes = new Map<string, RunningBroker>()
    for (const { metadata } of this.store.list(BROKERS)) {
      const path = `${metadata.namespace}/${metadata.name}`
      routes.set(path, this.#routes.get(path) ?? (await this.#openBroker(metadata.namespace, metadata.name)))
    }
    return routes
  }

  async #openBroker(namespace: string, name: string): Promise<RunningBroker> {
    const { memoryBytes, boxBytes = BOX_BYTES, ...options } = this.#options
    const channel = await DRIVERS.memory({ clock: options.clock, memoryBytes })
    const box = memoryBox({ clock: options.clock, bytesMax: boxBytes })
    const running: RunningBroker = {
      broker: openBroker({ ...options, namespace, name, channel, box }),
      state: { state: 'ready' },
    }
    channel.onState((state) => {
      running.state = state
    })
    return running
  }

  #planTriggers(): Map<string, TriggerPlan> {
    const plans = new Map<string, TriggerPlan>()
    for (const trigger of this.store.list(TRIGGERS).filter(isTrigger)) plans.set(keyOf(trigger), this.#plan(trigger))
    return plans
  }

  /** Everything about a trigger that its resource, its broker's and those it points at decide. */
  #plan(trigger: Trigger): TriggerPlan {
    const { namespace } = trigger.metadata
    const broker = this.#brokerOf(trigger)
    const { policy, deadLetterSink } = effectiveDelivery(trigger.spec.delivery, broker?.spec?.delivery)
    return {
      trigger,
      policy,
      subscriber: this.#resolve(trigger.spec.subscriber, namespace, 'subscriber'),
      deadLetterSink: deadLetterSink && this.#resolve(deadLetterSink, namespace, 'deadLetterSink'),
    }
  }

  #setTriggers(routes: ReadonlyMap<string, RunningBroker>): Promise<void>[] {
    const set: Promise<void>[] = []
    for (const [key, plan] of this.#plans) {
      const { namespace } = plan.trigger.metadata
      const broker = routes.get(`${namespace}/${plan.trigger.spec.broker}`)?.broker
      const running = this.#running.get(key)
      if (broker === undefined || (running !== undefined && samePlan(running.plan, plan))) continue
      const config = triggerConfig(plan, running?.config)
      if (config !== undefined) set.push(this.#setTrigger(key, plan, broker, config))
    }
    return set
  }

  async #setTrigger(key: string, plan: TriggerPlan, broker: Broker, config: TriggerConfig): Promise<void> {
    try {
      await broker.setTrigger(config)
      this.#running.set(key, { plan, broker, config })
    } catch (error) {
      // A start or an order that this channel can't do: the trigger says so, and the others run.
      if (!(error instanceof SluiceError)) throw error
      this.#plans.set(key, { ...plan, refused: error.message })
    }
  }

  #removeTriggers(routes: ReadonlyMap<string, RunningBroker>): Promise<void>[] {
    const removed: Promise<void>[] = []
    for (const [key, { plan, broker }] of this.#running) {
      const stays = this.#plans.has(key) && routes.get(`${broker.namespace}/${broker.name}`)?.broker === broker
      if (stays) continue
      this.#running.delete(key)
      removed.push(broker.removeTrigger(plan.trigger.metadata.uid))
    }
    return removed
  }

  #closeRemoved(broker: Broker): void {
    const closing = broker
      .close({ deadlineMs: REMOVED_DEADLINE_MS })
      .catch((error: unknown) => process.emitWarning(error as Error)) // it is gone for everybody else
      .finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }

  #resolve(destination: Destination, namespace: string, role: 'subscriber' | 'deadLetterSink'): Resolved {
    return resolveDestination(destination, (identity) => this.#addressed(identity), { namespace, role })
  }

  /** A resource as destinations see it: a broker's address is known before its status is written. */
  #addressed(identity: Identity): Resource | undefined {
    const resource = this.store.get(resourceKey(identity))
    if (resource === undefined || !isBroker(resource)) return resource
    const status = { ...resource.status, address: { url: this.#url(resource) } } as Status
    return { ...resource, status }
  }

  #url({ metadata }: BrokerResource): string {
    return `${this.#base}/${metadata.namespace}/${metadata.name}`
  }

  get(identity: Identity): Resource | undefined {
    const key = resourceKey(identity)
    const resource = this.store.get(key)
    if (resource === undefined) return undefined
    const broker = isTrigger(resource) ? this.#brokerOf(resource) : undefined
    if (broker !== undefined) this.#writeStatus(broker)
    this.#writeStatus(resource)
    return this.store.get(key)
  }

  /** All of a kind, with their statuses as of now. */
  list(of: { group: string; kind: string }): Resource[] {
    if (of.kind === TRIGGERS.kind && of.group === TRIGGERS.group) this.#writeBrokerStatuses()
    for (const resource of this.store.list(of)) this.#writeStatus(resource)
    return this.store.list(of)
  }

  /** Brokers first: a trigger says what its broker does. */
  async #writeStatuses(): Promise<void> {
    this.#writeBrokerStatuses()
    let written = 0
    for (const trigger of this.store.list(TRIGGERS)) {
      this.#writeStatus(trigger)
      if (++written % STATUSES_AT_ONCE === 0) await setImmediate()
    }
  }

  #writeBrokerStatuses(): void {
    for (const broker of this.store.list(BROKERS)) this.#writeStatus(broker)
  }

  #writeStatus(resource: Resource): void {
    if (isBroker(resource)) this.#writeBrokerStatus(resource)
    else if (isTrigger(resource)) this.#writeTriggerStatus(resource)
  }

  #writeBrokerStatus(resource: BrokerResource): void {
    const { namespace } = resource.metadata
    const running = this.#routes.get(pathOf(resource))
    const sink = resource.spec.delivery?.deadLetterSink
    const resolved = sink && this.#resolve(sink, namespace, 'deadLetterSink')
    this.store.setStatus(
      keyOf(resource),
      brokerStatus(resource, this.#url(resource), running?.state, resolved, running && whyFull(running.broker)),
    )
  }

  #writeTriggerStatus(resource: Trigger): void {
    const key = keyOf(resource)
    const plan = this.#plans.get(key)
    if (plan === undefined) return
    const running = this.#running.get(key)?.broker.status(resource.metadata.uid)
    const lookup = (identity: Identity): Resource | undefined => this.store.get(resourceKey(identity))
    this.store.setStatus(key, triggerStatus(plan, this.#brokerOf(plan.trigger), running, lookup))
  }

  #brokerOf({ metadata, spec }: Trigger): BrokerResource | undefined {
    const { namespace } = metadata
    const resource = this.store.get(resourceKey({ ...BROKERS, namespace, name: spec.broker }))
    return resource !== undefined && isBroker(resource) ? resource : undefined
  }

  summary(): string[] {
    return summary(this.list(BROKERS), this.list(TRIGGERS))
  }

  async close(options: { deadlineMs: number }): Promise<void> {
    await this.#lastApply
    await Promise.all([...this.#closing, ...Array.from(this.brokers(), (broker) => broker.close(options))])
  }
}

/** `namespace/name`, as in the path of a broker. */
function pathOf({ metadata }: Resource): string {
  return `${metadata.namespace}/${metadata.name}`
}
