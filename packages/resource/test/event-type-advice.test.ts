// What the EventTypes of a Broker say about the filters of its Triggers, and where they say nothing.

import { describe, expect, test } from 'vitest'
import { BROKER, load, triggerOf } from './files.ts'

const CORE = '{name: source}, {name: specversion}, {name: id}'
const URI = 'subscriber: {uri: "http://127.0.0.1:9000/"}'

/** With these attributes beside the required ones, in v1beta3. */
function eventType(type: string, ...names: string[]): string {
  const attributes = [`{name: type, value: ${type}}`, CORE, ...names.map((name) => `{name: ${name}}`)].join(', ')
  return `---\napiVersion: eventing.knative.dev/v1beta3\nkind: EventType\nmetadata: {name: ${type}}\nspec:\n  reference: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: default}\n  attributes: [${attributes}]\n`
}

const ORDERS = eventType('com.example.order.created', 'region', 'tenant')

async function advice(filters: string, eventTypes = ORDERS): Promise<unknown[]> {
  const { problems } = await load(`${triggerOf(`${filters}\n${URI}`)}---\n${BROKER}${eventTypes}`)
  return problems.map(({ severity, code, line, column, hint }) => [severity, code, line, column, hint])
}

describe('an attribute that no EventType of the Broker has', () => {
  const told = (line: number, column: number, hint: string): unknown[] => [['warning', 'SLUICE_RESOURCE_UNKNOWN_ATTRIBUTE', line, column, hint]] // prettier-ignore

  test.each([
    ['filters: [{exact: {regoin: eu}}]', told(6, 22, 'Did you mean region?')],
    ['filter: {attributes: {colour: red}}', told(6, 25, 'They have region, tenant.')],
    ['filters: [{not: {prefix: {colour: r}}}]', told(6, 29, 'They have region, tenant.')],
    ['filters: [{cesql: "EXISTS subject AND regoin = \'eu\'"}]', told(6, 41, 'Did you mean region?')],
  ])('is a warning at its place: %s', async (filters, expected) => {
    expect(await advice(filters)).toEqual(expected)
  })

  test.each([
    'filters: [{exact: {region: eu, tenant: a}}]',
    'filters: [{exact: {subject: x, datacontenttype: text/plain, dataschema: "http://x/"}}]',
    'filters: [{prefix: {knativeerrordest: "http://"}}, {prefix: {sluicetrigger: d}}, {prefix: {traceparent: "00"}}]',
  ])('what there is, or may always be, is none: %s', async (filters) => {
    expect(await advice(filters)).toEqual([])
  })

  test('nothing is said where no EventType of that Broker names any attribute of its own', async () => {
    expect(await advice('filters: [{exact: {regoin: eu}}]', eventType('com.example.order.created'))).toEqual([])
    expect(await advice('filters: [{exact: {regoin: eu}}]', ORDERS.replace('name: default', 'name: other'))).toEqual([
      ['warning', 'SLUICE_RESOURCE_MISSING_REFERENCE', expect.any(Number), expect.any(Number), expect.any(String)],
    ])
    expect(await advice('filters: [{exact: {regoin: eu}}]', '')).toEqual([])
  })
})

describe('a type that no EventType of the Broker has', () => {
  test('is a warning where one of theirs is nearly that', async () => {
    expect(await advice('filters: [{exact: {type: com.example.oder.created}}]')).toEqual([
      ['warning', 'SLUICE_RESOURCE_UNKNOWN_TYPE', 6, 28, 'Did you mean com.example.order.created?'],
    ])
  })

  test.each(['com.example.order.created', 'com.example.order.updated', 'com.example.invoice.paid'])(
    'and not where it is %s',
    async (type) => {
      expect(await advice(`filter: {attributes: {type: ${type}}}`)).toEqual([])
    },
  )

  test.each([
    ['com.example.order.v2', 'com.example.order.v1', false],
    ['com.example.Order.created', 'com.example.order.created', true],
    ['com.example.order.craeted', 'com.example.order.created', true],
  ])('%s beside %s: %s', async (type, known, isSlip) => {
    const told = await advice(`filter: {attributes: {type: ${type}}}`, eventType(known))
    expect(told).toHaveLength(isSlip ? 1 : 0)
  })

  test('nor where a template of theirs includes it', async () => {
    const eventTypes =
      ORDERS + eventType('com.example.{x}.created').replace('name: com.example.{x}.created', 'name: any')
    expect(
      await advice(
        'filters: [{exact: {type: com.example.oder.created}}]',
        eventTypes.replace('value: com.example.{x}.created', 'value: "com.example.{x}.created"'),
      ),
    ).toEqual([])
  })
})
