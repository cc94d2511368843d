// messaging.knative.dev Channel and InMemoryChannel: addresses whose every event goes to every Subscription. A LogChannel
// (log-channel.ts) is another, with bounds of its own.

import { checkTemplateObject } from '../channel-template.ts'
import { AGE, column, READINESS } from '../columns.ts'
import { checkDelivery, defaultDelivery, DELIVERY_SCHEMA, referenceOf, type DeliverySpec } from '../ducks.ts'
import type { Draft, JsonSchema, Kind, Reference, Report } from '../kind.ts'
import { INGRESS_ANNOTATIONS, tokenSecretReference } from './ingress-annotations.ts'
import { groupOf, isRecord, type Resource } from '../resource.ts'
import { HUB_RECEIVER_ANNOTATIONS, secretReferences } from './receiver-annotations.ts'
import { convertFirstChannel, FIRST_FORM } from './first-forms.ts'

/** The spec of a channel that is stored, as far as all kinds of them have it. */
export interface ChannelSpec {
  /** Of a Channel: what it is made of. */
  readonly channelTemplate?: { readonly apiVersion: string; readonly kind: string; readonly spec?: object }
  /** For Subscriptions that have no delivery of their own (spec 87). */
  readonly delivery?: DeliverySpec
}

/** A channel that is stored, of any kind. */
export type ChannelResource = Resource & { readonly spec: ChannelSpec }

const KINDS: Readonly<Record<string, string>> = {
  Channel: 'messaging.knative.dev',
  InMemoryChannel: 'messaging.knative.dev',
  LogChannel: 'messaging.sluice.dev',
}

/** Whether this is a channel of a kind that runs. */
export function isChannel(resource: Resource): resource is ChannelResource {
  return isChannelKind(groupOf(resource.apiVersion), resource.kind)
}

/** As {@link isChannel}, of a group and a kind. */
export function isChannelKind(group: string, kind: string): boolean {
  return Object.hasOwn(KINDS, kind) && KINDS[kind] === group
}

const SUBSCRIBABLE = 'messaging.knative.dev/subscribable'

/** Annotations that Knative's channels have. */
const ANNOTATIONS: NonNullable<Kind['annotations']> = {
  ...INGRESS_ANNOTATIONS,
  [SUBSCRIBABLE]: { description: 'Knative: the version of its Subscriptions.', refuse: () => undefined },
  'messaging.knative.dev/async-handler': {
    description:
      'Knative: whether the sender is answered before its event is delivered. Here it always is, once stored.',
    refuse: (value) => (value === 'true' || value === 'false' ? undefined : 'true or false'),
    values: ['true', 'false'],
  },
  'eventing.knative.dev/scope': {
    description: 'Knative: whose dispatcher it has. Here there is one.',
    refuse: (value) => (value === 'cluster' || value === 'namespace' ? undefined : 'cluster or namespace'),
    values: ['cluster', 'namespace'],
  },
  ...HUB_RECEIVER_ANNOTATIONS,
}

/** What is in the spec of every channel. */
export const CHANNEL_PROPERTIES: Readonly<Record<string, JsonSchema>> = {
  delivery: { ...DELIVERY_SCHEMA, description: 'For Subscriptions that have no delivery of their own.' },
  subscribers: { description: 'Written by the server alone: add a Subscription instead.' },
}

/** What all kinds of channels have in common. */
export const CHANNEL_RULES: Required<Pick<Kind, 'annotations' | 'columns' | 'defaults' | 'validate' | 'references'>> = {
  columns: [column('URL', ['status', 'address', 'url'], 'Where it takes events.'), AGE, ...READINESS],
  annotations: ANNOTATIONS,
  defaults: defaultChannel,
  validate: validateChannel,
  references: referencesOf,
}

/** Beside the living conditions of each. */
export const CHANNEL_CONDITIONS_SHOWN: readonly string[] = [
  'ChannelConfigured',
  'ChannelHasRoom',
  'EventsKept',
  'EventTypesKnown',
  'TokensComplete',
]

