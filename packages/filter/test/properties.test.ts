// The compiler beside the interpreter, and the index beside asking every filter, over random filters and events.

import { Event, type AttributeValue } from '@sluice/event'
import { evaluate, FilterIndex, type Filter } from '@sluice/filter'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { constantsOf } from '../src/constant.ts'
import { compiled, event } from './arbitrary.ts'

test('a compiled filter says what the interpreter says', () => {
  let passed = 0
  let asked = 0
  fc.assert(
    fc.property(compiled, fc.array(event, { minLength: 1, maxLength: 5 }), (some, events) => {
      for (const each of events) {
        const verdict = some.matches(each)
        expect(verdict).toBe(evaluate(some.ast, each))
        asked++
        if (verdict) passed++
      }
    }),
    { numRuns: 5_000 },
  )
  // A property that always sees the same verdict proves nothing.
  expect(passed / asked).toBeGreaterThan(0.1)
  expect(passed / asked).toBeLessThan(0.9)
})

test('a filter in the index passes the events that it passes by itself', () => {
  let passed = 0
  fc.assert(
    fc.property(compiled, fc.array(event, { minLength: 1, maxLength: 5 }), (some, events) => {
      const index = new FilterIndex<string>()
      index.add('it', some)
      for (const each of events) {
        const expected = evaluate(some.ast, each) ? ['it'] : []
        expect(index.match(each)).toEqual(expected)
        passed += expected.length
      }
    }),
    { numRuns: 10_000 },
  )
  expect(passed).toBeGreaterThan(5_000)
})

test('what is called the same for every event is', () => {
  const seen = { never: 0, always: 0, open: 0 }
  // Every event has what it has to have.
  const required = { specversion: '1.0', id: '1', source: 'a', type: 'b' }
  fc.assert(
    fc.property(compiled, fc.array(event, { minLength: 5, maxLength: 10 }), ({ ast }, events) => {
      const { whole } = constantsOf(ast)
      seen[whole === undefined ? 'open' : whole ? 'always' : 'never']++
      if (whole === undefined) return
      for (const each of events) {
        const valid = new Event(
          new Map<string, AttributeValue>([...Object.entries(required), ...each.attributes]),
          each.data,
        )
        expect(evaluate(ast, valid)).toBe(whole)
      }
    }),
    { numRuns: 10_000 },
  )
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(30) // about 130, of the rarest
})

type Step =
  | { readonly do: 'add'; readonly id: number; readonly filter: Filter }
  | { readonly do: 'remove'; readonly id: number }
  | { readonly do: 'match'; readonly event: Event }

const id = fc.nat(15)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('add' as const), id, filter: compiled }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), id }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('match' as const), event }) },
)

test('the index finds what asking every filter by itself finds, in the order of adding, after any changes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const index = new FilterIndex<number>()
      const model = new Map<number, Filter>()
      for (const next of steps) {
        const [found, expected] = takeBoth(next, index, model)
        expect(found).toEqual(expected)
        expect(index.size).toBe(model.size)
      }
    }),
    { numRuns: 3_000 },
  )
})

/** Takes a step with the index and with a plain map, whose order is that of adding too. */
function takeBoth(next: Step, index: FilterIndex<number>, model: Map<number, Filter>): [unknown, unknown] {
  if (next.do === 'add') return [index.add(next.id, next.filter), void model.set(next.id, next.filter)]
  if (next.do === 'remove') return [index.remove(next.id), model.delete(next.id)]
  const passing = [...model].filter(([, each]) => evaluate(each.ast, next.event))
  return [index.match(next.event), passing.map(([key]) => key)]
}
