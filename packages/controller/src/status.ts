// What a status says: computed from what runs, in Knative's words (KNATIVE.md 1.1, A.2). Pure.

import type { Broker, TriggerStatus } from '@sluice/broker'
import {
  brokerKind,
  conditions,
  groupOf,
  identityOf,
  nameOf,
  readyCondition,
  triggerKind,
  triggerSettings,
  type Identity,
  type Kind,
  type Mark,
  type Resolved,
  type Resource,
  type Status,
  type Trigger,
} from '@sluice/resource'
import type { Addressable } from './addresses.ts'
import type { BrokerState } from './broker.ts'
import type { OperationNote } from './operation-notes.ts'
import { waitsForConsent, type TriggerPlan } from './trigger.ts'

/** What is amiss with a Broker that is no reason not to be Ready, in words. */
export interface BrokerWarnings {
  /** Why its channel takes no events. */
  readonly full: string | undefined
  /** What its channel had lost when it was opened. */
  readonly damage: string | undefined
  /** That it is declared with another channel than it has. */
  readonly otherChannel: string | undefined
  /** What is wrong with the tokens that it asks for; `isClosed`: that is a reason not to be Ready. */
  readonly tokens: { readonly isClosed: boolean; readonly message: string } | undefined
  /** Why not every type of its events has an EventType. */
  readonly typeLimit: string | undefined
}

/** Of the generation that stands there (spec 83). */
export function brokerStatus(
  resource: Resource,
  address: Addressable,
  state: BrokerState,
  deadLetterSink: Resolved | undefined,
  { full, damage, otherChannel, tokens, typeLimit }: BrokerWarnings,
): Status {
  const channel = channelMark(state)
  const isOpen = state.state === 'ready' || state.state === 'degraded'
  return status(
    brokerKind,
    resource,
    {
      IngressReady: tokensMark(tokens) ?? channel,
      TriggerChannelReady: channel,
      FilterReady: channel,
      Addressable: isOpen ? TRUE : channel,
      DeadLetterSinkResolved: sinkMark(deadLetterSink, ''),
      EventPoliciesReady: { status: 'True', reason: 'DefaultAuthorizationMode' },
      ...warning('ChannelHasRoom', 'ChannelFull', full),
      ...warning('EventsKept', 'EventsLost', damage),
      ...warning('ChannelConfigured', 'ChannelChanged', otherChannel),
      ...tokensWarning(tokens),
      ...warning('EventTypesKnown', 'TypeLimitReached', typeLimit),
    },
    {
      ...(isOpen && { address }), // spec 48
      ...sinkUri(deadLetterSink),
    },
  )
}

/** Whether the broker refuses events for want of room, and which trigger holds most of them (DESIGN "Full"). */
export function whyFull(broker: Broker): string | undefined {
  if (!broker.isFull) return undefined
  const { events, bytes, bytesMax } = broker.channel.usage()
  let holder = 'Nobody'
  let most = 0
  for (const { name, status } of broker.triggers()) {
    if (status.lag.events <= most) continue
    most = status.lag.events
    holder = `${broker.kind === 'Broker' ? 'Trigger' : 'Subscription'} ${name.namespace}/${name.name} (subscriber ${status.state})`
  }
  return (
    `The channel takes no events from outside: it holds ${events} events in ${bytes} of ${bytesMax} bytes. ` +
    `${holder} has most of them to deliver, ${most}.`
  )
}

/** What became of a trigger at its broker. */
export interface SubscriptionState {
  /** Where it is subscribed. */
  readonly running: TriggerStatus | undefined
  /** Why it doesn't run as it was declared, in words. */
  readonly refusal: string | undefined
  /** What it has lost, in words. */
  readonly lost: string | undefined
  /** The dead-letter box holds some of its events. */
  readonly boxed: boolean
  /** What people did to it beside changing its resource. */
  readonly note: OperationNote | undefined
  /** Why what a receiver is shown can't be had or used now, in words. */
  readonly unshown: Readonly<Record<'subscriber' | 'reply' | 'deadLetterSink', string | undefined>>
}

