// From a Trigger resource to what the broker runs by, and to what its status says. Pure.

import type { TriggerConfig, TriggerStatus } from '@sluice/broker'
import { WINDOW_DEFAULT, type Start, type Window } from '@sluice/channel'
import { deliveryPolicy, target, type DeliveryPolicy, type DeliverySpec, type Target } from '@sluice/delivery'
import { compileTrigger } from '@sluice/filter'
import type { Mark, Resolved, Resource } from '@sluice/resource'

/** The delivery part of a spec. */
export type Delivery = DeliverySpec & { readonly deadLetterSink?: unknown }

/** What a trigger comes to, once everything it points at is known. */
export interface TriggerPlan {
  readonly resource: Resource
  readonly subscriber: Resolved
  /** `undefined`: neither the trigger nor its broker has one. */
  readonly deadLetterSink: Resolved | undefined
  /** `undefined`: it can't run; the conditions say why. */
  readonly config: TriggerConfig | undefined
  /** What the channel refused, in words. */
  readonly refused: string | undefined
}

/**
 * The delivery spec that holds: any field of the trigger's replaces the broker's whole (spec 82); only the dead-letter
 * sink falls back to the broker's (KNATIVE.md 3.5; DESIGN "Delivery is per trigger").
 */
export function effectiveDelivery(
  trigger: Delivery | undefined,
  broker: Delivery | undefined,
): {
  policy: DeliveryPolicy
  deadLetterSink: unknown
} {
  const wins = hasAny(trigger) ? trigger : hasAny(broker) ? broker : undefined
  return { policy: deliveryPolicy(wins), deadLetterSink: trigger?.deadLetterSink ?? broker?.deadLetterSink }
}

function hasAny(delivery: Delivery | undefined): boolean {
  return delivery !== undefined && Object.keys(delivery).length > 0
}

/** What the broker runs by. The addresses are resolved, and everything was validated when it was applied. */
export function triggerConfig(
  resource: Resource,
  subscriberUrl: string,
  deadLetterUrl: string | undefined,
  policy: DeliveryPolicy,
): TriggerConfig {
  const { metadata, spec = {} } = resource
  const { annotations } = metadata
  const window = windowOf(annotations)
  const concurrency = Number(annotations['sluice.dev/concurrency'] ?? window.events)
  return {
    id: metadata.uid,
    namespace: metadata.namespace,
    name: metadata.name,
    filter: compileTrigger(spec as Parameters<typeof compileTrigger>[0]),
    route: {
      subscriber: target(subscriberUrl),
      deadLetterSink: deadLetterUrl === undefined ? undefined : (target(deadLetterUrl) satisfies Target),
      policy,
      concurrency: Math.min(concurrency, window.events),
    },
    order: orderOf(annotations),
    window,
    paused: annotations['sluice.dev/paused'] === 'true',
    start: startOf(annotations['sluice.dev/from']),
  }
}

type Annotations = Readonly<Record<string, string>>

function windowOf(annotations: Annotations): Window {
  const events = annotations['sluice.dev/window']
  return events === undefined ? WINDOW_DEFAULT : { events: Number(events), bytes: WINDOW_DEFAULT.bytes }
}

/** Ours, or Knative's word for it on a Kafka broker (SURFACE.md "Resources of our own"). */
function orderOf(annotations: Annotations): 'none' | 'key' {
  const ours = annotations['sluice.dev/order']
  if (ours !== undefined) return ours === 'key' ? 'key' : 'none'
  return annotations['kafka.eventing.knative.dev/delivery.order'] === 'ordered' ? 'key' : 'none'
}

/** `resume` is what a subscription does anyway; a new one starts from now on. */
function startOf(from: string | undefined): Start {
  if (from === undefined || from === 'resume' || from === 'latest') return 'latest'
  return from === 'earliest' ? 'earliest' : { time: Date.parse(from) }
}

/** The conditions of a trigger (KNATIVE.md 1.1, A.2), from what is known and what runs. */
export function triggerMarks(plan: TriggerPlan, broker: Mark, subscribed: Mark): Record<string, Mark> {
  return {
    BrokerReady: broker,
    SubscriptionReady: subscribed,
    DependencyReady: TRUE,
    SubscriberResolved: resolvedMark(plan.subscriber),
    DeadLetterSinkResolved: plan.deadLetterSink === undefined ? NO_DEAD_LETTER_SINK : resolvedMark(plan.deadLetterSink),
    OIDCIdentityCreated: { status: 'True', reason: 'OIDCDisabled' },
  }
}

export const TRUE: Mark = { status: 'True' }
export const NO_DEAD_LETTER_SINK: Mark = { status: 'True', reason: 'DeadLetterSinkNotConfigured' }

export function resolvedMark(resolved: Resolved): Mark {
  if ('url' in resolved) return TRUE
  return { status: 'False', reason: resolved.reason, message: resolved.message }
}

/** Whether a running subscription does its work (spec 20), in words. */
export function subscribedMark(status: TriggerStatus | undefined): Mark {
  if (status === undefined) return { status: 'Unknown', reason: 'NotSubscribed', message: 'Not subscribed yet.' }
  if (!status.boxFull) return TRUE
  return {
    status: 'False',
    reason: 'DeadLetterBoxFull',
    message:
      'The dead-letter box takes no more of this trigger, so it stands still and nothing is dropped. ' +
      'Redrive or purge its dead letters, or give it a deadLetterSink.',
  }
}
