// The last steps of events, for `explain`, and every step as it happens, for `tail`. Hot path (bench/trace.ts): a step of an
// event is a few numbers and names written into columns that are there already; nothing is made for it unless somebody
// listens. What follows from the steps beside it is not kept: that an event matched, and that its last attempt was good.
//
// From: the broker's Observer. Next: explain.ts looks steps up, tail.ts listens.

import { judgementText, type BrokerName, type Judgement, type Observer, type TriggerName } from '@sluice/broker'
import type { Clock } from '@sluice/clock'
import type { Outcome } from '@sluice/delivery'
import type { Event } from '@sluice/event'

/** Steps that are kept; the next one takes the oldest one's place. */
export const STEPS_MAX = 32_768
/** Events with longer ids are not kept: what a step holds is bounded. */
const ID_CHARACTERS_MAX = 512
/** Of what went wrong. */
const DETAIL_CHARACTERS_MAX = 512

const KINDS = ['accepted', 'matched', 'attempted', 'parked', 'delivered', 'deadLettered', 'judged'] as const
export type StepKind = (typeof KINDS)[number]

/** One step of one event. */
export interface Step {
  readonly kind: StepKind
  /** Wall-clock ms. */
  readonly time: number
  readonly id: string
  readonly source: string
  readonly broker: BrokerName
  /** Of `accepted`: whose subscriber replied with the event; `undefined`: it came from outside. */
  readonly trigger: TriggerName | undefined
  /** Of `attempted`, from 1. */
  readonly attempt: number
  /** Of `attempted`: HTTP status, 0 = no answer; of `judged` that of the refusal, 0 = it is stored all the same. */
  readonly status: number
  /** Of `attempted`: how long it took; of `parked`: until the next try. */
  readonly ms: number
  /** Of `attempted` and `deadLettered`: where. */
  readonly at: Place
  /** What went wrong, in words; empty: nothing. */
  readonly detail: string
  /** Of `attempted`: the event in the answer. */
  readonly reply: { readonly id: string; readonly type: string } | undefined
}

const PLACES = ['subscriber', 'reply', 'sink', 'box'] as const
type Place = (typeof PLACES)[number]

/** Is told each step in the tick in which it happens. It does little, and must not throw. */
export type StepListener = (step: Step, event: Event) => void

export interface Trace {
  /** `observer`, and every step is noted. */
  noting(observer: Observer): Observer
  /** Steps of the events of a broker with this id, and of that source if it is given, the oldest first. */
  stepsOf(broker: BrokerName, id: string, source?: string): Step[]
  /** Returns its removal. */
  listen(listener: StepListener): () => void
}

