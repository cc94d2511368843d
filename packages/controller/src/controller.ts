// Turns resources into running brokers and triggers, and writes into their status what runs.
//
// From: an apply of files (cli/src/up.ts). Next: brokers.ts makes what runs equal to what is declared. All changes of
// an apply begin in the tick of its commit: an event sees the old configuration or the new one, never half of it.

import { setImmediate } from 'node:timers/promises'
import type { Broker, BrokerName } from '@sluice/broker'
import { within, type ChannelState } from '@sluice/channel'
import { SluiceError } from '@sluice/event'
import {
  isBroker,
  isTrigger,
  keyOf,
  resourceKey,
  resourceStore,
  type ApplyOptions,
  type Broker as BrokerResource,
  type Declared,
  type Identity,
  type Problem,
  type Resource,
  type ResourceStore,
  type Trigger,
} from '@sluice/resource'
import { Addresses, brokerPathOf, BROKERS, pathOf, TRIGGERS } from './addresses.ts'
import type { ControllerOptions } from './broker.ts'
import { Brokers, type Declaration } from './brokers.ts'
import { channelChanges, channelSettings } from './channels.ts'
import type { ChannelKind } from './drivers.ts'
import { Losses } from './losses.ts'
import { brokerStatus, summary, triggerStatus, whyFull } from './status.ts'
import { planTrigger, type TriggerPlan } from './trigger.ts'

/** Runs what is declared. One of its kind in a process. */
export interface Controller {
  /** Read it through {@link get} and {@link list}, which bring the statuses up to now. */
  readonly store: ResourceStore
  /** The broker that takes events at this path now. */
  broker(namespace: string, name: string): Broker | undefined
  /**
   * Why a broker that is declared takes no events now: `SLUICE_CHANNEL_UNAVAILABLE`, 503, with the time until it is
   * tried again. `undefined` where none is declared, and where it takes them.
   */
  unavailable(namespace: string, name: string): SluiceError | undefined
  /** Those that take events now. */
  brokers(): Iterable<Broker>
  /** Those that are declared and take no events now, as {@link unavailable} says. */
  waiting(): Iterable<BrokerName>
  /** Whether its channel works; where not, why. */
  channelState(broker: Broker): ChannelState
  /**
   * Makes `declared` all that the files say. Resolves once every broker takes events and every trigger is subscribed,
   * or says in its conditions why not: what can't be done now is tried again by itself, and what takes longer than 10 s
   * goes on by itself. With problems, and nothing changed, where something immutable changed. Applies are made in turn.
   * Rejects with `SLUICE_DRAINING`, and changes nothing, once {@link close} was called.
   */
  apply(declared: readonly Declared[], options: ApplyFiles): Promise<readonly Problem[]>
  /** The resource with its status as of now. */
  get(identity: Identity): Resource | undefined
  /** All of a kind, with their statuses as of now. */
  list(of: { group: string; kind: string }): Resource[]
  /** A line for each broker and trigger: where it is or goes, and if it isn't ready, why. */
  summary(): string[]
  /** Drains and closes every broker, as its `close`. Removed ones that need longer than `deadlineMs` are left. */
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

/** So long an apply waits for channels, before the next may have its turn. */
const APPLY_MS_MAX = 10_000
/** Statuses written before others on the event loop have their turn. */
const STATUSES_AT_ONCE = 500

class RunningController implements Controller {
  readonly store: ResourceStore
  readonly #options: ControllerOptions
  readonly #addresses: Addresses
  readonly #brokers: Brokers
  readonly #losses: Losses
  /** What each declared trigger comes to, by resource key. */
  #plans = new Map<string, TriggerPlan>()
  #lastApply: Promise<unknown> = Promise.resolve()
  #isApplying = false
  #isSwept = false
  #isClosed = false

  constructor(options: ControllerOptions) {
    this.#options = options
    this.store = resourceStore({ clock: options.clock })
    this.#addresses = new Addresses(this.store)
    this.#losses = new Losses(options.clock)
    const observer = this.#losses.noting(options.observer)
    this.#brokers = new Brokers({ ...options, observer }, (path) => void this.#brokerChanged(path))
  }

  broker(namespace: string, name: string): Broker | undefined {
    return this.#brokers.get(`${namespace}/${name}`)?.broker
  }

  unavailable(namespace: string, name: string): SluiceError | undefined {
    return this.#brokers.get(`${namespace}/${name}`)?.unavailable()
  }

  brokers(): Iterable<Broker> {
    return this.#brokers.running()
  }

  waiting(): Iterable<BrokerName> {
    return this.#brokers.waiting()
  }

  channelState(broker: Broker): ChannelState {
    return this.#brokers.channelState(broker)
  }

  // --- An apply ---

  apply(declared: readonly Declared[], options: ApplyFiles): Promise<readonly Problem[]> {
    const turn = this.#lastApply.then(() => this.#apply(declared, options))
    this.#lastApply = turn.catch(() => {})
    return turn
  }

