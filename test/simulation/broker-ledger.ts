// What a simulated broker does with what its channel hands over: tried by whom, when and how often, and where it ended. The
// ledger of the channel (./ledger.ts) says what has to come until it is settled; this one, that it is settled only once
// it has ended: delivered, with its reply stored, in the dead-letter sink, or in the box, over all lives of the process.

import type { TriggerConfig, TriggerName } from '@sluice/broker'
import type { DeadLetter, Delivery } from '@sluice/channel'
import type { Outcome } from '@sluice/delivery'
import type { Event } from '@sluice/event'
import type { Ledger } from './ledger.ts'

export type Place = 'subscriber' | 'sink'

/** Where an event ended: in the sink, in the box, or at the subscriber, with a reply or without. */
type End = 'sink' | 'box' | { readonly reply: string | undefined }

/** What becomes of one event from its hand-over on. */
interface Tried {
  readonly attempt: number
  readonly handedAt: number
  /** Now, or before; or it was given up, when it might be. */
  wasTried: boolean
  isUnderWay: boolean
  readonly ends: End[]
}

/** A trigger from when it is declared until it is removed. */
export interface Trigger {
  readonly name: string
  /** Tells apart those that had the name one after the other. */
  readonly number: number
  config: TriggerConfig
  isPaused: boolean
  /** When that began. */
  pausedAt: number
  isGone: boolean
  readonly tried: Map<string, Tried>
}

/** Since it was last seen that the channel was about to fill up, in ms: what was given up then may still come to its end. */
const RELIEF_MS = 1000

export class BrokerLedger {
  /** The last one of each name. */
  readonly triggers: Map<string, Trigger> = new Map()
  /** `trigger event` of what the box said it has, and nobody has taken out. */
  readonly boxed: Set<string> = new Set()
  attempts = 0
  readonly ledger: Ledger
  /** Whether events may be given up untried: wanted, and the channel is about to fill up. */
  mayGiveUp: () => boolean = () => false
  /** When they last might. */
  #gaveUpAt = -Infinity
  readonly #names = new WeakMap<TriggerName, Trigger>()
  /** Events that subscribers have answered with. */
  readonly #replies = new Set<string>()
  /** Replies whose hops were used up: they are in the box. */
  readonly #loops = new Set<string>()
  #purging = 0

  constructor(ledger: Ledger) {
    this.ledger = ledger
  }

  /** The trigger that the broker means: the same object is the same one. */
  named(name: TriggerName): Trigger {
    let trigger = this.#names.get(name)
    if (trigger === undefined) this.#names.set(name, (trigger = this.triggers.get(name.id)!))
    return trigger
  }

  replied(id: string): void {
    this.#replies.add(id)
  }

  // --- What comes from the channel ---

  /** Returns who hears that it settles. */
  handed(id: string, { event, attempt }: Delivery): () => void {
    const all = this.triggers.get(id)?.tried
    const wasTried = attempt > 1 || all?.get(event.id)?.wasTried === true
    const handedAt = this.ledger.world.clock.monotonic()
    const tried: Tried = { attempt, handedAt, wasTried, isUnderWay: false, ends: [] }
    this.look()
    all?.set(event.id, tried)
    return () => {
      if (!this.#hasEnded(tried)) this.ledger.wrong(`${id} settles ${event.id}, which has not ended`)
    }
  }

  /** Whether it is where it may stay: and where that is at its subscriber, so is the answer. */
  #hasEnded({ ends }: Tried): boolean {
    return ends.some((end) => {
      if (end === 'sink' || end === 'box' || end.reply === undefined) return true
      return this.ledger.sent.get(end.reply)?.status === 'stored' || this.#loops.has(end.reply)
    })
  }

  // --- Attempts ---

