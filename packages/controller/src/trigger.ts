// From a Trigger resource to what the broker runs by. Pure.

import type { TriggerConfig } from '@sluice/broker'
import { WINDOW_DEFAULT, type Start } from '@sluice/channel'
import { deliveryPolicy, target, type DeliveryPolicy } from '@sluice/delivery'
import { compileTrigger } from '@sluice/filter'
import {
  triggerSettings,
  type DeliverySpec,
  type Destination,
  type Resolved,
  type Trigger,
  type TriggerSettings,
} from '@sluice/resource'

/** What a trigger comes to, once everything it points at is known. */
export interface TriggerPlan {
  readonly trigger: Trigger
  readonly subscriber: Resolved
  /** `undefined`: neither the trigger nor its broker has one. */
  readonly deadLetterSink: Resolved | undefined
  readonly policy: DeliveryPolicy
  /** What the channel refused, in words. */
  readonly refused?: string
}

/**
 * The delivery that holds: any field of the trigger's replaces the broker's whole (spec 82); only the dead-letter
 * sink falls back to the broker's (KNATIVE.md 3.5; DESIGN "Delivery is per trigger").
 */
export function effectiveDelivery(
  trigger: DeliverySpec | undefined,
  broker: DeliverySpec | undefined,
): { policy: DeliveryPolicy; deadLetterSink: Destination | undefined } {
  const wins = hasAny(trigger) ? trigger : hasAny(broker) ? broker : undefined
  return { policy: deliveryPolicy(wins), deadLetterSink: trigger?.deadLetterSink ?? broker?.deadLetterSink }
}

function hasAny(delivery: DeliverySpec | undefined): boolean {
  return delivery !== undefined && Object.keys(delivery).length > 0
}

/** What the broker runs by; `undefined` while an address is unknown. All was validated when it was applied. */
export function triggerConfig({ trigger, subscriber, deadLetterSink, policy }: TriggerPlan): TriggerConfig | undefined {
  if (subscriber.url === undefined) return undefined
  if (deadLetterSink !== undefined && deadLetterSink.url === undefined) return undefined
  const { uid, namespace, name } = trigger.metadata
  const settings = triggerSettings(trigger)
  const window = settings.window ?? WINDOW_DEFAULT.events
  return {
    id: uid,
    namespace,
    name,
    filter: compileTrigger(trigger.spec),
    route: {
      subscriber: target(subscriber.url),
      deadLetterSink: deadLetterSink && target(deadLetterSink.url),
      policy,
      concurrency: Math.min(settings.concurrency ?? window, window),
    },
    order: settings.order,
    window: { events: window, bytes: WINDOW_DEFAULT.bytes },
    paused: settings.paused,
    start: startOf(settings.from),
  }
}

/** A known subscription resumes whatever `from` says; a new one starts from now on unless it says otherwise. */
function startOf(from: TriggerSettings['from']): Start {
  return from === undefined || from === 'resume' ? 'latest' : from
}
