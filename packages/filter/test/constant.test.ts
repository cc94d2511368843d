// Filters that never match, and filters that always do, as they are told when a Trigger is applied.

import { checkTrigger } from '@sluice/filter'
import { expect, test } from 'vitest'

function told(filters: unknown, filter?: unknown): string[] {
  const { problems, warnings } = checkTrigger({ filters, filter })
  expect(problems).toEqual([])
  return warnings.map(
    ({ code, path, message }) => `${code.slice('SLUICE_FILTER_'.length)} ${path.join('.')}: ${message}`,
  )
}

const NONE = 'this never matches, so that the Trigger gets no event: '

test.each([
  [
    [{ exact: { type: 'a' } }, { exact: { type: 'b' } }],
    'filters.1.exact.type',
    'type would have to be "a" and be "b"',
  ],
  [[{ exact: { type: 'a' } }, { prefix: { type: 'b' } }], 'filters.1.prefix.type', 'be "a" and begin with "b"'],
  [[{ suffix: { type: 'b' } }, { exact: { type: 'a' } }], 'filters.1.exact.type', 'end with "b" and be "a"'],
  [
    [{ prefix: { type: 'ab' } }, { prefix: { type: 'ac' } }],
    'filters.1.prefix.type',
    'begin with "ab" and begin with "ac"',
  ],
  [
    [{ suffix: { type: 'xa' } }, { suffix: { type: 'ya' } }],
    'filters.1.suffix.type',
    'end with "xa" and end with "ya"',
  ],
  [
    [{ exact: { type: 'a' } }, { not: { exact: { type: 'a' } } }],
    'filters.1.not',
    'it stands beside the same without not',
  ],
  [
    [{ all: [{ exact: { ext: 'a' } }, { all: [{ exact: { ext: 'b' } }] }] }],
    'filters.0.all.1.all.0.exact.ext',
    'be "a" and be "b"',
  ],
  [
    [{ any: [{ exact: { type: 'a' } }, { exact: { type: 'b' } }] }, { exact: { type: 'c' } }],
    'filters.1.exact.type',
    'be one of "a", "b" and be "c"',
  ],
  [[{ cesql: "type = 'a' AND type = 'b'" }], 'filters.0.cesql', 'be "a" and be "b"'],
  [
    [{ cesql: "type LIKE 'a%' AND source = 'x'" }, { exact: { type: 'b' } }],
    'filters.1.exact.type',
    'begin with "a" and be "b"',
  ],
  [
    [{ cesql: "type IN ('a', 'b')" }, { cesql: "type LIKE '%c'" }],
    'filters.1.cesql',
    'be one of "a", "b" and end with "c"',
  ],
  [[{ cesql: "type = 'a' AND type != 'a'" }], 'filters.0.cesql', 'be "a" and not be "a"'],
  [[{ cesql: 'n > 5 AND n < 3' }], 'filters.0.cesql', 'n would have to be above 5 and be below 3'],
  [[{ cesql: 'n > 5 AND 6 > n' }], 'filters.0.cesql', 'be above 5 and be below 6'],
  [[{ cesql: 'n = 5 AND n >= 6' }], 'filters.0.cesql', 'be at most 5 and be at least 6'],
  [[{ cesql: "n = 'x' AND n >= 6" }], 'filters.0.cesql', 'be "x" and be at least 6'],
  [[{ cesql: "NOT EXISTS ext AND ext = 'a'" }], 'filters.0.cesql', 'ext would have to be missing and be "a"'],
  [
    [{ cesql: 'EXISTS ext' }, { not: { cesql: 'EXISTS ext' } }],
    'filters.1.not',
    'it stands beside the same without not',
  ],
  [[{ cesql: "1 = 2 AND type = 'a'" }], 'filters.0.cesql', ''],
  [[{ cesql: 'FALSE' }], 'filters.0.cesql', 'the expression is FALSE for every event'],
  [[{ cesql: 'NOT EXISTS type' }], 'filters.0.cesql', 'the expression is FALSE for every event'],
  [
    [{ data: { '/a': 'x' } }, { data: { '/a': 'y' } }],
    'filters.1.data./a',
    'the data at "/a" would have to be "x" and be "y"',
  ],
  [[{ data: { '/a': { gt: 5, lt: 5 } } }], 'filters.0.data./a.lt', 'be above 5 and be below 5'],
  [[{ data: { '/a': { gte: 5, exact: 'x' } } }], 'filters.0.data./a.exact', 'be at least 5 and be "x"'],
  [
    [{ data: { '/a': { in: [1, 2], not: { exists: true } } } }],
    'filters.0.data./a.not',
    'be one of 1, 2 and be missing',
  ],
  [[{ data: { '/a': { prefix: 'x', in: ['y', 5] } } }], 'filters.0.data./a.in', 'begin with "x" and be one of "y", 5'],
  [[{ data: { '/a': { gt: 5, lte: 'x' } } }], 'filters.0.data./a.lte', 'be above 5 and be at most "x"'],
  [[{ exact: { data: 'x' } }], 'filters.0.exact.data', 'data is no attribute. For data there is the dialect data'],
  [[{ exact: { specversion: '2.0' } }], 'filters.0.exact.specversion', 'specversion is 1.0 or 0.3'],
])('%j never matches', (filters, path, reason) => {
  const found = told(filters)
  if (reason === '') return expect(found).toEqual([expect.stringContaining('CONSTANT filters.0.cesql')])
  expect(found).toEqual([expect.stringContaining(`NEVER_MATCHES ${path}: ${NONE}`)])
  expect(found[0]).toContain(reason)
})

