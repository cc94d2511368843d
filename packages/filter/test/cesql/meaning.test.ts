// What expressions mean: CloudEvents SQL 1.0 §3. Each is asked of the compiler and of the interpreter (`ask`).

import { functionsWith, parse, compile, evaluate, TEXT_LENGTH_MAX, type CesqlFunction } from '@sluice/filter/cesql'
import { expect, test } from 'vitest'
import { ask, eventOf, resultOf } from './ask.ts'

test('CE-74: an attribute has the type that the event carries; a number beyond 32 bits is a String', () => {
  const attributes = { flag: true, n: 5, time: '2018-04-26T14:48:09+02:00', big: 2 ** 31, half: 1.5 }
  expect(ask('flag', attributes)).toBe(true)
  expect(ask('n', attributes)).toBe(5)
  expect(ask('time', attributes)).toBe('2018-04-26T14:48:09+02:00')
  expect(ask('big', attributes)).toBe('2147483648')
  expect(ask("half = '1.5'", attributes)).toBe(true)
})

test('CE-74: an evaluation changes nothing of the event', () => {
  const event = eventOf({ n: 5 })
  compile(parse("UPPER(type) = 'ORDER' AND n + 1 = 6"))(event)
  expect([...event.attributes]).toEqual([...eventOf({ n: 5 }).attributes])
})

test.each([
  ["INT('5')", 5],
  ["INT('+5')", 5],
  ["INT('-0')", 0],
  ["INT('-2147483648')", -2147483648],
  ["INT('2147483648')", '0 + cast'],
  ["INT(' 5')", '0 + cast'],
  ["INT('5.0')", '0 + cast'],
  ["INT('1e2')", '0 + cast'],
  ["INT('')", '0 + cast'],
  ["INT('+')", '0 + cast'],
  ["INT('+-5')", '0 + cast'],
  ["INT('00000000000000000005')", 5],
  ["INT('2147483647')", 2147483647],
  ["INT('-2147483649')", '0 + cast'],
  ["INT('٣')", '0 + cast'],
  ["BOOL('tRUe')", true],
  ["BOOL('1')", 'false + cast'],
  ["BOOL('')", 'false + cast'],
  ['BOOL(-1)', true],
  ['STRING(-7)', '-7'],
  ['STRING(TRUE)', 'true'],
  ['INT(FALSE)', 0],
  ["IS_INT('7') AND IS_INT(TRUE) AND NOT IS_INT('x')", true],
  ["IS_BOOL('False') AND IS_BOOL(0) AND NOT IS_BOOL('x')", true],
])('CE-74: the cast %s is %s', (text, expected) => {
  expect(ask(text)).toBe(expected)
})

test('CE-75: = casts the left to the type of the right', () => {
  expect(ask("'TRUE' = true")).toBe(true)
  expect(ask("true = 'TRUE'")).toBe(false)
  expect(ask('sequence = 5', { sequence: '+05' })).toBe(true)
  expect(ask("sequence = '5'", { sequence: 5 })).toBe(true)
  expect(ask('sequence = 5', { sequence: 'x' })).toBe('false + cast')
  expect(ask("'05' = n", { n: 5 })).toBe(true)
  expect(ask("'05' = n", { n: '5' })).toBe(false)
  expect(ask('a = b', { a: 'TRUE', b: true })).toBe(true)
  expect(ask('a != b', { a: 'x', b: 5 })).toBe('false + cast')
  expect(ask('5 = TRUE')).toBe(true)
})

test('CE-75: only Integers have an order', () => {
  expect(ask('a < b', { a: '5', b: '10' })).toBe(true)
  expect(ask("time > '2026'", { time: '2026-01-01T00:00:00Z' })).toBe('false + cast')
  expect(ask('2 <= 2 AND 2 >= 2 AND NOT (2 < 2) AND NOT (2 > 2)')).toBe(true)
})

