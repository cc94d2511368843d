// EventTypes in v1beta1 and v1beta2: to the stored form, v1beta3, and back, so that nothing is lost (FL-21). What a form
// cannot hold is an annotation in it: the schema of the data in v1beta3, other attributes in the older ones.

import { isDeepStrictEqual } from 'node:util'
import type { Condition } from '../conditions.ts'
import type { KReference } from '../ducks.ts'
import { compileSchema } from '../event-schema.ts'
import type { Draft, Report } from '../kind.ts'
import type { Path } from '../problem.ts'
import { isRecord, type Resource, type Status } from '../resource.ts'

/** In v1beta3: what v1beta2 has as `spec.schemaData`. */
export const SCHEMA_DATA = 'sluice.dev/schema-data'
/** In v1beta1 and v1beta2: the attributes of v1beta3, as JSON, where they are more than that form can say. */
export const ATTRIBUTES = 'sluice.dev/attributes'

/** An attribute that events of this type have. */
export interface EventTypeAttribute {
  readonly name: string
  readonly required?: boolean
  /** Its value, or a template of it with parts in braces; absent: any. */
  readonly value?: string
}

/** The spec of an EventType that is stored. */
export interface EventTypeSpec {
  /** Where these events come in; absent: it is not known. */
  readonly reference?: KReference
  readonly description?: string
  /** type, source, specversion and id are among them. */
  readonly attributes: readonly EventTypeAttribute[]
}

// --- To the stored form ---

/** In place, and with the schema checked. The spec keeps to the schema of its version. */
export function convertEventType(draft: Draft, version: string, report: Report): void {
  const { annotations } = draft.metadata
  const written = annotations[ATTRIBUTES]
  delete annotations[ATTRIBUTES]
  if (version === 'v1beta3' || !isRecord(draft['spec'])) {
    checkSchema(annotations[SCHEMA_DATA], ['metadata', 'annotations', SCHEMA_DATA], report)
    return
  }
  const { type, source, schema, schemaData, broker, reference, description } = draft['spec']
  checkOlder(draft['spec'], report)
  checkSchema(schemaData, ['spec', 'schemaData'], report)
  if (typeof schemaData === 'string' && schemaData !== '') annotations[SCHEMA_DATA] = schemaData
  else delete annotations[SCHEMA_DATA]
  const named = typeof broker === 'string' && broker !== '' ? brokerNamed(broker) : undefined
  draft['spec'] = {
    ...((reference ?? named) !== undefined && { reference: reference ?? named }),
    ...(description !== undefined && { description }),
    attributes: attributesOf({ type, source, schema }, written),
  }
}

/** Knative's rules of v1beta1. */
function checkOlder(spec: Record<string, unknown>, report: Report): void {
  if (spec['type'] === '') report({ code: 'SLUICE_RESOURCE_MISSING_FIELD', path: ['spec', 'type'], message: 'missing field(s): spec.type' }) // prettier-ignore
  for (const field of ['source', 'schema']) {
    if (spec[field] !== '') continue
    const message = `invalid value: : spec.${field}\n${field} URI cannot be empty`
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path: ['spec', field],
      message,
      hint: 'Remove the line: any is meant then.',
    })
  }
}

function brokerNamed(name: string): EventTypeSpec['reference'] {
  return { apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', name }
}

type Three = Readonly<Record<'type' | 'source' | 'schema', unknown>>

/** As Knative converts them; with what the annotation keeps of v1beta3. */
function attributesOf(three: Three, written: string | undefined): EventTypeAttribute[] {
  const values: Record<string, unknown> = { type: three.type, source: three.source, schemadata: three.schema }
  const known = knownAttributes(written)
  const plain = plainAttributes(three)
  if (known === undefined) return plain
  const kept = known.flatMap(({ value, ...attribute }) => {
    if (!Object.hasOwn(values, attribute.name)) return { ...attribute, ...(value !== undefined && { value }) }
    const now = values[attribute.name]
    if (typeof now === 'string') return { ...attribute, value: now }
    return attribute.name === 'schemadata' && value !== '' && value !== undefined
      ? []
      : { ...attribute, ...(value === '' && { value }) }
  })
  const missing = plain.filter(({ name }) => !kept.some((each) => each.name === name))
  return [...kept, ...missing]
}

function plainAttributes({ type, source, schema }: Three): EventTypeAttribute[] {
  const valued = (name: string, value: unknown, required = true): EventTypeAttribute => ({
    name,
    required,
    ...(typeof value === 'string' && { value }),
  })
  return [
    { name: 'specversion', required: true },
    { name: 'id', required: true },
    valued('type', type),
    valued('source', source),
    ...(typeof schema === 'string' ? [valued('schemadata', schema, false)] : []),
  ]
}

/** `undefined` where the annotation holds none. */
function knownAttributes(written: string | undefined): EventTypeAttribute[] | undefined {
  try {
    const value: unknown = JSON.parse(written ?? '')
    return Array.isArray(value) && value.every(isAttribute) ? value : undefined
  } catch {
    return undefined // somebody has changed it: the fields alone say what is meant
  }
}

function isAttribute(value: unknown): value is EventTypeAttribute {
  return isRecord(value) && typeof value['name'] === 'string' && ['string', 'undefined'].includes(typeof value['value'])
}

// --- From the stored form ---

/** A stored EventType as this version has it. */
export function olderForm(version: 'v1beta1' | 'v1beta2'): (resource: Resource) => Resource {
  return (resource) => {
    const { reference, description, attributes } = resource.spec as unknown as EventTypeSpec
    const value = (name: string): string | undefined =>
      attributes.find((each) => each.name === name)?.value || undefined
    const [type = '', source, schema] = [value('type'), value('source'), value('schemadata')]
    const { [SCHEMA_DATA]: schemaData, ...annotations } = resource.metadata.annotations
    const isPlain = isDeepStrictEqual(attributes, plainAttributes({ type: type || undefined, source, schema }))
    return {
      ...resource,
      metadata: {
        ...resource.metadata,
        annotations: isPlain ? annotations : { ...annotations, [ATTRIBUTES]: JSON.stringify(attributes) },
      },
      spec: {
        type,
        ...(source !== undefined && { source }),
        ...(schema !== undefined && { schema }),
        ...(schemaData !== undefined && { schemaData }),
        ...(reference !== undefined && { reference }),
        ...(description !== undefined && { description }),
      },
      ...(resource.status !== undefined && { status: statusIn(version, resource.status) }),
    }
  }
}

/** v1beta1 has BrokerExists in the place of ReferenceExists, with its own words. */
function statusIn(version: string, status: Status): Status {
  if (version !== 'v1beta1') return status
  const conditions = status.conditions.map((condition): Condition => {
    const renamed = condition.type === 'ReferenceExists' ? { ...condition, type: 'BrokerExists' } : condition
    if (renamed.reason !== 'ResourceDoesNotExist') return renamed
    return { ...renamed, reason: 'BrokerDoesNotExist', message: 'Broker does not exist' }
  })
  return { ...status, conditions: conditions.toSorted((a, b) => (a.type < b.type ? -1 : 1)) }
}

// --- The schema of the data ---

/** Reports what is wrong with the schema of the data, at its place in that text. */
function checkSchema(text: unknown, path: Path, report: Report): void {
  if (typeof text !== 'string' || text === '') return
  const { problems, warnings } = compileSchema(text)
  for (const problem of problems) report({ code: 'SLUICE_RESOURCE_SCHEMA', path, ...problem })
  for (const warning of warnings) report({ severity: 'warning', code: 'SLUICE_RESOURCE_SCHEMA', path, ...warning })
}
