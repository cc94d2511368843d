import { Event, type AttributeValue } from '@sluice/event'
import { compileFilters, FilterIndex, type Filter, type FilterEvent } from '@sluice/filter'
import { expect, test } from 'vitest'

function typed(type: string): Filter {
  return compileFilters([{ exact: { type } }])
}

function eventOf(type: string, source: string = '/shop'): Event {
  return new Event(new Map(Object.entries({ specversion: '1.0', id: '1', source, type })), undefined)
}

const EVERYTHING = compileFilters([])

test('matches come in the order of adding, whether or not the type tells', () => {
  const index = new FilterIndex<string>()
  index.add('a', typed('order'))
  index.add('b', EVERYTHING)
  index.add('c', typed('invoice'))
  index.add('d', compileFilters([{ prefix: { source: '/shop' } }, { exact: { type: 'order' } }]))
  index.add('e', compileFilters([{ any: [{ exact: { type: 'order' } }, { exact: { type: 'invoice' } }] }]))
  index.add('f', typed('order'))
  expect(index.match(eventOf('order'))).toEqual(['a', 'b', 'd', 'e', 'f'])
  expect(index.match(eventOf('invoice', '/other'))).toEqual(['b', 'c', 'e'])
  expect(index.match(eventOf('x'))).toEqual(['b'])
  expect(index.size).toBe(6)
})

test('an id that is added again has the new filter and keeps its place', () => {
  const index = new FilterIndex<string>()
  for (const id of ['a', 'b', 'c']) index.add(id, typed('order'))
  index.add('b', EVERYTHING)
  expect(index.match(eventOf('order'))).toEqual(['a', 'b', 'c'])
  expect(index.match(eventOf('x'))).toEqual(['b'])
  index.add('b', typed('order'))
  expect(index.match(eventOf('order'))).toEqual(['a', 'b', 'c'])
  expect(index.match(eventOf('x'))).toEqual([])
  expect(index.size).toBe(3)
})

test('a removed id matches no more; one that is not there is told', () => {
  const index = new FilterIndex<string>()
  for (const id of ['a', 'b', 'c']) index.add(id, typed('order'))
  expect(index.remove('b')).toBe(true)
  expect(index.remove('b')).toBe(false)
  expect(index.match(eventOf('order'))).toEqual(['a', 'c'])
  index.add('b', typed('order'))
  expect(index.match(eventOf('order'))).toEqual(['a', 'c', 'b'])
  for (const id of ['a', 'b', 'c']) index.remove(id)
  expect(index.size).toBe(0)
  expect(index.match(eventOf('order'))).toEqual([])
})

test('where nothing matches the same frozen array comes back', () => {
  const index = new FilterIndex<object>()
  index.add({}, typed('order'))
  const none = index.match(eventOf('x'))
  expect(none).toBe(index.match(eventOf('y')))
  expect(none).toBe(new FilterIndex<number>().match(eventOf('x')))
  expect(Object.isFrozen(none)).toBe(true)
})

/** An event that counts how often each attribute, and the data, is asked for. */
function counting(
  attributes: Record<string, AttributeValue>,
  data?: unknown,
): FilterEvent & { reads: Map<string, number> } {
  const reads = new Map<string, number>()
  const count = (name: string): void => void reads.set(name, (reads.get(name) ?? 0) + 1)
  return {
    reads,
    attribute(name) {
      count(name)
      return attributes[name]
    },
    json() {
      count('json')
      return data
    },
  }
}

function readsOf({ reads }: { reads: Map<string, number> }): number {
  return [...reads.values()].reduce((sum, each) => sum + each, 0)
}

