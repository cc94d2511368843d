// EventTypes in their three versions (KNATIVE.md 1.1, FL-21), and the schemas of their events' data.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  admit,
  compileSchema,
  eventTypeKind,
  jsonSchema,
  SCHEMA_DATA,
  valueTemplate,
  type Resource,
} from '../src/index.ts'
import { BROKER, load, one } from './files.ts'

const CORE = '[{name: type, required: true, value: order}, {name: source}, {name: specversion}, {name: id}]'

function eventType(version: string, spec: string, annotations = ''): string {
  const indented = spec.replaceAll(/^/gm, '  ')
  return `apiVersion: eventing.knative.dev/${version}\nkind: EventType\nmetadata: {name: e${annotations}}\nspec:\n${indented}\n`
}

describe('KNATIVE 1.1, FL-21: versions', () => {
  test('v1beta2 becomes v1beta3: its attributes, the reference for broker, and the schema as an annotation', async () => {
    const { spec, metadata, apiVersion } = await one(
      eventType(
        'v1beta2',
        'type: order\nsource: /shop\nschema: http://x/s\nschemaData: "{}"\nbroker: shop\ndescription: d',
      ),
    )
    expect(apiVersion).toBe('eventing.knative.dev/v1beta3')
    expect(spec).toEqual({
      description: 'd',
      reference: { apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', name: 'shop', namespace: 'default' },
      attributes: [
        { name: 'specversion', required: true },
        { name: 'id', required: true },
        { name: 'type', required: true, value: 'order' },
        { name: 'source', required: true, value: '/shop' },
        { name: 'schemadata', required: false, value: 'http://x/s' },
      ],
    })
    expect(metadata.annotations).toEqual({ [SCHEMA_DATA]: '{}' })
  })

  test('where v1beta1 names both, the reference wins over the broker; an empty reference is none', async () => {
    const reference = '{apiVersion: messaging.knative.dev/v1, kind: Channel, name: c}'
    const { spec } = await one(eventType('v1beta1', `type: a\nbroker: b\nreference: ${reference}`))
    expect(spec?.['reference']).toMatchObject({ kind: 'Channel', name: 'c' })
    expect((await one(eventType('v1beta3', `reference: {}\nattributes: ${CORE}`))).spec?.['reference']).toBeUndefined()
  })

  test('every v1beta3 comes back the same by way of v1beta2 and v1beta1', () => {
    const text = fc.string({ minLength: 1, maxLength: 8 })
    const others = fc.uniqueArray(
      fc.record({ name: fc.constantFrom('subject', 'region', 'schemadata', 'dataschema'), required: fc.boolean() }),
      { selector: ({ name }) => name },
    )
    const spec = fc.record({
      type: text,
      source: fc.option(text),
      others,
      schema: fc.boolean(),
      required: fc.boolean(),
    })
    fc.assert(
      fc.property(
        spec,
        fc.constantFrom('v1beta1', 'v1beta2'),
        ({ type, source, others: more, schema, required }, version) => {
          const attributes = [
            { name: 'id', required },
            ...more.map((each) => (each.required ? { ...each, value: 'x' } : each)),
            { name: 'type', required: true, value: type },
            { name: 'source', required, ...(source !== null && { value: source }) },
            { name: 'specversion', value: '1.0' },
          ]
          const stored = admitted({ apiVersion: 'eventing.knative.dev/v1beta3', spec: { attributes } }, schema)
          const shown = eventTypeKind.forms![version]!.present(stored)
          const back = admitted({ ...shown, apiVersion: `eventing.knative.dev/${version}` })
          expect(back.spec).toEqual(stored.spec)
          expect(back.metadata.annotations).toEqual(stored.metadata.annotations)
        },
      ),
    )
  })

  test('what is changed in v1beta2 is changed, and what only v1beta3 has stays', () => {
    const attributes = [
      { name: 'type', value: 'a' },
      { name: 'source', value: '/s' },
      { name: 'specversion' },
      { name: 'id' },
      { name: 'region', required: true, value: 'eu' },
    ]
    const stored = admitted({ apiVersion: 'eventing.knative.dev/v1beta3', spec: { attributes } })
    const shown = eventTypeKind.forms!['v1beta2']!.present(stored)
    const changed = { ...shown, apiVersion: 'eventing.knative.dev/v1beta2', spec: { type: 'b', schema: 'http://x/' } }
    expect(admitted(changed).spec?.['attributes']).toEqual([
      { name: 'type', value: 'b' },
      { name: 'source' },
      { name: 'specversion' },
      { name: 'id' },
      { name: 'region', required: true, value: 'eu' },
      { name: 'schemadata', required: false, value: 'http://x/' },
    ])
  })

  test('v1beta1 has the conditions of its own: BrokerExists and BrokerReady', () => {
    const stored = admitted({ apiVersion: 'eventing.knative.dev/v1beta2', spec: { type: 'a', broker: 'b' } })
    const gone = { status: 'False', reason: 'ResourceDoesNotExist', message: 'm' } as const
    const status = {
      observedGeneration: 1,
      conditions: [
        { type: 'ReferenceExists', ...gone },
        { type: 'Ready', ...gone },
      ],
    }
    const told = { status: 'False', reason: 'BrokerDoesNotExist', message: 'Broker does not exist' }
    expect(eventTypeKind.forms!['v1beta1']!.present({ ...stored, status }).status?.conditions).toEqual([
      { type: 'BrokerExists', ...told },
      { type: 'Ready', ...told },
    ])
    expect(eventTypeKind.forms!['v1beta2']!.present({ ...stored, status }).status).toEqual(status)
  })

  test('each version has its schema, by which its own fields are known', () => {
    const fieldsOf = (version?: string): string[] =>
      Object.keys(jsonSchema(eventTypeKind, version).properties!['spec']!.properties!)
    expect(fieldsOf()).toEqual(['reference', 'description', 'attributes'])
    expect(fieldsOf('v1beta2')).toEqual([
      'type',
      'source',
      'schema',
      'schemaData',
      'broker',
      'reference',
      'description',
    ])
    expect(jsonSchema(eventTypeKind, 'v1beta1').properties!['apiVersion']!.enum).toEqual([
      'eventing.knative.dev/v1beta1',
    ])
  })
})

describe('KNATIVE 1.1: what is refused', () => {
  test.each([
    ['v1beta2', 'source: /shop', 4, 'missing field(s): spec.type'],
    ['v1beta2', 'typ: order', 5, 'unknown field "spec.typ"'],
    ['v1beta1', 'type: ""', 5, 'missing field(s): spec.type'],
    ['v1beta1', 'type: a\nsource: ""', 6, 'source URI cannot be empty'],
    [
      'v1beta3',
      'attributes: [{name: type}]',
      5,
      'missing field(s): spec.attributes.id, spec.attributes.source, spec.attributes.specversion',
    ],
    ['v1beta3', 'type: order\nattributes: []', 5, 'unknown field "spec.type"'],
    ['v1beta3', 'description: d', 4, 'missing field(s): spec.attributes'],
    [
      'v1beta3',
      `reference: {kind: Broker, name: b}\nattributes: ${CORE}`,
      5,
      'missing field(s): spec.reference.apiVersion',
    ],
  ])('%s with %s', async (version, spec, line, message) => {
    const { problems } = await load(eventType(version, spec))
    const found = problems.find((problem) => problem.message.includes(message))
    expect([found?.severity, found?.line], JSON.stringify(problems)).toEqual(['error', line])
  })

  test('a reference to what is in no file is a warning', async () => {
    const reference = '{apiVersion: eventing.knative.dev/v1, kind: Broker, name: defualt}'
    const { problems } = await load(
      `${BROKER}---\n${eventType('v1beta3', `reference: ${reference}\nattributes: ${CORE}`)}`,
    )
    expect(problems.map(({ code, severity, hint }) => [code, severity, hint?.slice(0, 21)])).toEqual([
      ['SLUICE_RESOURCE_MISSING_REFERENCE', 'warning', 'Did you mean default?'],
    ])
  })
})

describe('schemas of data', () => {
  test('a mistake is told at its line in the file, once', async () => {
    const block = 'type: order\nschemaData: |\n  {\n    "properties": {"total": {"type": "nummer"}}\n  }'
    const { problems } = await load(eventType('v1beta2', block))
    expect(problems.map(({ code, line, column }) => [code, line, column])).toEqual([['SLUICE_RESOURCE_SCHEMA', 8, 40]])
    expect(problems[0]!.message).toContain('/properties/total/type must be equal to one of the allowed values')
  })

  test('so is one in the annotation of v1beta3', async () => {
    const annotations = `, annotations: {${SCHEMA_DATA}: '{"minimum": "1"}'}`
    const { problems } = await load(eventType('v1beta3', `attributes: ${CORE}`, annotations))
    expect(problems.map(({ message, line }) => [message, line])).toEqual([['/minimum must be number', 3]])
  })

  test.each([
    ['{"a": ', 'no JSON'],
    ['[]', 'has to be an object'],
    ['{"$ref": "https://example.com/order.json"}', 'leads to nothing in this schema'],
    ['{"$schema": "http://json-schema.org/draft-04/schema#"}', '$schema is none that is known here'],
    ['{"pattern": "(a)\\\\1"}', "can't be used"],
    ['{"pattern": "(?=a)b"}', "can't be used"],
    [`{"description": "${'x'.repeat(300_000)}"}`, 'at most 262144 are taken'],
    [`${'{"not":'.repeat(70)}true${'}'.repeat(70)}`, 'no JSON'],
  ])('refused: %.50s', (text, message) => {
    expect(
      compileSchema(text)
        .problems.map((problem) => problem.message)
        .join(),
    ).toContain(message)
    expect(compileSchema(text).check).toBeUndefined()
  })

  test('what is no JSON is kept with a warning, and a word that JSON Schema lacks is told of', () => {
    expect(compileSchema('syntax = "proto3";')).toMatchObject({ problems: [], warnings: [{ offset: 0 }] })
    const { warnings, problems, check } = compileSchema('{"requried": ["a"]}')
    expect(problems).toEqual([])
    expect(warnings).toEqual([{ message: 'JSON Schema has no word "requried"; it asks nothing of events', offset: 1 }])
    expect(check!({})).toBeUndefined()
  })

  test.each([
    ['{"type": "object", "required": ["order"]}', {}, '', "must have required property 'order'"],
    ['{"properties": {"total": {"type": "number"}}}', { total: 'x' }, '/total', 'must be number'],
    ['{"properties": {}, "additionalProperties": false}', { b: 1 }, '', 'must NOT have additional properties: b'],
    ['{"properties": {"at": {"format": "date-time"}}}', { at: 'then' }, '/at', 'must match format "date-time"'],
    [
      '{"$schema": "https://json-schema.org/draft/2020-12/schema", "prefixItems": [{"type": "string"}]}',
      [1],
      '/0',
      'must be string',
    ],
    [
      '{"$schema": "https://json-schema.org/draft/2019-09/schema", "dependentRequired": {"a": ["b"]}}',
      { a: 1 },
      '',
      'must have property b when property a is present',
    ],
    [
      '{"uniqueItems": true}',
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
      '',
      'must NOT have duplicate items',
    ],
    ['{"items": {"pattern": "^[a-z]+$"}}', ['a', 'B'], '/1', 'must match pattern "^[a-z]+$"'],
    ['false', 1, '', 'is not allowed, whatever it is'],
  ])('%s says where %o fails', (text, value, pointer, message) => {
    expect(compileSchema(text).check!(value)).toEqual({ pointer, message })
  })

  test('two schemas may have the same $id', () => {
    const check = (type: string): unknown => compileSchema(`{"$id": "http://x/s", "type": "${type}"}`).check!('text')
    expect([check('string'), check('number')]).toEqual([undefined, { pointer: '', message: 'must be number' }])
  })

  test('SECURITY 13: a check takes time linear in the data, whatever pattern there is', () => {
    const { check } = compileSchema('{"properties": {"a": {"pattern": "^(a+)+$"}, "b": {"uniqueItems": true}}}')
    expect(check!({ a: `${'a'.repeat(50_000)}!` })).toMatchObject({ pointer: '/a' })
    expect(check!({ b: Array.from({ length: 100_000 }, (_, n) => ({ n })) })).toBeUndefined()
  })
})

describe('FL-21: templates of values', () => {
  test.each([
    ['/shop', '/shop', true],
    ['/shop', '/shop/1', false],
    ['/ns/{ns}/pings/{name}', '/ns/a/pings/b', true],
    ['/ns/{ns}/pings/{name}', '/ns/a/b/pings/c/d', true],
    ['/ns/{ns}/pings/{name}', '/ns//pings/b', false],
    ['/ns/{ns}/pings/{name}', '/ns/a/pings/', false],
    ['com.{}.x', 'com.a.x', true],
    ['{a}{b}', 'x', false],
    ['{a}{b}', 'xy', true],
    ['{a}.b.{c}.b', '1.b.2.b', true],
    ['{a}.b.{c}.b', '1.b.b', false],
    ['a{b', 'a{b', true],
  ])('%s and %s: %s', (template, text, isMatch) => {
    expect(valueTemplate(template).matches(text)).toBe(isMatch)
  })
})

function admitted(written: object, withSchema = false): Resource {
  const { resource, findings } = admit({
    kind: 'EventType',
    metadata: { name: 'e', ...(withSchema && { annotations: { [SCHEMA_DATA]: '{"type": "object"}' } }) },
    ...structuredClone(written),
  })
  if (resource === undefined) throw new Error(JSON.stringify(findings))
  return resource
}
