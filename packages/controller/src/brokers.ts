// All Brokers and channels that are declared, and those that are not any more and finish what is under way.
//
// From: controller.ts, at an apply. Next: broker.ts runs each for itself: the trouble of one is not another's.

import type { Broker, BrokerName } from '@sluice/broker'
import { within, type ChannelState } from '@sluice/channel'
import { CHANNELS, hubPath, type Hub } from './addresses.ts'
import { DeclaredBroker } from './broker.ts'
import type { RunOptions } from './options.ts'
import { SluiceError } from '@sluice/event'
import type { ChannelSettings } from './channels.ts'
import type { BrokerIdentity } from './data.ts'
import { gateOf, type GateOptions } from './gate.ts'
import type { TriggerChanges } from './plans.ts'
import type { TriggerPlan } from './trigger.ts'

/** For a broker that was taken out of the files: what is under way may finish. */
const REMOVED_DEADLINE_MS = 10_000
const CLOSED: ChannelState = { state: 'degraded', reason: 'The broker is closed.' }

/** A Broker or a channel as it is declared. */
export interface Declaration {
  readonly identity: BrokerIdentity
  readonly channel: ChannelSettings
  readonly hub: Hub
}

/** What a commit changes of a Broker. */
export interface BrokerChange {
  /** Absent: it is as it was. */
  declared?: Declaration | 'removed'
  triggers: TriggerChanges
}

/** By their paths (addresses.ts). */
export class Brokers {
  readonly #options: RunOptions
  readonly #gates: GateOptions
  readonly #changed: (path: string) => void
  readonly #declared = new Map<string, DeclaredBroker>()
  /** Removed brokers, each until it is closed. */
  readonly #leaving = new Set<Promise<void>>()
  /** Of these, those whose data the next broker of their path can't have before. */
  readonly #occupied = new Map<string, Promise<void>>()

  /** `changed`: what the status of this broker says may be another than before. */
  constructor(options: Omit<RunOptions, 'secrets'>, gates: GateOptions, changed: (path: string) => void) {
    this.#options = { ...options, secrets: gates.secrets }
    this.#gates = gates
    this.#changed = changed
  }

  get(path: string): DeclaredBroker | undefined {
    return this.#declared.get(path)
  }

  /** Of channels of two kinds with one name the first has the address. */
  channel(namespace: string, name: string): DeclaredBroker | undefined {
    for (const { kind } of CHANNELS) {
      const declared = this.#declared.get(hubPath(kind, namespace, name))
      if (declared !== undefined) return declared
    }
    return undefined
  }

  /** The broker that takes events at this path. Throws why there is none. */
  taking(path: string): Broker {
    const declared = this.#declared.get(path)
    if (declared?.broker !== undefined) return declared.broker
    const [name, namespace, kind = 'Broker'] = path.split('/').toReversed()
    const message = `There is no ${kind} ${namespace}/${name}.`
    throw declared?.unavailable() ?? new SluiceError('SLUICE_BROKER_UNKNOWN', message, { status: 404 })
  }

  /** Forgets where removed triggers stood; returns of how many. */
  async prune(): Promise<number> {
    let cursors = 0
    for (const declared of this.#declared.values()) cursors += await declared.prune()
    return cursors
  }

  channelState(broker: Broker): ChannelState {
    const declared = this.#declared.get(hubPath(broker.kind, broker.namespace, broker.name))
    return (declared?.broker === broker ? declared.channelState : undefined) ?? CLOSED
  }

  /** Those that take events. */
  *running(): Generator<Broker> {
    for (const { broker } of this.#declared.values()) if (broker !== undefined) yield broker
  }

  /** Those that are declared and take none. */
  *waiting(): Generator<BrokerName> {
    for (const declared of this.#declared.values()) if (declared.broker === undefined) yield declared.name
  }

  /**
   * Takes a commit in. All changes begin in this tick: a removed broker is not found any more. `plansOf`: all triggers
   * of a broker that is new. Resolves once each is made, or has failed for the first time; never rejects.
   */
  change(changes: ReadonlyMap<string, BrokerChange>, plansOf: (path: string) => TriggerPlan[]): Promise<unknown> {
    const begun: Promise<unknown>[] = []
    for (const [path, { declared }] of changes) {
      const known = this.#declared.get(path)
      if (declared === 'removed' && known !== undefined) begun.push(this.#remove(path, known))
    }
    for (const [path, { declared, triggers }] of changes) {
      const known = this.#declared.get(path)
      const now = declared === 'removed' ? undefined : declared
      if (known !== undefined) {
        if (now !== undefined) known.gate = gateOf(now.hub, known.gate, this.#gates)
        begun.push(known.change(now?.channel, triggers))
      } else if (now !== undefined) begun.push(this.#add(path, now, plansOf(path)))
    }
    return Promise.all(begun)
  }

  /** Asks again for what channels have refused. As {@link change}. */
  askAgain(): Promise<unknown> {
    return Promise.all(Array.from(this.#declared.values(), (broker) => broker.askAgain()))
  }

  #add(path: string, { identity, channel, hub }: Declaration, plans: TriggerPlan[]): Promise<void> {
    const broker = new DeclaredBroker(identity, channel, this.#options, () => this.#changed(path))
    broker.gate = gateOf(hub, undefined, this.#gates)
    this.#declared.set(path, broker)
    return broker.open(plans, this.#occupied.get(path))
  }

  /**
   * Its triggers' backlogs are discarded. Resolves once it is closing; that goes on by itself. Where the data outlives it,
   * its subscriptions are not removed from that: it waits in the trash as it was.
   */
  #remove(path: string, broker: DeclaredBroker): Promise<unknown> {
    this.#declared.delete(path)
    const { clock } = this.#options
    const endMs = clock.monotonic() + REMOVED_DEADLINE_MS
    const close = (): Promise<void> => broker.delete({ deadlineMs: Math.max(0, endMs - clock.monotonic()) })
    const discarded = broker.holdsData ? undefined : within(clock, REMOVED_DEADLINE_MS, broker.removeTriggers())
    const closed = (discarded === undefined ? close() : discarded.then(close))
      .catch((error: unknown) => process.emitWarning(error as Error)) // it is gone for everybody else
      .finally(() => {
        this.#leaving.delete(closed)
        if (this.#occupied.get(path) === closed) this.#occupied.delete(path)
      })
    this.#leaving.add(closed)
    if (broker.holdsData) this.#occupied.set(path, closed)
    return discarded ?? Promise.resolve()
  }

  /** As {@link Broker.close}, of all; a removed one is left where it needs longer. Rejects where one of them does. */
  async close(options: { deadlineMs: number }): Promise<void> {
    const left = within(this.#options.clock, options.deadlineMs, Promise.all(this.#leaving))
    const closed = Array.from(this.#declared.values(), (broker) => broker.close(options))
    for (const each of await Promise.allSettled([left, ...closed])) if (each.status === 'rejected') throw each.reason
  }
}

/** What commits change of triggers, by the paths of their brokers. */
export function changesOf(triggers: ReadonlyMap<string, TriggerChanges>): Map<string, BrokerChange> {
  return new Map(Array.from(triggers, ([path, changes]) => [path, { triggers: changes }]))
}

/** What changes of this broker, to be written into. */
export function changeOf(changes: Map<string, BrokerChange>, path: string): BrokerChange {
  let change = changes.get(path)
  if (change === undefined) changes.set(path, (change = { triggers: { set: [], removed: [] } }))
  return change
}
