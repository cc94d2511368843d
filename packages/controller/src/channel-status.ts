// What the statuses of channels and Subscriptions say: computed from what runs, in Knative's words (KNATIVE.md 1.2, A.2).
// Pure. status.ts has those of Brokers and Triggers, and what all have in common.

import {
  channelKind,
  inMemoryChannelKind,
  logChannelKind,
  nameOf,
  identityOf,
  readyCondition,
  subscriptionKind,
  type ChannelResource,
  type Kind,
  type Mark,
  type Resolved,
  type Resource,
  type Status,
  type Subscription,
} from '@sluice/resource'
import type { Addressable } from './addresses.ts'
import type { BrokerState } from './broker.ts'
import type { ChannelKind } from './drivers.ts'
import {
  boxFullMark,
  DEAD_LETTERS_KEPT,
  channelMark,
  consentMark,
  consentWarning,
  pausedMark,
  pausedStatus,
  sinkMark,
  sinkUri,
  status,
  subscriberStatus,
  tokensMark,
  tokensWarning,
  TRUE,
  warning,
  type BrokerWarnings,
  type SubscriptionState,
} from './status.ts'
import type { TriggerPlan } from './trigger.ts'

/** What a channel's status is computed from, beside itself. */
export interface ChannelFacts {
  readonly address: Addressable
  readonly state: BrokerState
  readonly deadLetterSink: Resolved | undefined
  readonly warnings: BrokerWarnings
  /** The channel of another kind that has its address. */
  readonly takenBy: Resource | undefined
  /** What it is made of. */
  readonly madeOf: ChannelKind | 'none'
  /** Its Subscriptions, with their statuses. */
  readonly subscriptions: readonly Resource[]
}

const KINDS: Readonly<Record<string, Kind>> = {
  Channel: channelKind,
  InMemoryChannel: inMemoryChannelKind,
  LogChannel: logChannelKind,
}

/** Of the generation that stands there (spec 83). */
export function channelStatus(channel: ChannelResource, facts: ChannelFacts): Status {
  const { address, state, deadLetterSink, warnings, takenBy, subscriptions } = facts
  const { full, damage, otherChannel, tokens, typeLimit } = warnings
  const works = channelMark(state)
  const isOpen = state.state === 'ready' || state.state === 'degraded'
  const isAddressed = isOpen && takenBy === undefined
  return status(
    KINDS[channel.kind]!,
    channel,
    {
      ...ofItsKind(channel.kind, works),
      Addressable:
        takenBy === undefined ? (tokensMark(tokens) ?? (isOpen ? TRUE : works)) : takenMark(channel, takenBy),
      DeadLetterSinkResolved: sinkMark(deadLetterSink, ''),
      EventPoliciesReady: { status: 'True', reason: 'DefaultAuthorizationMode' },
      ...warning('ChannelHasRoom', 'ChannelFull', full),
      ...warning('EventsKept', 'EventsLost', damage),
      ...warning('ChannelConfigured', 'ChannelChanged', otherChannel),
      ...tokensWarning(tokens),
      ...warning('EventTypesKnown', 'TypeLimitReached', typeLimit),
    },
    {
      ...(isAddressed && { address }), // spec 21, 61
      ...(channel.kind === 'Channel' && madeOf(channel, facts)),
      ...sinkUri(deadLetterSink),
      subscribers: subscriptions.map(subscriberOf),
    },
  )
}

/** Each kind has its own words for that it works. */
function ofItsKind(kind: string, works: Mark): Record<string, Mark> {
  if (kind === 'Channel') return { BackingChannelReady: works }
  if (kind === 'LogChannel') return { LogReady: works }
  return { ServiceReady: works, EndpointsReady: works, ChannelServiceReady: works }
}

function takenMark(channel: Resource, takenBy: Resource): Mark {
  const message =
    `${nameOf(identityOf(takenBy))} has the address of this name. Give this ${channel.kind} another name: ` +
    'channels of all kinds share the path /channels/{namespace}/{name}.'
  return { status: 'False', reason: 'NameTaken', message }
}

/** As Knative's `status.channel`; here there is no object of that name behind it. */
function madeOf({ metadata }: Resource, { madeOf: kind }: ChannelFacts): { channel?: object } {
  const { namespace, name } = metadata
  if (kind === 'none') return {}
  return { channel: { ...BACKING[kind], namespace, name } }
}

const BACKING = {
  log: { apiVersion: 'messaging.sluice.dev/v1alpha1', kind: 'LogChannel' },
  memory: { apiVersion: 'messaging.knative.dev/v1', kind: 'InMemoryChannel' },
  nats: { apiVersion: 'messaging.knative.dev/v1alpha1', kind: 'NatsJetStreamChannel' },
  kafka: { apiVersion: 'messaging.knative.dev/v1', kind: 'KafkaChannel' },
  pubsub: { apiVersion: 'messaging.cloud.google.com/v1beta1', kind: 'Channel' },
} as const satisfies Record<ChannelKind, object>

