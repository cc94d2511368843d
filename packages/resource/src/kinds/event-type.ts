// eventing.knative.dev EventType: what events of one type look like, and where they come in. Stored as v1beta3, whose
// attributes hold most; what it lacks of v1beta1 and v1beta2 is in an annotation (event-type-forms.ts).

import { AGE, column, READINESS } from '../columns.ts'
import { checkReference, REFERENCE_SCHEMA } from '../ducks.ts'
import type { Column, Draft, JsonSchema, Kind, Reference, Report } from '../kind.ts'
import { apiVersionOf, isRecord, type Resource } from '../resource.ts'
import { ATTRIBUTES, convertEventType, olderForm, SCHEMA_DATA, type EventTypeSpec } from './event-type-forms.ts'

/** An EventType that is stored. The schema of its data, where it has one, is the annotation {@link SCHEMA_DATA}. */
export type EventType = Resource & { readonly spec: EventTypeSpec }

/** Whether this is an EventType. */
export function isEventType(resource: Resource): resource is EventType {
  return resource.kind === eventType.kind && resource.apiVersion === `${eventType.group}/v1beta3`
}

/** The value of one of its attributes, or the template of it; `undefined` where any may stand there. */
export function attributeValue({ spec }: EventType, name: string): string | undefined {
  const value = spec.attributes.find((attribute) => attribute.name === name)?.value
  return value === '' ? undefined : value
}

const REFERENCE: JsonSchema = {
  ...REFERENCE_SCHEMA,
  description:
    'Where these events come in: a Broker or a Channel, or the Trigger or Subscription that is answered with them.',
}
const DESCRIPTION: JsonSchema = { type: 'string', description: 'What these events are, in words.' }

const SPEC_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'What these events look like.',
  additionalProperties: false,
  required: ['attributes'],
  properties: {
    reference: REFERENCE,
    description: DESCRIPTION,
    attributes: {
      type: 'array',
      description: 'The attributes of these events; type, source, specversion and id have to be among them.',
      items: {
        type: 'object',
        description: 'One attribute.',
        additionalProperties: false,
        required: ['name'],
        properties: {
          name: { type: 'string', description: 'Its name, in lower case.' },
          required: { type: 'boolean', description: 'Whether every event has it.' },
          value: {
            type: 'string',
            description: 'Its value; parts in {braces} differ from event to event. Absent: any.',
            examples: ['com.example.order.created', '/apis/v1/namespaces/{namespace}/pingsources/{name}'],
          },
        },
      },
    },
  },
}

const OLDER_SPEC_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'What these events look like.',
  additionalProperties: false,
  required: ['type'],
  properties: {
    type: { type: 'string', description: 'The type of these events.', examples: ['com.example.order.created'] },
    source: { type: 'string', description: 'Their source, a URI. Absent: any.' },
    schema: { type: 'string', description: 'URI of the schema of their data, as dataschema has it.' },
    schemaData: { type: 'string', description: 'The schema of their data itself; a JSON Schema can be enforced.' },
    broker: { type: 'string', description: 'The Broker where they come in; reference says it better.' },
    reference: REFERENCE,
    description: DESCRIPTION,
  },
}

const TYPE = attributeColumn('Type', 'type', 'The type of these events.')
const SOURCE = attributeColumn('Source', 'source', 'Their source.')
const MORE: readonly Column[] = [
  column('Reference Name', ['spec', 'reference', 'name'], 'Where they come in: its name.'),
  column('Reference Kind', ['spec', 'reference', 'kind'], 'Where they come in: its kind.'),
  column('Description', ['spec', 'description'], 'What they are.'),
  ...READINESS,
]

function attributeColumn(name: string, attribute: string, description: string): Column {
  return { name, description, value: (each) => (isEventType(each) ? attributeValue(each, attribute) : undefined) }
}

const OLDER = {
  fields: { spec: OLDER_SPEC_SCHEMA },
  required: ['spec'],
  columns: [TYPE, SOURCE, attributeColumn('Schema', 'schemadata', 'URI of the schema of their data.'), ...MORE],
}

/** The kind. */
export const eventType: Kind = {
  group: 'eventing.knative.dev',
  kind: 'EventType',
  plural: 'eventtypes',
  singular: 'eventtype',
  shortNames: [],
  categories: ['all', 'knative', 'eventing'],
  namespaced: true,
  versions: ['v1beta3', 'v1beta2', 'v1beta1'],
  description: 'An EventType says what the events of one type look like, and where they come in.',
  run: true,
  naming: 'subdomain',
  required: ['spec'],
  fields: { spec: SPEC_SCHEMA },
  forms: { v1beta2: { ...OLDER, present: olderForm('v1beta2') }, v1beta1: { ...OLDER, present: olderForm('v1beta1') } },
  annotations: {
    [SCHEMA_DATA]: {
      description: 'The schema of the data of these events, which v1beta2 has as spec.schemaData.',
      refuse: () => undefined, // checked whole, with the place of the mistake
    },
    [ATTRIBUTES]: {
      description: 'In v1beta1 and v1beta2: the attributes as v1beta3 has them.',
      refuse: () => undefined,
    },
  },
  conditions: { living: ['ReferenceExists'], shown: ['BrokerReady'] },
  columns: [TYPE, SOURCE, ...MORE, { ...AGE, wide: true }],
  convert(draft, version, report) {
    const { spec } = draft
    if (isRecord(spec) && isRecord(spec['reference']) && Object.keys(spec['reference']).length === 0) {
      delete spec['reference']
    }
    convertEventType(draft, version, report)
  },
  defaults({ spec, metadata }) {
    if (isRecord(spec) && isRecord(spec['reference'])) spec['reference']['namespace'] ??= metadata.namespace
  },
  validate: validateEventType,
  references: referencesOf,
}

function validateEventType(draft: Draft, report: Report): void {
  const { spec } = draft
  if (!isRecord(spec)) return
  checkReference(spec['reference'], ['spec', 'reference'], report)
  const { attributes } = spec
  if (!Array.isArray(attributes)) return
  const names = new Set(attributes.map((each) => (isRecord(each) ? each['name'] : undefined)))
  const missing = ['id', 'source', 'specversion', 'type'].filter((name) => !names.has(name))
  if (missing.length > 0) {
    report({
      code: 'SLUICE_RESOURCE_MISSING_FIELD',
      path: ['spec', 'attributes'],
      at: 'key',
      message: `missing field(s): ${missing.map((name) => `spec.attributes.${name}`).join(', ')}`,
      hint: `Every event has them: add "- name: ${missing[0]}" and so on; a value is needed for none.`,
    })
  }
}

function referencesOf(resource: Resource): Reference[] {
  const { reference } = resource.spec as unknown as EventTypeSpec
  if (reference === undefined) return []
  const { apiVersion = apiVersionOf(reference.group ?? '', ''), kind, name } = reference
  const { namespace = resource.metadata.namespace } = reference
  const missing = 'The EventType will not be Ready until it exists.'
  return [{ path: ['spec', 'reference'], apiVersion, kind, namespace, name, missing }]
}
