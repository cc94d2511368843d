// How expressions are written: CloudEvents SQL 1.0 §2 and §3.6, and what is told of those that are written otherwise.

import { CesqlSyntaxError, EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, format, parse } from '@sluice/filter/cesql'
import { expect, test } from 'vitest'
import { ask } from './ask.ts'

/** The error of a text that is none, as `column: problem. hint`. */
function refusalOf(text: string): CesqlSyntaxError {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof CesqlSyntaxError) return error
    throw error
  }
  throw new Error(`${text} was not refused`)
}

function told(text: string): string {
  const { column, problem, hint } = refusalOf(text)
  return `${column}: ${problem}${hint === undefined ? '' : `. ${hint}`}`
}

test('CE-66: keywords, functions and names are written in any case, with blanks of four kinds between', () => {
  expect(ask("tYpE lIkE 'ord%' aNd\t\r\n eXiSts SOURCE")).toBe(true)
  expect(ask("upper( 'a' )='A'and NOT(false)or'x'='y'")).toBe(true)
  expect(ask('nOt tRuE')).toBe(false)
})

test('CE-66: the whole text is the expression', () => {
  expect(told('TRUE TRUE')).toContain('6: expected an operator or the end, got TRUE')
  expect(told('TRUE)')).toContain('5: expected an operator or the end, got )')
})

test('CE-67: a name is letters and digits, and neither a number nor a keyword', () => {
  expect(ask("2fa = 'x' AND a1b2 = 'y'", { '2fa': 'x', a1b2: 'y' })).toBe(true)
  expect(ask('123 = 123', { '123': 'x' })).toBe(true)
  expect(told('in = 5')).toContain('1: expected a value')
  expect(told('my_ext = 5')).toBe(
    '1: my_ext is no name of an attribute. Such names are letters and digits; myext would be one.',
  )
  expect(told('SHA2(type)')).toBe('1: SHA2 is no name of a function. Such names are letters and _.')
})

test('CE-68: only its own quote is unescaped in a text', () => {
  expect(ask(String.raw`'it\'s'`)).toBe("it's")
  expect(ask(String.raw`"say \"x\""`)).toBe('say "x"')
  expect(ask(String.raw`'a\"b'`)).toBe(String.raw`a\"b`)
  expect(ask(String.raw`"a\'b"`)).toBe(String.raw`a\'b`)
  expect(ask(String.raw`'a\nb\\'`)).toBe(String.raw`a\nb\\`)
  expect(ask(`'two\nlines, and "quotes" 😀'`)).toBe('two\nlines, and "quotes" 😀')
})

test('CE-68: a quote is not doubled, and a text has an end', () => {
  expect(told("type = 'it''s'")).toBe(
    String.raw`12: expected an operator or the end, got 's'. Write \' for ' inside of the text.`,
  )
  expect(told("type = 'x")).toBe("8: the text that begins here has no closing '")
  expect(told(String.raw`type = 'C:\'`)).toBe(
    String.raw`8: the text that begins here has no closing '. \' stands for ' inside of the text and doesn't end it.`,
  )
})

test('CE-69: a sign belongs to the digits behind it, and subtraction needs no blanks', () => {
  expect(ask('-2147483648')).toBe(-2147483648)
  expect(ask('+5')).toBe(5)
  expect(ask('--10')).toBe(10)
  expect(ask('4-1')).toBe(3)
  expect(ask('4 -1')).toBe(3)
  expect(ask('4--1')).toBe(5)
  expect(ask('4 +1')).toBe(5)
  expect(ask('- 10')).toBe(-10)
  expect(ask('007')).toBe(7)
  expect(ask('-0')).toBe(0)
})

test('CE-69: what no Integer holds is refused', () => {
  for (const number of ['2147483648', '-2147483649', '99999999999999999999']) {
    expect(told(`a = ${number}`)).toContain(`5: ${number} is no Integer. An Integer has 32 bits`)
  }
  expect(told('- 2147483648')).toContain('2147483648 is no Integer')
  expect(told('1.5 = a')).toBe('2: unexpected ".". There are no fractions, only Integers.')
})

test('CE-70: what binds tighter is worked out first', () => {
  expect(ask('1 + 2 * 3')).toBe(7)
  expect(ask('(1 + 2) * 3')).toBe(9)
  expect(ask('7 - 2 - 1')).toBe(4)
  expect(ask('8 / 4 / 2')).toBe(1)
  expect(ask('1 + 1 = 2 AND 2 > 1')).toBe(true)
  expect(ask('2 * 3 IN (3)')).toBe(2) // 2 * TRUE
  expect(format(parse("a + b LIKE 'x%' IN (TRUE) = c"))).toBe("a + b LIKE 'x%' IN (TRUE) = c")
  expect(format(parse("-a LIKE '-1'"))).toBe("- a LIKE '-1'")
  expect(parse("a * b LIKE 'x'")).toMatchObject({ kind: 'arithmetic', right: { kind: 'like' } })
  expect(parse('a = b IN (c)')).toMatchObject({ kind: 'comparison', right: { kind: 'in' } })
  expect(parse("a LIKE 'x' IN (b)")).toMatchObject({ kind: 'in', of: { kind: 'like' } })
  expect(parse('NOT EXISTS a')).toMatchObject({ kind: 'not', of: { kind: 'exists' } })
  expect(parse('a = b = c')).toMatchObject({ left: { kind: 'comparison' }, right: { kind: 'attribute' } })
})

