// The ledger of a simulated broker: what was sent, what its triggers are owed, and what became of it, over all lives of
// the process. It knows nothing of how broker, log and box work, only what they promise: what was told to be stored
// ends, for each trigger that it matches, delivered, dead-lettered, in the box, or still waits.

import type { DeadLetter } from '@sluice/channel'
import type { Outcome } from '@sluice/delivery'
import { type Event } from '@sluice/event'

/** One event, from outside or a reply. */
export interface Sent {
  readonly id: string
  readonly type: string
  readonly key: string
  /** The order of those from outside; a reply is in no order. */
  readonly number: number | undefined
  /** `open`: nobody was told yet. `unknown`: the process ended before anybody was. */
  status: 'open' | 'stored' | 'refused' | 'unknown'
  /** A reply that somebody was sent, or that stands in the box: it is stored, whether that was told or not. */
  isSeen: boolean
}

/** Where an event ended: in the sink, in the box, or at the subscriber, with a reply or without. */
type End = 'sink' | 'box' | { readonly reply: Sent | undefined }

/** What a trigger is owed of one event. */
interface Owed {
  readonly sent: Sent
  /** It has to end; otherwise it may. */
  must: boolean
  /** `tried`: no more by this process, unless it is parked. */
  state: 'waiting' | 'under way' | 'tried' | 'parked' | 'ended'
  /** Since when. */
  at: number
  /** With `parked`: not before; `undefined` where that may be forgotten. */
  due: number | undefined
  /** Of the last one that was answered. */
  attempt: number
  /** Tries made, and when that was told to the channel. */
  readonly tries: { readonly made: number; readonly at: number }[]
  readonly ends: End[]
}

export interface Trigger {
  readonly name: string
  readonly types: string
  readonly order: 'none' | 'key'
  /** It is known to the channel for certain: whatever matches from then on is for it. */
  isCertain: boolean
  isPaused: boolean
  readonly owed: Map<string, Owed>
}

export class BrokerLedger {
  readonly sent: Map<string, Sent> = new Map()
  readonly triggers: Map<string, Trigger> = new Map()
  /** `trigger event` of what the box said it has, and nobody has taken out. */
  readonly boxed: Set<string> = new Set()
  /** What is wrong, the first of it. */
  problem = ''
  life = 0
  attempts = 0
  /** What was told to the channel so long ago is saved, where the disk works. */
  savedAfterMs = 400
  readonly #now: () => number
  readonly #faultyUntil: () => number
  readonly #said: (what: string) => void
  #purging = 0
  /** When each life ended. */
  readonly #ends: number[] = []

  constructor(now: () => number, faultyUntil: () => number, said: (what: string) => void) {
    this.#now = now
    this.#faultyUntil = faultyUntil
    this.#said = said
  }

  wrong(what: string): void {
    if (this.problem === '') this.#said(`!! ${what}`)
    this.problem ||= what
  }

  // --- Events come ---

  send(id: string, type: string, key: string, number?: number): Sent {
    const sent: Sent = { id, type, key, number, status: 'open', isSeen: false }
    this.sent.set(id, sent)
    for (const trigger of this.triggers.values()) {
      if (trigger.types.includes(type)) this.#owe(trigger, sent, trigger.isCertain)
    }
    return sent
  }

  #owe(trigger: Trigger, sent: Sent, must: boolean): Owed {
    const tries = [{ made: 0, at: -Infinity }]
    const owed: Owed = { sent, must, state: 'waiting', at: this.#now(), due: undefined, attempt: 0, tries, ends: [] }
    trigger.owed.set(sent.id, owed)
    return owed
  }

  /** The broker says that it is stored. */
  accepted(id: string): void {
    const sent = this.sent.get(id)
    if (sent === undefined) return this.wrong(`${id} was stored, which nobody sent`)
    sent.status = 'stored'
    for (const { name } of this.triggers.values()) this.boxed.delete(`${name} ${id}`) // a reply out of the box
  }

  /** Whoever sent it was told that it is not stored. */
  refused(sent: Sent): void {
    if (sent.status === 'open') sent.status = 'refused'
  }

  // --- They go ---

  /** An attempt begins, at the subscriber or the dead-letter sink. */
  began(trigger: Trigger, event: Event, at: 'subscriber' | 'sink'): void {
    this.attempts++
    const { id } = event
    const where = `${trigger.name} tries ${id} at its ${at}`
    const sent = this.sent.get(id)
    if (sent === undefined) return this.wrong(`${where}, which nobody sent`)
    if (!trigger.types.includes(event.type) || event.type !== sent.type) this.wrong(`${where}, which is not for it`)
    sent.isSeen = true
    if (trigger.isPaused) this.wrong(`${where} while it is paused`)
    if (isRedriven(event)) return
    const owed = trigger.owed.get(id) ?? this.#owe(trigger, sent, false)
    const sinceMs = this.#now() - owed.at
    if (owed.state === 'under way') this.wrong(`${where} while it is tried`)
    if (owed.state === 'ended') this.wrong(`${where} after it ended ${sinceMs} ms ago`)
    if (owed.state === 'tried' && at === 'subscriber') this.wrong(`${where} again, ${sinceMs} ms after its answer`)
    if (owed.state === 'parked' && owed.due !== undefined && this.#now() < owed.due - 0.001) {
      this.wrong(`${where} ${owed.due - this.#now()} ms before it is due`)
    }
    if (trigger.order === 'key') this.#checkOrder(trigger, sent, where)
    owed.state = 'under way'
  }