test.each([
  ['exact of an attribute', (i: number) => [{ exact: { type: `t${i}` } }]],
  ['all of two', (i: number) => [{ all: [{ suffix: { source: '/end' } }, { exact: { type: `t${i}` } }] }]],
  [
    'all of which one tells nothing',
    (i: number) => [{ not: { exact: { source: '/x' } } }, { exact: { type: `t${i}` } }],
  ],
  ['the same type, and subjects', (i: number) => [{ exact: { type: 't7', subject: `s${i}` } }]],
  ['any of two', (i: number) => [{ any: [{ exact: { type: `t${i}` } }, { prefix: { subject: `x${i}` } }] }]],
  [
    'not of any',
    (i: number) => [{ not: { any: [{ not: { exact: { type: `t${i}` } } }, { exact: { source: '/x' } }] } }],
  ],
  ['not of not', (i: number) => [{ not: { not: { exact: { type: `t${i}` } } } }]],
  ['a prefix', (i: number) => [{ prefix: { source: `/shop/${i}/` } }]],
  ['a suffix', (i: number) => [{ suffix: { source: `/${i}/end` } }]],
  ['cesql: =', (i: number) => [{ cesql: `type = 't${i}'` }]],
  ['cesql: = the other way round', (i: number) => [{ cesql: `'t${i}' = type` }]],
  ['cesql: AND', (i: number) => [{ cesql: `source != '/x' AND (type = 't${i}' AND EXISTS subject)` }]],
  ['cesql: OR', (i: number) => [{ cesql: `type = 't${i}' OR subject = 'x${i}'` }]],
  ['cesql: IN', (i: number) => [{ cesql: `type IN ('x${i}', 't${i}', 5)` }]],
  ['cesql: LIKE without a wildcard', (i: number) => [{ cesql: `type LIKE 't${i}'` }]],
  ['cesql: LIKE of a prefix', (i: number) => [{ cesql: `source LIKE '/shop/${i}/%'` }]],
  ['cesql: LIKE of a suffix', (i: number) => [{ cesql: `source LIKE '%/${i}/end'` }]],
  ['cesql: a constant worked out', (i: number) => [{ cesql: `type = CONCAT('t', ${i})` }]],
  ['an extension of its own for each', (i: number) => [{ exact: { [i === 7 ? 'subject' : `ext${i}`]: 's7' } }]],
  ['cesql: an extension that is there', (i: number) => [{ cesql: `${i === 7 ? 'subject' : `ext${i}`} LIKE '%7%'` }]],
])('of 1,000 filters by %s an event asks only the one that it can pass', (_, filtersOf) => {
  const index = new FilterIndex<number>()
  const attributes = { type: 't7', source: '/shop/7/end', subject: 's7', id: '1' }
  for (let id = 0; id < 1_000; id++) index.add(id, compileFilters(filtersOf(id)))
  const event = counting(attributes)
  const carried = { ...event, attributes: new Map(Object.entries(attributes)) }
  expect(index.match(carried)).toEqual([7])
  expect(readsOf(event)).toBeLessThan(20)
  expect(index.unindexed).toBe(0)
})

test.each([
  ['exact', (i: number) => i],
  ['in', (i: number) => ({ in: [i, `x${i}`] })],
  ['a prefix', (i: number) => ({ prefix: `s${i}-` })],
  ['a suffix', (i: number) => ({ not: { not: { suffix: `-${i}` } } })],
])('of 1,000 filters by data, %s, an event asks only the one that it can pass', (kind, testOf) => {
  const index = new FilterIndex<number>()
  for (let id = 0; id < 1_000; id++) index.add(id, compileFilters([{ data: { '/order/key': testOf(id) } }]))
  const key = kind.startsWith('a ') ? 's7-7' : 7
  const event = counting({ type: 't' }, { order: { key } })
  expect(index.match(event)).toEqual([7])
  expect(readsOf(event)).toBeLessThan(5)
  expect(index.match(counting({ type: 't' }))).toEqual([])
})

test('the data is not asked for where attributes rule out all that would look at it', () => {
  const index = new FilterIndex<string>()
  const data = { data: { '/total': { gt: 100 } } }
  index.add('a', compileFilters([data, { exact: { type: 'order' } }]))
  index.add('b', compileFilters([{ data: { '/total': 250 } }, { cesql: "source LIKE '/shop/%'" }]))
  const [other, order] = [
    counting({ type: 'x', source: '/x' }, { total: 250 }),
    counting({ type: 'order', source: '/shop/1' }, { total: 250 }),
  ]
  expect(index.match(other)).toEqual([])
  expect(other.reads.get('json')).toBeUndefined()
  expect(index.match(order)).toEqual(['a', 'b'])
})

test('what can not be looked up is asked for every event, and counted', () => {
  const index = new FilterIndex<string>()
  const opaque = {
    everything: [],
    not: [{ not: { exact: { type: 'x' } } }],
    'one of which nothing is known': [{ any: [{ exact: { type: 'x' } }, { not: { exact: { source: '/x' } } }] }],
    'of what every event has': [{ cesql: "type != 'x'" }],
    'of what is missing': [{ cesql: 'NOT EXISTS ext' }, { data: { '/x': { exists: false } } }],
  }
  for (const [id, filters] of Object.entries(opaque)) index.add(id, compileFilters(filters))
  expect(index.unindexed).toBe(5)
  expect(index.match(eventOf('order'))).toEqual(Object.keys(opaque))
  for (const id of Object.keys(opaque)) index.remove(id)
  expect(index.unindexed).toBe(0)
})

test('what can never pass is asked for no event', () => {
  const index = new FilterIndex<number>()
  for (const [id, filters] of [
    [{ exact: { data: 'x' } }],
    [{ cesql: 'FALSE' }],
    [{ cesql: 'data = 5' }],
    [{ not: { any: [{ not: { suffix: { data: 'x' } } }] } }],
  ].entries()) {
    index.add(id, compileFilters(filters))
  }
  const event = counting({ type: 'x', data: 'x' })
  expect(index.match(event)).toEqual([])
  expect(readsOf(event)).toBe(0)
  expect(index.unindexed).toBe(0)
})

