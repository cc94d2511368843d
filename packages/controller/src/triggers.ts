// The triggers of one running broker: what it was asked to run, what came of that, and what has to be asked again.
//
// From: broker.ts, with what is declared. Next: broker/src/broker.ts, which makes the changes of one trigger in turn.

import type { Broker, Observer, TriggerConfig, TriggerStatus } from '@sluice/broker'
import type { Position } from '@sluice/channel'
import { triggerSettings } from '@sluice/resource'
import { inWords, mayWorkLater, TRIED_AGAIN } from './retry.ts'
import type { Tombstones } from './tombstones.ts'
import { samePlan, triggerConfig, type TriggerPlan } from './trigger.ts'

interface Asked {
  readonly plan: TriggerPlan
  readonly config: TriggerConfig
}

interface DeclaredTrigger {
  readonly id: string
  /** `undefined`: it is to be removed. */
  plan: TriggerPlan | undefined
  /** What the broker runs, or is on its way to; `undefined`: nothing yet, or its removal is. */
  asked: Asked | undefined
  /** What it runs, as far as it has answered. */
  runs: Asked | undefined
  /** Its removal was asked for and is not made. */
  isLeaving: boolean
  /** It ran in a process that is gone, and the channel has its progress; it has not run here yet. */
  isLeft: boolean
  /** The removal of one that {@link isLeft}, while it is under way. */
  removal: Promise<void> | undefined
  /** The removal of one that runs, while it is under way. */
  leaving: Promise<void> | undefined
  /** Changes that it was asked for, and the last of them that is answered. */
  turn: number
  answered: number
  /** Why it didn't do the last. */
  refusal: Refusal | undefined
  /** On how many events its filter has failed. */
  readonly filterErrors: { count: number }
}

interface Refusal {
  readonly error: unknown
  readonly isRetried: boolean
}

/** Those of one broker, known by their uids. */
export class Triggers {
  readonly #broker: Broker
  readonly #observer: Observer
  readonly #tombstones: Tombstones | undefined
  readonly #all = new Map<string, DeclaredTrigger>()
  /** Ids of those that ran in a process that is gone, until the first {@link set}. */
  readonly #left: Set<string>

  /** `tombstones`: where those stood that were removed; `undefined`: nobody keeps that. */
  constructor(broker: Broker, observer: Observer, tombstones: Tombstones | undefined) {
    this.#tombstones = tombstones
    this.#broker = broker
    this.#observer = observer
    const { channel } = broker
    // Where processes share a channel, another one may have declared what this one has not.
    this.#left = new Set(channel.capabilities.shared ? [] : channel.subscriptions())
  }

