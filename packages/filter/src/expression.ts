// `cesql`, by Knative's name, and `sql`, by the Subscriptions API's: a CloudEvents SQL expression that has to be TRUE.
// From: dialects.ts. Next: compile.ts.

import { missingFunctions, warningsOf, type CesqlFinding } from './cesql/check.ts'
import { CesqlSyntaxError } from './cesql/errors.ts'
import { parse } from './cesql/parser.ts'
import { partsOf, typeOf, type Expression } from './cesql/syntax.ts'
import type { FilterCode, FilterPath, FilterProblem } from './errors.ts'
import type { CesqlFilterNode } from './filter.ts'
import { count, keep, kindOf, report, type Reading } from './reading.ts'

/** Reads an expression; one that is none, calls what there is not, or can't be TRUE, is refused (CE-64, CE-84). */
export function readExpression(written: unknown, path: FilterPath, reading: Reading): CesqlFilterNode | undefined {
  if (!count(reading, path)) return undefined
  // YAML makes a boolean of TRUE.
  const text = typeof written === 'boolean' ? String(written) : written
  if (typeof text !== 'string') {
    const message = `expected a CESQL expression, got ${kindOf(written)}`
    report(reading, path, 'SLUICE_FILTER_INVALID_VALUE', message, { hint: "Such as type = 'com.example.order'." })
    return undefined
  }
  const expression = parsed(text, path, reading)
  if (expression === undefined || !countParts(expression, path, reading)) return undefined
  const missing = missingFunctions(expression)
  for (const { message, start: offset, hint } of missing) {
    report(reading, path, 'SLUICE_FILTER_UNKNOWN_FUNCTION', at(text, offset, message), { offset, hint })
  }
  if (missing.length > 0 || !isBoolean(expression, path, reading)) return undefined
  return keep(reading, path, { kind: 'cesql', expression, text })
}

function parsed(text: string, path: FilterPath, reading: Reading): Expression | undefined {
  const { maxExpressionBytes: maxBytes, maxExpressionDepth: maxDepth } = reading.limits
  try {
    return parse(text, { maxBytes, maxDepth })
  } catch (error) {
    if (!(error instanceof CesqlSyntaxError)) throw error
    const { offset, problem, hint, isTooLarge } = error
    const code = isTooLarge ? 'SLUICE_FILTER_TOO_LARGE' : text.trim() === '' ? 'SLUICE_FILTER_EMPTY' : error.code
    report(reading, path, code as FilterCode, at(text, offset, problem), {
      offset,
      ...(hint !== undefined && { hint }),
    })
    return undefined
  }
}

/** With the place in the expression, for who sees no file. */
function at(text: string, offset: number, message: string): string {
  const lines = text.slice(0, offset).split('\n')
  const column = `column ${lines.at(-1)!.length + 1}`
  return `${message} (${lines.length === 1 ? column : `line ${lines.length}, ${column}`} of the expression)`
}

function countParts(expression: Expression, path: FilterPath, reading: Reading): boolean {
  return partsOf(expression).every((part) => count(reading, path) && countParts(part, path, reading))
}

function isBoolean(expression: Expression, path: FilterPath, reading: Reading): boolean {
  const type = typeOf(expression)
  if (type === undefined || type === 'Boolean') return true
  const isQuoted = expression.kind === 'literal' && type === 'String'
  const message = `the expression gives ${type === 'Integer' ? 'an Integer' : 'a String'}; a filter is TRUE or FALSE`
  report(reading, path, 'SLUICE_FILTER_NOT_BOOLEAN', message, {
    offset: expression.start,
    hint: isQuoted ? 'Remove the quotes around all of it.' : 'Compare it with something, by =, <, LIKE or IN.',
  })
  return false
}

/** What is probably not meant with an expression, as problems at its place. */
export function expressionWarnings({ expression, text }: CesqlFilterNode, path: FilterPath): FilterProblem[] {
  return warningsOf(expression).map(({ kind, start: offset, message, hint }) => ({
    code: WARNINGS[kind],
    path,
    at: 'value',
    offset,
    message: at(text, offset, message),
    hint,
  }))
}

const WARNINGS: Readonly<Record<CesqlFinding['kind'], FilterCode>> = {
  missingFunction: 'SLUICE_FILTER_UNKNOWN_FUNCTION',
  mixedOperators: 'SLUICE_FILTER_AMBIGUOUS',
  looseNot: 'SLUICE_FILTER_AMBIGUOUS',
  constant: 'SLUICE_FILTER_CONSTANT',
  alwaysFails: 'SLUICE_FILTER_CONSTANT',
  noBoolean: 'SLUICE_FILTER_NOT_BOOLEAN',
}
