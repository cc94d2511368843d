// The dialect `data`: what JSON Pointers (RFC 6901) lead to in JSON data.

import { Event } from '@sluice/event'
import { compileFilters, evaluate, FilterError, type FilterEvent } from '@sluice/filter'
import { expect, test } from 'vitest'

const DOCUMENT = {
  action: 'opened',
  total: 250,
  paid: false,
  note: null,
  created: '2026-03-01T10:00:00Z',
  user: { login: 'bot-7', 'a/b': { 'm~n': 1 }, '': 'empty' },
  items: [{ sku: 'x' }, 'y', [5]],
  __proto__x: 1,
}

function eventOf(document: unknown, datacontenttype: string = 'application/json'): Event {
  const attributes = { specversion: '1.0', id: '1', source: '/s', type: 't', datacontenttype }
  const text = typeof document === 'string' ? document : JSON.stringify(document)
  return new Event(new Map(Object.entries(attributes)), text === undefined ? undefined : Buffer.from(text))
}

function passes(data: unknown, event: FilterEvent = eventOf(DOCUMENT)): boolean {
  const filter = compileFilters([{ data }])
  const verdict = filter.matches(event)
  expect(evaluate(filter.ast, event)).toBe(verdict)
  return verdict
}

/** What is wrong: code, path, message, hint. */
function problemsOf(data: unknown): string[] {
  try {
    compileFilters([{ data }])
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    return error.problems.map(
      ({ code, path, message, hint }) => `${code} ${path.slice(2).join(' ')}: ${message}. ${hint ?? ''}`,
    )
  }
  throw new Error('nothing was refused')
}

test('the example of the issue: every entry and every test of one has to hold', () => {
  const data = { '/action': 'opened', '/total': { gt: 100, lte: 500 }, '/user/login': { prefix: 'bot-' } }
  expect(passes(data)).toBe(true)
  expect(passes({ ...data, '/action': 'closed' })).toBe(false)
  expect(passes({ ...data, '/total': { gt: 100, lte: 249 } })).toBe(false)
  expect(passes({ ...data, '/user/login': { prefix: 'human-' } })).toBe(false)
})

test('a value is exact, and of its own kind: 250 is not "250"', () => {
  expect(passes({ '/total': 250 })).toBe(true)
  expect(passes({ '/total': '250' })).toBe(false)
  expect(passes({ '/paid': false })).toBe(true)
  expect(passes({ '/paid': 'false' })).toBe(false)
  expect(passes({ '/paid': { exact: 0 } })).toBe(false)
  expect(passes({ '/note': { exact: null } })).toBe(true)
  expect(passes({ '/missing': { exact: null } })).toBe(false)
  expect(passes({ '/action': { exact: 'Opened' } })).toBe(false)
  expect(passes({ '/user': { exact: 'x' } })).toBe(false)
  expect(passes({ '/total': { exact: 250.0 } }, eventOf('{"total": 2.5e2}'))).toBe(true)
})

test('in is one of several', () => {
  expect(passes({ '/action': { in: ['closed', 'opened'] } })).toBe(true)
  expect(passes({ '/action': { in: ['closed', 'Opened'] } })).toBe(false)
  expect(passes({ '/note': { in: [1, null] } })).toBe(true)
  expect(passes({ '/total': { in: ['250'] } })).toBe(false)
  expect(passes({ '/missing': { in: [null] } })).toBe(false)
})

test('prefix and suffix are of texts', () => {
  expect(passes({ '/action': { prefix: 'op', suffix: 'ed' } })).toBe(true)
  expect(passes({ '/action': { suffix: 'op' } })).toBe(false)
  expect(passes({ '/total': { prefix: '2' } })).toBe(false)
})

test('exists is whether the pointer leads anywhere; null is a value', () => {
  expect(passes({ '/note': { exists: true } })).toBe(true)
  expect(passes({ '/user': { exists: true } })).toBe(true)
  expect(passes({ '/missing': { exists: true } })).toBe(false)
  expect(passes({ '/missing': { exists: false } })).toBe(true)
  expect(passes({ '/note': { exists: false } })).toBe(false)
})

