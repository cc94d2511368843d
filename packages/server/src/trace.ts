// The last steps of events, for `explain`, and every step as it happens, for `tail`. Hot path: a step of an event is a few
// fields written into a slot that is there already; nothing is made for it unless somebody listens.
//
// From: the broker's Observer. Next: explain.ts looks steps up, tail.ts listens.

import type { BrokerName, Observer, TriggerName } from '@sluice/broker'
import type { Clock } from '@sluice/clock'
import type { Event } from '@sluice/event'

/** Steps that are kept; the next one takes the oldest one's place. */
export const STEPS_MAX = 32_768
/** Events with longer ids are not kept: what a step holds is bounded. */
const ID_CHARACTERS_MAX = 512
/** Of what went wrong. */
const DETAIL_CHARACTERS_MAX = 512

export type StepKind = 'accepted' | 'matched' | 'attempted' | 'parked' | 'delivered' | 'deadLettered'

/** One step of one event. Where it is handed to a listener, it is its own until that returns. */
export class Step {
  kind: StepKind = 'accepted'
  /** Wall-clock ms. */
  time = 0
  id = ''
  source = ''
  broker: BrokerName | undefined = undefined
  /** Of `accepted`: whose subscriber replied with the event; `undefined`: it came from outside. */
  trigger: TriggerName | undefined = undefined
  /** Of `attempted`, from 1. */
  attempt = 0
  /** Of `attempted`: HTTP status, 0 = no answer. */
  status = 0
  /** Of `attempted`: how long it took; of `parked`: until the next try. */
  ms = 0
  /** Of `attempted` and `deadLettered`: where. */
  at: 'subscriber' | 'sink' | 'box' = 'subscriber'
  /** What went wrong, in words. */
  detail = ''
  /** Of `attempted`: the event in the answer. */
  replyId = ''
  replyType = ''
}

/** Is told each step in the tick in which it happens. It does little, and must not throw. */
export type StepListener = (step: Step, event: Event) => void

export interface Trace {
  /** `observer`, and every step is noted. */
  noting(observer: Observer): Observer
  /** Steps of the events of a broker with this id, and of that source if it is given, the oldest first. */
  stepsOf(broker: BrokerName, id: string, source?: string): readonly Step[]
  /** Returns its removal. */
  listen(listener: StepListener): () => void
}

export function trace(clock: Clock, stepsMax: number = STEPS_MAX): Trace {
  const slots: Step[] = []
  const unkept = new Step()
  const listeners = new Set<StepListener>()
  let next = 0

  function begin(kind: StepKind, event: Event, broker: BrokerName, trigger: TriggerName | undefined): Step {
    const { id } = event
    const step = id.length > ID_CHARACTERS_MAX ? unkept : takeSlot()
    step.kind = kind
    step.time = clock.now()
    step.id = id
    step.source = event.source
    step.broker = broker
    step.trigger = trigger
    step.attempt = 0
    step.status = 0
    step.ms = 0
    step.at = 'subscriber'
    step.detail = ''
    step.replyId = ''
    step.replyType = ''
    return step
  }

  function takeSlot(): Step {
    if (slots.length < stepsMax) {
      const step = new Step()
      slots.push(step)
      return step
    }
    const step = slots[next]!
    next = next + 1 === stepsMax ? 0 : next + 1
    return step
  }

  function tell(step: Step, event: Event): void {
    if (listeners.size > 0) for (const listener of listeners) listener(step, event)
  }

  return {
    noting: (observer) => ({
      ...observer,
      accepted(broker, event, trigger) {
        observer.accepted(broker, event, trigger)
        tell(begin('accepted', event, broker, trigger), event)
      },
      matched(trigger, event) {
        observer.matched(trigger, event)
        tell(begin('matched', event, trigger.broker, trigger), event)
      },
      attempted(trigger, event, outcome, at, attempt) {
        observer.attempted(trigger, event, outcome, at, attempt)
        const step = begin('attempted', event, trigger.broker, trigger)
        step.attempt = attempt
        step.status = outcome.status
        step.ms = outcome.durationMs
        step.at = at
        if (outcome.error !== '') step.detail = cut(outcome.error)
        if (outcome.reply !== undefined) {
          step.replyId = outcome.reply.id
          step.replyType = outcome.reply.type
        }
        tell(step, event)
      },
      parked(trigger, event, delayMs) {
        observer.parked(trigger, event, delayMs)
        const step = begin('parked', event, trigger.broker, trigger)
        step.ms = delayMs
        tell(step, event)
      },
      settled(trigger, event) {
        observer.settled(trigger, event)
        tell(begin('delivered', event, trigger.broker, trigger), event)
      },
      deadLettered(trigger, event, into, reason) {
        observer.deadLettered(trigger, event, into, reason)
        const step = begin('deadLettered', event, trigger.broker, trigger)
        step.at = into
        step.detail = cut(reason)
        tell(step, event)
      },
    }),
    stepsOf(broker, id, source) {
      const ordered = [...slots.slice(next), ...slots.slice(0, next)]
      return ordered.filter((step) => {
        const isOfBroker = step.broker?.name === broker.name && step.broker.namespace === broker.namespace
        return step.id === id && isOfBroker && (source === undefined || step.source === source)
      })
    },
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

function cut(text: string): string {
  return text.length <= DETAIL_CHARACTERS_MAX ? text : `${text.slice(0, DETAIL_CHARACTERS_MAX)}...`
}

/** A step as JSON shows it, beside which event it is of. */
export function stepJson(step: Step): object {
  const { kind, time, trigger, attempt, status, ms, at, detail, replyId, replyType } = step
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
        ...(replyId !== '' && { reply: { id: replyId, type: replyType } }),
      }
    case 'parked':
      return { ...about, againInMs: Math.round(ms) }
    case 'deadLettered':
      return { ...about, into: at, reason: detail }
    case 'matched':
    case 'delivered':
      return about
  }
}
