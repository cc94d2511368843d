// Writes the statuses of Brokers and Triggers, channels and Subscriptions into the store, from what runs. When: ./statuses.ts.
// What they say: ./status.ts, ./channel-status.ts.

import type { Broker } from '@sluice/broker'
import {
  isBroker,
  isSubscription,
  isTrigger,
  keyOf,
  type Identity,
  type Resource,
  type ResourceStore,
} from '@sluice/resource'
import { problemOf } from './access.ts'
import { hubPathOf, isAnyTrigger, type Addresses, type AnyTrigger } from './addresses.ts'
import type { Brokers } from './brokers.ts'
import { channelStatus, subscriptionStatus } from './channel-status.ts'
import type { Losses } from './losses.ts'
import type { OperationNotes } from './operation-notes.ts'
import type { Plans } from './plans.ts'
import type { EventTypes } from './event-types/event-types.ts'
import { backlogStatus, brokerStatus, triggerStatus, whyFull } from './status.ts'

/** What statuses are made from. */
export interface StatusSources {
  readonly store: ResourceStore
  readonly addresses: Addresses
  readonly plans: Plans
  readonly brokers: Brokers
  readonly losses: Losses
  readonly notes: OperationNotes
  readonly eventTypes: EventTypes
  /** What the status of the channel at this path says of its Subscriptions is another than before. */
  readonly channelChanged: (path: string) => void
}

export class StatusWriting {
  readonly #of: StatusSources

  constructor(sources: StatusSources) {
    this.#of = sources
  }

  /** That of a Broker or a channel, by its path. Returns whether it changes without being marked: room comes back by itself. */
  broker(path: string): boolean {
    const { store, addresses, brokers, plans, eventTypes } = this.#of
    const hub = addresses.hubAt(path)
    if (hub === undefined) return false
    const declared = brokers.get(path)
    const sink = addresses.deliveryOf(hub)?.deadLetterSink
    const deadLetterSink = sink && addresses.resolve(sink, hub.metadata.namespace, 'deadLetterSink')
    const full = declared?.broker && whyFull(declared.broker)
    const state = declared?.state ?? { state: 'opening' }
    const { damage, otherChannel } = declared ?? {}
    const tokens = declared?.gate?.trouble()
    const warnings = { full, damage, otherChannel, tokens, typeLimit: eventTypes.limitOf(path) }
    const address = addresses.addressOf(hub)
    const status = isBroker(hub)
      ? brokerStatus(hub, address, state, deadLetterSink, warnings)
      : channelStatus(hub, {
          ...{ address, state, deadLetterSink, warnings },
          takenBy: addresses.addressTakenBy(hub),
          madeOf: declared?.channelKind ?? 'none',
          subscriptions: plans.ofBroker(path).map(({ trigger }) => store.get(keyOf(trigger)) ?? trigger),
        })
    store.setStatus(keyOf(hub), status)
    return full !== undefined
  }

  /**
   * That of a Trigger or a Subscription, by its resource key. As {@link broker}: a dead-letter box is emptied, and a secret
   * comes back, without a mark.
   */
  trigger(key: string): boolean {
    const plan = this.#of.plans.get(key)
    if (plan === undefined) return false
    const { trigger } = plan
    const { uid } = trigger.metadata
    const { store, addresses, brokers, losses, notes } = this.#of
    const declared = brokers.get(hubPathOf(trigger))
    const running = declared?.triggers?.status(uid)
    const boxed = isInBox(declared?.broker, trigger)
    const refusal = declared?.triggers?.refusal(uid)
    const unshown = {
      subscriber: problemOf(plan.access.subscriber),
      reply: problemOf(plan.access.reply),
      deadLetterSink: problemOf(plan.access.deadLetterSink),
    }
    const state = { running, refusal, lost: losses.of(uid), boxed, note: notes.of(uid), unshown }
    const lookup = (identity: Identity): Resource | undefined => addresses.find(identity)
    const hub = addresses.hubOf(trigger)
    const status = isTrigger(trigger)
      ? triggerStatus(trigger, plan, hub, state, lookup)
      : subscriptionStatus(trigger, plan, hub, state)
    const isNews = store.setStatus(key, status)
    if (isNews && isSubscription(trigger)) this.#of.channelChanged(hubPathOf(trigger))
    const isUnshown = Object.values(unshown).some((problem) => problem !== undefined)
    return boxed || running?.boxFull === true || isUnshown
  }

  /** What a trigger has still to get is no commit: it changes with every event. It is there for who reads. */
  withBacklog(resource: Resource): Resource {
    if (!isAnyTrigger(resource) || resource.status === undefined) return resource
    const { uid } = resource.metadata
    const running = this.#of.brokers.get(hubPathOf(resource))?.triggers?.status(uid)
    return running === undefined
      ? resource
      : { ...resource, status: { ...resource.status, backlog: backlogStatus(running) } }
  }
}

/** Whether the dead-letter box holds anything of the trigger. */
function isInBox(broker: Broker | undefined, { metadata: { namespace, name } }: AnyTrigger): boolean {
  return broker !== undefined && broker.box.usage(`${namespace}/${name}`).events > 0
}