export function trace(clock: Clock, stepsMax: number = STEPS_MAX): Trace {
  const kept = new Kept(clock, stepsMax)
  const listeners = new Set<StepListener>()

  function tell(kind: StepKind, event: Event, broker: BrokerName, trigger?: TriggerName, more?: Partial<Step>): void {
    if (listeners.size === 0) return
    const { id, source } = event
    const step: Step = { ...NOTHING_MORE, kind, time: clock.now(), id, source, broker, trigger, ...more }
    for (const listener of listeners) listener(step, event)
  }

  return {
    noting: (observer) => ({
      ...observer,
      accepted(broker, event, trigger) {
        observer.accepted(broker, event, trigger)
        kept.accepted(event, broker, trigger)
        tell('accepted', event, broker, trigger)
      },
      judged(broker, event, judgement, trigger) {
        observer.judged(broker, event, judgement, trigger)
        kept.judged(event, broker, judgement, trigger)
        const { isRefused } = judgement
        tell('judged', event, broker, trigger, { status: isRefused ? 422 : 0, detail: judgementText(judgement) })
      },
      matched(trigger, event) {
        observer.matched(trigger, event)
        tell('matched', event, trigger.broker, trigger)
      },
      attempted(trigger, event, outcome, at, attempt) {
        observer.attempted(trigger, event, outcome, at, attempt)
        kept.attempted(event, trigger, outcome, at, attempt)
        if (listeners.size > 0) tell('attempted', event, trigger.broker, trigger, attemptOf(outcome, at, attempt))
      },
      parked(trigger, event, delayMs) {
        observer.parked(trigger, event, delayMs)
        kept.parked(event, trigger, delayMs)
        if (listeners.size > 0) tell('parked', event, trigger.broker, trigger, { ms: delayMs })
      },
      settled(trigger, event) {
        observer.settled(trigger, event)
        tell('delivered', event, trigger.broker, trigger)
      },
      deadLettered(trigger, event, into, reason, error) {
        observer.deadLettered(trigger, event, into, reason, error)
        kept.deadLettered(event, trigger, into, reason)
        if (listeners.size > 0) tell('deadLettered', event, trigger.broker, trigger, { at: into, detail: cut(reason) })
      },
    }),
    stepsOf: (broker, id, source) =>
      kept.find(id).filter((step) => {
        const isOfBroker = isSame(step.broker, broker)
        return isOfBroker && (source === undefined || step.source === source)
      }),
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

const NOTHING_MORE = { attempt: 0, status: 0, ms: 0, at: 'subscriber', detail: '', reply: undefined } as const

function attemptOf({ status, durationMs: ms, error, reply }: Outcome, at: Place, attempt: number): Partial<Step> {
  return { attempt, status, ms, at, detail: cut(error), reply: reply && { id: reply.id, type: reply.type } }
}

/** Columns: an object for each step would cost the garbage collector five times as much as the numbers do. */
class Kept {
  readonly #clock: Clock
  readonly #max: number
  readonly #kinds: Uint8Array
  readonly #times: Float64Array
  readonly #attempts: Uint32Array
  readonly #statuses: Uint16Array
  readonly #ms: Float32Array
  readonly #places: Uint8Array
  readonly #ids: string[] = []
  readonly #sources: string[] = []
  readonly #brokers: BrokerName[] = []
  readonly #triggers: (TriggerName | undefined)[] = []
  readonly #details: (string | undefined)[] = []
  readonly #replies: Step['reply'][] = []
  #next = 0

  constructor(clock: Clock, max: number) {
    this.#clock = clock
    this.#max = max
    this.#kinds = new Uint8Array(max)
    this.#times = new Float64Array(max)
    this.#attempts = new Uint32Array(max)
    this.#statuses = new Uint16Array(max)
    this.#ms = new Float32Array(max)
    this.#places = new Uint8Array(max)
  }

  accepted(event: Event, broker: BrokerName, trigger: TriggerName | undefined): void {
    this.#add(ACCEPTED, event, broker, trigger)
  }

  attempted(event: Event, trigger: TriggerName, outcome: Outcome, at: Place, attempt: number): void {
    const slot = this.#add(ATTEMPTED, event, trigger.broker, trigger)
    if (slot < 0) return
    this.#attempts[slot] = attempt
    this.#statuses[slot] = outcome.status
    this.#ms[slot] = outcome.durationMs
    this.#places[slot] = PLACES.indexOf(at)
    const { error, reply } = outcome
    if (error !== '') this.#details[slot] = cut(error)
    if (reply !== undefined && reply.id.length <= ID_CHARACTERS_MAX) {
      this.#replies[slot] = { id: reply.id, type: reply.type }
    }
  }

  parked(event: Event, trigger: TriggerName, delayMs: number): void {
    const slot = this.#add(PARKED, event, trigger.broker, trigger)
    if (slot >= 0) this.#ms[slot] = delayMs
  }

  deadLettered(event: Event, trigger: TriggerName, into: 'sink' | 'box', reason: string): void {
    const slot = this.#add(DEAD_LETTERED, event, trigger.broker, trigger)
    if (slot < 0) return
    this.#places[slot] = PLACES.indexOf(into)
    this.#details[slot] = cut(reason)
  }

  judged(event: Event, broker: BrokerName, judgement: Judgement, trigger: TriggerName | undefined): void {
    const slot = this.#add(JUDGED, event, broker, trigger)
    if (slot < 0) return
    this.#statuses[slot] = judgement.isRefused ? 422 : 0
    this.#details[slot] = cut(judgementText(judgement))
  }

  /** Returns its slot; -1: it is not kept. */
  #add(kind: number, event: Event, broker: BrokerName, trigger: TriggerName | undefined): number {
    const { id } = event
    if (id.length > ID_CHARACTERS_MAX) return -1
    const slot = this.#next
    this.#next = slot + 1 === this.#max ? 0 : slot + 1
    this.#kinds[slot] = kind
    this.#times[slot] = this.#clock.now()
    this.#ids[slot] = id
    this.#sources[slot] = event.source
    this.#brokers[slot] = broker
    this.#triggers[slot] = trigger
    if (this.#details[slot] !== undefined) this.#details[slot] = undefined
    if (this.#replies[slot] !== undefined) this.#replies[slot] = undefined
    return slot
  }

  find(id: string): Step[] {
    const found: Step[] = []
    const { length } = this.#ids
    const first = length < this.#max ? 0 : this.#next
    for (let n = 0; n < length; n++) {
      const slot = (first + n) % length
      if (this.#ids[slot] === id) found.push(this.#stepAt(slot))
    }
    return found
  }

  #stepAt(slot: number): Step {
    const kind = KINDS[this.#kinds[slot]!]!
    const isAttempt = kind === 'attempted'
    return {
      kind,
      time: this.#times[slot]!,
      id: this.#ids[slot]!,
      source: this.#sources[slot]!,
      broker: this.#brokers[slot]!,
      trigger: this.#triggers[slot],
      attempt: isAttempt ? this.#attempts[slot]! : 0,
      status: isAttempt || kind === 'judged' ? this.#statuses[slot]! : 0,
      ms: this.#ms[slot]!,
      at: isAttempt || kind === 'deadLettered' ? PLACES[this.#places[slot]!]! : 'subscriber',
      detail: this.#details[slot] ?? '',
      reply: this.#replies[slot],
    }
  }
}

const [ACCEPTED, , ATTEMPTED, PARKED, , DEAD_LETTERED, JUDGED] = [0, 1, 2, 3, 4, 5, 6] as const

function cut(text: string): string {
  return text.length <= DETAIL_CHARACTERS_MAX ? text : `${text.slice(0, DETAIL_CHARACTERS_MAX)}...`
}

/** A step as JSON shows it, beside which event it is of. */
export function stepJson(step: Step): object {
  const { kind, time, trigger, attempt, status, ms, at, detail, reply } = step
  const about = { time: new Date(time).toISOString(), step: kind }
  switch (kind) {
    case 'accepted':
      return { ...about, ...(trigger !== undefined && { replyOf: trigger.name }) }
    case 'attempted':
      return {
        ...about,
        ...(at !== 'subscriber' && { at }),
        attempt,
        status,
        ms: Math.round(ms * 100) / 100,
        ...(detail !== '' && { error: detail }),
        ...(reply !== undefined && { reply }),
      }
    case 'parked':
      return { ...about, againInMs: Math.round(ms) }
    case 'deadLettered':
      return { ...about, into: at, reason: detail }
    case 'judged':
      return {
        ...about,
        ...(trigger !== undefined && { replyOf: trigger.name }),
        isRefused: status > 0,
        problem: detail,
      }
    case 'matched':
    case 'delivered':
      return about
  }
}

function isSame(one: BrokerName, other: BrokerName): boolean {
  return one.name === other.name && one.namespace === other.namespace && one.kind === other.kind
}