test('CE-71: a prefix binds tighter than every operator', () => {
  expect(parse('NOT a = b')).toMatchObject({ kind: 'comparison', left: { kind: 'not' } })
  expect(parse("NOT a LIKE 'x'")).toMatchObject({ kind: 'like', of: { kind: 'not' } })
  expect(parse('-a * b')).toMatchObject({ kind: 'arithmetic', left: { kind: 'negate' } })
  expect(parse('NOT - NOT a')).toMatchObject({ kind: 'not', of: { kind: 'negate', of: { kind: 'not' } } })
})

test('CE-72: AND, OR and XOR bind alike, from left to right', () => {
  expect(ask('false AND false OR true')).toBe(true)
  expect(ask('true OR false AND false')).toBe(false)
  expect(ask('true XOR true OR true')).toBe(true)
  expect(parse('a AND b AND c')).toMatchObject({ kind: 'logic', of: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] })
  expect(parse('(a AND b) AND c')).toMatchObject({ kind: 'logic', of: [{ kind: 'logic' }, { name: 'c' }] })
})

test('CE-73: the pattern of LIKE is a text, EXISTS takes a bare name, IN a list of at least one', () => {
  expect(told('x LIKE 123')).toBe("8: the pattern of LIKE has to be a text in quotes. Such as LIKE 'abc%'.")
  expect(told('x NOT LIKE y')).toContain('12: the pattern')
  expect(told("EXISTS 'x'")).toContain(
    '8: EXISTS has to be followed by the name of an attribute. Write it without quotes',
  )
  expect(told('EXISTS (x)')).toContain('Write it without quotes and parentheses')
  expect(told('EXISTS')).toContain('Such as EXISTS subject.')
  expect(told("x IN 'a'")).toBe("6: IN has to be followed by a list. Such as IN ('a', 'b').")
  expect(told('x IN ()')).toBe('7: the list of IN is empty. Put what it may be into it.')
  expect(told("x IN ('a',)")).toContain('11: expected a value or the name of an attribute, got ). Remove the comma')
})

test('places are those of the text, parentheses around a part left out', () => {
  expect(parse("  (type = 'x') AND b")).toMatchObject({
    start: 2,
    end: 20,
    of: [
      { start: 3, end: 13, left: { start: 3, end: 7 }, right: { start: 10, end: 13 } },
      { start: 19, end: 20 },
    ],
  })
  expect(parse('(a AND b) AND c')).toMatchObject({ start: 0, of: [{ start: 1, end: 8 }, { start: 14 }] })
})

test.each([
  ['', '1: the expression is empty'],
  ['  ', 'the expression is empty'],
  ['\n', '1: the expression is empty'],
  ["type == 'x'", '6: == is no operator. Write =, not ==.'],
  ["type === 'x'", 'Write =, not ===.'],
  ['a = 1 && b = 2', '7: && is no operator. Write AND, not &&.'],
  ['a = 1 || b = 2', 'Write OR, not ||'],
  ['!a', '1: unexpected "!". Write NOT, not !.'],
  ['a => 1', 'Write >=, not =>.'],
  ['a =< 1', 'Write <=, not =<.'],
  ["type =~ '^x'", 'Write LIKE, with %'],
  ['a = 1 AND', '10: something has to follow AND'],
  ['(a = 1', '7: a closing ) is missing'],
  ['ABS(', '5: something has to follow ('],
  ['AND a', '1: expected a value or the name of an attribute, got AND'],
  ["type 'x'", "6: expected an operator or the end, got 'x'. Write an operator between the two, such as =."],
  ['subject IS NULL', '9: expected an operator or the end, got IS. Write NOT EXISTS subject.'],
  ['subject is not null', 'Write EXISTS subject.'],
  ['n BETWEEN 1 AND 9', 'Write x >= 1 AND x <= 9.'],
  ["type LKIE 'x%'", '6: expected an operator or the end, got LKIE. Did you mean LIKE?'],
  ["type = 'a' adn subject = 'b'", 'got adn. Did you mean AND?'],
  ["type foo 'x'", '6: expected an operator or the end, got foo'],
  ["type ILIKE 'x%'", "Write LOWER(x) LIKE '...'."],
  ["type CONTAINS 'x'", "Write LIKE '%...%'."],
  ['type = com.example.order', '11: unexpected ".". Put the text in quotes: \'com.example.order\'.'],
  ['source = /shop', "10: expected a value, got /. Put the text in quotes: '/...'."],
  ['source = https://example.com/x', "Put the text in quotes: 'https://example.com/x'."],
  ['data.total > 5', 'For data there is the dialect data, such as data: {/total: ...}.'],
  ["event.type = 'x'", 'Write type alone: every name is that of an attribute.'],
  ['type = ‘x’', "Write a straight quote, '."],
  ['type = “x”', 'Write a straight quote, ".'],
  ["type\u00a0= 'x'", 'It is a space of another kind.'],
  ["type = 'x';", 'Remove it.'],
  ['`type` = 5', 'Write attributes without quotes'],
  ["type IN ['a']", '9: IN has to be followed by a list'],
  ["type = 'x' = ", 'something has to follow ='],
  ["a NOT = 'x'", 'expected an operator or the end, got NOT'],
  ['1abc(x)', 'is no name of a function'],
  ["type = 'x' LIKE", 'the pattern of LIKE'],
  ["type = 'a\ud800'", '10: half of a pair'],
])('%s is refused with its column and what to do', (text, expected) => {
  expect(told(text)).toContain(expected)
})

