// What goes wrong in an expression: while it is read, which is thrown, and while it is evaluated, which is part of the
// result (CloudEvents SQL 1.0 §3.3). One function for each kind; the compiler and the interpreter share them.

import { SluiceError } from '@sluice/event'
import { quote } from '../errors.ts'
import type { FunctionFailure } from './functions.ts'
import type { CallNode, Expression } from './syntax.ts'
import { TEXT_LENGTH_MAX, type CesqlType, type CesqlValue } from './values.ts'

/** The kinds of errors of §3.3 that an evaluation may give; a ParseError is a {@link CesqlSyntaxError}. */
export type CesqlErrorKind = 'math' | 'cast' | 'missingAttribute' | 'missingFunction' | 'functionEvaluation' | 'generic'

/** An error of an evaluation. */
export interface CesqlError {
  readonly kind: CesqlErrorKind
  /** What was wrong, with the values. */
  readonly message: string
  /** The part of the expression that gave it: UTF-16 units of the text, the end not included. */
  readonly start: number
  readonly end: number
}

/** What an evaluation gives: always a value, the zero value of its type where an error left no other (§3.3). */
export interface CesqlResult {
  readonly value: CesqlValue
  /** Empty where all went well; else the one error at which the evaluation ended (§4.1, "fail fast mode"). */
  readonly errors: readonly CesqlError[]
}

/**
 * A text that is no expression: `SLUICE_FILTER_CESQL_SYNTAX`, status 422. Its message shows the line with a caret under
 * the place.
 */
export class CesqlSyntaxError extends SluiceError {
  /** Where, in UTF-16 units of the text. */
  readonly offset: number
  /** The same place, both counted from 1. */
  readonly line: number
  readonly column: number
  /** What is wrong, without the place. */
  readonly problem: string
  /** What to do. */
  readonly hint: string | undefined
  /** Whether it is beyond a bound, and may be an expression. */
  readonly isTooLarge: boolean

  constructor(text: string, offset: number, problem: string, hint?: string, isTooLarge: boolean = false) {
    const { line, column, shown } = placeIn(text, offset)
    const place = line === 1 ? `column ${column}` : `line ${line}, column ${column}`
    const advice = hint === undefined ? '' : ` ${hint}`
    super('SLUICE_FILTER_CESQL_SYNTAX', `At ${place}: ${problem}.${advice}\n${shown}`, { status: 422 })
    this.name = 'CesqlSyntaxError'
    this.offset = offset
    this.line = line
    this.column = column
    this.problem = problem
    this.hint = hint
    this.isTooLarge = isTooLarge
  }
}

/** The line of a place, at most so much of it on each side, and a caret under the place. */
function placeIn(text: string, offset: number): { line: number; column: number; shown: string } {
  const start = text.slice(0, offset).lastIndexOf('\n') + 1
  const end = text.indexOf('\n', offset)
  const from = Math.max(start, offset - SHOWN_EACH_SIDE)
  const to = Math.min(end === -1 ? text.length : end, offset + SHOWN_EACH_SIDE)
  const line = text.slice(0, start).split('\n').length
  const excerpt = text.slice(from, to).replace(CONTROL, ' ')
  return { line, column: offset - start + 1, shown: `  ${excerpt}\n  ${' '.repeat(offset - from)}^` }
}

const SHOWN_EACH_SIDE = 60
/** Control characters, and those that reorder text (Trojan Source): they would move the caret, or the terminal. */
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g

/** No errors; shared, so that an evaluation without one allocates none. */
export const NO_ERRORS: readonly CesqlError[] = Object.freeze([])

/** Makes an error of the part of the expression that gave it; `value` is what that kind needs to say. */
export type ErrorOf = (node: Expression, value: CesqlValue) => CesqlError

/** The event has no such attribute. */
export function missingAttribute(node: Expression): CesqlError {
  const name = node.kind === 'attribute' ? node.name : ''
  const more = name === 'data' ? ': data is no attribute' : ''
  return errorAt(node, 'missingAttribute', `the event has no attribute ${name}${more}`)
}

/** The functions that say that a value has no cast to a type. */
export const CAST_FAILED: Readonly<Record<CesqlType, ErrorOf>> = {
  Boolean: (node, value) => errorAt(node, 'cast', `${shown(value)} is no Boolean`),
  Integer: (node, value) => errorAt(node, 'cast', `${shown(value)} is no Integer`),
  String: (node, value) => errorAt(node, 'cast', `${shown(value)} is no String`),
}

/** Division by zero. */
export function dividedByZero(node: Expression): CesqlError {
  return errorAt(node, 'math', 'it divides by zero')
}

/** A result that no Integer holds; the specification leaves it open, and a wrong number is worse than an error. */
export function overflowed(node: Expression): CesqlError {
  return errorAt(node, 'math', 'the result is no Integer of 32 bits')
}

/** There is no function of this name and number of arguments. */
export function missingFunction(node: Expression): CesqlError {
  const { name, of } = node as CallNode
  return errorAt(node, 'missingFunction', `there is no function ${name} of ${of.length} arguments`)
}

/** A text is beyond {@link TEXT_LENGTH_MAX}. */
export function textTooLong(node: Expression): CesqlError {
  return errorAt(node, 'generic', `a text is longer than ${TEXT_LENGTH_MAX} characters`)
}

/** What a function said of its arguments; the message is the value. */
export const FUNCTION_FAILED: Readonly<Record<FunctionFailure['kind'], ErrorOf>> = {
  math: (node, message) => errorAt(node, 'math', String(message)),
  cast: (node, message) => errorAt(node, 'cast', String(message)),
  functionEvaluation: (node, message) => errorAt(node, 'functionEvaluation', String(message)),
  generic: (node, message) => errorAt(node, 'generic', String(message)),
}

function errorAt({ start, end }: Expression, kind: CesqlErrorKind, message: string): CesqlError {
  return { kind, message, start, end }
}

function shown(value: CesqlValue): string {
  return typeof value === 'string' ? quote(value) : String(value)
}
