// eventing.knative.dev Broker: where events are sent, and what all of its triggers choose from.

import { AGE, column, READINESS } from '../columns.ts'
import {
  checkDelivery,
  checkReference,
  defaultDelivery,
  DELIVERY_SCHEMA,
  REFERENCE_SCHEMA,
  referenceOf,
} from '../ducks.ts'
import type { DeliverySpec, KReference } from '../ducks.ts'
import type { Draft, Kind, Reference, Report } from '../kind.ts'
import { INGRESS_ANNOTATIONS, tokenSecretReference } from './ingress-annotations.ts'
import { HUB_RECEIVER_ANNOTATIONS, secretReferences } from './receiver-annotations.ts'
import { EXTERNAL_TOPIC, KAFKA_BROKER_CLASS } from '../kafka-channel.ts'
import { NATS_BROKER_CLASS } from '../nats-channel.ts'
import { PUBSUB_BROKER_CLASS } from '../pubsub-channel.ts'
import type { Path } from '../problem.ts'
import { apiVersionOf, groupOf, isRecord, type Identity, type Resource } from '../resource.ts'

/** The spec of a Broker that is stored. */
export interface BrokerSpec {
  readonly config?: KReference
  readonly delivery?: DeliverySpec
}

/** A Broker that is stored. */
export type Broker = Resource & { readonly spec: BrokerSpec }

/** Whether this is a Broker. */
export function isBroker(resource: Resource): resource is Broker {
  return resource.kind === broker.kind && resource.apiVersion === `${broker.group}/v1`
}

/** The annotation that says what happens as its channel fills up. */
export const WHEN_FULL = 'sluice.dev/when-full'
/** The annotation that selects the implementation (spec 7 to 9). */
export const BROKER_CLASS = 'eventing.knative.dev/broker.class'
/** The class of a Broker that names none (spec 8). */
export const BROKER_CLASS_DEFAULT = 'MTChannelBasedBroker'

/** Those that there are, the default first. */
export const BROKER_CLASSES: readonly string[] = [
  BROKER_CLASS_DEFAULT,
  KAFKA_BROKER_CLASS,
  NATS_BROKER_CLASS,
  PUBSUB_BROKER_CLASS,
]

/** The class of a Broker. */
export function classOf({ metadata }: Broker): string {
  return metadata.annotations[BROKER_CLASS] || BROKER_CLASS_DEFAULT
}

/** The ConfigMap that a Broker's channel stands in, where it names one. Another class's config is none of a channel. */
export function configOf({ metadata, spec }: Broker): Identity | undefined {
  const { config } = spec
  if (config === undefined || !hasConfig(metadata.annotations[BROKER_CLASS])) return undefined
  const { apiVersion = '', group = groupOf(apiVersion), kind, namespace = metadata.namespace, name } = config
  return { group, kind, namespace, name }
}

/** A ConfigMap that Knative comes with: people's files point there, and don't hold it. */
export function isKnatives({ namespace }: Identity): boolean {
  return namespace === 'knative-eventing'
}

function hasConfig(brokerClass: string | undefined): boolean {
  return isOurClass(brokerClass) || brokerClass === KAFKA_BROKER_CLASS
}

function isOurClass(brokerClass: string = BROKER_CLASS_DEFAULT): boolean {
  return brokerClass === BROKER_CLASS_DEFAULT || brokerClass === ''
}