  /** An attempt begins. */
  began(trigger: Trigger, event: Event, at: Place): void {
    this.attempts++
    const { id } = event
    const where = `${trigger.name} tries ${id} at its ${at}`
    if (trigger.isPaused) this.ledger.wrong(`${where} while it is paused`)
    if (trigger.isGone) this.ledger.wrong(`${where} after it was removed`)
    if (isRedriven(event)) return
    const tried = trigger.tried.get(id)
    if (tried === undefined) return this.ledger.wrong(`${where}, which it was not handed`)
    if (tried.isUnderWay) this.ledger.wrong(`${where} while it is tried`)
    if (this.#hasEnded(tried)) this.ledger.wrong(`${where} after it ended`)
    tried.isUnderWay = true
    if (at === 'sink') this.#checkTried(tried, where)
    tried.wasTried = true
  }

  /** The subscriber or the sink has answered. */
  answered(trigger: Trigger, event: Event, at: Place, { verdict, reply }: Outcome): void {
    if (verdict !== 'delivered' || this.#isFromBox(event)) return
    trigger.tried.get(event.id)?.ends.push(at === 'sink' ? 'sink' : { reply: reply?.id })
  }

  /** The broker says how the attempt ended. */
  attempted(trigger: Trigger, event: Event, at: Place, attempt: number): void {
    const tried = trigger.tried.get(event.id)
    if (isRedriven(event) || tried === undefined) return
    tried.isUnderWay = false
    if (at === 'sink' || attempt === tried.attempt) return
    this.ledger.wrong(`${trigger.name} made attempt ${attempt} of ${event.id}, and it is the ${tried.attempt}th`)
  }

  /** The broker says that the subscriber has it, and its reply is stored. */
  settled(trigger: Trigger, event: Event): void {
    if (isRedriven(event)) this.boxed.delete(`${trigger.name} ${event.id}`)
  }

  /** The broker says that the dead-letter sink or the box has it. */
  deadLettered(trigger: Trigger, event: Event, into: 'sink' | 'box', isLoop: boolean): void {
    const where = `${trigger.name} ${event.id}`
    const tried = isLoop ? undefined : trigger.tried.get(event.id)
    if (isLoop) this.#loops.add(event.id)
    if (into === 'box' && !this.#isFromBox(event)) tried?.ends.push('box')
    if (isRedriven(event)) return
    if (into === 'box' && this.#purging === 0) this.boxed.add(where)
    if (tried !== undefined) this.#checkTried(tried, `${where} goes to the ${into}`)
    if (tried?.wasTried === false) this.#checkPaused(trigger, `${where} goes to the ${into}`)
  }

  /** A trigger that is paused gives nothing up; what was about to be before may still be on its way. */
  #checkPaused({ isPaused, pausedAt, config }: Trigger, where: string): void {
    const { clock, trouble, savedAfterMs } = this.ledger.world
    const isLong = clock.monotonic() > Math.max(pausedAt, trouble.until) + config.route.policy.timeoutMs + savedAfterMs
    if (isPaused && isLong) this.ledger.wrong(`${where} while it is paused`)
  }

  #checkTried({ wasTried, handedAt }: Tried, where: string): void {
    this.look()
    if (!wasTried && this.#gaveUpAt < handedAt - RELIEF_MS) this.ledger.wrong(`${where} untried`)
  }

  /** It came out of the box to this trigger alone; a reply comes by the channel then, to all. */
  #isFromBox(event: Event): boolean {
    return isRedriven(event) && !this.#loops.has(event.id)
  }

  // --- Room ---

  /** Somebody looks whether there is room. */
  look(): void {
    if (this.mayGiveUp()) this.#gaveUpAt = this.ledger.world.clock.monotonic()
  }

  // --- The box ---

  /** A reply that was in the box is stored. */
  routed(id: string): void {
    for (const name of this.triggers.keys()) this.boxed.delete(`${name} ${id}`)
  }

  /** Whatever is in the box goes; what comes meanwhile may. */
  purge(): void {
    this.boxed.clear()
    this.#purging++
  }

  purged(): void {
    this.#purging--
  }

  /** All that is in the box, when it has been opened. */
  found(entries: readonly DeadLetter[]): void {
    const found = new Set<string>()
    for (const { triggerId, event, reason } of entries) {
      const isSent = this.ledger.sent.has(event.id) || this.#replies.has(event.id)
      if (!this.triggers.has(triggerId) || !isSent) this.ledger.wrong(`the box has ${event.id}, which nobody sent`)
      found.add(`${triggerId} ${event.id}`)
      if (reason === 'loop') this.#loops.add(event.id)
    }
    for (const each of this.boxed) if (!found.has(each)) this.ledger.wrong(`the box lacks ${each}`)
  }

  /** The process ended. */
  end(): void {
    this.#purging = 0
    this.#gaveUpAt = -Infinity
    for (const trigger of this.triggers.values()) {
      trigger.isPaused = false
      trigger.tried.clear()
    }
  }
}

/** It came out of the box: a dead letter, or a reply that is routed after all. */
function isRedriven(event: Event): boolean {
  return event.attribute('sluiceredrive') === true
}
