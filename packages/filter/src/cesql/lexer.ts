// From the text of an expression to its tokens (CloudEvents SQL 1.0 §2). From: parser.ts. What is no token becomes one
// of the kind `wrong`, so that the parser tells the mistake that comes first in the text.

import { hintForSymbol } from './hints.ts'

/** A token: UTF-16 units of the text, the end not included. */
export interface Token {
  readonly kind: 'integer' | 'text' | 'name' | 'symbol' | 'end' | 'wrong'
  readonly start: number
  readonly end: number
  /**
   * Of a text its content, of a keyword or symbol itself in upper case, of a wrong token what is wrong; of another the
   * token as written.
   */
  readonly text: string
  /** Of a wrong token: what to do. */
  readonly hint?: string | undefined
}

/** Words that are no names, in upper case; they are written in any case (CE-66). */
export const KEYWORDS: ReadonlySet<string> = new Set([
  'AND',
  'OR',
  'XOR',
  'NOT',
  'LIKE',
  'IN',
  'EXISTS',
  'TRUE',
  'FALSE',
])

/** The tokens of the text; the last has the kind `end`. After a wrong one there are no others. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  for (let at = skipBlanks(text, 0); at < text.length; at = skipBlanks(text, tokens.at(-1)!.end)) {
    const token = tokenAt(text, at)
    tokens.push(token)
    if (token.kind === 'wrong') break
  }
  // Where the last word ends, for a caret: blocks of YAML end with a line break.
  const end = text.trimEnd().length
  tokens.push({ kind: 'end', start: end, end, text: '' })
  return tokens
}

function skipBlanks(text: string, from: number): number {
  let at = from
  while (at < text.length && ' \t\r\n'.includes(text[at]!)) at++
  return at
}

function tokenAt(text: string, start: number): Token {
  const first = text[start]!
  if (first === "'" || first === '"') return stringAt(text, start, first)
  let end = start
  while (end < text.length && /[A-Za-z0-9_]/.test(text[end]!)) end++
  if (end > start) return wordOf(text.slice(start, end), start, end)
  // The longest first: `<=` is not `<`.
  const symbol = SYMBOLS.find((each) => text.startsWith(each, start))
  const [hint, wrong] = hintForSymbol(text, start)
  if (wrong !== undefined) {
    return { kind: 'wrong', start, end: start + wrong.length, text: `${wrong} is no operator`, hint }
  }
  if (symbol !== undefined) return { kind: 'symbol', start, end: start + symbol.length, text: symbol }
  const character = String.fromCodePoint(text.codePointAt(start)!)
  return { kind: 'wrong', start, end: start + character.length, text: `unexpected ${JSON.stringify(character)}`, hint }
}

const SYMBOLS: readonly string[] = ['<=', '>=', '<>', '!=', '=', '<', '>', '+', '-', '*', '/', '%', '(', ')', ',']

function wordOf(word: string, start: number, end: number): Token {
  if (/^[0-9]+$/.test(word)) return { kind: 'integer', start, end, text: word }
  const upper = word.toUpperCase()
  return KEYWORDS.has(upper) ? { kind: 'symbol', start, end, text: upper } : { kind: 'name', start, end, text: word }
}

/** CE-68: only its own quote is unescaped; every other backslash stays, and so does what follows it. */
function stringAt(text: string, start: number, quote: string): Token {
  let content = ''
  let at = start + 1
  while (at < text.length && text[at] !== quote) {
    if (text[at] === '\\' && at + 1 < text.length) {
      content += text[at + 1] === quote ? quote : text.slice(at, at + 2)
      at += 2
    } else {
      content += text[at++]
    }
  }
  if (at < text.length) return { kind: 'text', start, end: at + 1, text: content }
  const escaped = text.slice(start).endsWith(`\\${quote}`)
  return {
    kind: 'wrong',
    start,
    end: text.length,
    text: `the text that begins here has no closing ${quote}`,
    hint: escaped ? `\\${quote} stands for ${quote} inside of the text and doesn't end it.` : undefined,
  }
}
