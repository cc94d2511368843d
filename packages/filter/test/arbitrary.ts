// Random filters of all dialects, and events that they often meet: few names, short texts of few letters.

import { Event, type AttributeValue } from '@sluice/event'
import { compileAttributes, compileFilters, type Filter } from '@sluice/filter'
import * as fc from 'fast-check'

const name = fc.constantFrom('type', 'type', 'source', 'ext', 'constructor', 'data')
const text = fc.string({ unit: fc.constantFrom('a', 'b', '1'), minLength: 1, maxLength: 3 })
const value: fc.Arbitrary<AttributeValue> = fc.oneof(
  { weight: 5, arbitrary: text },
  { weight: 1, arbitrary: fc.boolean() },
  { weight: 1, arbitrary: fc.constantFrom(1, 1, 11, -1, 0) },
  { weight: 1, arbitrary: fc.constantFrom('true', 'tr', 'e', '-', '11', '+1', '01') },
)
const conditions = fc.dictionary(name, value, { minKeys: 1, maxKeys: 3 })

const literal = fc.oneof(
  { weight: 4, arbitrary: text.map((each) => `'${each}'`) },
  { weight: 2, arbitrary: fc.constantFrom('1', '11', 'TRUE', 'FALSE', "'true'", "'TRUE'", "'+1'", "'01'") },
)
const pattern = fc
  .array(fc.constantFrom('a', 'b', '1', '%', '%', '_'), { maxLength: 4 })
  .map((parts) => `'${parts.join('')}'`)
const leaf = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(name, fc.constantFrom('=', '=', '!='), literal).map((each) => each.join(' ')) },
  fc.tuple(literal, fc.constantFrom('=', '!='), name).map((each) => each.join(' ')),
  fc.tuple(name, fc.constantFrom('LIKE', 'LIKE', 'NOT LIKE'), pattern).map((each) => each.join(' ')),
  fc
    .tuple(
      name,
      fc.constantFrom('IN', 'IN', 'NOT IN'),
      fc.array(fc.oneof(literal, literal, name), { minLength: 1, maxLength: 3 }),
    )
    .map(([left, word, list]) => `${left} ${word} (${list.join(', ')})`),
  name.map((each) => `EXISTS ${each}`),
  fc.tuple(name, name).map(([a, b]) => `${a} = ${b}`),
  fc.tuple(name, fc.constantFrom('<', '>=')).map(([a, operator]) => `${a} ${operator} 5`),
  fc.tuple(name, literal).map(([a, b]) => `UPPER(${a}) = UPPER(${b})`),
  name,
  fc.constantFrom('TRUE', "CONCAT('a', 'b') = type"),
)
const { expression } = fc.letrec<{ expression: string }>((tie) => {
  const inner = tie('expression').map((each) => `(${each})`)
  return {
    expression: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 3, arbitrary: leaf },
      { weight: 2, arbitrary: fc.array(inner, { minLength: 2, maxLength: 3 }).map((each) => each.join(' AND ')) },
      { weight: 2, arbitrary: fc.array(inner, { minLength: 2, maxLength: 3 }).map((each) => each.join(' OR ')) },
      fc.tuple(inner, inner).map((each) => each.join(' XOR ')),
      inner.map((each) => `NOT ${each}`),
    ),
  }
})

const pointer = fc.constantFrom('/a', '/a', '/b', '/b/c', '/b/0', '')
const scalar = fc.oneof(text, fc.integer({ min: -1, max: 3 }), fc.boolean(), fc.constant(null))
const known = scalar.filter((each) => each !== null)
const ordered = fc.oneof(text, fc.integer({ min: -1, max: 3 }))
const test: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 2, arbitrary: known },
  { weight: 2, arbitrary: scalar.map((exact) => ({ exact })) },
  fc.array(scalar, { minLength: 1, maxLength: 3 }).map((list) => ({ in: list })),
  fc.boolean().map((exists) => ({ exists })),
  text.map((prefix) => ({ prefix })),
  fc.tuple(text, ordered).map(([suffix, gte]) => ({ suffix, gte })),
  fc.tuple(fc.constantFrom('gt', 'gte', 'lt', 'lte'), ordered).map(([kind, bound]) => ({ [kind]: bound })),
  known.map((not) => ({ not })),
  fc.tuple(text, ordered).map(([prefix, lt]) => ({ not: { prefix, lt } })),
)
const { document } = fc.letrec((tie) => ({
  document: fc.oneof(
    { maxDepth: 2 },
    scalar,
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('document'), { maxKeys: 3 }),
    fc.array(tie('document'), { maxLength: 2 }),
  ),
}))

const { filter } = fc.letrec((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({ exact: conditions }),
    fc.record({ prefix: conditions }),
    fc.record({ suffix: conditions }),
    fc.record({ cesql: expression }),
    fc.record({ data: fc.dictionary(pointer, test, { minKeys: 1, maxKeys: 2 }) }),
    fc.record({ all: fc.array(tie('filter'), { minLength: 1, maxLength: 4 }) }),
    fc.record({ any: fc.array(tie('filter'), { minLength: 1, maxLength: 4 }) }),
    fc.record({ not: tie('filter') }),
  ),
}))

/** What somebody may write as the list of filters of a Trigger. */
export const filters: fc.Arbitrary<unknown[]> = fc.array(filter, { maxLength: 3 })

/** Filters of both forms, many of them of the plainest. */
export const compiled: fc.Arbitrary<Filter> = fc.oneof(
  { weight: 5, arbitrary: filters.map((each) => compileFilters(each)) },
  { weight: 1, arbitrary: fc.dictionary(name, fc.oneof(value, fc.constant(''))).map((map) => compileAttributes(map)) },
  { weight: 2, arbitrary: text.map((type) => compileFilters([{ exact: { type } }])) },
)

/** Events with few attributes, with and without JSON data. */
export const event: fc.Arbitrary<Event> = fc
  .tuple(fc.dictionary(name, fc.oneof(value, fc.constant(''))), fc.option(document, { nil: undefined }))
  .map(([attributes, json]) => {
    const data = json === undefined ? undefined : Buffer.from(JSON.stringify(json))
    const type = json === undefined ? {} : { datacontenttype: 'application/json' }
    return new Event(new Map(Object.entries({ ...attributes, ...type })), data)
  })