/**
 * Of the generation that was planned (spec 83). `broker`: the one it names, with its status; `lookup` finds the object
 * that its annotation `knative.dev/dependency` names.
 */
export function triggerStatus(
  trigger: Trigger,
  plan: TriggerPlan,
  broker: Resource | undefined,
  { running, refusal, lost, boxed, note, unshown }: SubscriptionState,
  lookup: (identity: Identity) => Resource | undefined,
): Status {
  const { subscriber, deadLetterSink } = plan
  const waits = running === undefined ? '' : '. Events that match wait in the channel until it is known'
  return status(
    triggerKind,
    trigger,
    {
      BrokerReady: brokerMark(broker, trigger.spec.broker),
      SubscriptionReady: subscriptionMark(refusal, running),
      DependencyReady: dependencyMark(trigger, lookup),
      SubscriberResolved: shownMark(unshown.subscriber) ?? consentMark(plan, waits) ?? resolvedMark(subscriber, waits),
      DeadLetterSinkResolved: shownMark(unshown.deadLetterSink) ?? sinkMark(deadLetterSink, waits),
      OIDCIdentityCreated: { status: 'True', reason: 'OIDCDisabled' },
      ...warning('EventsKept', 'EventsLost', lost),
      ...warning('DeadLetterBoxEmpty', 'DeadLettersKept', boxed ? DEAD_LETTERS_KEPT : undefined),
      ...consentWarning(plan),
      ...pausedMark(trigger, note),
    },
    {
      subscriberUri: subscriber.url ?? '', // spec 16
      ...(subscriber.caCerts !== undefined && { subscriberCACerts: subscriber.caCerts }),
      ...sinkUri(deadLetterSink),
      ...(running !== undefined && { subscriber: subscriberStatus(running) }),
      ...pausedStatus(trigger, note),
      ...(note?.seek !== undefined && { lastSeek: note.seek }),
    },
  )
}

/** `sluice dead-letters` in another process may empty the box at any time, so no number stands here. */
export const DEAD_LETTERS_KEPT: string =
  'Some of its events could not be delivered, and no dead-letter sink took them: they are kept in the dead-letter box. ' +
  'See them with: sluice dead-letters list. Then redrive or purge them.'

/** How deliveries go: `Healthy`, `Throttled` or `Down`, and the last failure (DESIGN "Delivery is per trigger"). */
export function subscriberStatus({ state, rate, lastFailure }: TriggerStatus): object {
  return {
    state,
    ...(rate !== undefined && { rate: `${rate.perSecond}/s` }),
    ...(lastFailure !== undefined && { lastFailure }),
  }
}

/** What a Trigger has still to get; `oldest` is when the oldest of it was stored. */
export function backlogStatus({ lag, rate, redriving }: TriggerStatus): object {
  const { events, bound, oldest, inFlight, parked } = lag
  return {
    events,
    ...(bound !== 'exact' && { bound }),
    ...(oldest !== undefined && { oldest: new Date(oldest).toISOString() }),
    inFlight,
    parked,
    ...(rate !== undefined && { waitingForRate: rate.queued }),
    ...(redriving > 0 && { redriving }),
  }
}

/** Whose the pause is: an annotation wins (DESIGN "Resources"). */
export function pausedStatus(trigger: Resource, note: OperationNote | undefined): object {
  const isAnnotated = triggerSettings(trigger).paused
  if (!isAnnotated && note?.paused === undefined) return {}
  return { paused: { by: isAnnotated ? 'annotation' : 'operation', ...note?.paused } }
}

/** Paused is as somebody wants it, and no reason not to be Ready: what matches is kept for it. */
export function pausedMark(trigger: Resource, note: OperationNote | undefined): Record<string, Mark> {
  const isAnnotated = triggerSettings(trigger).paused
  if (!isAnnotated && note?.paused === undefined) return {}
  const { namespace, name } = trigger.metadata
  const since = note?.paused === undefined ? '' : ` since ${note.paused.since}`
  const word = trigger.kind === triggerKind.kind ? '' : `${trigger.kind.toLowerCase()} `
  const message = isAnnotated
    ? 'Its annotation sluice.dev/paused says so, and wins over sluice resume. What matches is kept and waits.'
    : `An operation has paused it${since}. What matches is kept and waits: sluice resume ${word}${namespace}/${name}.`
  return { Delivering: { status: 'False', severity: 'Info', reason: 'Paused', message } }
}

