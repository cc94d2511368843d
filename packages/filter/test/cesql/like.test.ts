import { parse, compile } from '@sluice/filter/cesql'
import * as fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { likeEnds, likeMatcher } from '../../src/cesql/like.ts'
import { ask } from './ask.ts'

/** LIKE as it is defined, one character after the other. */
function isLike(text: readonly string[], pattern: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return text.length === 0
  if (first === '%') return isLike(text, rest) || (text.length > 0 && isLike(text.slice(1), pattern))
  const wanted = first === '\\%' || first === '\\_' ? first[1] : first
  if (text.length === 0 || (first !== '_' && wanted !== text[0])) return false
  return isLike(text.slice(1), rest)
}

const letters = fc.constantFrom('a', 'b', '😀')
const pieces = fc.oneof(
  { weight: 4, arbitrary: letters },
  { weight: 3, arbitrary: fc.constantFrom('%', '_') },
  { weight: 1, arbitrary: fc.constantFrom('\\%', '\\_') },
)
const text = fc.array(fc.oneof({ weight: 6, arbitrary: letters }, fc.constantFrom('%', '_')), { maxLength: 9 })
const pattern = fc.array(pieces, { maxLength: 7 })

test('CE-82: LIKE matches as its definition does', () => {
  let matched = 0
  fc.assert(
    fc.property(text, pattern, (characters, parts) => {
      const verdict = isLike(characters, parts)
      if (verdict) matched++
      expect(ask(`a LIKE '${parts.join('')}'`, { a: characters.join('') })).toBe(verdict)
    }),
    { numRuns: 5_000 },
  )
  expect(matched).toBeGreaterThan(200)
})

test('what an index is told of a pattern holds for all that it matches', () => {
  fc.assert(
    fc.property(text, pattern, (characters, parts) => {
      const written = characters.join('')
      const { prefix, suffix, isExact } = likeEnds(parts.join(''))
      if (isExact) expect(isLike(characters, parts)).toBe(written === prefix && written === suffix)
      else if (isLike(characters, parts)) {
        expect(written.startsWith(prefix)).toBe(true)
        expect(written.endsWith(suffix)).toBe(true)
      }
    }),
    { numRuns: 3_000 },
  )
  expect(likeEnds('abc%def_')).toEqual({ prefix: 'abc', suffix: '', isExact: false })
  expect(likeEnds('a\\%_b')).toEqual({ prefix: 'a%', suffix: 'b', isExact: false })
})

test.each([
  ["'a\\b' LIKE 'a\\b'", true],
  ["'a\\\\b' LIKE 'a\\\\b'", true],
  ["'a%' LIKE 'a\\%'", true],
  ["'ab' LIKE 'a\\%'", false],
  ["'\\%' LIKE '\\\\%'", true],
  ["'A' LIKE 'a'", false],
  ["'a\nb' LIKE 'a_b'", true],
  ["'' LIKE '%'", true],
  ["'' LIKE ''", true],
  ["'' LIKE '_'", false],
  ["'ab' LIKE 'ab%ab'", false],
  ["'aba' LIKE 'ab%ba'", false],
  ["'😀' LIKE '_'", true],
  ["'😀' LIKE '__'", false],
  ["'x😀y' LIKE '%_y'", true],
  ["12 LIKE '1_'", true],
  ["'.*' LIKE '.*'", true],
  ["'ab' LIKE '.*'", false],
])('CE-82: %s is %s', (expression, expected) => {
  expect(ask(expression)).toBe(expected)
})

test('a piece longer than a machine word, with and without _, is found', () => {
  const long = 'ab'.repeat(50)
  for (const piece of [long, `_${long.slice(1)}`, `${long.slice(0, 40)}_${long.slice(41)}`]) {
    expect(ask(`a LIKE '%${piece}%'`, { a: `ba${long}x` })).toBe(true)
    expect(ask(`a LIKE '%${piece}%'`, { a: `ba${long.slice(0, 60)}x${long.slice(60)}` })).toBe(false)
    expect(ask(`a LIKE '%${piece}%${piece}%'`, { a: `${long}${long}` })).toBe(true)
    expect(ask(`a LIKE '%${piece}%${piece}%'`, { a: `${long}${long.slice(2)}` })).toBe(false)
  }
})

test.each(
  [
    `${'%a'.repeat(10)}%b`,
    `%${'a'.repeat(1_000)}b%`,
    `%${'a'.repeat(1_000)}_b%`,
    `%${'_'.repeat(1_000)}b%`,
    `%${'a_'.repeat(500)}b%`,
    `${'%aaab'.repeat(100)}%`,
    `${'%a_b'.repeat(100)}%`,
  ].map((pattern) => [`${pattern.slice(0, 12)}...`, pattern]),
)('threat 15: %s looks at each character of a text at most twice', (_, worst) => {
  const matches = likeMatcher(worst)
  const looks = vi.spyOn(String.prototype, 'codePointAt')
  const searches = vi.spyOn(String.prototype, 'indexOf')
  try {
    for (const text of ['a'.repeat(20_000), 'aaab'.repeat(5_000), 'ba'.repeat(10_000)]) {
      matches(text)
      expect(looks.mock.calls.length).toBeLessThanOrEqual(2 * text.length)
      // The engine's search looks once for each character of what it searches, so that is kept short.
      const walked = searches.mock.calls.map(([wanted, from]) => (wanted.length <= 32 ? (from ?? 0) : -1))
      expect(walked).toEqual(walked.toSorted((a, b) => a - b))
      expect(walked).not.toContain(-1)
      looks.mockClear()
      searches.mockClear()
    }
  } finally {
    vi.restoreAllMocks()
  }
})

test('C1 of SECURITY: the pattern that took a regular expression two minutes takes under a millisecond', () => {
  const matches = compile(parse("a LIKE '%a%a%a%a%a%b'"))
  const a = 'a'.repeat(150)
  const event = { attribute: (): string => a }
  for (let i = 0; i < 100; i++) matches(event)
  const start = performance.now()
  expect(matches(event).value).toBe(false)
  expect(performance.now() - start).toBeLessThan(1)
})
