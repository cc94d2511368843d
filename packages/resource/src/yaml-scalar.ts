// Where in the source a character of a scalar's text stands: an expression's mistake is shown under its own letter.

import type { Scalar } from 'yaml'

/**
 * The offset in `source` of the character with this number, in UTF-16 units of the scalar's text. Quotes, escapes, block
 * headers, indentation and folded lines are passed over; where that fails, it is the scalar's own beginning.
 */
export function offsetInScalar(source: string, { range, type, value }: Scalar.Parsed, character: number): number {
  const [start, end] = range
  if (typeof value !== 'string') return start
  let at = startOfText(source, start, type)
  let i = 0
  while (i < character && i < value.length) {
    if (at >= end) return start
    const escape = escapeAt(source, at, type)
    if (escape !== undefined) {
      at += escape.length
      i += escape.units
    } else if (isBlank(value[i]) || isBlank(source[at])) {
      // A run of blanks stands for a run of blanks, whatever folding and indentation made of it.
      at = afterBlanks(source, at, end)
      i = afterBlanks(value, i, value.length)
    } else if (source[at] === value[i]) {
      at++
      i++
    } else {
      return start
    }
  }
  return isBlank(value[i]) || i === value.length ? at : afterBlanks(source, at, end)
}

/** Behind the quote, or behind the line with `|` or `>`. */
function startOfText(source: string, start: number, type: Scalar.Type | undefined): number {
  if (type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE') return start + 1
  if (type === 'BLOCK_LITERAL' || type === 'BLOCK_FOLDED') return source.indexOf('\n', start) + 1
  return start
}

/** How many units of source stand here for how many of the text. */
function escapeAt(
  source: string,
  at: number,
  type: Scalar.Type | undefined,
): { length: number; units: number } | undefined {
  if (type === 'QUOTE_SINGLE') return source.startsWith("''", at) ? { length: 2, units: 1 } : undefined
  if (type !== 'QUOTE_DOUBLE' || source[at] !== '\\') return undefined
  const letter = source[at + 1]!
  if (letter === '\n' || letter === '\r') return { length: 2, units: 0 } // a line that goes on
  const digits = letter === 'x' ? 2 : letter === 'u' ? 4 : letter === 'U' ? 8 : 0
  const isPair = letter === 'U' && Number.parseInt(source.slice(at + 2, at + 10), 16) > 0xffff
  return { length: 2 + digits, units: isPair ? 2 : 1 }
}

function afterBlanks(text: string, from: number, end: number): number {
  let at = from
  while (at < end && isBlank(text[at])) at++
  return at
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\n' || character === '\r' || character === '\t'
}