export const TRUE: Mark = { status: 'True' }

/** A condition that is there only while something is amiss, and doesn't count for Ready (spec 114). */
export function warning(type: string, reason: string, message: string | undefined): Record<string, Mark> {
  return message === undefined ? {} : { [type]: { status: 'False', severity: 'Warning', reason, message } }
}

export function status(
  kind: Kind,
  resource: Resource,
  marks: Record<string, Mark>,
  fields: Record<string, unknown>,
): Status {
  return {
    observedGeneration: resource.metadata.generation,
    conditions: conditions(kind.conditions ?? { living: [] }, marks),
    ...fields,
  }
}

/** That nobody has a token, so that nobody gets in. */
export function tokensMark(tokens: BrokerWarnings['tokens']): Mark | undefined {
  if (tokens?.isClosed !== true) return undefined
  return { status: 'False', reason: 'TokensUnavailable', message: `Nobody can send to it: ${tokens.message}` }
}

/** That some of the tokens can't be had. */
export function tokensWarning(tokens: BrokerWarnings['tokens']): Record<string, Mark> {
  return warning('TokensComplete', 'TokenUnavailable', tokens?.isClosed === false ? tokens.message : undefined)
}

/** Reasons as Knative's reconcilers give them (KNATIVE.md A.2). */
export function channelMark(state: BrokerState): Mark {
  switch (state.state) {
    case 'ready':
      return TRUE
    case 'degraded':
      return { status: 'False', reason: 'ChannelNotReady', message: state.reason }
    case 'failed':
      return { status: 'False', reason: 'ChannelFailure', message: state.reason }
    case 'refused':
      return { status: 'False', reason: 'ChannelTemplateFailed', message: state.reason }
    case 'opening':
      return { status: 'Unknown', reason: 'ChannelNotReady', message: 'The channel is not open yet.' }
  }
}

/** A trigger is not ready without a ready broker (spec 11, 12). */
function brokerMark(broker: Resource | undefined, name: string): Mark {
  if (broker === undefined) {
    return { status: 'False', reason: 'BrokerDoesNotExist', message: `Broker "${name}" does not exist` }
  }
  const ready = readyCondition(broker.status?.conditions)
  if (ready?.status === 'True') return TRUE
  const { reason = 'BrokerNotReady', message } = ready ?? {}
  return { status: 'False', reason, message: `Broker "${name}" is not ready${message ? `: ${message}` : ''}` }
}

/** Whether future matching events will be sent (spec 20). */
function subscriptionMark(refusal: string | undefined, running: TriggerStatus | undefined): Mark {
  if (refusal !== undefined) return { status: 'False', reason: 'NotSubscribed', message: refusal }
  if (running === undefined) return { status: 'Unknown', reason: 'NotSubscribed', message: 'Not subscribed yet.' }
  return running.boxFull ? boxFullMark : TRUE
}

/** It stands still. */
export const boxFullMark: Mark = {
  status: 'False',
  reason: 'DeadLetterBoxFull',
  message:
    'The dead-letter box takes no more of this trigger, so it stands still and nothing is dropped. ' +
    'Give it a deadLetterSink, or make room in the box.',
}

/** An object of the trigger's namespace that has to be Ready before the trigger is (KNATIVE.md 1.1). */
function dependencyMark({ metadata }: Trigger, lookup: (identity: Identity) => Resource | undefined): Mark {
  const annotation = metadata.annotations['knative.dev/dependency']
  if (annotation === undefined) return TRUE
  const reference = JSON.parse(annotation) as { apiVersion: string; kind: string; name: string } // checked at apply
  const { kind, name } = reference
  const title = nameOf({ kind, namespace: metadata.namespace, name })
  const object = lookup({ group: groupOf(reference.apiVersion), kind, namespace: metadata.namespace, name })
  if (object === undefined) {
    return { status: 'False', reason: 'DependencyDoesNotExist', message: `Dependency does not exist: ${title}` }
  }
  const ready = readyCondition(object.status?.conditions)
  if (ready?.status === 'True') return TRUE
  const { reason = 'DependencyNotReady', message = `${title} has no Ready condition` } = ready ?? {}
  return { status: ready?.status ?? 'Unknown', reason, message }
}