/** As Knative's `status.subscribers` (spec 86: nobody else writes it). */
function subscriberOf({ metadata, status: its }: Resource): object {
  const ready = its?.conditions.find(({ type }) => type === 'AddedToChannel')
  return {
    uid: metadata.uid,
    observedGeneration: its?.observedGeneration ?? 0,
    ready: ready?.status ?? 'Unknown',
    ...(ready?.message !== undefined && { message: ready.message }),
  }
}

/** Of the generation that was planned (spec 83). `channel`: the one it names, with its status. */
export function subscriptionStatus(
  subscription: Subscription,
  plan: TriggerPlan,
  channel: Resource | undefined,
  { running, refusal, lost, boxed, note, unshown }: SubscriptionState,
): Status {
  const { subscriber, reply, deadLetterSink } = plan
  return status(
    subscriptionKind,
    subscription,
    {
      ReferencesResolved: referencesMark(subscription, plan, channel, running !== undefined, unshown),
      AddedToChannel: addedMark(refusal, running !== undefined),
      ChannelReady: running?.boxFull ? boxFullMark : readyMark(channel),
      OIDCIdentityCreated: { status: 'True', reason: 'OIDCDisabled' },
      ...warning('EventsKept', 'EventsLost', lost),
      ...warning('DeadLetterBoxEmpty', 'DeadLettersKept', boxed ? DEAD_LETTERS_KEPT : undefined),
      ...consentWarning(plan),
      ...pausedMark(subscription, note),
    },
    {
      physicalSubscription: {
        subscriberUri: subscriber.url ?? '', // spec 31, 34
        ...(subscriber.caCerts !== undefined && { subscriberCACerts: subscriber.caCerts }),
        ...(reply !== undefined && { replyUri: reply.url ?? '' }),
        ...(reply?.caCerts !== undefined && { replyCACerts: reply.caCerts }),
        ...(deadLetterSink !== undefined && { deadLetterSinkUri: '', ...sinkUri(deadLetterSink) }),
      },
      ...(running !== undefined && { subscriber: subscriberStatus(running) }),
      ...pausedStatus(subscription, note),
      ...(note?.seek !== undefined && { lastSeek: note.seek }),
    },
  )
}

/** The channel first: without it nothing else matters (spec 29, 30, 32, 33). */
function referencesMark(
  { spec: { channel: wanted } }: Subscription,
  plan: TriggerPlan,
  channel: Resource | undefined,
  isRunning: boolean,
  unshown: SubscriptionState['unshown'],
): Mark {
  const { subscriber, reply, deadLetterSink } = plan
  if (channel === undefined) {
    const message = `Failed to get Spec.Channel or backing channel: ${wanted.kind} "${wanted.name}" of ${wanted.apiVersion} not found`
    return { status: 'Unknown', reason: 'ChannelReferenceFailed', message }
  }
  const waits = isRunning ? '. Events wait in the channel until it is known' : ''
  const failed = (reason: string, role: string, { message = '' }: Resolved): Mark => {
    return { status: 'False', reason, message: `Failed to resolve ${role}: ${message}${waits}` }
  }
  if (subscriber.url === undefined) return failed('SubscriberResolveFailed', 'spec.subscriber', subscriber)
  if (reply !== undefined && reply.url === undefined) return failed('ReplyResolveFailed', 'spec.reply', reply)
  if (deadLetterSink !== undefined && deadLetterSink.url === undefined) {
    return failed('DeadLetterSinkResolveFailed', 'spec.delivery.deadLetterSink', deadLetterSink)
  }
  const message = unshown.subscriber ?? unshown.reply ?? unshown.deadLetterSink
  if (message !== undefined) return { status: 'False', reason: 'SecretUnavailable', message }
  return consentMark(plan) ?? TRUE
}

/** Whether all future events will be sent (spec 40). */
function addedMark(refusal: string | undefined, isRunning: boolean): Mark {
  if (refusal !== undefined) return { status: 'False', reason: 'PhysicalChannelSyncFailed', message: refusal }
  if (isRunning) return TRUE
  const message = 'The channel does not have it yet.'
  return { status: 'Unknown', reason: 'SubscriptionNotMarkedReadyByChannel', message }
}

function readyMark(channel: Resource | undefined): Mark {
  if (channel === undefined) {
    return { status: 'Unknown', reason: 'ChannelReferenceFailed', message: 'There is no such channel.' }
  }
  const ready = readyCondition(channel.status?.conditions)
  if (ready?.status === 'True') return TRUE
  const { reason = 'ChannelNotReady', message } = ready ?? {}
  const title = nameOf(identityOf(channel))
  return { status: 'False', reason, message: `${title} is not ready${message ? `: ${message}` : ''}` }
}
