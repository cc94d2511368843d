// From a Trigger or Subscription to what the broker runs by. Pure.

import { isDeepStrictEqual } from 'node:util'
import type { Route, TriggerConfig } from '@sluice/broker'
import { WINDOW_DEFAULT, type Start } from '@sluice/channel'
import { deliveryPolicy, target, type DeliveryPolicy, type Receiver } from '@sluice/delivery'
import { compileTrigger } from '@sluice/filter'
import {
  isTrigger,
  receiverSettings,
  triggerSettings,
  type DeliverySpec,
  type Destination,
  type Identity,
  type Resolved,
  type TriggerSettings,
} from '@sluice/resource'
import { isPlain, planAccess, type PlannedAccess } from './access.ts'
import type { Addresses, AnyTrigger } from './addresses.ts'
import type { Consent, Wish } from './consents.ts'
import type { Secrets } from './secrets.ts'

/** What a trigger comes to, once everything it points at is known. */
export interface TriggerPlan {
  readonly trigger: AnyTrigger
  readonly subscriber: Resolved
  /** Of a Subscription; `undefined`: replies are dropped (spec 36). */
  readonly reply: Resolved | undefined
  /** `undefined`: neither the trigger nor its broker has one. */
  readonly deadLetterSink: Resolved | undefined
  /** How each of these is spoken to, where there is more to it than a plain request. */
  readonly access: { readonly [role in Role]?: PlannedAccess | undefined }
  /** What the subscriber is asked for before it is sent to, and what came of it; absent: it is not asked. */
  readonly consent: { readonly wish: Wish; readonly given: Consent } | undefined
  readonly policy: DeliveryPolicy
  /** By an operation, beside what its annotation says. */
  readonly isPaused: boolean
}

/** What a trigger sends to. */
type Role = 'subscriber' | 'reply' | 'deadLetterSink'

/** Of one of them. */
interface Shown {
  readonly credentials?: readonly string[] | undefined
  readonly signing?: string | undefined
  readonly webhookOrigin?: string | undefined
}

/** What a plan is made from, beside the trigger. */
export interface PlanSources {
  readonly addresses: Addresses
  readonly secrets: Secrets
  /** What came of a wish so far. */
  consentOf(uid: string, wish: Wish): Consent
  /** Whether an operation has paused the trigger with this uid. */
  isPaused(uid: string): boolean
}

/** Everything about a trigger that its resource, its broker's, those it points at, and people's operations decide. */
export function planTrigger(trigger: AnyTrigger, sources: PlanSources): TriggerPlan {
  const { addresses, secrets } = sources
  const { uid } = trigger.metadata
  const hub = addresses.hubOf(trigger)
  const { spec } = trigger
  const own = receiverSettings(trigger)
  const { policy, deadLetterSink } = effectiveDelivery(
    spec.delivery,
    hub && addresses.deliveryOf(hub),
    own.signing !== undefined,
  )
  const ofSink = spec.delivery?.deadLetterSink === undefined ? hub && receiverSettings(hub) : own
  const access: { [role in Role]?: PlannedAccess | undefined } = {}
  const resolve = (role: Role, destination: Destination | undefined, shown: Shown): Resolved | undefined => {
    if (destination === undefined) return undefined
    const { namespace } = trigger.metadata
    const resolved = addresses.resolve(
      destination,
      namespace,
      role === 'deadLetterSink' ? 'deadLetterSink' : 'subscriber',
    )
    if (resolved.url === undefined) return resolved
    const planned = {
      namespace,
      origin: target(resolved.url).origin,
      caCerts: resolved.caCerts,
      audience: destination.audience,
      credentials: shown.credentials ?? [],
      ingressTokens: shown.credentials === undefined ? addresses.tokenSecretOf(destination, namespace) : undefined,
      signing: shown.signing,
      webhookOrigin: shown.webhookOrigin,
    }
    if (isPlain(planned)) return resolved
    for (const name of [...planned.credentials, planned.signing ?? []].flat()) addresses.find(secretOf(namespace, name))
    const made = planAccess(planned, secrets)
    if (typeof made === 'string') return { reason: 'SecretUnavailable', message: made }
    access[role] = made
    return resolved
  }
  const webhookOrigin = own.handshake === 'off' ? undefined : (own.webhookOrigin ?? addresses.host)
  const subscriber = resolve('subscriber', spec.subscriber, { ...own, webhookOrigin })!
  const reply = isTrigger(trigger)
    ? undefined
    : resolve('reply', trigger.spec.reply, { credentials: own.replyCredentials })
  const sink = resolve('deadLetterSink', deadLetterSink, { credentials: ofSink?.deadLetterCredentials })
  const wish = wishOf(trigger, subscriber, access.subscriber)
  return {
    ...{ trigger, subscriber, reply, deadLetterSink: sink, access, policy },
    consent: wish && { wish, given: sources.consentOf(uid, wish) },
    isPaused: sources.isPaused(uid),
  }
}

