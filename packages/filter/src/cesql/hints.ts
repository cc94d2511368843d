// What people write in CESQL that comes from another language, and what it is called here. Asked only where something
// is wrong. From: lexer.ts, parser.ts.

import { nearest } from '../nearest.ts'
import type { Token } from './lexer.ts'

/**
 * What to do about a symbol that CESQL lacks, or that means something else than was meant; second, the symbol, where it
 * is none at all.
 */
export function hintForSymbol(text: string, at: number): readonly [hint: string | undefined, wrong?: string] {
  for (const [symbol, hint] of FOREIGN_SYMBOLS) if (text.startsWith(symbol, at)) return [hint, symbol]
  return [FOREIGN_CHARACTERS.find(([characters]) => characters.includes(text[at]!))?.[1]]
}

/** Longer ones first. */
const FOREIGN_SYMBOLS: readonly (readonly [symbol: string, hint: string])[] = [
  ['===', 'Write =, not ===.'],
  ['!==', 'Write !=, not !==.'],
  ['=~', "Write LIKE, with % for any characters, such as type LIKE 'com.example.%'."],
  ['!~', 'Write NOT LIKE, with % for any characters.'],
  ['==', 'Write =, not ==.'],
  ['=>', 'Write >=, not =>.'],
  ['=<', 'Write <=, not =<.'],
  ['&&', 'Write AND, not &&.'],
  ['||', 'Write OR, not ||; CONCAT(a, b) joins texts.'],
  [':=', 'Write =, not :=.'],
]

const FOREIGN_CHARACTERS: readonly (readonly [characters: string, hint: string])[] = [
  ['!', 'Write NOT, not !.'],
  ['&', 'Write AND, not &.'],
  ['|', 'Write OR, not |.'],
  ['~', "Write LIKE, with % for any characters, such as type LIKE 'com.example.%'."],
  ['^', 'Write XOR, not ^.'],
  [';', 'Remove it.'],
  ['`', "Write attributes without quotes, and texts in '...'."],
  ['\u2018\u2019\u201a\u201b\u2032', "Write a straight quote, '."],
  ['\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb', 'Write a straight quote, ".'],
  ['\u00a0\u2007\u202f\u3000', 'It is a space of another kind. Write a plain one.'],
  ['[]{}', 'Write ( and ).'],
  ['$@#', 'Write the name of an attribute alone, such as type.'],
]

/** What to do about a token where an operator, or the end, had to be. `before` is the operand that stands before it. */
export function hintForOperator(text: string, token: Token, before: string): string | undefined {
  const word = token.text.toUpperCase()
  const rest = text.slice(token.start)
  if (token.kind === 'name') {
    if (word === 'IS') {
      const negated = /^is\s+not\b/i.test(rest)
      return `Write ${negated ? '' : 'NOT '}EXISTS ${/^[A-Za-z0-9]+$/.test(before) ? before : 'name'}.`
    }
    return FOREIGN_OPERATORS[word] ?? hintForSlip(word)
  }
  if (token.kind === 'text') {
    const joined = text[token.start - 1] === text[token.start]
    if (joined) return `Write \\${text[token.start]!} for ${text[token.start]!} inside of the text.`
    return 'Write an operator between the two, such as =.'
  }
  if (token.text === '(') return 'A function has a name of letters and _ before its parenthesis.'
  if (token.text === ')') return 'There is no ( to it.'
  if (token.text === 'EXISTS') return 'Write EXISTS before the name.'
  return token.kind === 'integer' ? 'Write an operator between the two, such as =.' : undefined
}

function hintForSlip(word: string): string | undefined {
  const near = nearest(word, ['LIKE', 'AND', 'XOR', 'OR', 'IN'])
  return near === undefined ? undefined : `Did you mean ${near}?`
}

const FOREIGN_OPERATORS: Readonly<Record<string, string | undefined>> = {
  BETWEEN: 'Write x >= 1 AND x <= 9.',
  ILIKE: "Write LOWER(x) LIKE '...'.",
  RLIKE: 'There are no regular expressions. Write LIKE, with % for any characters.',
  REGEXP: 'There are no regular expressions. Write LIKE, with % for any characters.',
  MATCHES: 'There are no regular expressions. Write LIKE, with % for any characters.',
  CONTAINS: "Write LIKE '%...%'.",
  STARTSWITH: "Write LIKE '...%'.",
  ENDSWITH: "Write LIKE '%...'.",
  EQ: 'Write =.',
  EQUALS: 'Write =.',
  NE: 'Write !=.',
  GT: 'Write >.',
  GTE: 'Write >=.',
  GE: 'Write >=.',
  LT: 'Write <.',
  LTE: 'Write <=.',
  LE: 'Write <=.',
  MOD: 'Write %.',
  ESCAPE: 'A \\ before % or _ makes it a plain character; there is no other way to say it.',
}

/** What to do about a `.` or `:` behind a name; `isCompared`: something is compared with that name. */
export function hintForUnquoted(text: string, at: number, isCompared: boolean): string {
  const before = /[A-Za-z0-9_]+$/.exec(text.slice(0, at))?.[0] ?? ''
  const after = /^[\w./:-]+/.exec(text.slice(at))?.[0] ?? ''
  if (/^[0-9]+$/.test(before)) return 'There are no fractions, only Integers.'
  if (/^(data|body|payload)$/i.test(before)) {
    const pointer = after.replaceAll('.', '/')
    return `CESQL reads attributes alone. For data there is the dialect data, such as data: {${pointer}: ...}.`
  }
  if (/^(event|ce|cloudevent|attributes|extensions|context)$/i.test(before)) {
    return `Write ${after.slice(1)} alone: every name is that of an attribute.`
  }
  return isCompared
    ? `Put the text in quotes: '${before}${after}'.`
    : 'The name of an attribute is letters and digits; a text stands in quotes.'
}