test('CE-75: IN casts its elements to the type of the left', () => {
  expect(ask("n IN ('1', '2')", { n: 2 })).toBe(true)
  expect(ask('n IN (1, 2)', { n: '2' })).toBe(true)
  expect(ask('n IN (1, 2)', { n: '02' })).toBe(false)
  expect(ask("n IN ('02')", { n: 2 })).toBe(true)
  expect(ask("flag IN ('TRUE')", { flag: true })).toBe(true)
  expect(ask("flag IN ('TRUE')", { flag: 'true' })).toBe(false)
  expect(ask('n IN (5)', { n: true })).toBe(true)
  expect(ask("n NOT IN ('x')", { n: 'y' })).toBe(true)
})

test('CE-76: texts are equal when their characters are', () => {
  expect(ask("type = 'Order'")).toBe(false)
  expect(ask("a = '\u00e9'", { a: 'e\u0301' })).toBe(false)
})

test('CE-77: the kinds of errors, with the part that gave them', () => {
  const of = (text: string): unknown => resultOf(text, { n: 5 }).errors
  expect(of('n = 5 AND missing = 1')).toEqual([
    { kind: 'missingAttribute', message: 'the event has no attribute missing', start: 10, end: 17 },
  ])
  expect(of('1 / 0')).toEqual([{ kind: 'math', message: 'it divides by zero', start: 0, end: 5 }])
  expect(of("n + 'x'")).toEqual([{ kind: 'cast', message: '"x" is no Integer', start: 4, end: 7 }])
  expect(of('NOPE(n)')).toEqual([
    { kind: 'missingFunction', message: 'there is no function NOPE of 1 arguments', start: 0, end: 7 },
  ])
  expect(of('LEFT(type, -1)')).toMatchObject([{ kind: 'functionEvaluation', start: 0, end: 14 }])
  expect(of('data')).toMatchObject([{ message: 'the event has no attribute data: data is no attribute' }])
})

test('CE-78: an operand with an error makes the zero value of the operator', () => {
  expect(ask('1 / missing')).toBe('0 + missingAttribute')
  expect(ask('missing / 0')).toBe('0 + missingAttribute')
  expect(ask('true and (1 != 1 / 0)')).toBe('false + math')
  expect(ask("LEFT('abc', -2)")).toBe('abc + functionEvaluation')
  expect(ask("(LEFT('abc', -2))")).toBe('abc + functionEvaluation')
  expect(ask("LEFT('abc', -2) = 'abc'")).toBe('false + functionEvaluation')
  expect(ask("CONCAT(LEFT('abc', -2))")).toBe(' + functionEvaluation')
  expect(ask('ABS(-2147483648) + 1')).toBe('0 + math')
  expect(ask('LENGTH(missing)')).toBe('0 + missingAttribute')
  expect(ask('NOT missing')).toBe('false + missingAttribute')
})

test('CE-79: a missing attribute is an error, alone too; EXISTS never is', () => {
  expect(ask('missing')).toBe('false + missingAttribute')
  expect(ask('missing = ""')).toBe('false + missingAttribute')
  expect(ask('missing != 2')).toBe('false + missingAttribute')
  expect(ask("missing NOT LIKE 'x'")).toBe('false + missingAttribute')
  expect(ask('missing NOT IN (1)')).toBe('false + missingAttribute')
  expect(ask('EXISTS missing')).toBe(false)
  expect(ask('EXISTS empty', { empty: '' })).toBe(true)
  expect(ask('EXISTS off', { off: false })).toBe(true)
  expect(ask('EXISTS data')).toBe(false)
})

test('CE-79: what every event has to have exists', () => {
  const nothing = { attribute: (): undefined => undefined }
  for (const name of ['id', 'source', 'specversion', 'type']) {
    expect(compile(parse(`EXISTS ${name}`))(nothing)).toEqual({ value: true, errors: [] })
    expect(evaluate(parse(`EXISTS ${name}`), nothing)).toEqual({ value: true, errors: [] })
  }
})

test('CE-80: AND and OR ask the right side only where the left does not decide', () => {
  expect(ask('false AND missing')).toBe(false)
  expect(ask('true OR missing = 1')).toBe(true)
  expect(ask('missing = 1 OR true')).toBe('false + missingAttribute')
  expect(ask('missing = 1 AND false')).toBe('false + missingAttribute')
  expect(ask('true AND true AND missing')).toBe('false + missingAttribute')
  expect(ask('n = 1 OR n = 5 OR missing', { n: 5 })).toBe(true)
})

