// eventing.knative.dev Trigger: a filtered subscription on its broker's channel.

import { AGE, column, READINESS } from '../columns.ts'
import {
  checkDelivery,
  checkDestination,
  convertDestination,
  defaultDelivery,
  defaultNamespace,
  DELIVERY_SCHEMA,
  destinationSchema,
  REFERENCE_SCHEMA,
  referenceOf,
} from '../ducks.ts'
import type { DeliverySpec, Destination } from '../ducks.ts'
import { checkFilters } from '../filters.ts'
import type { Draft, JsonSchema, Kind, Reference, Report } from '../kind.ts'
import { groupOf, isRecord, type Resource } from '../resource.ts'
import { checkHandshake, secretReferences } from './receiver-annotations.ts'
import { checkWindow, TRIGGER_ANNOTATIONS } from './trigger-annotations.ts'

/** The spec of a Trigger that is stored. */
export interface TriggerSpec {
  /** Name of the Broker, in the Trigger's namespace. */
  readonly broker: string
  /** For `compileTrigger` of @sluice/filter. */
  readonly filter?: { readonly attributes?: Readonly<Record<string, string>> }
  /** For `compileTrigger`; wins over `filter` when it is not empty. */
  readonly filters?: readonly Readonly<Record<string, unknown>>[]
  readonly subscriber: Destination
  readonly delivery?: DeliverySpec
}

/** A Trigger that is stored. */
export type Trigger = Resource & { readonly spec: TriggerSpec }

/** Whether this is a Trigger. */
export function isTrigger(resource: Resource): resource is Trigger {
  return resource.kind === trigger.kind && resource.apiVersion === `${trigger.group}/v1`
}

const ATTRIBUTES: JsonSchema = { type: 'object', additionalProperties: { type: 'string' } }

/** Knative's dialects, and `data` of ours. @sluice/filter judges them; this is what an editor completes by. */
const FILTER_SCHEMA: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    exact: { ...ATTRIBUTES, description: 'Each attribute has this value.' },
    prefix: { ...ATTRIBUTES, description: 'Each attribute begins so.' },
    suffix: { ...ATTRIBUTES, description: 'Each attribute ends so.' },
    all: { type: 'array', items: { type: 'object' }, description: 'Filters that all match.' },
    any: { type: 'array', items: { type: 'object' }, description: 'Filters of which one matches.' },
    not: { type: 'object', description: 'A filter that does not match.' },
    cesql: { type: 'string', description: 'A CloudEvents SQL expression that is true.' },
    sql: { type: 'string', description: 'The same as cesql, by the name of the Subscriptions API.' },
    data: {
      type: 'object',
      description:
        'JSON Pointers into JSON data, each with a value or with tests that all hold. An extension of Sluice.',
    },
  },
}

const SPEC_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'Which events of which Broker go where.',
  additionalProperties: false,
  required: ['subscriber'],
  properties: {
    broker: { type: 'string', description: 'Name of the Broker. Default: default. Cannot be changed.' },
    brokerRef: { ...REFERENCE_SCHEMA, description: 'The Broker, instead of broker; in this namespace.' },
    filter: {
      type: 'object',
      description: 'Which events match, by exact attributes.',
      additionalProperties: false,
      properties: {
        attributes: { ...ATTRIBUTES, description: 'Each attribute has this value; "" = it has one.' },
      },
    },
    filters: {
      type: 'array',
      items: FILTER_SCHEMA,
      description: 'Which events match: all of these filters. Wins over filter.',
    },
    subscriber: destinationSchema('where the events go: an object with an address, or a URL.'),
    delivery: { ...DELIVERY_SCHEMA, description: 'How events are delivered, instead of what the Broker says.' },
  },
}

const SPEC_FIELDS: ReadonlySet<string> = new Set(Object.keys(SPEC_SCHEMA.properties ?? {}))

/** The kind. */
export const trigger: Kind = {
  group: 'eventing.knative.dev',
  kind: 'Trigger',
  plural: 'triggers',
  singular: 'trigger',
  shortNames: [],
  categories: ['all', 'knative', 'eventing'],
  namespaced: true,
  versions: ['v1', 'v1beta1', 'v1alpha1'],
  description: 'A Trigger hands the events of a Broker that match its filter to a subscriber.',
  run: true,
  naming: 'subdomain',
  required: ['spec'],
  fields: {
    spec: SPEC_SCHEMA,
  },
  judged: [
    ['spec', 'filter'],
    ['spec', 'filters'],
  ],
  annotations: TRIGGER_ANNOTATIONS,
  immutable: [['spec', 'broker']],
  conditions: {
    living: [
      'BrokerReady',
      'SubscriptionReady',
      'DependencyReady',
      'SubscriberResolved',
      'DeadLetterSinkResolved',
      'OIDCIdentityCreated',
    ],
    shown: ['DeadLetterBoxEmpty', 'Delivering', 'EventsKept', 'SubscriberConsented'],
  },
  columns: [
    column('Broker', ['spec', 'broker'], 'The Broker whose events it chooses from.'),
    column('Subscriber_URI', ['status', 'subscriberUri'], 'Where the events go.'),
    AGE,
    ...READINESS,
  ],
  selectable: ['spec.broker'],
  convert: convertTrigger,
  defaults: defaultTrigger,
  validate: validateTrigger,
  references: referencesOf,
}

