// The dialect `cesql`, which is also called `sql`: CE-64, and what is refused or told when it is applied.

import { Event, type AttributeValue } from '@sluice/event'
import { checkTrigger, compileFilters, DEFAULT_FILTER_LIMITS, evaluate, FilterError } from '@sluice/filter'
import { expect, test } from 'vitest'

function eventOf(more: Record<string, AttributeValue> = {}): Event {
  const attributes = { specversion: '1.0', id: '1', source: '/shop', type: 'com.example.order.placed', ...more }
  return new Event(new Map(Object.entries(attributes)), undefined)
}

function passes(filters: unknown, event: Event = eventOf()): boolean {
  const filter = compileFilters(filters)
  const verdict = filter.matches(event)
  expect(evaluate(filter.ast, event)).toBe(verdict)
  return verdict
}

/** What is wrong with an expression, as `code@offset message. hint`. */
function problemsOf(cesql: unknown): string[] {
  try {
    compileFilters([{ cesql }])
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    return error.problems.map(({ code, offset, message, hint }) => `${code}@${offset ?? ''} ${message}. ${hint ?? ''}`)
  }
  throw new Error('nothing was refused')
}

/** That there is one such problem. */
function one(text: string): unknown {
  return [expect.stringContaining(text)]
}

function warningsOf(...filters: unknown[]): string[] {
  const { problems, warnings } = checkTrigger({ filters })
  expect(problems).toEqual([])
  return warnings.map(({ code, path, offset, message }) => `${code} ${path.join('.')}@${offset} ${message}`)
}

test('CE-64, CE-85: an expression passes where it is TRUE, by both names of the dialect', () => {
  for (const dialect of ['cesql', 'sql']) {
    expect(passes([{ [dialect]: "type LIKE 'com.example.%' AND source = '/shop'" }])).toBe(true)
    expect(passes([{ [dialect]: "type LIKE 'com.example.%' AND source = '/other'" }])).toBe(false)
  }
})

test('CE-64: an error is no match, and so not of it is one', () => {
  expect(passes([{ sql: 'missing = 1' }])).toBe(false)
  expect(passes([{ sql: 'NOT (missing = 1)' }])).toBe(false)
  expect(passes([{ not: { sql: 'missing = 1' } }])).toBe(true)
  expect(passes([{ any: [{ sql: 'missing = 1' }, { exact: { source: '/shop' } }] }])).toBe(true)
})

test('CE-64: a value that is no Boolean is no match', () => {
  expect(passes([{ sql: 'urgent' }], eventOf({ urgent: true }))).toBe(true)
  expect(passes([{ sql: 'urgent' }], eventOf({ urgent: 'true' }))).toBe(false)
  expect(passes([{ sql: 'urgent' }], eventOf({ urgent: 1 }))).toBe(false)
  expect(passes([{ not: { sql: 'urgent' } }], eventOf({ urgent: 'true' }))).toBe(true)
})

test('it nests in all, any and not like every other dialect', () => {
  const order = { cesql: "type = 'com.example.order.placed'" }
  expect(passes([{ all: [order, { any: [{ prefix: { source: '/x' } }, { not: { cesql: "source = '/x'" } }] }] }])).toBe(
    true,
  )
})

test('what YAML makes of TRUE and FALSE is an expression too', () => {
  expect(passes([{ cesql: true }])).toBe(true)
  expect(passes([{ cesql: false }])).toBe(false)
})

test('who asks is told of each event for which an expression gave an error, once', () => {
  const told: unknown[] = []
  const onError = (event: unknown): number => told.push(event)
  const filter = compileFilters([{ any: [{ cesql: 'a = 1' }, { cesql: 'b = 1' }, { exact: { source: '/shop' } }] }], {
    onError,
  })
  const [both, one, none] = [eventOf(), eventOf({ a: 2 }), eventOf({ a: 2, b: 2 })]
  expect([both, one, none].map((event) => filter.matches(event))).toEqual([true, true, true])
  // What is cheap decides first, and then no expression is asked.
  expect(told).toEqual([])
  const opaque = compileFilters([{ not: { any: [{ cesql: 'a = 1' }, { cesql: 'b = 1' }] } }], { onError })
  expect([both, one, none].map((event) => opaque.matches(event))).toEqual([true, true, true])
  expect(told).toEqual([both, one])
})