test('CE-80: XOR asks both, and casts them', () => {
  expect(ask('true XOR missing')).toBe('false + missingAttribute')
  expect(ask("true XOR 'FALSE'")).toBe(true)
  expect(ask('1 XOR 1 XOR 1')).toBe(true)
})

test('CE-80: IN ends at the first that is equal', () => {
  expect(ask('n IN (5, missing)', { n: 5 })).toBe(true)
  expect(ask('n IN (missing, 5)', { n: 5 })).toBe('false + missingAttribute')
  expect(ask("n IN (5, 'x')", { n: 5 })).toBe(true)
  expect(ask("n IN ('x', 5)", { n: 5 })).toBe('false + cast')
})

test.each([
  ['7 / 2', 3],
  ['-7 / 2', -3],
  ['-7 % 2', -1],
  ['7 % -2', 1],
  ['-4 % 2', 0],
  ['5 / 0', '0 + math'],
  ['5 % 0', '0 + math'],
  ['2147483647 + 1', '0 + math'],
  ['-2147483648 - 1', '0 + math'],
  ['65536 * 65536', '0 + math'],
  ['-2147483648 / -1', '0 + math'],
  ['-2147483648 % -1', 0],
  ['- (-2147483648)', '0 + math'],
  ['0 * -1', 0],
  ['- 0', 0],
])('CE-81: %s is %s', (text, expected) => {
  expect(ask(text)).toBe(expected)
  expect(ask(text.replace(/-?\d+/, 'n'), { n: Number(/-?\d+/.exec(text)![0]) })).toBe(expected)
})

test.each([
  ["LENGTH('a😀é')", 3],
  ["LEFT('😀😀a', 2)", '😀😀'],
  ["LEFT('abc', 0)", ''],
  ["RIGHT('a😀', 1)", '😀'],
  ["RIGHT('abc', 0)", ''],
  ["RIGHT('abc', 9)", 'abc'],
  ["SUBSTRING('a😀bc', 2, 2)", '😀b'],
  ["SUBSTRING('abc', 2, 99)", 'bc'],
  ["SUBSTRING('abc', -2)", 'bc'],
  ["SUBSTRING('abc', 3)", 'c'],
  ["SUBSTRING('abc', 4)", ' + functionEvaluation'],
  ["SUBSTRING('abc', -4)", ' + functionEvaluation'],
  ["SUBSTRING('abc', 1, -1)", ' + functionEvaluation'],
  ["SUBSTRING('abc', 0, -1)", ' + functionEvaluation'],
  ["SUBSTRING('abc', 1, 0)", ''],
  ["SUBSTRING('', 0)", ''],
  ["TRIM(' \t\u0085\u00a0\u2003x y\u3000 ')", 'x y'],
  ["TRIM('\ufeffx\u200b')", '\ufeffx\u200b'],
  ["TRIM('   ')", ''],
  ["CONCAT('a', 1, TRUE)", 'a1true'],
  ["CONCAT_WS('-')", ''],
  ["CONCAT_WS('-', 'a', '', 'b')", 'a--b'],
  ['CONCAT_WS()', 'false + missingFunction'],
  ["UPPER('straße')", 'STRASSE'],
  ["LOWER('ÄÖ')", 'äö'],
  ['ABS(-5)', 5],
  ["ABS('-5')", 5],
  ['ABS(-2147483648)', '2147483647 + math'],
])('CE-83: %s is %s', (text, expected) => {
  expect(ask(text)).toBe(expected)
})

