import { Event } from '@sluice/event'
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

test('an event is asked only of the filters that its type leaves', () => {
  const index = new FilterIndex<number>()
  let asked = 0
  for (let id = 0; id < 1_000; id++) {
    const filter = compileFilters([{ all: [{ suffix: { source: 'p' } }, { exact: { type: `t${id}` } }] }])
    const matches = (event: FilterEvent): boolean => {
      asked++
      return filter.matches(event)
    }
    index.add(id, { ...filter, matches })
  }
  expect(index.match(eventOf('t7'))).toEqual([7])
  expect(asked).toBe(1)
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
