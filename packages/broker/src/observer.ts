// What the broker tells the outside about each step of an event. Metrics, logs, live tail and the EventType registry
// listen; the broker knows none of them. Called synchronously on the hot path: a listener counts and returns.

import type { Event } from '@sluice/event'
import type { Loss } from '@sluice/channel'
import type { Outcome } from '@sluice/delivery'
import type { TargetState } from './congestion.ts'
import type { Judgement } from './judgement.ts'

/** A broker, as observers know it. The same object for as long as the broker lives. */
export interface BrokerName {
  readonly namespace: string
  readonly name: string
  /** Of the resource that it runs: `Broker`, or that of a channel, whose triggers are its Subscriptions. */
  readonly kind: string
}

/** A trigger, as observers know it. The same object for as long as the trigger lives. */
export interface TriggerName {
  /** Its uid. */
  readonly id: string
  readonly namespace: string
  readonly name: string
  readonly broker: BrokerName
}

/** Where an attempt was made. */
export type Attempted = 'subscriber' | 'reply' | 'sink'

/**
 * Listens to a broker. Each method is called in the tick in which it happens, and must not throw; the event is not its
 * own to change or keep. An event that is redriven out of the dead-letter box has the attribute `sluiceredrive`; it is
 * attempted, parked, and settled or dead-lettered once more, without being accepted or matched again.
 */
export interface Observer {
  /** Stored: from outside, or as a reply of `trigger`. */
  accepted(broker: BrokerName, event: Event, trigger?: TriggerName): void
  /** Not stored, and the sender was told so; `status` is the HTTP status, `events` how many of its request. */
  refused(broker: BrokerName, status: number, events: number): void
  /**
   * Its data doesn't keep to its schema, before it is stored or refused for that; with `trigger`, it is a reply of that.
   */
  judged(broker: BrokerName, event: Event, judgement: Judgement, trigger?: TriggerName): void
  /** Handed to the trigger for the first time. */
  matched(trigger: TriggerName, event: Event): void
  /**
   * One attempt is over: at the subscriber, at the reply's destination, of which `event` is the reply, or at the
   * dead-letter sink. `attempt` counts those at that place, from 1; at a reply's, those at the subscriber.
   */
  attempted(trigger: TriggerName, event: Event, outcome: Outcome, at: Attempted, attempt: number): void
  /** It will be tried again, not before `delayMs` milliseconds have passed. */
  parked(trigger: TriggerName, event: Event, delayMs: number): void
  /** The subscriber has it, and its reply, if any, is stored. */
  settled(trigger: TriggerName, event: Event): void
  /**
   * The dead-letter sink or the box has it. `error`: what went wrong at the subscriber, in words. `reason`: the same;
   * for the box, the entry's reason, such as `undeliverable`.
   */
  deadLettered(trigger: TriggerName, event: Event, into: 'sink' | 'box', reason: string, error: string): void
  /** The subscriber's state changed. */
  targetChanged(trigger: TriggerName, state: TargetState): void
  /** Events that were accepted and will not be delivered: taken by retention, or left in memory at the end. */
  lost(trigger: TriggerName, loss: Loss): void
  /**
   * `deleted`: a trigger is, and with it its backlog of so many events, possibly none; once more for each attempt that
   * was under way then and failed. `seek`: a person has set the trigger past so many events that waited for it, without
   * those that came in at the same moment.
   */
  discarded(trigger: TriggerName, events: number, cause: 'deleted' | 'seek'): void
}

/** Listens to nothing. */
export const NO_OBSERVER: Observer = {
  accepted() {},
  refused() {},
  judged() {},
  matched() {},
  attempted() {},
  parked() {},
  settled() {},
  deadLettered() {},
  targetChanged() {},
  lost() {},
  discarded() {},
}