test('threat 15: no function and no LIKE takes or gives a text beyond the bound', () => {
  expect(TEXT_LENGTH_MAX).toBe(65_536)
  const most = { a: 'x'.repeat(65_536), one: 'x' }
  const more = { a: 'x'.repeat(65_537), one: 'x' }
  expect(ask('LENGTH(a)', most)).toBe(65_536)
  expect(ask('LENGTH(a)', more)).toBe('0 + generic')
  expect(ask("a LIKE '%x'", most)).toBe(true)
  expect(ask("a LIKE '%x'", more)).toBe('false + generic')
  expect(ask("CONCAT(a, '') = a", most)).toBe(true)
  expect(ask('CONCAT(a, one)', most)).toBe(' + generic')
  expect(ask('CONCAT(a, a, a, a)', most)).toBe(' + generic')
  expect(ask('IS_INT(a)', more)).toBe('false + generic')
  expect(ask('a = a', more)).toBe(true)
})

test('CE-84: functions can be added, and are told from others by the number of their arguments', () => {
  const reverse: CesqlFunction = {
    name: 'REVERSE',
    parameters: ['String'],
    returns: 'String',
    call: (text: string) => Array.from(text).toReversed().join(''),
  }
  const functions = functionsWith([reverse, { ...reverse, name: 'ABS', parameters: ['Integer', 'Integer'] }])
  const expression = parse('Reverse(type)', { functions })
  expect(compile(expression)(eventOf())).toEqual({ value: 'redro', errors: [] })
  expect(evaluate(expression, eventOf()).value).toBe('redro')
  expect(functions.find('ABS', 1)?.returns).toBe('Integer')
  expect(functions.find('ABS', 2)?.returns).toBe('String')
  expect(functions.find('ABS', 3)).toBeUndefined()
})

test('CE-84: functions that could not be told apart, or not be written, are refused', () => {
  const of = (name: string, parameters: number, rest?: 'String'): CesqlFunction => ({
    name,
    parameters: Array.from({ length: parameters }, () => 'String' as const),
    ...(rest !== undefined && { rest }),
    returns: 'String',
    call: () => '',
  })
  expect(() => functionsWith([of('LENGTH', 1)])).toThrow('LENGTH')
  expect(() => functionsWith([of('CONCAT', 5)])).toThrow('CONCAT')
  expect(() => functionsWith([of('F', 1, 'String'), of('F', 3, 'String')])).toThrow('F')
  expect(() => functionsWith([of('F', 2), of('F', 2, 'String')])).toThrow('F')
  expect(() => functionsWith([of('F', 2), of('F', 3, 'String')])).not.toThrow()
  for (const name of ['f', 'F1', '_F', '']) expect(() => functionsWith([of(name, 0)])).toThrow("can't be the name")
})

test('CE-84: a function that gives nothing, something else, or throws, gives its zero value and an error', () => {
  const calls: readonly CesqlFunction['call'][] = [
    () => undefined,
    () => 'x',
    () => 1.5,
    () => 2 ** 40,
    () => {
      throw new Error('broken')
    },
  ]
  for (const call of calls) {
    const functions = functionsWith([{ name: 'F', parameters: [], returns: 'Integer', call }])
    const expression = parse('F() + 1', { functions })
    const result = evaluate(expression, eventOf())
    expect(result).toMatchObject({ value: 0, errors: [{ kind: 'functionEvaluation' }] })
    expect(compile(expression)(eventOf())).toEqual(result)
  }
})

test('CE-86: NOT 10 is FALSE without an error, by the table of casts', () => {
  expect(ask('NOT 10')).toBe(false)
  expect(ask('NOT 0')).toBe(true)
})

test('CE-88: where the Go and Java SDKs leave the specification, it is followed', () => {
  expect(ask("'%abc' LIKE '%'")).toBe(true)
  expect(ask(String.raw`'\_' LIKE '\_'`)).toBe(false)
  expect(ask("INT('99999999999')")).toBe('0 + cast')
  expect(ask("0 IN ('abc')")).toBe('false + cast')
  expect(ask("LENGTH('é')")).toBe(1)
})

test('threat 14: names that every object has are attributes like others', () => {
  expect(ask('EXISTS constructor')).toBe(false)
  expect(ask('toString')).toBe('false + missingAttribute')
  expect(ask("constructor = 'x'", { constructor: 'x' })).toBe(true)
  expect(ask('constructor()')).toBe('false + missingFunction')
})