test('a part that many filters have in common is evaluated once per event', () => {
  const index = new FilterIndex<number>()
  const shared = { any: [{ cesql: "LENGTH(subject) > 3 AND subject LIKE '%x%'" }, { prefix: { subject: 'y' } }] }
  for (let id = 0; id < 1_000; id++) index.add(id, compileFilters([shared, { not: { exact: { type: `t${id}` } } }]))
  const of = (subject: string): [FilterEvent & { reads: Map<string, number> }, number] => {
    const event = counting({ type: 't0', subject })
    return [event, index.match(event).length]
  }
  const [passing, passed] = of('abxc')
  expect(passed).toBe(999)
  expect(passing.reads.get('subject')).toBeLessThan(5)
  const [failing, none] = of('abc')
  expect(none).toBe(0)
  expect(failing.reads.get('subject')).toBeLessThan(5)
  for (let id = 1; id < 1_000; id++) index.remove(id)
  expect(index.match(counting({ type: 't1', subject: 'abxc' }))).toEqual([0])
})

test('an operand of AND is cast to a Boolean, the same expression by itself is not', () => {
  const index = new FilterIndex<string>()
  index.add('cast', compileFilters([{ cesql: "flag AND type = 'order'" }]))
  index.add('alone', compileFilters([{ cesql: 'flag' }]))
  const event = new Event(new Map(Object.entries({ type: 'order', flag: 'true' })), undefined)
  expect(index.match(event)).toEqual(['cast'])
})

test('a literal that is cast to what the event carries is looked up as what it becomes', () => {
  const index = new FilterIndex<string>()
  for (const text of [
    "n IN ('+1', 'x')",
    "'01' = n",
    "flag IN ('TRUE')",
    "'tRUe' = flag",
    'flag IN (5)',
    'n IN (TRUE)',
  ]) {
    index.add(text, compileFilters([{ cesql: text }]))
  }
  expect(index.unindexed).toBe(0)
  const event = new Event(new Map<string, AttributeValue>(Object.entries({ n: 1, flag: true })), undefined)
  expect(index.match(event)).toHaveLength(6)
  expect(index.match(new Event(new Map(Object.entries({ n: '1', flag: 'true' })), undefined))).toEqual([])
})

test('CE-80: OR is no match where an operand before the one that is TRUE gives an error', () => {
  const index = new FilterIndex<string>()
  index.add('a', compileFilters([{ cesql: "ext = 'a' OR type = 'order'" }]))
  expect(index.match(eventOf('order'))).toEqual([])
  expect(index.match(new Event(new Map(Object.entries({ type: 'order', ext: 'b' })), undefined))).toEqual(['a'])
})

test('each filter whose expression gave an error is told, also where it is shared', () => {
  const told: string[] = []
  const index = new FilterIndex<string>()
  for (const id of ['a', 'b', 'c']) {
    const filters = [{ not: { cesql: 'INT(ext) = 5' } }, { not: { exact: { source: `/${id}` } } }]
    index.add(id, compileFilters(filters, { onError: () => told.push(id) }))
  }
  index.add('fine', compileFilters([{ exact: { type: 'order' } }], { onError: () => told.push('fine') }))
  // `c` is decided by what is cheaper.
  expect(index.match(eventOf('order', '/c'))).toEqual(['a', 'b', 'fine'])
  expect(told).toEqual(['a', 'b'])
})

test('an event that several conditions of one filter are true of has it once', () => {
  const index = new FilterIndex<string>()
  index.add(
    'a',
    compileFilters([{ any: [{ exact: { type: 'order' } }, { prefix: { type: 'or' } }, { suffix: { source: 'p' } }] }]),
  )
  index.add('b', compileFilters([{ cesql: "type IN ('order', 'order', 'x')" }]))
  expect(index.match(eventOf('order'))).toEqual(['a', 'b'])
  expect(index.remove('a')).toBe(true)
  expect(index.match(eventOf('order'))).toEqual(['b'])
})

test('threat 14: types that are names of every object are types like others', () => {
  const index = new FilterIndex<string>()
  for (const type of ['constructor', '__proto__', 'toString']) {
    expect(index.match(eventOf(type))).toEqual([])
    index.add(type, typed(type))
    expect(index.match(eventOf(type))).toEqual([type])
  }
})

test('a type that an event carries as a number is looked up by its text, and one may be missing', () => {
  const index = new FilterIndex<string>()
  index.add('five', typed('5'))
  index.add('any', EVERYTHING)
  expect(index.match(new Event(new Map([['type', 5]]), undefined))).toEqual(['five', 'any'])
  expect(index.match(new Event(new Map(), undefined))).toEqual(['any'])
})