/** The kind. */
export const broker: Kind = {
  group: 'eventing.knative.dev',
  kind: 'Broker',
  plural: 'brokers',
  singular: 'broker',
  shortNames: [],
  categories: ['all', 'knative', 'eventing'],
  namespaced: true,
  versions: ['v1', 'v1beta1', 'v1alpha1'],
  description: 'A Broker takes events at its address and hands each to the triggers that it matches.',
  run: true,
  naming: 'subdomain',
  fields: {
    spec: {
      type: 'object',
      description: 'What this Broker is made of, and how its events are delivered.',
      additionalProperties: false,
      properties: {
        config: {
          ...REFERENCE_SCHEMA,
          description:
            'The ConfigMap that has the channel of this Broker under channel-template-spec. Cannot be changed.',
        },
        delivery: { ...DELIVERY_SCHEMA, description: 'For triggers that have no delivery of their own.' },
      },
    },
  },
  annotations: {
    [BROKER_CLASS]: {
      description: `The implementation of this Broker. Default ${BROKER_CLASS_DEFAULT}. Cannot be changed.`,
      refuse: (value) => (value === '' ? 'the name of a class' : undefined),
    },
    ...INGRESS_ANNOTATIONS,
    'natsjetstream.eventing.knative.dev/config': {
      description: 'The stream, consumers and ingress of a NatsJetStreamBroker, as JSON.',
      refuse: () => undefined,
      notYet: () => 'error', // its limits would not hold
    },
    [EXTERNAL_TOPIC]: {
      description: 'The topic that a Broker of class Kafka uses. It has to be there.',
      refuse: (value) => (/^[A-Za-z0-9._-]{1,249}$/.test(value) ? undefined : 'the name of a topic'),
    },
    'sluice.dev/deletion-policy': {
      ...choice('Whether topics at a server go when the Broker goes.', ['keep', 'delete']),
      notYet: () => 'warning',
    },
    'sluice.dev/schema': choice(
      'What becomes of events and replies whose data does not keep to the schema that an EventType gives. Default off.',
      ['off', 'warn', 'reject'],
    ),
    [WHEN_FULL]: {
      ...choice('What happens as the channel fills up: new events are refused, or the oldest go to the dead letters.', [
        'reject',
        'deadLetter',
      ]),
    },
    ...HUB_RECEIVER_ANNOTATIONS,
  },
  immutable: [
    ['metadata', 'annotations', BROKER_CLASS],
    ['spec', 'config'],
  ],
  conditions: {
    living: [
      'IngressReady',
      'TriggerChannelReady',
      'FilterReady',
      'Addressable',
      'DeadLetterSinkResolved',
      'EventPoliciesReady',
    ],
    shown: ['ChannelConfigured', 'ChannelHasRoom', 'EventsKept', 'EventTypesKnown', 'TokensComplete'],
  },
  columns: [
    column('URL', ['status', 'address', 'url'], 'Where events are sent.'),
    AGE,
    ...READINESS,
    { ...column('Class', ['metadata', 'annotations', BROKER_CLASS], 'Its implementation.'), wide: true },
  ],
  convert: convertBroker,
  defaults: defaultBroker,
  validate: validateBroker,
  references: referencesOf,
}

function referencesOf(resource: Resource): Reference[] {
  if (!isBroker(resource)) return []
  const sink = resource.spec.delivery?.deadLetterSink
  const { namespace } = resource.metadata
  const missing = 'The Broker will not be Ready until it exists.'
  const config = configOf(resource)
  return [
    ...(config === undefined ? [] : [configReference(config, resource.metadata.annotations[BROKER_CLASS], missing)]),
    ...tokenSecretReference(resource),
    ...referenceOf(sink, ['spec', 'delivery', 'deadLetterSink'], namespace, missing),
    ...secretReferences(resource),
  ]
}

function configReference({ group, ...named }: Identity, brokerClass: string | undefined, missing: string): Reference {
  const knatives = 'It comes with Knative; here the Broker has the channel of --channel.'
  const isThere = isKnatives({ group, ...named }) && isOurClass(brokerClass)
  return {
    path: ['spec', 'config'],
    apiVersion: apiVersionOf(group, 'v1'),
    ...named,
    missing: isThere ? knatives : missing,
  }
}

/** v1alpha1 had the channel in its spec. */
function convertBroker(draft: Draft, version: string, report: Report): void {
  const { spec } = draft
  if (version !== 'v1alpha1' || !isRecord(spec)) return
  for (const field of ['channelTemplate', 'channelTemplateSpec']) {
    if (spec[field] === undefined) continue
    delete spec[field]
    report({
      severity: 'warning',
      code: 'SLUICE_RESOURCE_NOT_RUN',
      path: ['spec', field],
      at: 'key',
      message: `spec.${field} of eventing.knative.dev/v1alpha1 is not acted on by this version; the Broker gets the channel of --channel.`,
    })
  }
}

/** Spec 8. A Broker needs no spec at all; every stored one has one. */
function defaultBroker(draft: Draft): void {
  draft.metadata.annotations[BROKER_CLASS] ??= BROKER_CLASS_DEFAULT
  draft['spec'] ??= {}
  if (isRecord(draft['spec'])) defaultDelivery(draft['spec']['delivery'], draft.metadata.namespace)
}

function validateBroker(draft: Draft, report: Report): void {
  const { spec, metadata } = draft
  const brokerClass = metadata.annotations[BROKER_CLASS]
  const ignored = (path: Path, at: 'key' | 'value', message: string): void =>
    report({ severity: 'warning', code: 'SLUICE_RESOURCE_CHANNEL_IGNORED', path, at, message })
  if (!hasConfig(brokerClass) && !BROKER_CLASSES.includes(brokerClass!)) {
    const message = `This version has no Broker class ${brokerClass}; this Broker gets the channel of --channel.`
    ignored(['metadata', 'annotations', BROKER_CLASS], 'value', message)
  }
  if (!isRecord(spec)) return
  checkReference(spec['config'], ['spec', 'config'], report)
  checkDelivery(spec['delivery'], ['spec', 'delivery'], report)
  if (spec['config'] !== undefined && !hasConfig(brokerClass)) {
    ignored(['spec', 'config'], 'key', `spec.config is not acted on: it is that of the class ${brokerClass}.`)
  }
}

function choice(description: string, values: string[]): NonNullable<Kind['annotations']>[string] {
  const refuse = (value: string): string | undefined => (values.includes(value) ? undefined : values.join(' or '))
  return { description, values, refuse }
}
