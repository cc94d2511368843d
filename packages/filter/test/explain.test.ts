// What people are told of why an event passes a filter, or does not.

import { Event, type AttributeValue } from '@sluice/event'
import { compileAttributes, compileFilters, evaluate, explain, type Clause } from '@sluice/filter'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { compiled, event as anyEvent } from './arbitrary.ts'

function eventOf(more: Record<string, AttributeValue> = {}, data?: unknown): Event {
  const json: Record<string, AttributeValue> = data === undefined ? {} : { datacontenttype: 'application/json' }
  const attributes = { specversion: '1.0', id: '1', source: '/shop', type: 'com.github.push', ...json, ...more }
  return new Event(
    new Map(Object.entries(attributes)),
    data === undefined ? undefined : Buffer.from(JSON.stringify(data)),
  )
}

const EVENT = eventOf(
  { subject: 'orders/7', hop: '7', urgent: true },
  { action: 'opened', total: 250, user: { login: 'x' } },
)

function reasonOf(filters: unknown, event: Event = EVENT): string | undefined {
  return explain(compileFilters(filters), event).reason
}

test.each([
  [[{ exact: { type: 'com.github.issues.opened' } }], 'type is "com.github.push", wanted "com.github.issues.opened"'],
  [[{ exact: { ext: 'x' } }], 'ext is missing, wanted "x"'],
  [
    [{ exact: { type: 'com.github.Push' } }],
    'type is "com.github.push", wanted "com.github.Push" (upper and lower case differ)',
  ],
  [[{ exact: { hop: 8 } }], 'hop is "7", wanted "8"'],
  [[{ prefix: { source: '/market' } }], 'source is "/shop", which does not begin with "/market"'],
  [[{ suffix: { ext: 'x' } }], 'ext is missing, wanted one that ends with "x"'],
  [[{ not: { prefix: { source: '/s' } } }], 'source is "/shop", which begins with "/s", and that is excluded'],
  [[{ exact: { data: 'x' } }], 'data is missing, wanted "x"'],
  // Of what has to hold, the smallest that does not; of what may, all.
  [
    [{ any: [{ exact: { type: 'a' } }, { exact: { type: 'b' } }] }, { exact: { source: 'c' } }],
    'source is "/shop", wanted "c"',
  ],
  [
    [{ any: [{ exact: { type: 'a' } }, { exact: { source: 'b' } }] }],
    'type is "com.github.push", wanted "a"; source is "/shop", wanted "b"',
  ],
  [[{ any: ['a', 'b', 'c', 'd', 'e'].map((type) => ({ exact: { type } })) }], 'wanted "c"; and 2 more'],
  [
    [{ not: { all: [{ exact: { hop: '7' } }, { prefix: { type: 'com' } }] } }],
    'hop is "7"; type is "com.github.push", which begins with "com", and that is excluded',
  ],
  [[{ not: { not: { exact: { hop: '8' } } } }], 'hop is "7", wanted "8"'],
  // Data.
  [[{ data: { '/action': 'closed' } }], 'the data at /action is "opened", wanted "closed"'],
  [[{ data: { '/total': '250' } }], 'the data at /total is the number 250, wanted the text "250"'],
  [[{ data: { '/total': { gt: 300 } } }], 'the data at /total is 250, which is not above 300'],
  [
    [{ data: { '/user/login': { prefix: 'bot-' } } }],
    'the data at /user/login is "x", which does not begin with "bot-"',
  ],
  [[{ data: { '/user': 'x' } }], 'the data at /user is an object, wanted "x"'],
  [[{ data: { '/action': { in: ['a', 'b'] } } }], 'the data at /action is "opened", which is not one of "a", "b"'],
  [[{ data: { '/missing': { lte: 5 } } }], 'the data at /missing is missing, wanted one that is at most 5'],
  [[{ data: { '/action': { not: 'opened' } } }], 'the data at /action is "opened", and that is excluded'],
  [[{ data: { '': { exists: false } } }], 'the data is an object, and that is excluded'],
  // Expressions.
  [[{ cesql: "type = 'x'" }], 'type is "com.github.push", wanted "x"'],
  [
    [{ cesql: "type LIKE 'com.gitlab.%' AND hop < 50" }],
    'type is "com.github.push", so that type LIKE \'com.gitlab.%\' is FALSE',
  ],
  [[{ cesql: "source = '/shop' AND INT(hop) % 2 = 0" }], 'INT(hop) % 2 is 1, so that INT(hop) % 2 = 0 is FALSE'],
  [[{ cesql: "missing = 'x'" }], 'the event has no attribute missing'],
  [[{ cesql: 'subject > 5' }], '"orders/7" is no Integer'],
  [[{ cesql: "type = 'x' OR missing = 'y' OR TRUE" }], 'the event has no attribute missing'],
  [[{ cesql: "type = 'x' OR source = 'y'" }], 'type is "com.github.push", wanted "x"; source is "/shop", wanted "y"'],
  [[{ cesql: 'NOT EXISTS subject' }], 'subject is there, and that is excluded'],
  [[{ cesql: 'EXISTS ext' }], 'ext is missing'],
  [[{ cesql: 'hop' }], 'hop is "7", wanted TRUE'],
  [[{ cesql: 'NOT urgent' }], 'urgent is TRUE, and that is excluded'],
  [[{ cesql: "type IN ('a', 'b')" }], "type is \"com.github.push\", so that type IN ('a', 'b') is FALSE"],
  [[{ cesql: 'FALSE' }], 'FALSE is FALSE'],
  [[{ not: { cesql: "source = '/shop'" } }], 'source is "/shop", and that is excluded'],
])('%j: %s', (filters, reason) => {
  expect(reasonOf(filters)).toContain(reason)
  expect(reasonOf(filters)!.length).toBeLessThan(250)
})

