// What would become of one event, without running anything: which triggers of a configuration it would reach, and by what
// request. Pure.
//
// From: cli/src/try.ts. Next: the same plans, filters and encodings as of what runs.

import { subscriberHeaders } from '@sluice/broker'
import { systemClock } from '@sluice/clock'
import { goesStructured } from '@sluice/delivery'
import { encodeBinary, encodeStructured, STRUCTURED_CONTENT_TYPE, type Event } from '@sluice/event'
import { compileTrigger, explain } from '@sluice/filter'
import { isTrigger, resourceStore, triggerSettings, type Declared, type Trigger } from '@sluice/resource'
import { Addresses, hubPathOf, TRIGGERS } from './addresses.ts'
import { Secrets } from './secrets.ts'
import { planTrigger, type PlanSources, type TriggerPlan } from './trigger.ts'

/** What would become of the event at one trigger. */
export interface Tried {
  /** `namespace/name`, both. */
  readonly trigger: string
  readonly broker: string
  readonly reached: boolean
  /** Why not, in as few words as there are. */
  readonly reason?: string
  /** It matches, and would wait: the trigger is paused. */
  readonly paused?: true
  readonly request?: TriedRequest
}

/** The request that its subscriber would get; without `ce-knativearrivaltime`, which nobody knows before. */
export interface TriedRequest {
  readonly method: 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** As text. */
  readonly body: string
}

/**
 * Tries the event at every trigger of these resources, or of one broker, in their order.
 *
 * @param base where brokers would be reached, for triggers whose subscriber is one
 * @param broker `namespace/name`; default: all, each as if the event were sent there
 */
export function tryEvent(
  declared: readonly Declared[],
  event: Event,
  { base, broker }: { base: string; broker?: string },
): Tried[] {
  const store = resourceStore({ clock: systemClock })
  const { problems } = store.apply(declared, { source: 'files' })
  if (problems !== undefined) throw new Error(problems.map(({ message }) => message).join('\n'))
  const addresses = new Addresses(store)
  addresses.base = base
  const sources: PlanSources = {
    addresses,
    secrets: new Secrets(store, systemClock),
    consentOf: () => ({ state: 'granted', perMinute: undefined }),
    isPaused: () => false,
  }
  return store
    .list(TRIGGERS)
    .filter(isTrigger)
    .filter((trigger) => broker === undefined || hubPathOf(trigger) === broker)
    .map((trigger) => tryAt(trigger, event, sources))
}

function tryAt(trigger: Trigger, event: Event, sources: PlanSources): Tried {
  const { namespace, name } = trigger.metadata
  const about = { trigger: `${namespace}/${name}`, broker: hubPathOf(trigger) }
  const plan = planTrigger(trigger, sources)
  const reason = whyNot(trigger, plan, event, sources.addresses)
  if (reason !== undefined) return { ...about, reached: false, reason }
  const paused = triggerSettings(trigger).paused ? { paused: true as const } : {}
  return { ...about, reached: true, ...paused, request: requestTo(plan, event) }
}

/** The filter first: what does not match has no need of an address. */
function whyNot(trigger: Trigger, { subscriber }: TriggerPlan, event: Event, addresses: Addresses): string | undefined {
  const { reason } = explain(compileTrigger(trigger.spec), event)
  if (reason !== undefined) return reason
  if (addresses.hubOf(trigger) === undefined) return `there is no Broker ${hubPathOf(trigger)}`
  return subscriber.url === undefined ? subscriber.message : undefined
}

function requestTo({ trigger, subscriber, policy }: TriggerPlan, event: Event): TriedRequest {
  const isStructured = goesStructured(event, policy.format)
  const own = isStructured ? ['content-type', STRUCTURED_CONTENT_TYPE] : encodeBinary(event)
  const flat = [...own, ...subscriberHeaders(trigger.metadata.namespace), ...event.headers]
  const headers: Record<string, string> = {}
  for (let at = 0; at < flat.length; at += 2) headers[flat[at]!] = flat[at + 1]!
  const body = isStructured ? encodeStructured(event) : event.data
  return { method: 'POST', url: subscriber.url!, headers, body: body?.toString('utf8') ?? '' }
}