  #checkOrder({ owed }: Trigger, { id, key, number }: Sent, where: string): void {
    if (number === undefined) return
    for (const { sent, must, state } of owed.values()) {
      if (sent.key !== key || !must || state === 'ended' || sent.status !== 'stored' || sent.id === id) continue
      if (sent.number !== undefined && sent.number < number) this.wrong(`${where} before ${sent.id} of the same key`)
    }
  }

  /** The subscriber or the sink has answered. */
  answered(trigger: Trigger, event: Event, at: 'subscriber' | 'sink', { verdict, reply }: Outcome): void {
    const owed = trigger.owed.get(event.id)
    if (verdict !== 'delivered' || owed === undefined) return
    owed.ends.push(at === 'sink' ? 'sink' : { reply: reply && this.sent.get(reply.id) })
  }

  /** The broker says how the attempt ended. */
  attempted(trigger: Trigger, event: Event, at: 'subscriber' | 'sink', attempt: number): void {
    if (isRedriven(event)) return
    const owed = trigger.owed.get(event.id)!
    owed.state = 'tried'
    owed.at = this.#now()
    if (at === 'sink') return
    owed.attempt = attempt
    const most = Math.max(...owed.tries.map(({ made }) => made)) + 1
    const least = this.#saved(owed.tries) + 1
    if (attempt >= least && attempt <= most) return
    this.wrong(`${trigger.name} made attempt ${attempt} of ${event.id}, and it is the ${least}th to ${most}th`)
  }

  parked(trigger: Trigger, event: Event, delayMs: number): void {
    if (isRedriven(event)) return
    const now = this.#now()
    const owed = trigger.owed.get(event.id)!
    owed.tries.push({ made: owed.attempt, at: now })
    Object.assign(owed, { state: 'parked', at: now, due: now + delayMs })
  }

  /** The broker says that the subscriber has it, and its reply is stored. */
  settled(trigger: Trigger, event: Event): void {
    const { id } = event
    if (isRedriven(event)) return void this.boxed.delete(`${trigger.name} ${id}`)
    this.#end(trigger.owed.get(id)!, `${trigger.name} settles ${id}`)
  }

  /** The broker says that the dead-letter sink or the box has it. */
  deadLettered(trigger: Trigger, event: Event, into: 'sink' | 'box', isLoop: boolean): void {
    const where = `${trigger.name} ${event.id}`
    if (isLoop) this.sent.get(event.id)!.isSeen = true
    const owed = isLoop ? undefined : trigger.owed.get(event.id)
    if (into === 'box') owed?.ends.push('box')
    if (isRedriven(event)) return
    if (into === 'box' && this.#purging === 0) this.boxed.add(where)
    if (owed !== undefined) this.#end(owed, `${where} goes to the ${into}`)
  }

  #end(owed: Owed, where: string): void {
    owed.state = 'ended'
    owed.at = this.#now()
    if (!hasEnded(owed)) this.wrong(`${where} before that is stored`)
  }

  // --- The box ---

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
      const trigger = this.triggers.get(triggerId)
      const sent = this.sent.get(event.id)
      if (trigger === undefined || sent === undefined) return this.wrong(`the box has ${event.id}, which nobody sent`)
      found.add(`${triggerId} ${event.id}`)
      sent.isSeen = true
      if (reason !== 'loop') trigger.owed.get(event.id)?.ends.push('box')
    }
    for (const each of this.boxed) if (!found.has(each)) this.wrong(`the box lacks ${each}`)
  }

  // --- Lives ---

  /** The process ended. What happened up to `savedUntil` was saved by closing its broker. */
  end(savedUntil: number): void {
    this.#ends.push(this.#now())
    this.#purging = 0
    this.life++
    for (const sent of this.sent.values()) if (sent.status === 'open') sent.status = 'unknown'
    for (const trigger of this.triggers.values()) {
      for (const owed of trigger.owed.values()) this.#forget(owed, savedUntil)
    }
  }

  #forget(owed: Owed, savedUntil: number): void {
    if (owed.sent.status !== 'stored') owed.must = false
    const isUnsaved = owed.at > savedUntil && this.#isUnsaved(owed.at)
    if (owed.state === 'ended') {
      if (!isUnsaved) return
      owed.must = false // it has ended
    } else if (owed.state === 'parked' && !isUnsaved) return
    owed.state = 'waiting'
    owed.due = undefined
  }

  /** The least number of tries that has to be known by now. */
  #saved(tries: Owed['tries']): number {
    let least = Infinity
    for (const { made, at } of tries.toReversed()) {
      least = Math.min(least, made)
      if (!this.#isUnsaved(at)) break
    }
    return least
  }

  /** Whether what happened then may be forgotten: it had not been saved when its life ended. */
  #isUnsaved(time: number): boolean {
    const end = this.#ends.find((each) => each >= time)
    if (end === undefined) return false
    return end - time < this.savedAfterMs || time < this.#faultyUntil() + this.savedAfterMs
  }

  // --- In the end ---

  /** What has to have ended by now, and has not. */
  *missing(): Generator<string> {
    for (const { name, owed } of this.triggers.values()) {
      for (const each of owed.values()) {
        if (each.must && each.sent.status === 'stored' && !hasEnded(each)) yield `${name} ${each.sent.id}`
      }
    }
  }
}

/** Whether it is where it may stay: and where that is at its subscriber, so is the answer. */
function hasEnded({ ends }: Owed): boolean {
  return ends.some((end) => {
    if (end === 'sink' || end === 'box' || end.reply === undefined) return true
    return end.reply.status === 'stored' || end.reply.isSeen
  })
}

/** It came out of the box: a dead letter, or a reply that is routed after all. */
function isRedriven(event: Event): boolean {
  return event.attribute('sluiceredrive') === true
}
