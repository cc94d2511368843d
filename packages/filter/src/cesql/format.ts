// From the tree of an expression back to text.

import type { Expression } from './syntax.ts'
import type { CesqlValue } from './values.ts'

/**
 * The expression as text: keywords and functions in upper case, and parentheses where somebody could wonder. Read again
 * it gives the same tree, places aside.
 */
export function format(expression: Expression): string {
  const level = levelOf(expression)
  switch (expression.kind) {
    case 'literal':
      return literalText(expression.value)
    case 'attribute':
      return expression.name
    case 'exists':
      return `EXISTS ${expression.name}`
    case 'not':
      return `NOT ${operand(expression.of, level)}`
    case 'negate':
      return `- ${operand(expression.of, level)}`
    case 'logic':
      return expression.of.map((each) => operand(each, level)).join(` ${expression.operator} `)
    case 'comparison':
    case 'arithmetic':
      return `${operand(expression.left, level)} ${expression.operator} ${operand(expression.right, level)}`
    case 'like':
      return `${operand(expression.of, level)} ${expression.negated ? 'NOT ' : ''}LIKE ${literalText(expression.pattern)}`
    case 'in':
      return `${operand(expression.of, level)} ${expression.negated ? 'NOT ' : ''}IN (${list(expression.among)})`
    case 'call':
      return `${expression.name}(${list(expression.of)})`
  }
}

/** How tight an expression binds; what binds no tighter than what holds it gets parentheses. */
function levelOf(expression: Expression): number {
  switch (expression.kind) {
    case 'logic':
      return 1
    case 'not':
      return 2 // it binds tighter than a comparison, and nobody knows (CE-71)
    case 'comparison':
      return 3
    case 'arithmetic':
      return expression.operator === '+' || expression.operator === '-' ? 4 : 5
    case 'in':
      return 6
    case 'like':
      return 7
    case 'negate':
      return 8
    default:
      return 9
  }
}

function operand(expression: Expression, level: number): string {
  // What stands behind NOT is an operand for it alone, so that all but an atom needs parentheses.
  const isTight = levelOf(expression) > (level === 2 ? 8 : level)
  return isTight ? format(expression) : `(${format(expression)})`
}

function list(expressions: readonly Expression[]): string {
  return expressions.map(format).join(', ')
}

function literalText(value: CesqlValue): string {
  if (typeof value !== 'string') return String(value).toUpperCase()
  // A text that was written in double quotes may hold `\'`, which in single ones would be `'`.
  const quote = value.includes('\\') && /(?<!\\)(?:\\\\)*\\'/.test(value) ? '"' : "'"
  return `${quote}${value.replaceAll(quote, `\\${quote}`)}${quote}`
}