test('an event without JSON data is told as that', () => {
  expect(reasonOf([{ data: { '/action': 'opened' } }], eventOf())).toBe('the event has no JSON data')
})

test('long texts are cut where they differ', () => {
  const same = 'x'.repeat(100)
  expect(reasonOf([{ exact: { subject: `${same}abc` } }], eventOf({ subject: `${same}def` }))).toBe(
    `subject is "…${'x'.repeat(16)}def", wanted "…${'x'.repeat(16)}abc" (they differ at character 101)`,
  )
})

test('each clause says what it asked, what the event has, and its verdict', () => {
  const filter = compileFilters([
    { exact: { type: 'com.github.push' } },
    { any: [{ data: { '/total': { gt: 300 } } }, { cesql: "hop = '7' AND NOT (ext = 1)" }] },
  ])
  expect(lines(explain(filter, EVENT).clause)).toEqual([
    '- all of',
    '  + type is "com.github.push": is "com.github.push"',
    '  - one of',
    '    - the data at /total is above 300: is 250',
    '    - all of (the event has no attribute ext)',
    '      + hop = \'7\': hop is "7"',
    '      - not (the event has no attribute ext)',
    '        - ext = 1: ext is missing (the event has no attribute ext)',
  ])
})

function lines({ asks, passes, found, error, of }: Clause, indent: string = ''): string[] {
  const more = `${found === undefined ? '' : `: ${found}`}${error === undefined ? '' : ` (${error})`}`
  return [`${indent}${passes ? '+' : '-'} ${asks}${more}`, ...of.flatMap((each) => lines(each, `${indent}  `))]
}

test('what matches has no reason', () => {
  expect(explain(compileFilters([{ exact: { hop: '7' } }]), EVENT)).toMatchObject({ matches: true, reason: undefined })
  expect(explain(compileFilters([]), EVENT)).toMatchObject({ matches: true, clause: { asks: 'every event', of: [] } })
  expect(explain(compileAttributes({ subject: '' }), EVENT).matches).toBe(true)
  expect(explain(compileAttributes({ ext: '' }), EVENT).reason).toBe('ext is missing')
})

test('nobody is told of errors, for no event was matched', () => {
  const filter = compileFilters([{ cesql: 'missing = 1' }], {
    onError: () => {
      throw new Error('told')
    },
  })
  expect(explain(filter, EVENT).matches).toBe(false)
})

test('it says of every filter and event what the filter says, and why not in one line', () => {
  fc.assert(
    fc.property(compiled, anyEvent, ({ ast }, event) => {
      const { matches, clause, reason } = explain({ ast }, event)
      expect(matches).toBe(evaluate(ast, event))
      expect(reason === undefined).toBe(matches)
      expect(reason ?? '').not.toContain('\n')
      for (const each of all(clause)) expect(each.reason.text).not.toBe('')
    }),
    { numRuns: 5_000 },
  )
})

function all(clause: Clause): Clause[] {
  return [clause, ...clause.of.flatMap(all)]
}
