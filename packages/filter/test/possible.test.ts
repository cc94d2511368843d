// What can be told of a filter where only some attributes of an event are known.

import { compileFilters, evaluate, PossibleFilters, verdictOf } from '@sluice/filter'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { compiled, event } from './arbitrary.ts'

const KNOWN = new Map([
  ['type', 'order'],
  ['source', '/shop'],
])

function verdict(...filters: unknown[]): boolean | undefined {
  return verdictOf(compileFilters(filters).ast, KNOWN)
}

test.each([
  [{ exact: { type: 'order' } }, true],
  [{ exact: { type: 'refund' } }, false],
  [{ exact: { type: 'order', subject: 'x' } }, undefined],
  [{ exact: { type: 'refund', subject: 'x' } }, false],
  [{ prefix: { source: '/sh' } }, true],
  [{ any: [{ exact: { type: 'refund' } }, { suffix: { subject: 'x' } }] }, undefined],
  [{ any: [{ exact: { type: 'order' } }, { suffix: { subject: 'x' } }] }, true],
  [{ not: { exact: { type: 'order' } } }, false],
  [{ not: { exact: { region: 'eu' } } }, undefined],
  [{ cesql: "type = 'refund' AND INT(hop) < 10" }, false],
  [{ cesql: "type LIKE 'or%' AND INT(hop) < 10" }, undefined],
  [{ cesql: "type IN ('order', 'refund') OR EXISTS subject" }, true],
  [{ cesql: 'EXISTS type' }, true],
  [{ data: { '/total': { gt: 100 } } }, undefined],
])('%o of an order: %s', (filter, expected) => {
  expect(verdict(filter)).toBe(expected)
})

test('what is told of a filter is true of every event that has these attributes', () => {
  fc.assert(
    fc.property(compiled, event, fc.subarray(['type', 'source', 'ext', 'specversion']), ({ ast }, random, names) => {
      const { type = 'a', source = 'b' } = Object.fromEntries(random.attributes)
      const each = random.with({ id: '1', specversion: '1.0', type: String(type), source: String(source) })
      const known = new Map(
        names.flatMap((name) => {
          const value = each.attribute(name)
          return typeof value === 'string' ? [[name, value] as const] : []
        }),
      )
      const told = verdictOf(ast, known)
      if (told !== undefined) expect(told).toBe(evaluate(ast, each))
    }),
    { numRuns: 3000 },
  )
})

test('of many filters those are asked that ask for the type, and those that ask for none', () => {
  const filters = new PossibleFilters<string>()
  filters.add('orders', compileFilters([{ exact: { type: 'order' } }]))
  filters.add('both', compileFilters([{ cesql: "type IN ('order', 'refund')" }, { exact: { region: 'eu' } }]))
  filters.add('refunds', compileFilters([{ exact: { type: 'refund' } }]))
  filters.add('all', compileFilters([]))
  filters.add('others', compileFilters([{ prefix: { source: '/billing' } }]))
  expect(filters.of(KNOWN)).toEqual(['orders', 'both', 'all'])
  expect(filters.of(new Map([['type', 'nothing']]))).toEqual(['all', 'others'])
  expect(filters.of(new Map())).toEqual(['orders', 'both', 'refunds', 'all', 'others'])
})
