// Writes the statuses of Brokers and Triggers into the store, from what runs. When: ./statuses.ts. What they say: ./status.ts.

import type { Broker } from '@sluice/broker'
import {
  isBroker,
  isTrigger,
  keyOf,
  type Identity,
  type Resource,
  type ResourceStore,
  type Trigger,
} from '@sluice/resource'
import { brokerPathOf, BROKERS, type Addresses } from './addresses.ts'
import type { Brokers } from './brokers.ts'
import type { Losses } from './losses.ts'
import type { OperationNotes } from './operation-notes.ts'
import type { Plans } from './plans.ts'
import { backlogStatus, brokerStatus, triggerStatus, whyFull } from './status.ts'

/** What statuses are made from. */
export interface StatusSources {
  readonly store: ResourceStore
  readonly addresses: Addresses
  readonly plans: Plans
  readonly brokers: Brokers
  readonly losses: Losses
  readonly notes: OperationNotes
}

export class StatusWriting {
  readonly #of: StatusSources

  constructor(sources: StatusSources) {
    this.#of = sources
  }

  /** That of a Broker, by its path. Returns whether it changes without being marked: room comes back by itself. */
  broker(path: string): boolean {
    const [namespace = '', name = ''] = path.split('/')
    const resource = this.#of.addresses.find({ ...BROKERS, namespace, name })
    if (resource === undefined || !isBroker(resource)) return false
    const declared = this.#of.brokers.get(path)
    const sink = resource.spec.delivery?.deadLetterSink
    const resolved = sink && this.#of.addresses.resolve(sink, resource.metadata.namespace, 'deadLetterSink')
    const full = declared?.broker && whyFull(declared.broker)
    const state = declared?.state ?? { state: 'opening' }
    const warnings = { full, damage: declared?.damage, otherChannel: declared?.otherChannel }
    const url = this.#of.addresses.urlOf(resource)
    this.#of.store.setStatus(keyOf(resource), brokerStatus(resource, url, state, resolved, warnings))
    return full !== undefined
  }

  /** That of a Trigger, by its resource key. As {@link broker}; so does a dead-letter box. */
  trigger(key: string): boolean {
    const plan = this.#of.plans.get(key)
    if (plan === undefined) return false
    const { trigger } = plan
    const { uid } = trigger.metadata
    const declared = this.#of.brokers.get(brokerPathOf(trigger))
    const triggers = declared?.triggers
    const running = triggers?.status(uid)
    const note = this.#of.notes.of(uid)
    const boxed = isInBox(declared?.broker, trigger)
    const subscription = { running, refusal: triggers?.refusal(uid), lost: this.#of.losses.of(uid), boxed, note }
    const lookup = (identity: Identity): Resource | undefined => this.#of.addresses.find(identity)
    this.#of.store.setStatus(key, triggerStatus(plan, this.#of.addresses.brokerOf(trigger), subscription, lookup))
    return boxed || running?.boxFull === true
  }

  /** What a trigger has still to get is no commit: it changes with every event. It is there for who reads. */
  withBacklog(resource: Resource): Resource {
    if (!isTrigger(resource) || resource.status === undefined) return resource
    const { uid } = resource.metadata
    const running = this.#of.brokers.get(brokerPathOf(resource))?.triggers?.status(uid)
    return running === undefined
      ? resource
      : { ...resource, status: { ...resource.status, backlog: backlogStatus(running) } }
  }
}

/** Whether the dead-letter box holds anything of the trigger. */
function isInBox(broker: Broker | undefined, { metadata: { namespace, name } }: Trigger): boolean {
  return broker !== undefined && broker.box.usage(`${namespace}/${name}`).events > 0
}