test('a branch that never matches is told, and that the others may', () => {
  expect(
    told([{ any: [{ all: [{ exact: { type: 'a' } }, { exact: { type: 'b' } }] }, { exact: { type: 'c' } }] }]),
  ).toEqual([
    'NEVER_MATCHES filters.0.any.0.all.1.exact.type: this never matches: type would have to be "a" and be "b"',
  ])
  expect(told([{ any: [{ cesql: "n > 5 AND n = 'x'" }, { not: { exact: { type: 'c' } } }] }])).toEqual([
    expect.stringContaining('NEVER_MATCHES filters.0.any.0.cesql: this never matches: n would'),
  ])
})

test.each([
  [
    [{ any: [{ exact: { type: 'a' } }, { not: { exact: { type: 'a' } } }] }],
    'filters.0.any.1.not',
    'it stands beside the same without not',
  ],
  [[{ not: { exact: { data: 'x' } } }], 'filters.0.not', 'data is no attribute'],
  [[{ cesql: 'TRUE' }], 'filters.0.cesql', 'the expression is TRUE for every event'],
  [[{ cesql: 'EXISTS type OR ext = 5' }], 'filters.0.cesql', 'the expression is TRUE for every event'],
  [
    [{ not: { all: [{ exact: { type: 'a' } }, { exact: { type: 'b' } }] } }],
    'filters.0.not.all.1.exact.type',
    'be "a" and be "b"',
  ],
])('%j always matches', (filters, path, reason) => {
  const found = told(filters)
  expect(found).toEqual([
    expect.stringContaining(`ALWAYS_MATCHES ${path}: this always matches, so that the Trigger gets every event: `),
  ])
  expect(found[0]).toContain(reason)
})

test('filter.attributes that ask only for what every event has always match', () => {
  expect(told(undefined, { attributes: { type: '' } })).toEqual([
    expect.stringContaining(
      'ALWAYS_MATCHES filter.attributes.type: this always matches, so that the Trigger gets every event: every event has the attribute type',
    ),
  ])
  expect(told(undefined, { attributes: { type: '', subject: '' } })).toEqual([])
})

test.each([
  [undefined],
  [[]],
  [[{ exact: { type: 'a' } }, { exact: { source: 'a' } }]],
  [[{ prefix: { type: 'a' } }, { prefix: { type: 'ab' } }, { suffix: { type: 'a' } }]],
  [[{ any: [{ exact: { type: 'a' } }, { exact: { type: 'b' } }] }]],
  [[{ any: [{ exact: { type: 'a' } }, { exact: { source: 'b' } }] }, { exact: { type: 'c' } }]],
  [[{ not: { exact: { type: 'a' } } }, { not: { exact: { type: 'b' } } }]],
  [[{ cesql: 'n > 5 AND n < 7' }]],
  [[{ cesql: 'n >= 5 AND n <= 5' }]],
  [[{ cesql: "n = '5' AND n >= 5" }]],
  [[{ cesql: "NOT EXISTS ext OR ext = 'a'" }]],
  [[{ data: { '/a': { gte: 5, lte: 5 } } }]],
  [[{ data: { '/a': { gt: 5, not: 6 }, '/b': { lt: 5 } } }]],
  [[{ exact: { specversion: '1.0' } }]],
  [[{ not: { data: { '/a': { exists: true } } } }, { data: { '/b': 1 } }]],
])('%j is fine', (filters) => {
  expect(told(filters)).toEqual([])
})