test('the first mistake of the text is told, whoever finds it', () => {
  expect(told("type = AND x == 'y'")).toContain('8: expected a value')
})

test('the message shows the line, with a caret under the place', () => {
  const refusal = refusalOf("type = 'x' AND\n  subject == 'y' OR\n  TRUE")
  expect(refusal).toMatchObject({ code: 'SLUICE_FILTER_CESQL_SYNTAX', status: 422, offset: 25, line: 2, column: 11 })
  expect(refusal.message).toBe(
    ['At line 2, column 11: == is no operator. Write =, not ==.', "    subject == 'y' OR", '            ^'].join('\n'),
  )
})

test('a long line is cut around the place, and controls are shown as blanks', () => {
  const { message } = refusalOf(`'\u001b[2J${'x'.repeat(500)}' == '${'y'.repeat(500)}'`)
  const [, line, caret] = message.split('\n')
  expect(line!.length).toBeLessThan(130)
  expect(line!.slice(caret!.length - 1)).toMatch(/^== 'y/)
  // eslint-disable-next-line no-control-regex
  expect(message.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f]/)
})

test('threat 15: an expression has at most 4 KiB', () => {
  expect(EXPRESSION_BYTES_MAX).toBe(4096)
  expect(() => parse(`'${'x'.repeat(4094)}'`)).not.toThrow()
  expect(told(`'${'x'.repeat(4095)}'`)).toContain('1: the expression has 4097 bytes; it may have 4096')
  expect(told(`'${'é'.repeat(2048)}'`)).toContain('has 4098 bytes')
  expect(() => parse('TRUE', { maxBytes: 3 })).toThrow('it may have 3')
})

test('threat 15: an expression nests at most 32 deep, in every way of nesting', () => {
  expect(EXPRESSION_DEPTH_MAX).toBe(32)
  const ways: readonly ((depth: number) => string)[] = [
    (depth) => `${'('.repeat(depth)}a${')'.repeat(depth)}`,
    (depth) => `${'NOT '.repeat(depth)}a`,
    (depth) => `${'- '.repeat(depth)}a`,
    (depth) => `${'LOWER('.repeat(depth)}a${')'.repeat(depth)}`,
    (depth) => `${'a IN ('.repeat(depth)}a${')'.repeat(depth)}`,
    (depth) => `a${'+a'.repeat(depth)}`,
    (depth) => `a${' = a'.repeat(depth)}`,
    (depth) => `a${" LIKE 'x'".repeat(depth)}`,
    (depth) => `a${' AND a OR a'.repeat(depth / 2)}`,
  ]
  for (const way of ways) {
    expect(() => parse(way(30))).not.toThrow()
    for (const depth of [34, 10_000]) {
      expect(() => parse(way(depth), { maxBytes: 1e6 })).toThrow('nests more than 32 deep')
    }
  }
  expect(() => parse('NOT NOT NOT a', { maxDepth: 2 })).toThrow('more than 2 deep')
})

test('one AND or OR of many is not deep', () => {
  const many = Array.from({ length: 300 }, (_, i) => `n = ${i}`).join(' OR ')
  expect(ask(many, { n: 299 })).toBe(true)
  expect(ask(many, { n: 300 })).toBe(false)
})

test.each([
  ["a = 'x' and b like 'y%' or not exists c", "(a = 'x' AND b LIKE 'y%') OR NOT EXISTS c"],
  ["not a = 'x'", "(NOT a) = 'x'"],
  ["not (a = 'x')", "NOT (a = 'x')"],
  ['a<>5', 'a != 5'],
  ['(1+2)*3 - -4', '(1 + 2) * 3 - -4'],
  ["upper(a) not in ('X', b, 5, true)", "UPPER(a) NOT IN ('X', b, 5, TRUE)"],
  [String.raw`'it\'s' = "\'"`, String.raw`'it\'s' = "\'"`],
])('format: %s is %s', (text, formatted) => {
  expect(format(parse(text))).toBe(formatted)
})