  async #apply(declared: readonly Declared[], { base, ...options }: ApplyFiles): Promise<readonly Problem[]> {
    if (this.#isClosed) throw draining()
    const byDefault = this.#channelByDefault
    const open = (path: string): ChannelKind | undefined => this.#brokers.get(path)?.openKind
    const changes = channelChanges(declared, open, { byDefault, ...options })
    if (changes.length > 0) return changes
    const { problems } = this.store.apply(declared, { source: 'files', ...options })
    if (problems !== undefined) return problems
    this.#addresses.base = base
    this.#isApplying = true
    try {
      await within(this.#options.clock, APPLY_MS_MAX, this.#run()) // begins everything in the tick of the commit
    } finally {
      this.#isApplying = false
    }
    await this.#discardUndeclared()
    await this.#writeStatuses()
    return []
  }

  /** Once: data of Brokers that were taken out of the files while no process ran. Later ones go as they are removed. */
  async #discardUndeclared(): Promise<void> {
    const { data, storage } = this.#options
    if (data === undefined || !data.isOpen || this.#isSwept) return
    this.#isSwept = true
    const uids = new Set(this.store.list(BROKERS).map(({ metadata }) => metadata.uid))
    for (const discarded of await data.discardOthers(uids)) storage?.discarded?.(discarded)
  }

  /** Makes what runs equal to what is declared. */
  #run(): Promise<unknown> {
    const plans = new Map<string, TriggerPlan>()
    const ofBroker = new Map<string, TriggerPlan[]>()
    for (const trigger of this.store.list(TRIGGERS).filter(isTrigger)) {
      const plan = planTrigger(trigger, this.#addresses)
      const path = brokerPathOf(trigger)
      plans.set(keyOf(trigger), plan)
      const beside = ofBroker.get(path)
      if (beside === undefined) ofBroker.set(path, [plan])
      else beside.push(plan)
    }
    this.#plans = plans
    this.#losses.keep(new Set(Array.from(plans.values(), ({ trigger }) => trigger.metadata.uid)))
    const find = (identity: Identity): Resource | undefined => this.#addresses.find(identity)
    const declared = new Map<string, Declaration>()
    for (const broker of this.store.list(BROKERS).filter(isBroker)) {
      const channel = channelSettings(broker, find, this.#channelByDefault)
      declared.set(pathOf(broker), { identity: broker.metadata, channel })
    }
    return this.#brokers.set(declared, (path) => ofBroker.get(path) ?? [])
  }

  get #channelByDefault(): ChannelKind {
    return this.#options.channel ?? 'memory'
  }

  // --- Statuses ---

  get(identity: Identity): Resource | undefined {
    const key = resourceKey(identity)
    const resource = this.store.get(key)
    if (resource === undefined) return undefined
    const broker = isTrigger(resource) ? this.#addresses.brokerOf(resource) : undefined
    if (broker !== undefined) this.#writeStatus(broker)
    this.#writeStatus(resource)
    return this.store.get(key)
  }

  list(of: { group: string; kind: string }): Resource[] {
    if (of.kind === TRIGGERS.kind && of.group === TRIGGERS.group) this.#writeBrokerStatuses()
    for (const resource of this.store.list(of)) this.#writeStatus(resource)
    return this.store.list(of)
  }

  summary(): string[] {
    return summary(this.list(BROKERS), this.list(TRIGGERS))
  }

  /** Between applies: it has opened, its channel is gone or back, or more is known of why it can't open. */
  async #brokerChanged(path: string): Promise<void> {
    if (this.#isApplying) return // which writes them all
    await this.#writeStatuses(path)
  }

  /** Of everything, or of one broker and its triggers. Brokers first: a trigger says what its broker does. */
  async #writeStatuses(path?: string): Promise<void> {
    this.#writeBrokerStatuses(path)
    let written = 0
    for (const trigger of this.store.list(TRIGGERS).filter(isTrigger)) {
      if (path !== undefined && brokerPathOf(trigger) !== path) continue
      this.#writeTriggerStatus(trigger)
      if (++written % STATUSES_AT_ONCE === 0) await setImmediate()
    }
  }

  #writeBrokerStatuses(path?: string): void {
    for (const broker of this.store.list(BROKERS)) {
      if (path === undefined || pathOf(broker) === path) this.#writeStatus(broker)
    }
  }

  #writeStatus(resource: Resource): void {
    if (isBroker(resource)) this.#writeBrokerStatus(resource)
    else if (isTrigger(resource)) this.#writeTriggerStatus(resource)
  }

  #writeBrokerStatus(resource: BrokerResource): void {
    const declared = this.#brokers.get(pathOf(resource))
    const sink = resource.spec.delivery?.deadLetterSink
    const resolved = sink && this.#addresses.resolve(sink, resource.metadata.namespace, 'deadLetterSink')
    const full = declared?.broker && whyFull(declared.broker)
    const state = declared?.state ?? { state: 'opening' }
    const warnings = { full, damage: declared?.damage, otherChannel: declared?.otherChannel }
    const url = this.#addresses.urlOf(resource)
    this.store.setStatus(keyOf(resource), brokerStatus(resource, url, state, resolved, warnings))
  }

  #writeTriggerStatus(trigger: Trigger): void {
    const key = keyOf(trigger)
    const plan = this.#plans.get(key)
    if (plan === undefined) return
    const { uid } = trigger.metadata
    const triggers = this.#brokers.get(brokerPathOf(trigger))?.triggers
    const subscription = {
      running: triggers?.status(uid),
      refusal: triggers?.refusal(uid),
      lost: this.#losses.of(uid),
    }
    const lookup = (identity: Identity): Resource | undefined => this.#addresses.find(identity)
    this.store.setStatus(key, triggerStatus(plan, this.#addresses.brokerOf(trigger), subscription, lookup))
  }

  // --- The end ---

  async close(options: { deadlineMs: number }): Promise<void> {
    this.#isClosed = true
    await this.#brokers.close(options)
  }
}

function draining(): SluiceError {
  return new SluiceError('SLUICE_DRAINING', 'Sluice is shutting down and applies nothing any more.', { status: 503 })
}
