// From a Trigger or Subscription to what the broker runs by. Pure.

import { isDeepStrictEqual } from 'node:util'
import type { Route, TriggerConfig } from '@sluice/broker'
import { WINDOW_DEFAULT, type Start } from '@sluice/channel'
import { deliveryPolicy, target, type DeliveryPolicy } from '@sluice/delivery'
import { compileTrigger } from '@sluice/filter'
import {
  isTrigger,
  triggerSettings,
  type DeliverySpec,
  type Destination,
  type Resolved,
  type TriggerSettings,
} from '@sluice/resource'
import type { Addresses, AnyTrigger } from './addresses.ts'

/** What a trigger comes to, once everything it points at is known. */
export interface TriggerPlan {
  readonly trigger: AnyTrigger
  readonly subscriber: Resolved
  /** Of a Subscription; `undefined`: replies are dropped (spec 36). */
  readonly reply: Resolved | undefined
  /** `undefined`: neither the trigger nor its broker has one. */
  readonly deadLetterSink: Resolved | undefined
  readonly policy: DeliveryPolicy
  /** By an operation, beside what its annotation says. */
  readonly isPaused: boolean
}

/** Everything about a trigger that its resource, its broker's, those it points at, and people's operations decide. */
export function planTrigger(trigger: AnyTrigger, addresses: Addresses, isPaused: boolean): TriggerPlan {
  const { namespace } = trigger.metadata
  const hub = addresses.hubOf(trigger)
  const { policy, deadLetterSink } = effectiveDelivery(trigger.spec.delivery, hub?.spec?.delivery)
  const reply = isTrigger(trigger) ? undefined : trigger.spec.reply
  return {
    trigger,
    policy,
    isPaused,
    subscriber: addresses.resolve(trigger.spec.subscriber, namespace, 'subscriber'),
    reply: reply && addresses.resolve(reply, namespace, 'subscriber'),
    deadLetterSink: deadLetterSink && addresses.resolve(deadLetterSink, namespace, 'deadLetterSink'),
  }
}

/**
 * The delivery that holds: any field of the trigger's replaces the broker's or channel's whole (spec 82, 87); only the
 * dead-letter sink falls back to that (KNATIVE.md 1.2, 3.5; DESIGN "Delivery is per trigger").
 */
export function effectiveDelivery(
  trigger: DeliverySpec | undefined,
  hub: DeliverySpec | undefined,
): { policy: DeliveryPolicy; deadLetterSink: Destination | undefined } {
  const wins = hasAny(trigger) ? trigger : hasAny(hub) ? hub : undefined
  return { policy: deliveryPolicy(wins), deadLetterSink: trigger?.deadLetterSink ?? hub?.deadLetterSink }
}

function hasAny(delivery: DeliverySpec | undefined): boolean {
  return delivery !== undefined && Object.keys(delivery).length > 0
}

/**
 * What the broker runs by; all was validated when it was applied. `undefined` while an address is unknown, unless the
 * trigger runs already, by `before`, or ran in a process that is gone (`isPromised`): then it keeps its subscription and
 * waits, so that no event of its backlog goes where it is not meant to go any more, and none is lost (spec 14, 52).
 * `filterErrors` counts from here on.
 */
export function triggerConfig(
  plan: TriggerPlan,
  before: TriggerConfig | undefined,
  isPromised: boolean,
  filterErrors: { count: number },
): TriggerConfig | undefined {
  const { trigger, subscriber, deadLetterSink, policy } = plan
  const known = isResolved(plan)
  if (!known && before === undefined && !isPromised) return undefined
  const { uid, namespace, name } = trigger.metadata
  const settings = triggerSettings(trigger)
  const window = settings.window ?? WINDOW_DEFAULT.events
  return {
    id: uid,
    namespace,
    name,
    filter: compileTrigger(isTrigger(trigger) ? trigger.spec : EVERYTHING, {
      onError: () => void filterErrors.count++,
    }),
    filterErrors,
    route: {
      subscriber: subscriber.url === undefined ? (before?.route.subscriber ?? NOWHERE) : target(subscriber.url),
      deadLetterSink: deadLetterSink?.url === undefined ? undefined : target(deadLetterSink.url),
      ...replyTo(plan),
      policy,
      concurrency: Math.min(settings.concurrency ?? window, window),
      ratePerSecond: settings.ratePerSecond,
    },
    order: settings.order,
    window: { events: window, bytes: WINDOW_DEFAULT.bytes },
    paused: settings.paused || plan.isPaused || !known,
    start: startOf(settings.from),
  }
}

const EVERYTHING = {}

/** A Trigger's replies go to its broker, which the broker knows by itself. */
function replyTo({ trigger, reply }: TriggerPlan): Pick<Route, 'replyTo'> {
  if (isTrigger(trigger)) return {}
  return { replyTo: reply?.url === undefined ? 'nobody' : target(reply.url) }
}

/** Of a trigger that is paused until its address is known: nothing is sent there, and nothing could be (RFC 2606). */
const NOWHERE = target('http://unresolved.invalid/')

/** Whether every address that it needs is known. */
function isResolved({ subscriber, reply, deadLetterSink }: TriggerPlan): boolean {
  return [subscriber, reply, deadLetterSink].every((resolved) => resolved === undefined || resolved.url !== undefined)
}

/** A known subscription resumes whatever `from` says; a new one starts from now on unless it says otherwise. */
function startOf(from: TriggerSettings['from']): Start {
  return from === undefined || from === 'resume' ? 'latest' : from
}

/** Whether the broker would do nothing else. The store keeps what didn't change, so that looking is enough. */
export function samePlan(before: TriggerPlan, after: TriggerPlan): boolean {
  return (
    before.trigger.spec === after.trigger.spec &&
    before.trigger.metadata.annotations === after.trigger.metadata.annotations &&
    before.isPaused === after.isPaused &&
    before.subscriber.url === after.subscriber.url &&
    isSame(before.reply, after.reply) &&
    isSame(before.deadLetterSink, after.deadLetterSink) &&
    isDeepStrictEqual(before.policy, after.policy)
  )
}

function isSame(before: Resolved | undefined, after: Resolved | undefined): boolean {
  return (before === undefined) === (after === undefined) && before?.url === after?.url
}