/** The kind Channel: of what it is made says its template, or whoever runs it. */
export const channel: Kind = {
  group: 'messaging.knative.dev',
  kind: 'Channel',
  plural: 'channels',
  singular: 'channel',
  shortNames: ['ch'],
  categories: ['all', 'knative', 'messaging', 'channel'],
  namespaced: true,
  versions: ['v1', 'v1beta1', 'v1alpha1'],
  formerly: FIRST_FORM,
  description: 'A Channel takes events at its address and hands each to every Subscription that it has.',
  run: true,
  naming: 'subdomain',
  fields: {
    spec: {
      type: 'object',
      description: 'What this Channel is made of, and how its events are delivered.',
      additionalProperties: false,
      properties: {
        channelTemplate: {
          type: 'object',
          description:
            'The kind of channel that it is made of. Default: that of the ConfigMap default-ch-webhook. Cannot be changed.',
          additionalProperties: false,
          required: ['apiVersion', 'kind'],
          properties: {
            apiVersion: { type: 'string', description: 'Such as messaging.sluice.dev/v1alpha1.' },
            kind: { type: 'string', description: 'Such as LogChannel or InMemoryChannel.' },
            spec: { type: 'object', description: 'The spec of a channel of that kind.' },
          },
        },
        ...CHANNEL_PROPERTIES,
      },
    },
  },
  immutable: [['spec', 'channelTemplate']],
  conditions: {
    living: ['BackingChannelReady', 'Addressable', 'DeadLetterSinkResolved', 'EventPoliciesReady'],
    shown: CHANNEL_CONDITIONS_SHOWN,
  },
  ...CHANNEL_RULES,
  convert: convertFirstChannel,
}

/** The kind InMemoryChannel: what it holds is gone with the process. */
export const inMemoryChannel: Kind = {
  group: 'messaging.knative.dev',
  kind: 'InMemoryChannel',
  plural: 'inmemorychannels',
  singular: 'inmemorychannel',
  shortNames: ['imc'],
  categories: ['all', 'knative', 'messaging', 'channel'],
  namespaced: true,
  versions: ['v1', 'v1beta1', 'v1alpha1'],
  description: 'An InMemoryChannel is a Channel whose events are gone with the process.',
  run: true,
  naming: 'subdomain',
  fields: {
    spec: {
      type: 'object',
      description: 'How its events are delivered.',
      additionalProperties: false,
      properties: CHANNEL_PROPERTIES,
    },
  },
  conditions: {
    living: [
      'ServiceReady',
      'EndpointsReady',
      'Addressable',
      'ChannelServiceReady',
      'DeadLetterSinkResolved',
      'EventPoliciesReady',
    ],
    shown: ['DispatcherReady', ...CHANNEL_CONDITIONS_SHOWN],
  },
  ...CHANNEL_RULES,
}

/** A channel needs no spec at all; every stored one has one. */
function defaultChannel(draft: Draft): void {
  draft.metadata.annotations[SUBSCRIBABLE] ??= 'v1'
  draft['spec'] ??= {}
  if (isRecord(draft['spec'])) defaultDelivery(draft['spec']['delivery'], draft.metadata.namespace)
}

function validateChannel(draft: Draft, report: Report): void {
  const { spec } = draft
  if (!isRecord(spec)) return
  checkDelivery(spec['delivery'], ['spec', 'delivery'], report)
  if (spec['subscribers'] !== undefined) {
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path: ['spec', 'subscribers'],
      at: 'key',
      message: 'must not set the field(s): spec.subscribers', // spec 86
      hint: 'Add a Subscription that names this channel instead.',
    })
  }
  const template = spec['channelTemplate']
  if (!isRecord(template)) return
  checkTemplateObject(template, 'Channel', (finding) => {
    report({ ...finding, path: ['spec', 'channelTemplate', ...finding.path] })
  })
}

function referencesOf(resource: Resource): Reference[] {
  if (!isChannel(resource)) return []
  const { metadata, spec } = resource
  const missing = `The ${resource.kind} will not be Ready until it exists.`
  const sink = spec.delivery?.deadLetterSink
  return [
    ...tokenSecretReference(resource),
    ...referenceOf(sink, ['spec', 'delivery', 'deadLetterSink'], metadata.namespace, missing),
    ...secretReferences(resource),
  ]
}