test('gt, gte, lt and lte order numbers, and texts, never one with the other', () => {
  expect(passes({ '/total': { gt: 249.5, lt: 250.5 } })).toBe(true)
  expect(passes({ '/total': { gte: 250, lte: 250 } })).toBe(true)
  expect(passes({ '/total': { gt: 250 } })).toBe(false)
  expect(passes({ '/total': { lt: 250 } })).toBe(false)
  expect(passes({ '/created': { gte: '2026-03-01', lt: '2026-04' } })).toBe(true)
  expect(passes({ '/created': { gt: '2026-04' } })).toBe(false)
  expect(passes({ '/total': { gt: '100' } })).toBe(false)
  expect(passes({ '/action': { gt: 0 } })).toBe(false)
  expect(passes({ '/note': { gte: 0 } })).toBe(false)
  expect(passes({ '/paid': { gte: 0 } })).toBe(false)
})

test('not is of a value or of tests, and holds where there is nothing', () => {
  expect(passes({ '/action': { not: 'closed' } })).toBe(true)
  expect(passes({ '/action': { not: 'opened' } })).toBe(false)
  expect(passes({ '/missing': { not: 'closed' } })).toBe(true)
  expect(passes({ '/missing': { not: 'closed', exists: true } })).toBe(false)
  expect(passes({ '/total': { not: { gt: 100, lt: 200 } } })).toBe(true)
  expect(passes({ '/action': { not: { in: ['opened', 'closed'] } } })).toBe(false)
  expect(passes({ '/action': { not: { not: 'opened' } } })).toBe(true)
})

test('RFC 6901: pointers go through objects and arrays, with ~0 and ~1', () => {
  expect(passes({ '/user/a~1b/m~0n': 1 })).toBe(true)
  expect(passes({ '/user/': 'empty' })).toBe(true)
  expect(passes({ '/items/0/sku': 'x' })).toBe(true)
  expect(passes({ '/items/1': 'y' })).toBe(true)
  expect(passes({ '/items/2/0': 5 })).toBe(true)
  for (const nowhere of [
    '/items/3',
    '/items/-',
    '/items/01',
    '/items/length',
    '/action/0',
    '/action/length',
    '/note/x',
  ]) {
    expect(passes({ [nowhere]: { exists: true } })).toBe(false)
  }
  expect(passes({ '': 'whole' }, eventOf('"whole"'))).toBe(true)
  expect(passes({ '': { exists: true } }, eventOf('null'))).toBe(true)
})

test('threat 14: names that every object has lead nowhere, unless the data has them', () => {
  for (const name of ['constructor', '__proto__', 'toString', 'constructor/name']) {
    expect(passes({ [`/${name}`]: { exists: true } })).toBe(false)
  }
  expect(passes(JSON.parse('{"/__proto__/x": 1}'), eventOf('{"__proto__": {"x": 1}}'))).toBe(true)
})

test('where there is no JSON within the limits, every pointer leads nowhere (threat 13)', () => {
  const deep = `${'['.repeat(65)}${']'.repeat(65)}`
  const large = JSON.stringify({ action: 'opened', more: 'x'.repeat(1024 * 1024) })
  for (const event of [
    eventOf(undefined),
    eventOf(''),
    eventOf('{"action":"opened"'),
    eventOf({ action: 'opened' }, 'text/plain'),
    eventOf(deep),
    eventOf(large),
  ]) {
    expect(passes({ '/action': 'opened' }, event)).toBe(false)
    expect(passes({ '/action': { not: 'opened' } }, event)).toBe(true)
    expect(passes({ '': { exists: true } }, event)).toBe(false)
  }
})

test('the data is asked for only where nothing cheaper decides, in whatever order it is written', () => {
  let parsed = 0
  const event: FilterEvent = {
    attribute: (name) => (name === 'type' ? 't' : undefined),
    json: () => {
      parsed++
      return DOCUMENT
    },
  }
  const data = { data: { '/action': 'opened' } }
  const not = compileFilters([data, { cesql: "type = 'other'" }, { exact: { type: 'other' } }])
  expect(not.needsData).toBe(true)
  expect(not.matches(event)).toBe(false)
  expect(compileFilters([{ any: [data, { exact: { type: 't' } }] }]).matches(event)).toBe(true)
  expect(compileFilters([{ any: [{ not: data }, { cesql: "type = 't'" }] }]).matches(event)).toBe(true)
  expect(parsed).toBe(0)
  expect(compileFilters([data, { exact: { type: 't' } }]).matches(event)).toBe(true)
  expect(parsed).toBe(1)
})