/** Old shapes (KNATIVE.md 1.10, 6). A bare object as subscriber is taken in every version; today's gets a warning. */
function convertTrigger({ spec }: Draft, version: string, report: Report): void {
  if (!isRecord(spec)) return
  const { subscriber, filter } = spec
  spec['subscriber'] = convertDestination(subscriber, ['spec', 'subscriber'], version, report)
  if (version !== 'v1' && isRecord(filter) && isRecord(filter['sourceAndType'])) {
    const { sourceAndType, ...rest } = filter
    spec['filter'] = { ...rest, attributes: { ...attributesOf(sourceAndType), ...asRecord(rest['attributes']) } }
  }
}

/** `Any` and nothing mean any. */
function attributesOf(sourceAndType: unknown): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(asRecord(sourceAndType)).filter(([, value]) => value !== '' && value !== 'Any' && value !== null),
  )
}

function asRecord(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {}
}

function defaultTrigger({ spec, metadata }: Draft): void {
  if (!isRecord(spec)) return
  const { brokerRef } = spec
  if (spec['broker'] === undefined) {
    spec['broker'] = isRecord(brokerRef) ? brokerRef['name'] : 'default'
    delete spec['brokerRef']
  }
  spec['filter'] ??= {}
  defaultNamespace(spec['subscriber'], metadata.namespace)
  defaultDelivery(spec['delivery'], metadata.namespace)
  metadata.labels['eventing.knative.dev/broker'] = String(spec['broker'])
}

function validateTrigger(draft: Draft, report: Report): void {
  checkWindow(draft, report)
  checkHandshake(draft, report)
  checkDependency(draft, report)
  const { spec, metadata } = draft
  if (!isRecord(spec)) return
  checkBroker(spec, metadata, report)
  checkFilters(spec, SPEC_FIELDS, report)
  checkDestination(spec['subscriber'], ['spec', 'subscriber'], report)
  checkDelivery(spec['delivery'], ['spec', 'delivery'], report)
}

function checkBroker(spec: Record<string, unknown>, metadata: Draft['metadata'], report: Report): void {
  const { broker, brokerRef } = spec
  if (broker !== undefined && brokerRef !== undefined) {
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path: ['spec', 'brokerRef'],
      at: 'key',
      message: 'expected exactly one, got both: spec.broker, spec.brokerRef',
      hint: 'Remove spec.brokerRef.',
    })
  }
  if (broker === '') {
    report({
      code: 'SLUICE_RESOURCE_MISSING_FIELD',
      path: ['spec', 'broker'],
      message: 'missing field(s): spec.broker',
      hint: 'Name the Broker, or remove the line for the Broker called default.',
    })
  }
  if (!isRecord(brokerRef)) return
  const { kind, namespace, apiVersion } = brokerRef
  if (kind !== 'Broker' || (typeof apiVersion === 'string' && groupOf(apiVersion) !== trigger.group)) {
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path: ['spec', 'brokerRef', 'kind'],
      message: `invalid value: ${String(kind)}: spec.brokerRef.kind`,
      hint: 'A Trigger belongs to a Broker of eventing.knative.dev/v1.',
    })
  }
  if (namespace !== undefined && namespace !== metadata.namespace) {
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path: ['spec', 'brokerRef', 'namespace'],
      message: 'must not set the field(s): spec.brokerRef.namespace',
      hint: `A Trigger belongs to a Broker of its own namespace, ${metadata.namespace}.`,
    })
  }
}

const DEPENDENCY = 'knative.dev/dependency'

/** Knative: the object lives in the Trigger's namespace. */
function checkDependency({ metadata }: Draft, report: Report): void {
  const text = metadata.annotations[DEPENDENCY]
  if (text === undefined || TRIGGER_ANNOTATIONS[DEPENDENCY]?.refuse(text) !== undefined) return
  const reference: unknown = JSON.parse(text)
  const namespace = isRecord(reference) ? reference['namespace'] : undefined
  if (namespace === undefined || namespace === '' || namespace === metadata.namespace) return
  report({
    code: 'SLUICE_RESOURCE_INVALID_ANNOTATION',
    path: ['metadata', 'annotations', DEPENDENCY],
    message: `Namespace must be empty or equal to the trigger namespace "${metadata.namespace}": ${DEPENDENCY}`,
  })
}

function referencesOf(resource: Resource): Reference[] {
  if (!isTrigger(resource)) return []
  const { broker, subscriber, delivery } = resource.spec
  const { namespace } = resource.metadata
  return [
    {
      path: ['spec', 'broker'],
      apiVersion: `${trigger.group}/v1`,
      kind: 'Broker',
      namespace,
      name: broker,
      missing: 'The Trigger will not be Ready until its own namespace has it (BrokerDoesNotExist).',
    },
    ...referenceOf(subscriber, ['spec', 'subscriber'], namespace, 'The Trigger will not be Ready until it exists.'),
    ...referenceOf(
      delivery?.deadLetterSink,
      ['spec', 'delivery', 'deadLetterSink'],
      namespace,
      'The Trigger will not be Ready until it exists.',
    ),
    ...secretReferences(resource),
  ]
}
