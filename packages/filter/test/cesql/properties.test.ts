// The compiler beside the interpreter, and the parser beside the formatter, over random expressions and events.

import { Event, type AttributeValue } from '@sluice/event'
import { compile, evaluate, format, parse, type Expression } from '@sluice/filter/cesql'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { fold } from '../../src/cesql/fold.ts'

// Few names and short texts, so that casts succeed and comparisons hold often enough.
const name = fc.constantFrom('type', 'a', 'b', 'n', 'missing', 'data', 'constructor')
const plain = fc.constantFrom('', 'a', 'ab', 'b', 'true', 'FALSE', '5', '+5', '-1', '2147483647', '2147483648', '😀a')
const integer = fc.constantFrom(0, 1, 2, 5, -1, 65_536, 2_147_483_647, -2_147_483_648)
const literal = fc.oneof(
  plain.map((text) => `'${text}'`),
  integer.map(String),
  fc.constantFrom('TRUE', 'FALSE', String.raw`'it\'s'`, String.raw`"\'"`, String.raw`'\\x'`),
)
const atom = fc.oneof(
  literal,
  name,
  name,
  name.map((each) => `EXISTS ${each}`),
)
const pattern = fc.constantFrom("'a%'", "'%b'", "'_'", "'%a%'", "'5'", "''", String.raw`'\_%'`, "'t%e'")

const { expression } = fc.letrec<{ expression: string }>((tie) => {
  const inner = tie('expression').map((text) => `(${text})`)
  const list = fc.array(tie('expression'), { minLength: 1, maxLength: 3 }).map((each) => each.join(', '))
  const operator = (...of: string[]): fc.Arbitrary<string> => fc.constantFrom(...of)
  return {
    expression: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      atom,
      fc.tuple(inner, operator('AND', 'OR', 'XOR'), inner).map((each) => each.join(' ')),
      fc.tuple(inner, operator('AND', 'OR'), inner, operator('AND', 'OR'), inner).map((each) => each.join(' ')),
      fc.tuple(inner, operator('=', '!=', '<>', '<', '<=', '>', '>='), inner).map((each) => each.join(' ')),
      fc.tuple(atom, operator('=', '!=', '='), atom).map((each) => each.join(' ')),
      fc.tuple(inner, operator('+', '-', '*', '/', '%'), inner).map((each) => each.join(' ')),
      fc.tuple(operator('NOT', '-'), inner).map((each) => each.join(' ')),
      fc.tuple(inner, operator('LIKE', 'NOT LIKE'), pattern).map((each) => each.join(' ')),
      fc.tuple(inner, operator('IN', 'NOT IN'), list).map(([left, word, right]) => `${left} ${word} (${right})`),
      fc
        .tuple(atom, operator('IN', 'NOT IN'), fc.array(literal, { minLength: 1, maxLength: 4 }))
        .map(([left, word, right]) => `${left} ${word} (${right.join(', ')})`),
      fc
        .tuple(operator('LENGTH', 'LOWER', 'UPPER', 'TRIM', 'ABS', 'INT', 'BOOL', 'STRING', 'IS_INT', 'NOPE'), inner)
        .map(([called, argument]) => `${called}(${argument})`),
      fc
        .tuple(operator('LEFT', 'RIGHT', 'SUBSTRING', 'CONCAT', 'CONCAT_WS'), inner, inner)
        .map(([called, ...of]) => `${called}(${of.join(', ')})`),
      fc.tuple(inner, inner, inner).map((of) => `SUBSTRING(${of.join(', ')})`),
    ),
  }
})
const value: fc.Arbitrary<AttributeValue> = fc.oneof({ weight: 3, arbitrary: plain }, integer, fc.boolean())
const event: fc.Arbitrary<Event> = fc
  .dictionary(name, value)
  .map((attributes) => new Event(new Map(Object.entries(attributes)), undefined))

test('what is compiled gives the value and the error that the interpreter gives', () => {
  const seen = { clean: 0, failed: 0, true: 0 }
  fc.assert(
    fc.property(expression, fc.array(event, { minLength: 1, maxLength: 3 }), (text, events) => {
      const tree = parse(text, { maxDepth: 100 })
      const compiled = compile(tree)
      for (const each of events) {
        const expected = evaluate(tree, each)
        expect(compiled(each)).toEqual(expected)
        seen[expected.errors.length === 0 ? 'clean' : 'failed']++
        if (expected.value === true) seen.true++
      }
    }),
    { numRuns: 10_000 },
  )
  // A property that always sees the same result proves nothing.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(1_000)
})

test('folding changes neither value nor error', () => {
  fc.assert(
    fc.property(expression, event, (text, each) => {
      const tree = parse(text, { maxDepth: 100 })
      expect(evaluate(fold(tree), each)).toEqual(evaluate(tree, each))
    }),
    { numRuns: 3_000 },
  )
})

test('what is formatted reads as the same tree', () => {
  fc.assert(
    fc.property(expression, (text) => {
      const tree = parse(text, { maxDepth: 100 })
      expect(withoutPlaces(parse(format(tree), { maxDepth: 100 }))).toEqual(withoutPlaces(tree))
    }),
    { numRuns: 3_000 },
  )
})

test('any text is an expression or is refused; nothing else happens', () => {
  const word = fc.constantFrom(
    'a',
    'NOT',
    'AND',
    '(',
    ')',
    "'x'",
    "'",
    '"',
    '-',
    '5',
    '=',
    'LIKE',
    'IN',
    ',',
    'EXISTS',
    '\\',
    '.',
    'UPPER',
    ' ',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(word, { maxLength: 12 }).map((words) => words.join('')),
        fc.string({ unit: 'binary' }),
      ),
      (text) => {
        try {
          const tree = parse(text)
          expect(compile(tree)(new Event(new Map(), undefined))).toEqual(
            evaluate(tree, new Event(new Map(), undefined)),
          )
        } catch (error) {
          expect(error).toMatchObject({ code: 'SLUICE_FILTER_CESQL_SYNTAX' })
        }
      },
    ),
    { numRuns: 5_000 },
  )
})

function withoutPlaces(tree: Expression): unknown {
  return JSON.parse(JSON.stringify(tree, (key, each: unknown) => (key === 'start' || key === 'end' ? undefined : each)))
}