  /**
   * Makes these all there are. All changes begin in this tick; what didn't change is not touched. What ran in a process
   * that is gone and is declared no more is removed. Resolves once each is made or refused; never rejects.
   */
  set(plans: readonly TriggerPlan[]): Promise<unknown> {
    const declared = new Set(plans.map(({ trigger }) => trigger.metadata.uid))
    const changes = plans.map((plan) => this.#set(plan))
    for (const id of this.#left) this.#find(id)
    for (const trigger of this.#all.values()) if (!declared.has(trigger.id)) changes.push(this.#unset(trigger))
    return Promise.all(changes)
  }

  /** Adds, changes and removes these; all others stay as they are. As {@link set}. */
  change(plans: readonly TriggerPlan[], removed: readonly string[]): Promise<unknown> {
    const changes = plans.map((plan) => this.#set(plan))
    for (const id of removed) {
      const trigger = this.#all.get(id)
      if (trigger !== undefined) changes.push(this.#unset(trigger))
    }
    return Promise.all(changes)
  }

  async #set(plan: TriggerPlan): Promise<void> {
    const trigger = this.#find(plan.trigger.metadata.uid)
    trigger.plan = plan
    if (trigger.asked === undefined || !samePlan(trigger.asked.plan, plan)) await this.#ask(trigger, plan)
    else if (!isUnderWay(trigger)) trigger.refusal = undefined // a change that was refused was taken back
  }

  async #unset(trigger: DeclaredTrigger): Promise<void> {
    const isGone = trigger.plan === undefined && trigger.turn > 0 && !isRefused(trigger)
    if (isGone) return
    trigger.plan = undefined
    await this.#change(trigger, undefined)
  }

  /** Asks again for what was refused, for now or for good. As {@link set}. */
  askAgain(): Promise<unknown> {
    return this.#again(() => true)
  }

  /** Asks again for what was refused for now. As {@link set}. */
  retry(): Promise<unknown> {
    return this.#again(({ isRetried }) => isRetried)
  }

  #again(chosen: (refusal: Refusal) => boolean): Promise<unknown> {
    const changes: Promise<void>[] = []
    for (const trigger of this.#all.values()) {
      if (!isRefused(trigger) || !chosen(trigger.refusal!)) continue
      changes.push(trigger.plan ? this.#ask(trigger, trigger.plan) : this.#change(trigger, undefined))
    }
    return Promise.all(changes)
  }

  /** Whether anything was refused. */
  get hasRefused(): boolean {
    for (const trigger of this.#all.values()) if (isRefused(trigger)) return true
    return false
  }

  /** Why something was refused for now, the first of it: then {@link retry} is due. */
  get waitsFor(): unknown {
    for (const { refusal } of this.#all.values()) if (refusal?.isRetried) return refusal.error
    return undefined
  }

  /** Whether each is subscribed, or was refused for good. */
  get isComplete(): boolean {
    for (const trigger of this.#all.values()) {
      if (trigger.plan !== undefined && (isUnderWay(trigger) || trigger.refusal?.isRetried)) return false
    }
    return true
  }

  /** `undefined` while it is not subscribed. */
  status(id: string): TriggerStatus | undefined {
    return this.#all.get(id)?.asked && this.#broker.status(id)
  }

  /** Why it doesn't run as it was declared, in words. */
  refusal(id: string): string | undefined {
    const refusal = this.#all.get(id)?.refusal
    return refusal && inWords(refusal.error) + (refusal.isRetried ? TRIED_AGAIN : '')
  }

  #find(id: string): DeclaredTrigger {
    let trigger = this.#all.get(id)
    if (trigger === undefined) {
      trigger = {
        id,
        plan: undefined,
        asked: undefined,
        runs: undefined,
        isLeaving: false,
        isLeft: this.#left.delete(id),
        removal: undefined,
        leaving: undefined,
        turn: 0,
        answered: 0,
        refusal: undefined,
        filterErrors: { count: 0 },
      }
      this.#all.set(id, trigger)
    }
    return trigger
  }

  async #ask(trigger: DeclaredTrigger, plan: TriggerPlan): Promise<void> {
    const config = triggerConfig(plan, trigger.asked?.config, trigger.isLeft, trigger.filterErrors)
    if (config !== undefined) return this.#change(trigger, { plan, config })
    // It waits for an address, and the channel for nothing but to be rid of one that was here before.
    if (trigger.isLeaving && !isUnderWay(trigger)) await this.#change(trigger, undefined)
    else if (!trigger.isLeaving) trigger.refusal = undefined
  }

  /** Changes of one trigger are made in the order in which they were asked for; the last answer counts. */
  async #change(trigger: DeclaredTrigger, asked: Asked | undefined): Promise<void> {
    const turn = ++trigger.turn
    trigger.asked = asked
    if (asked === undefined) {
      trigger.isLeaving = true
      trigger.runs = undefined // at once: where the removal is refused, it stands still
    }
    let refusal: Refusal | undefined
    try {
      if (asked === undefined) await this.#remove(trigger)
      else {
        if (trigger.removal !== undefined) await trigger.removal
        const comesBack = triggerSettings(asked.plan.trigger).from === 'resume'
        if (comesBack && trigger.leaving !== undefined) await trigger.leaving // until it is known where it stood
        await this.#broker.setTrigger(comesBack ? this.#resumed(asked.config) : asked.config) // after a refused removal
        trigger.isLeft = false
        this.#tombstones?.forget(trigger.id)
      }
      if (turn === trigger.turn || !trigger.isLeaving) trigger.runs = asked
    } catch (error) {
      // A removal can't be wrong: it is tried until it works, or what is left behind would come back as a ghost.
      refusal = { error, isRetried: asked === undefined || mayWorkLater(error) }
    }
    if (turn !== trigger.turn) return
    trigger.answered = turn
    trigger.refusal = refusal
    trigger.asked = trigger.runs
    if (refusal === undefined) trigger.isLeaving = false
    if (refusal === undefined && trigger.plan === undefined) this.#all.delete(trigger.id)
  }

  /** From where it stood when it was removed, if that is known. */
  #resumed(config: TriggerConfig): TriggerConfig {
    const position = this.#tombstones?.of(config.id)
    return position === undefined ? config : { ...config, start: { after: position } }
  }

  /** Once this has resolved, it is known where it stood. A disk that does not take it down holds no removal up. */
  async #forgetting(id: string, place: Position | undefined): Promise<void> {
    if (place === undefined || this.#tombstones === undefined) return
    await this.#tombstones.keep(id, place).catch((error: unknown) => process.emitWarning(error as Error))
  }

  #remove(trigger: DeclaredTrigger): Promise<void> {
    if (!trigger.isLeft) {
      const removed = this.#broker.removeTrigger(trigger.id, (place) => this.#forgetting(trigger.id, place))
      const leaving = removed
        .catch(() => {})
        .then(() => {
          if (trigger.leaving === leaving) trigger.leaving = undefined
        })
      trigger.leaving = leaving
      return removed
    }
    trigger.removal ??= this.#removeLeft(trigger).finally(() => (trigger.removal = undefined))
    return trigger.removal
  }

  /** Nobody runs it: only its channel knows it, and by its id alone. */
  async #removeLeft(trigger: DeclaredTrigger): Promise<void> {
    await this.#broker.removeTrigger(trigger.id) // after an opening of it that is under way
    if (!trigger.isLeft) return
    const { id } = trigger
    const { channel } = this.#broker
    await this.#forgetting(id, channel.place?.(id))
    const { discarded } = await channel.remove(id)
    trigger.isLeft = false
    this.#observer.discarded(
      { id, namespace: this.#broker.namespace, name: id, broker: this.#broker },
      discarded,
      'deleted',
    )
  }
}

function isUnderWay({ turn, answered }: DeclaredTrigger): boolean {
  return turn !== answered
}

/** Whether the last change was refused, and nobody has asked again. */
function isRefused(trigger: DeclaredTrigger): boolean {
  return trigger.refusal !== undefined && !isUnderWay(trigger)
}
