// What the dialects mean: CloudEvents Subscriptions API 3.2.4.

import { Event, type AttributeValue } from '@sluice/event'
import { compileFilters, evaluate, type FilterEvent } from '@sluice/filter'
import { expect, test } from 'vitest'

const EVENT = eventOf({ subject: 'orders/7', urgent: true, attempts: 5 })

function eventOf(more: Record<string, AttributeValue>): Event {
  const attributes = { specversion: '1.0', id: '1', source: '/shop', type: 'com.example.order.placed', ...more }
  return new Event(new Map(Object.entries(attributes)), undefined)
}

/** What the compiled filter says; the interpreter has to say the same. */
function passes(filters: unknown, event: FilterEvent = EVENT): boolean {
  const filter = compileFilters(filters)
  const verdict = filter.matches(event)
  expect(evaluate(filter.ast, event)).toBe(verdict)
  return verdict
}

test('CE-60: all filters of the list have to be true; an empty or absent list is every event', () => {
  const [yes, no] = [{ exact: { source: '/shop' } }, { exact: { source: '/other' } }]
  expect(passes([yes, yes])).toBe(true)
  expect(passes([yes, no])).toBe(false)
  for (const everything of [[], undefined, null]) expect(passes(everything)).toBe(true)
})

test('CE-61: exact, prefix and suffix compare case-sensitively, and every entry of a map has to hold', () => {
  expect(passes([{ exact: { type: 'com.example.order.placed' } }])).toBe(true)
  expect(passes([{ exact: { type: 'com.example.Order.placed' } }])).toBe(false)
  expect(passes([{ exact: { type: 'com.example.order' } }])).toBe(false)
  expect(passes([{ prefix: { type: 'com.example.' } }])).toBe(true)
  expect(passes([{ prefix: { type: 'example.' } }])).toBe(false)
  expect(passes([{ suffix: { type: '.placed' } }])).toBe(true)
  expect(passes([{ suffix: { type: '.Placed' } }])).toBe(false)
  expect(passes([{ exact: { type: 'com.example.order.placed', source: '/shop', subject: 'orders/7' } }])).toBe(true)
  expect(passes([{ prefix: { type: 'com.', source: '/other' } }])).toBe(false)
})

test('CE-61: what is compared is the canonical text, on both sides', () => {
  for (const event of [EVENT, eventOf({ urgent: 'true', attempts: '5' })]) {
    expect(passes([{ exact: { urgent: 'true', attempts: '5' } }], event)).toBe(true)
    expect(passes([{ exact: { urgent: true, attempts: 5 } }], event)).toBe(true)
    expect(passes([{ exact: { urgent: 'TRUE' } }], event)).toBe(false)
    expect(passes([{ exact: { attempts: '5.0' } }], event)).toBe(false)
    expect(passes([{ prefix: { urgent: 'tr' } }, { suffix: { attempts: 5n } }], event)).toBe(true)
  }
  expect(passes([{ exact: { urgent: 'false', attempts: '0' } }], eventOf({ urgent: false, attempts: 0 }))).toBe(true)
})

test('CE-62: a missing attribute makes its entry false, and so not over it true', () => {
  for (const dialect of ['exact', 'prefix', 'suffix']) {
    expect(passes([{ [dialect]: { missing: 'undefined' } }])).toBe(false)
    expect(passes([{ not: { [dialect]: { missing: 'x' } } }])).toBe(true)
  }
})

test('CE-62: data is not an attribute, whatever the event carries', () => {
  const event: FilterEvent = { attribute: () => 'x', json: () => 'x' }
  expect(passes([{ exact: { datax: 'x' } }], event)).toBe(true)
  for (const dialect of ['exact', 'prefix', 'suffix']) expect(passes([{ [dialect]: { data: 'x' } }], event)).toBe(false)
  expect(passes([{ not: { exact: { data: 'x' } } }], event)).toBe(true)
})

test('CE-63, CE-65: all, any and not hold filters of every dialect, nested freely', () => {
  const [yes, no] = [{ prefix: { type: 'com.' } }, { suffix: { type: '.gone' } }]
  expect(passes([{ all: [yes, yes] }])).toBe(true)
  expect(passes([{ all: [yes, no] }])).toBe(false)
  expect(passes([{ any: [no, yes] }])).toBe(true)
  expect(passes([{ any: [no, no] }])).toBe(false)
  expect(passes([{ any: [no, no, { not: no }] }])).toBe(true)
  expect(passes([{ not: yes }])).toBe(false)
  expect(passes([{ all: [yes, { any: [no, { not: { all: [yes, yes, no] } }] }] }])).toBe(true)
  expect(passes([{ all: [yes] }, { any: [yes] }])).toBe(true)
})

test('threat 14: names that every object has are attributes like others', () => {
  for (const name of ['constructor', 'tostring', 'valueof', 'prototype']) {
    expect(passes([{ exact: { [name]: 'x' } }])).toBe(false)
    expect(passes([{ not: { prefix: { [name]: 'f' } } }])).toBe(true)
    expect(passes([{ exact: { [name]: 'x' } }], eventOf({ [name]: 'x' }))).toBe(true)
  }
})

test('a filter of attributes never asks for the data', () => {
  const event: FilterEvent = {
    attribute: () => undefined,
    json: () => {
      throw new Error('asked for the data')
    },
  }
  expect(passes([{ any: [{ exact: { data: 'x' } }, { not: { prefix: { type: 'x' } } }] }], event)).toBe(true)
  expect(compileFilters([{ exact: { type: 'x' } }]).needsData).toBe(false)
})