test('a mistake of syntax is refused with its place in the expression', () => {
  expect(problemsOf("type == 'x'")).toEqual([
    'SLUICE_FILTER_CESQL_SYNTAX@5 == is no operator (column 6 of the expression). Write =, not ==.',
  ])
  expect(problemsOf("type = 'x'\n  && a")).toEqual(
    one('SLUICE_FILTER_CESQL_SYNTAX@13 && is no operator (line 2, column 3 of the expression)'),
  )
  expect(problemsOf(' ')).toEqual(one('SLUICE_FILTER_EMPTY'))
})

test('CE-84: a function that there is not is refused, each with the nearest', () => {
  expect(problemsOf("LOWRE(type) = 'x' AND UPER(source) = 'y'")).toEqual([
    'SLUICE_FILTER_UNKNOWN_FUNCTION@0 CESQL has no function LOWRE (column 1 of the expression). Did you mean LOWER?',
    'SLUICE_FILTER_UNKNOWN_FUNCTION@22 CESQL has no function UPER (column 23 of the expression). Did you mean UPPER?',
  ])
})

test('an expression that can not be TRUE or FALSE is refused', () => {
  expect(problemsOf('LENGTH(type)')).toEqual([
    'SLUICE_FILTER_NOT_BOOLEAN@0 the expression gives an Integer; a filter is TRUE or FALSE. Compare it with something, by =, <, LIKE or IN.',
  ])
  expect(problemsOf('a + 1')).toEqual(one('SLUICE_FILTER_NOT_BOOLEAN'))
  expect(problemsOf("'type = 5'")).toEqual(
    one('a String; a filter is TRUE or FALSE. Remove the quotes around all of it.'),
  )
})

test('what is no text is refused', () => {
  for (const written of [5, null, undefined, ["type = 'x'"], { expression: 'TRUE' }]) {
    expect(problemsOf(written)).toEqual(one('SLUICE_FILTER_INVALID_VALUE@ expected a CESQL expression, got'))
  }
})

test('threat 15: an expression beyond its bounds is refused, and each part of it counts as a node', () => {
  expect(problemsOf(`type = '${'x'.repeat(4_096)}'`)).toEqual(one('SLUICE_FILTER_TOO_LARGE@0 the expression has'))
  expect(problemsOf(`${'NOT '.repeat(40)}a`)).toEqual(one('SLUICE_FILTER_TOO_LARGE@'))
  const many = (terms: number): string => Array.from({ length: terms }, () => 'n=1').join(' OR ')
  expect(() => compileFilters([{ cesql: many(340) }])).not.toThrow()
  expect(problemsOf(many(342))).toEqual(one('SLUICE_FILTER_TOO_LARGE@ the filter has more than 1024 nodes'))
  const limits = { ...DEFAULT_FILTER_LIMITS, maxExpressionBytes: 5, maxExpressionDepth: 2 }
  expect(() => compileFilters([{ cesql: 'a = 10' }], { limits })).toThrow('it may have 5')
  expect(() => compileFilters([{ cesql: 'a=b=c' }], { limits })).toThrow('more than 2 deep')
})

test('what is probably not meant is told with its place, in both forms of one Trigger', () => {
  expect(warningsOf({ cesql: "type = 'x' AND source = 'y'" })).toEqual([])
  expect(warningsOf({ any: [{ sql: 'a = 1 OR b = 2 AND c = 3' }, { cesql: "x = 1 AND NOT y = 'z'" }] })).toEqual([
    expect.stringContaining('SLUICE_FILTER_AMBIGUOUS filters.0.any.0.sql@0 OR and AND bind alike'),
    expect.stringContaining('SLUICE_FILTER_AMBIGUOUS filters.0.any.1.cesql@10 NOT binds tighter'),
  ])
  expect(warningsOf({ sql: "n > '2026-01'" })).toEqual([
    expect.stringContaining('SLUICE_FILTER_CONSTANT filters.0.sql@4 "2026-01" is no Integer'),
  ])
  expect(warningsOf({ sql: 'urgent' })).toEqual([expect.stringContaining('SLUICE_FILTER_NOT_BOOLEAN filters.0.sql@0')])
})

test('a check tells the problems of both forms, and then no warnings', () => {
  const { problems, warnings } = checkTrigger({
    filter: { attributes: { Type: 'x' } },
    filters: [{ sql: 'a AND b OR c ==' }],
  })
  expect(problems.map(({ path }) => path.join('.'))).toEqual(['filter.attributes.Type', 'filters.0.sql'])
  expect(warnings).toEqual([])
})