/** Where the subscriber is asked for its consent, the rate that the trigger has is asked for too. */
function wishOf(trigger: AnyTrigger, { url }: Resolved, planned: PlannedAccess | undefined): Wish | undefined {
  if (url === undefined || planned?.spec.webhookOrigin === undefined) return undefined
  const { ratePerSecond } = triggerSettings(trigger)
  return {
    receiver: { ...target(url), access: planned.access },
    spec: planned.spec,
    perMinute: ratePerSecond === undefined ? undefined : Math.max(1, Math.floor(ratePerSecond * 60)),
    isRequired: receiverSettings(trigger).handshake === 'require',
  }
}

function secretOf(namespace: string, name: string): Identity {
  return { group: '', kind: 'Secret', namespace, name }
}

/**
 * The delivery that holds: any field of the trigger's replaces the broker's or channel's whole (spec 82, 87); only the
 * dead-letter sink falls back to that (KNATIVE.md 1.2, 3.5; DESIGN "Delivery is per trigger"). Where deliveries are signed
 * and no format is said, it is JSON: a signature is over the body, and in binary mode the attributes stand beside that.
 */
export function effectiveDelivery(
  trigger: DeliverySpec | undefined,
  hub: DeliverySpec | undefined,
  isSigned: boolean,
): { policy: DeliveryPolicy; deadLetterSink: Destination | undefined } {
  const wins = hasAny(trigger) ? trigger : hasAny(hub) ? hub : undefined
  const policy = deliveryPolicy(wins)
  const format = isSigned && wins?.format === undefined ? 'json' : policy.format
  return { policy: { ...policy, format }, deadLetterSink: trigger?.deadLetterSink ?? hub?.deadLetterSink }
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
      subscriber: receiver(plan, 'subscriber', subscriber) ?? before?.route.subscriber ?? NOWHERE,
      deadLetterSink: receiver(plan, 'deadLetterSink', deadLetterSink),
      ...replyTo(plan),
      policy,
      concurrency: Math.min(settings.concurrency ?? window, window),
      ratePerSecond: rateOf(plan, settings),
    },
    order: settings.order,
    window: { events: window, bytes: WINDOW_DEFAULT.bytes },
    paused: settings.paused || plan.isPaused || !known,
    start: startOf(settings.from),
  }
}

const EVERYTHING = {}

/** Of one that was asked and has not consented, where that is no reason to send nothing: six a minute. */
const UNASKED_PER_SECOND = 0.1

/** The least of what the trigger says and what the subscriber allows. */
function rateOf({ consent }: TriggerPlan, { ratePerSecond }: TriggerSettings): number | undefined {
  if (consent === undefined) return ratePerSecond
  const { given } = consent
  const perMinute = given.state === 'granted' ? given.perMinute : UNASKED_PER_SECOND * 60
  if (perMinute === undefined) return ratePerSecond
  return Math.min(perMinute / 60, ratePerSecond ?? Infinity)
}

/** Whether the subscriber has to consent before anything is sent, and has not. */
export function waitsForConsent({ consent }: TriggerPlan): boolean {
  return consent !== undefined && consent.wish.isRequired && consent.given.state !== 'granted'
}

/** Each with its own access: what one is shown, another never is (threat 21). */
function receiver({ access }: TriggerPlan, role: Role, resolved: Resolved | undefined): Receiver | undefined {
  return resolved?.url === undefined ? undefined : { ...target(resolved.url), access: access[role]?.access }
}

/** A Trigger's replies go to its broker, which the broker knows by itself. */
function replyTo(plan: TriggerPlan): Pick<Route, 'replyTo'> {
  return isTrigger(plan.trigger) ? {} : { replyTo: receiver(plan, 'reply', plan.reply) ?? 'nobody' }
}

/** Of a trigger that is paused until its address is known: nothing is sent there, and nothing could be (RFC 2606). */
const NOWHERE = target('http://unresolved.invalid/')

/** Whether every address that it needs is known, and may be sent to. */
function isResolved(plan: TriggerPlan): boolean {
  const { subscriber, reply, deadLetterSink } = plan
  if (waitsForConsent(plan)) return false
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
    isDeepStrictEqual(before.policy, after.policy) &&
    isDeepStrictEqual(accessSpecs(before), accessSpecs(after))
  )
}

/** Equal ones read the same Secrets, whatever those hold by now, and may send as much. */
function accessSpecs({ access: { subscriber, reply, deadLetterSink }, consent }: TriggerPlan): unknown {
  return [subscriber?.spec, reply?.spec, deadLetterSink?.spec, consent?.given, consent?.wish.isRequired]
}

function isSame(before: Resolved | undefined, after: Resolved | undefined): boolean {
  return (before === undefined) === (after === undefined) && before?.url === after?.url
}
