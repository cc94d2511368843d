// What is refused, and how it is told.

import { SluiceError } from '@sluice/event'
import { compileAttributes, compileFilters, compileTrigger, DEFAULT_FILTER_LIMITS, FilterError } from '@sluice/filter'
import { expect, test } from 'vitest'

function refusalOf(compile: () => unknown): FilterError {
  try {
    compile()
  } catch (error) {
    if (error instanceof FilterError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

/** The problems of a list of filters as `path: message. hint`. */
function problemsOf(filters: unknown): string[] {
  return refusalOf(() => compileFilters(filters)).message.split('\n')
}

const ONE = { exact: { type: 'x' } }

test('every problem is told at once, with its code and its place', () => {
  const filters = [
    { exact: { type: 'fine' } },
    { all: [ONE, { exact: { Type: 'x', source: '' } }] },
    { prefx: { type: 'x' } },
    { exact: { type: ['x'] }, suffix: { type: 'x' } },
    { cesql: "type == 'x'" },
  ]
  const refusal = refusalOf(() => compileFilters(filters))
  expect(refusal).toBeInstanceOf(SluiceError)
  expect(refusal).toMatchObject({ code: 'SLUICE_FILTER_INVALID', status: 422, retryable: false })
  expect(refusal.subject).toBe('[1].all[1].exact.Type')
  expect(refusal.problems.map(({ code, path, at, message }) => [code, path, at, message])).toEqual([
    ['SLUICE_FILTER_INVALID_NAME', [1, 'all', 1, 'exact', 'Type'], 'key', 'invalid key name "Type"'],
    ['SLUICE_FILTER_EMPTY', [1, 'all', 1, 'exact', 'source'], 'value', 'the value for "source" is empty'],
    ['SLUICE_FILTER_UNKNOWN_DIALECT', [2, 'prefx'], 'key', 'unknown dialect "prefx"'],
    ['SLUICE_FILTER_MULTIPLE_DIALECTS', [3], 'value', 'multiple dialects found, filters can have only one dialect set'],
    ['SLUICE_FILTER_INVALID_VALUE', [3, 'exact', 'type'], 'value', 'the value for "type" has to be text, got a list'],
    ['SLUICE_FILTER_CESQL_SYNTAX', [4, 'cesql'], 'value', '== is no operator (column 6 of the expression)'],
  ])
})

test('the error has the code of its problems where they share one, and reads as one line each', () => {
  const refusal = refusalOf(() => compileFilters([{ exact: { Type: 'x' } }, { exact: { Source: 'x' } }]))
  expect(refusal.code).toBe('SLUICE_FILTER_INVALID_NAME')
  expect(refusal.message).toBe(
    '[0].exact.Type: invalid key name "Type". Attribute names are lower case: type.\n' +
      '[1].exact.Source: invalid key name "Source". Attribute names are lower case: source.',
  )
})

test('CE-60: an unknown dialect is refused, with the nearest one', () => {
  const meant = {
    prefx: 'prefix',
    Exact: 'exact',
    sufix: 'suffix',
    extact: 'exact',
    nto: 'not',
    nt: 'not',
    al: 'all',
  }
  for (const [written, dialect] of Object.entries({ ...meant, anny: 'any', xactly: undefined, exatc: 'exact' })) {
    const hint = dialect === undefined ? 'dialects are exact, prefix' : `Did you mean "${dialect}"?`
    expect(problemsOf([{ [written]: { type: 'x' } }])).toEqual([expect.stringContaining(hint)])
  }
  expect(problemsOf([{ attributes: { type: 'x' } }])[0]).toContain('it is called exact')
  expect(problemsOf([JSON.parse('{"__proto__": {"exact": {"type": "x"}}}')])[0]).toContain(
    'unknown dialect "__proto__"',
  )
})

test('CE-60: an element is an object with exactly one dialect', () => {
  for (const element of ['exact', 7, null, [ONE]]) {
    expect(problemsOf([element])).toEqual([expect.stringContaining('[0]: expected a filter, an object')])
  }
  expect(problemsOf([{}])[0]).toContain('expected exactly one dialect, got none')
  expect(problemsOf([{ ...ONE, not: ONE }])).toEqual([expect.stringContaining('multiple dialects found')])
  expect(problemsOf([{ ...ONE, sql: 'TRUE' }])[0]).toContain('multiple dialects found')
  for (const list of ['x', 7, { exact: { type: 'x' } }]) {
    expect(problemsOf(list)).toEqual([expect.stringContaining('expected a list of filters')])
  }
})

test('CE-61: empty maps, names and values are refused', () => {
  for (const dialect of ['exact', 'prefix', 'suffix']) {
    for (const empty of [{}, null, undefined]) {
      expect(problemsOf([{ [dialect]: empty }])[0]).toContain(`[0].${dialect}: ${dialect} names no attribute`)
    }
    expect(problemsOf([{ [dialect]: { '': 'x' } }])).toEqual([expect.stringContaining('an attribute name is empty')])
    expect(problemsOf([{ [dialect]: { type: '' } }])).toEqual([expect.stringContaining('"type" is empty')])
    expect(problemsOf([{ [dialect]: 'type=x' }])).toEqual([expect.stringContaining('got the text "type=x"')])
    expect(problemsOf([{ [dialect]: [{ type: 'x' }] }])).toEqual([expect.stringContaining('got a list')])
  }
})

test('CE-61: a value is text, or a number or boolean that stands for its text', () => {
  for (const value of [null, undefined, {}, [], Number.NaN, Infinity, new Date(0), Symbol('x')]) {
    expect(problemsOf([{ exact: { ext: value } }])).toEqual([expect.stringContaining('has to be text')])
  }
})

test('names are those that an event may carry; a digit may begin them in filters', () => {
  for (const name of ['Type', 'my-ext', 'my_ext', 'a b', 'é', '__proto__', 'a'.repeat(257)]) {
    const filters = [{ exact: JSON.parse(`{${JSON.stringify(name)}: "x"}`) }]
    expect(problemsOf(filters)).toEqual([expect.stringContaining('invalid key name')])
  }
  expect(() => compileFilters([{ exact: { '2fa': 'x', ['a'.repeat(256)]: 'x' } }])).not.toThrow()
})

test('CE-63: all and any hold a list of at least one filter, not holds exactly one', () => {
  for (const dialect of ['all', 'any']) {
    expect(problemsOf([{ [dialect]: [] }])).toEqual([
      `[0].${dialect}: ${dialect} must contain at least one nested filter. Write them as ${dialect}: [{exact: {type: ...}}, {prefix: {source: ...}}], or remove it: Knative skips an empty one.`,
    ])
    expect(problemsOf([{ [dialect]: ONE }])).toEqual([
      expect.stringContaining('expected a list of filters, got an object. Write each filter as an element'),
    ])
  }
  for (const content of [[ONE], null, 'x']) {
    expect(problemsOf([{ not: content }])).toEqual([expect.stringContaining('[0].not: expected a filter')])
  }
})

test('filters nest 32 deep and no deeper', () => {
  const nest = (depth: number): unknown => (depth === 1 ? ONE : { not: nest(depth - 1) })
  const { maxDepth } = DEFAULT_FILTER_LIMITS
  expect(maxDepth).toBe(32)
  expect(() => compileFilters([nest(maxDepth)])).not.toThrow()
  expect(problemsOf([nest(maxDepth + 1)])).toEqual([expect.stringContaining('nest more than 32 deep')])
  expect(() => compileFilters([nest(3)], { limits: { ...DEFAULT_FILTER_LIMITS, maxDepth: 2 } })).toThrow(
    'more than 2 deep',
  )
})

test('a filter has at most 1,024 nodes, and what follows is not read', () => {
  const { maxNodes } = DEFAULT_FILTER_LIMITS
  expect(maxNodes).toBe(1024)
  const list = Array.from({ length: maxNodes }, () => ONE)
  expect(() => compileFilters(list)).not.toThrow()
  expect(problemsOf([...list, ONE, { prefx: {} }])).toEqual([expect.stringContaining('more than 1024 nodes')])
  expect(() => compileFilters([{ all: list }])).toThrow('nodes')
  const names = (count: number): object => Object.fromEntries(list.slice(0, count).map((_, i) => [`a${i}`, 'x']))
  expect(() => compileFilters([{ exact: names(1024) }])).not.toThrow()
  expect(() => compileFilters([{ exact: { ...names(1024), b: 'x' } }])).toThrow('nodes')
  expect(() => compileAttributes({ ...names(1024), b: 'x' })).toThrow('nodes')
  expect(() => compileFilters([ONE, ONE], { limits: { ...DEFAULT_FILTER_LIMITS, maxNodes: 1 } })).toThrow(
    'more than 1 nodes',
  )
})

test('what YAML aliases blow up, or close into a ring, is refused in bounded work', () => {
  let bomb: unknown = ONE
  for (let i = 0; i < 30; i++) bomb = { any: [bomb, bomb] }
  expect(problemsOf([bomb])).toEqual([expect.stringContaining('nodes')])
  const ring: { any: unknown[] } = { any: [] }
  ring.any.push(ring, ring)
  const { problems } = refusalOf(() => compileFilters([ring]))
  expect(problems.length).toBeLessThanOrEqual(1024)
  for (const wrong of [{ unknowable: 1 }, { exact: {} }, { all: 1 }, {}, 7]) {
    const refusal = refusalOf(() => compileFilters(Array.from({ length: 10_000 }, () => wrong)))
    expect(refusal.problems).toHaveLength(1025)
  }
})

test('a value has at most 4 KiB of UTF-8', () => {
  const { maxValueBytes } = DEFAULT_FILTER_LIMITS
  expect(maxValueBytes).toBe(4096)
  expect(() => compileFilters([{ exact: { type: 'x'.repeat(4096) } }])).not.toThrow()
  expect(problemsOf([{ exact: { type: 'x'.repeat(4097) } }])[0]).toContain('has 4097 bytes; it may have 4096')
  expect(problemsOf([{ prefix: { type: 'é'.repeat(2049) } }])[0]).toContain('has 4098 bytes')
  expect(() => compileAttributes({ type: 'x'.repeat(4097) })).toThrow('4097 bytes')
  expect(() => compileAttributes({ type: 'xx' }, { limits: { ...DEFAULT_FILTER_LIMITS, maxValueBytes: 1 } })).toThrow(
    '2 bytes',
  )
})

test('a message shows what was written cut and with its control characters escaped', () => {
  const [problem] = problemsOf([{ ['\u001b[2J'.repeat(100)]: 1 }])
  expect(problem!.length).toBeLessThan(2_000)
  // eslint-disable-next-line no-control-regex
  expect(problem).not.toMatch(/[\u0000-\u001f]/)
})

test('filter.attributes: names begin with a letter, values are text, and the whole is a map', () => {
  const refusal = refusalOf(() => compileAttributes({ Type: 'x', '0day': 'x', '': 'x', ext: {} }))
  expect(refusal.problems.map(({ path, message }) => [path, message])).toEqual([
    [['Type'], 'invalid key name "Type"'],
    [['0day'], 'invalid key name "0day"'],
    [[''], 'an attribute name is empty'],
    [['ext'], 'the value for "ext" has to be text, got an object'],
  ])
  for (const attributes of ['type', 7, ['type']])
    expect(() => compileAttributes(attributes)).toThrow('expected attribute')
})

test('compileTrigger checks both forms, also the one that does not win, and its paths begin with the field', () => {
  const refusal = refusalOf(() =>
    compileTrigger({ filter: { attributes: { Type: 'x' }, exact: {} }, filters: [{ prefx: { type: 'x' } }] }),
  )
  expect(refusal.problems.map(({ path }) => path)).toEqual([
    ['filter', 'exact'],
    ['filter', 'attributes', 'Type'],
    ['filters', 0, 'prefx'],
  ])
  expect(refusal.subject).toBe('filter.exact')
  expect(() => compileTrigger({ filter: [ONE] })).toThrow('A list of filters is called filters.')
  expect(() => compileTrigger({ filter: { attributes: [] } })).toThrow('filter.attributes: expected attribute names')
})