test.each([
  [{}, 'SLUICE_FILTER_EMPTY : data names no pointer. Such as {/action: opened, /total: {gt: 100}}.'],
  [null, 'SLUICE_FILTER_EMPTY : data names no pointer'],
  ['/action', 'SLUICE_FILTER_INVALID : expected JSON Pointers and values, got the text "/action"'],
  [
    { action: 'x' },
    'SLUICE_FILTER_INVALID_POINTER action: "action" is no JSON Pointer: a JSON Pointer begins with /. Such as /action.',
  ],
  [{ '$.user.items[0].sku': 'x' }, 'Such as /user/items/0/sku.'],
  [{ 'user.login': 'x' }, 'Such as /user/login.'],
  [{ '/a~2': 'x' }, 'a ~ in a JSON Pointer is followed by 0 or 1'],
  [
    { '/a': null },
    'SLUICE_FILTER_EMPTY /a: nothing is asked of "/a". Write a value, {exists: true} for any, or {exact: null}',
  ],
  [{ '/a': {} }, 'SLUICE_FILTER_EMPTY /a: nothing is asked of "/a". Such as {exists: true}. The tests are exact, in, '],
  [{ '/a': ['x'] }, 'SLUICE_FILTER_INVALID_VALUE /a: expected a value or tests, got a list. Write {in: [...]}'],
  [
    { '/a': { in: 'x' } },
    'SLUICE_FILTER_INVALID_VALUE /a in: in has to be a list of at least one value, got the text "x"',
  ],
  [{ '/a': { in: [] } }, 'got none'],
  [{ '/a': { in: [{}] } }, 'SLUICE_FILTER_INVALID_VALUE /a in 0: expected a text, a number'],
  [{ '/a': { exact: { b: 1 } } }, 'For a member of an object write its JSON Pointer, such as /user/login.'],
  [
    { '/a': { prefix: 5 } },
    'SLUICE_FILTER_INVALID_VALUE /a prefix: prefix has to be text, got the number 5. Put it in quotes.',
  ],
  [{ '/a': { suffix: '' } }, 'SLUICE_FILTER_EMPTY /a suffix: the suffix is empty'],
  [{ '/a': { exists: 'yes' } }, 'exists has to be true or false, got the text "yes"'],
  [{ '/a': { gt: true } }, 'SLUICE_FILTER_INVALID_VALUE /a gt: gt has to be a number or a text, got the boolean true'],
  [{ '/a': { gt: null } }, 'gt has to be a number or a text, got nothing'],
  [{ '/a': { not: null } }, 'SLUICE_FILTER_EMPTY /a not: nothing is asked'],
  [{ '/a': { not: ['x'] } }, 'Write {in: [...]}'],
  [{ '/a': 2 ** 53 }, 'SLUICE_FILTER_INVALID_VALUE /a: 9007199254740992 is no number that can be compared exactly'],
  [{ '/a': Number.NaN }, 'NaN is no number'],
  [{ '/a': { prefx: 'x' } }, 'SLUICE_FILTER_UNKNOWN_TEST /a prefx: unknown test "prefx". Did you mean "prefix"?'],
  [{ '/a': { eq: 'x' } }, 'Did you mean "exact"?'],
  [{ '/a': { '>': 5 } }, 'Did you mean "gt"?'],
  [{ '/a': { ne: 5 } }, 'Did you mean "not"?'],
  [{ '/user': { login: 'x' } }, 'for a member of that name write "/user/login".'],
  [{ '/a': 'x'.repeat(4_097) }, 'SLUICE_FILTER_TOO_LARGE /a: the value has 4097 bytes; it may have 4096'],
  [{ [`/${'x'.repeat(4_096)}`]: 1 }, 'SLUICE_FILTER_TOO_LARGE'],
])('%o is refused', (data, expected) => {
  expect(problemsOf(data)).toEqual([expect.stringContaining(expected)])
})

test('pointers, tests, values of in and nested not count against the bounds', () => {
  const pointers = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, i) => [`/${i}`, 1]))
  expect(() => compileFilters([{ data: pointers(1_024) }])).not.toThrow()
  expect(problemsOf(pointers(1_025))).toEqual([expect.stringContaining('more than 1024 nodes')])
  expect(problemsOf({ '/a': { in: Array.from({ length: 1_024 }, () => 1) } })).toEqual([
    expect.stringContaining('nodes'),
  ])
  const nested = (depth: number): unknown => (depth === 0 ? 1 : { not: nested(depth - 1) })
  expect(() => compileFilters([{ data: { '/a': nested(31) } }])).not.toThrow()
  expect(problemsOf({ '/a': nested(32) })).toEqual([expect.stringContaining('nest more than 32 deep')])
})
