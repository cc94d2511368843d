// A Trigger's two forms of a filter: spec 94 to 98 of KNATIVE.md, and which of the forms wins.

import { Event, type AttributeValue } from '@sluice/event'
import { compileAttributes, compileTrigger, evaluate } from '@sluice/filter'
import { expect, test } from 'vitest'

function eventOf(more: Record<string, AttributeValue> = {}): Event {
  const attributes = { specversion: '1.0', id: '1', source: '/shop', type: 'order', ...more }
  return new Event(new Map(Object.entries(attributes)), undefined)
}

function passes(attributes: unknown, event: Event): boolean {
  const filter = compileAttributes(attributes)
  const verdict = filter.matches(event)
  expect(evaluate(filter.ast, event)).toBe(verdict)
  return verdict
}

test('spec 94: every key is compared with the context attribute of that name, core or extension', () => {
  const event = eventOf({ subject: '7', myext: 'blue' })
  for (const [name, value] of event.attributes) {
    expect(passes({ [name]: value }, event)).toBe(true)
    expect(passes({ [name]: `${value}x` }, event)).toBe(false)
  }
})

test('spec 95: all keys have to match', () => {
  const event = eventOf({ subject: '7' })
  expect(passes({ type: 'order', source: '/shop', subject: '7' }, event)).toBe(true)
  expect(passes({ type: 'order', source: '/shop', subject: '8' }, event)).toBe(false)
})

test('spec 96: an attribute that is named has to be present', () => {
  expect(passes({ subject: '7' }, eventOf())).toBe(false)
  expect(passes({ type: 'order', subject: '' }, eventOf())).toBe(false)
  expect(passes({ constructor: '' }, eventOf())).toBe(false)
})

test('spec 97: a value that is not empty matches exactly, and case counts', () => {
  expect(passes({ type: 'Order' }, eventOf())).toBe(false)
  expect(passes({ type: 'orde' }, eventOf())).toBe(false)
  expect(passes({ type: 'orders' }, eventOf())).toBe(false)
})

test('spec 98: an empty value matches any value, an empty one too', () => {
  for (const value of ['x', '', false, 0]) expect(passes({ myext: '' }, eventOf({ myext: value }))).toBe(true)
})

test('no attributes at all are every event', () => {
  for (const attributes of [{}, undefined, null]) expect(passes(attributes, eventOf())).toBe(true)
})

test('a typed extension is compared by its text, unlike in Knative (pain point 12)', () => {
  const event = eventOf({ urgent: true, attempts: 5 })
  expect(passes({ urgent: 'true', attempts: '5' }, event)).toBe(true)
  expect(passes({ urgent: true, attempts: 5 }, event)).toBe(true)
  expect(passes({ urgent: 'false' }, event)).toBe(false)
})

test('every name is that of the attribute as carried: schemaurl is not dataschema', () => {
  const event = eventOf({ dataschema: 'http://a/', datacontenttype: 'text/plain; charset=utf-8' })
  for (const name of ['schemaurl', 'datamediatype', 'datacontentencoding']) {
    expect(passes({ [name]: '' }, event)).toBe(false)
    expect(passes({ [name]: 'http://a/' }, eventOf({ [name]: 'http://a/' }))).toBe(true)
  }
})

test('data is no attribute', () => {
  const event = new Event(new Map([['data', 'x']]), Buffer.from('x'))
  expect(passes({ data: '' }, event)).toBe(false)
  expect(passes({ data: 'x' }, event)).toBe(false)
})

test('filters wins over filter when it is not empty, and filter holds when it is', () => {
  const filter = { attributes: { type: 'order' } }
  const filters = [{ exact: { type: 'invoice' } }]
  const [order, invoice] = [eventOf(), eventOf({ type: 'invoice' })]
  const both = compileTrigger({ filter, filters })
  expect([both.matches(order), both.matches(invoice)]).toEqual([false, true])
  for (const none of [[], undefined, null]) {
    const older = compileTrigger({ filter, filters: none })
    expect([older.matches(order), older.matches(invoice)]).toEqual([true, false])
  }
})

test('a Trigger that filters nothing takes every event', () => {
  for (const spec of [{}, { filter: {} }, { filter: null, filters: [] }, { filter: { attributes: {} } }]) {
    expect(compileTrigger(spec).matches(eventOf())).toBe(true)
  }
})