function resolvedMark(resolved: Resolved, consequence: string): Mark {
  if (resolved.url !== undefined) return TRUE
  return { status: 'False', reason: resolved.reason, message: `${resolved.message}${consequence}` }
}

/** What it is shown is named, and can't be had: a file that is gone, a key of another form. It is tried all the same. */
function shownMark(problem: string | undefined): Mark | undefined {
  return problem === undefined ? undefined : { status: 'False', reason: 'SecretUnavailable', message: problem }
}

/** That the subscriber has to consent before it is sent anything, and has not. */
export function consentMark(plan: TriggerPlan, consequence = ''): Mark | undefined {
  const given = plan.consent?.given
  if (!waitsForConsent(plan) || given === undefined || given.state === 'granted') return undefined
  const { state, why } = given
  return state === 'asking'
    ? { status: 'Unknown', reason: 'ConsentAsked', message: why }
    : { status: 'False', reason: 'NotConsented', message: `${why}${consequence}` }
}

/** That it has not, and is sent few events. */
export function consentWarning(plan: TriggerPlan): Record<string, Mark> {
  const { wish, given } = plan.consent ?? {}
  if (wish === undefined || wish.isRequired || given?.state !== 'refused') return {}
  return warning('SubscriberConsented', 'NotConsented', `${given.why}. Until then it gets six tries a minute.`)
}

export function sinkMark(sink: Resolved | undefined, consequence: string): Mark {
  if (sink === undefined) return { status: 'True', reason: 'DeadLetterSinkNotConfigured' }
  return resolvedMark(sink, consequence)
}

export function sinkUri(sink: Resolved | undefined): { deadLetterSinkUri?: string; deadLetterSinkCACerts?: string } {
  if (sink?.url === undefined) return {}
  return { deadLetterSinkUri: sink.url, ...(sink.caCerts !== undefined && { deadLetterSinkCACerts: sink.caCerts }) }
}

/** A list of triggers or Subscriptions longer than this is told in one line, beside those that are not ready. */
const SUMMARY_TRIGGERS_MAX = 20

/** A line for each hub and trigger: where it is or goes, and if it isn't ready, why. */
export function summary(hubs: readonly Resource[], triggers: readonly Resource[]): string[] {
  const lines = hubs.map((broker) => `${title(broker)}  ${addressOf(broker)}${whyNotReady(broker)}`)
  const shown =
    triggers.length <= SUMMARY_TRIGGERS_MAX ? triggers : triggers.filter((trigger) => whyNotReady(trigger) !== '')
  for (const trigger of shown.slice(0, SUMMARY_TRIGGERS_MAX)) {
    const physical = trigger.status?.['physicalSubscription'] as { subscriberUri?: string } | undefined
    const uri = physical?.subscriberUri ?? trigger.status?.['subscriberUri']
    lines.push(`${title(trigger)} → ${typeof uri === 'string' && uri !== '' ? uri : 'nowhere'}${whyNotReady(trigger)}`)
  }
  if (shown !== triggers)
    lines.push(`${triggers.length} triggers and subscriptions, of which ${shown.length} are not ready`)
  return lines
}

function title(resource: Resource): string {
  return nameOf(identityOf(resource))
}

function addressOf(resource: Resource): string {
  return (resource.status?.['address'] as { url: string } | undefined)?.url ?? ''
}

function whyNotReady(resource: Resource): string {
  const ready = readyCondition(resource.status?.conditions)
  return ready?.status === 'True' ? '' : `  NOT READY, ${ready?.reason ?? 'Unknown'}: ${ready?.message ?? ''}`
}
