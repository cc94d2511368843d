// messaging.knative.dev Subscription: what a Trigger is to a Broker, to a channel. It takes every event, and says where the
// replies go.

import { AGE, READINESS } from '../columns.ts'
import {
  checkDelivery,
  checkDestination,
  checkReference,
  convertDestination,
  defaultDelivery,
  defaultNamespace,
  DELIVERY_SCHEMA,
  destinationSchema,
  movedReference,
  REFERENCE_SCHEMA,
  referenceOf,
  type DeliverySpec,
  type Destination,
  type KReference,
} from '../ducks.ts'
import type { Draft, JsonSchema, Kind, Reference, Report } from '../kind.ts'
import { groupOf, isRecord, type Resource } from '../resource.ts'
import { isChannelKind } from './channel.ts'
import { checkHandshake, secretReferences } from './receiver-annotations.ts'
import { convertFirstSubscription, FIRST_FORM } from './first-forms.ts'
import { checkWindow, SUBSCRIPTION_ANNOTATIONS } from './trigger-annotations.ts'

/** The spec of a Subscription that is stored. */
export interface SubscriptionSpec {
  /** In the Subscription's namespace. */
  readonly channel: KReference & { readonly apiVersion: string }
  readonly subscriber: Destination
  /** Absent: replies are dropped (spec 36). */
  readonly reply?: Destination
  readonly delivery?: DeliverySpec
}

/** A Subscription that is stored. */
export type Subscription = Resource & { readonly spec: SubscriptionSpec }

/** Whether this is a Subscription. */
export function isSubscription(resource: Resource): resource is Subscription {
  return resource.kind === subscription.kind && resource.apiVersion === `${subscription.group}/v1`
}

const SPEC_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'Which channel goes where.',
  additionalProperties: false,
  required: ['channel', 'subscriber'],
  properties: {
    channel: {
      ...REFERENCE_SCHEMA,
      description:
        'The channel whose events it takes: a Channel, or one of another kind by its own. Cannot be changed.',
    },
    subscriber: destinationSchema('where the events go: an object with an address, or a URL.'),
    reply: destinationSchema('Where the events go that the subscriber answers with. Default: nowhere.'),
    delivery: { ...DELIVERY_SCHEMA, description: 'How events are delivered, instead of what the channel says.' },
  },
}

/** The kind. */
export const subscription: Kind = {
  group: 'messaging.knative.dev',
  kind: 'Subscription',
  plural: 'subscriptions',
  singular: 'subscription',
  shortNames: ['sub'],
  categories: ['all', 'knative', 'messaging'],
  namespaced: true,
  versions: ['v1', 'v1beta1', 'v1alpha1'],
  formerly: FIRST_FORM,
  description:
    'A Subscription hands every event of a channel to a subscriber, and its replies to where they are wanted.',
  run: true,
  naming: 'subdomain',
  required: ['spec'],
  fields: { spec: SPEC_SCHEMA },
  annotations: SUBSCRIPTION_ANNOTATIONS,
  immutable: [['spec', 'channel']],
  conditions: {
    living: ['ReferencesResolved', 'AddedToChannel', 'ChannelReady', 'OIDCIdentityCreated'],
    shown: ['DeadLetterBoxEmpty', 'Delivering', 'EventsKept', 'SubscriberConsented'],
  },
  columns: [AGE, ...READINESS],
  convert: convertSubscription,
  defaults: defaultSubscription,
  validate: validateSubscription,
  references: referencesOf,
}

/** Old shapes (KNATIVE.md 1.10): bare references, and `reply.channel`. */
function convertSubscription(draft: Draft, version: string, report: Report): void {
  const { spec } = draft
  if (!isRecord(spec)) return
  convertFirstSubscription(draft, version)
  spec['channel'] = movedReference(spec['channel'])
  spec['subscriber'] = convertDestination(spec['subscriber'], ['spec', 'subscriber'], version, report)
  const reply = spec['reply']
  const bare = isRecord(reply) && isRecord(reply['channel']) ? reply['channel'] : reply
  spec['reply'] = convertDestination(bare, ['spec', 'reply'], version, report)
  for (const field of ['channel', 'subscriber', 'reply']) if (spec[field] === undefined) delete spec[field]
}

function defaultSubscription({ spec, metadata }: Draft): void {
  if (!isRecord(spec)) return
  const { channel } = spec
  if (isRecord(channel) && channel['namespace'] === metadata.namespace) delete channel['namespace'] // spec 28
  for (const field of ['subscriber', 'reply']) defaultNamespace(spec[field], metadata.namespace)
  defaultDelivery(spec['delivery'], metadata.namespace)
}

function validateSubscription(draft: Draft, report: Report): void {
  checkWindow(draft, report)
  checkHandshake(draft, report)
  const { spec, metadata } = draft
  if (!isRecord(spec)) return
  checkChannel(spec['channel'], metadata.namespace, report)
  checkDestination(spec['subscriber'], ['spec', 'subscriber'], report)
  checkDestination(spec['reply'], ['spec', 'reply'], report)
  checkDelivery(spec['delivery'], ['spec', 'delivery'], report)
}

function checkChannel(channel: unknown, namespace: string, report: Report): void {
  const path = ['spec', 'channel']
  checkReference(channel, path, report)
  if (!isRecord(channel)) return
  const { apiVersion, kind } = channel
  if (channel['namespace'] !== undefined && channel['namespace'] !== '') {
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path: [...path, 'namespace'],
      message: 'must not set the field(s): spec.channel.namespace', // spec 28
      hint: `A Subscription belongs to a channel of its own namespace, ${namespace}.`,
    })
  }
  if (typeof kind !== 'string' || typeof apiVersion !== 'string' || isChannelKind(groupOf(apiVersion), kind)) return
  report({
    severity: 'warning',
    code: 'SLUICE_RESOURCE_NOT_RUN',
    path: [...path, 'kind'],
    message: `${kind} of ${apiVersion} is no channel of this version, so the Subscription will not be Ready.`,
    hint: 'Known are Channel and InMemoryChannel of messaging.knative.dev/v1, and LogChannel of messaging.sluice.dev/v1alpha1.',
  })
}

function referencesOf(resource: Resource): Reference[] {
  if (!isSubscription(resource)) return []
  const { channel, subscriber, reply, delivery } = resource.spec
  const { namespace } = resource.metadata
  const missing = 'The Subscription will not be Ready until it exists.'
  const { apiVersion, kind, name } = channel
  return [
    { path: ['spec', 'channel'], apiVersion, kind, namespace, name, missing },
    ...referenceOf(subscriber, ['spec', 'subscriber'], namespace, missing),
    ...referenceOf(reply, ['spec', 'reply'], namespace, missing),
    ...referenceOf(delivery?.deadLetterSink, ['spec', 'delivery', 'deadLetterSink'], namespace, missing),
    ...secretReferences(resource),
  ]
}
