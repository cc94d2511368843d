// What an expression means, as plainly as it can be said (CloudEvents SQL 1.0 §3): the reference that the compiler is held
// to by a property test, and what `explain` shows. Not on the path of an event.

import {
  CAST_FAILED,
  dividedByZero,
  FUNCTION_FAILED,
  missingAttribute,
  missingFunction,
  NO_ERRORS,
  overflowed,
  textTooLong,
  type CesqlError,
  type CesqlResult,
} from './errors.ts'
import { resultOf, type CesqlFunction } from './functions.ts'
import { likeMatcher } from './like.ts'
import {
  REQUIRED_ATTRIBUTES,
  typeOf,
  type ArithmeticNode,
  type CallNode,
  type ComparisonNode,
  type Expression,
  type InNode,
  type LikeNode,
  type LogicNode,
} from './syntax.ts'
import {
  attributeOf,
  castTo,
  isInteger,
  TEXT_LENGTH_MAX,
  typeOfValue,
  zeroOf,
  type CesqlEvent,
  type CesqlType,
  type CesqlValue,
} from './values.ts'

/**
 * The value of an expression for an event, and the error at which its evaluation ended. The same as `compile` gives, only
 * slower. Never throws.
 */
export function evaluate(expression: Expression, event: CesqlEvent): CesqlResult {
  try {
    return { value: valueOf(expression, event), errors: NO_ERRORS }
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure
    // CE-78: an operand's error makes the zero value of the whole; only a function's own may come with a value.
    const own = failure.node === expression ? failure.own : undefined
    return { value: own ?? zeroOf(typeOf(expression) ?? 'Boolean'), errors: [failure.error] }
  }
}

/** The evaluation has ended at an error (§4.1, "fail fast mode"). */
class Failure {
  readonly error: CesqlError
  readonly node: Expression
  /** What the node gives all the same. */
  readonly own: CesqlValue | undefined

  constructor(error: CesqlError, node: Expression, own?: CesqlValue) {
    this.error = error
    this.node = node
    this.own = own
  }
}

function fail(error: CesqlError, node: Expression, own?: CesqlValue): never {
  // eslint-disable-next-line no-throw-literal -- it never leaves this file
  throw new Failure(error, node, own)
}

function valueOf(node: Expression, event: CesqlEvent): CesqlValue {
  switch (node.kind) {
    case 'literal':
      return node.value
    case 'attribute':
      return attributeOf(event, node.name) ?? fail(missingAttribute(node), node)
    case 'exists':
      return REQUIRED_ATTRIBUTES.has(node.name) || attributeOf(event, node.name) !== undefined
    case 'not':
      return !booleanOf(node.of, event)
    case 'negate':
      return within32Bits(-integerOf(node.of, event), node)
    case 'logic':
      return logic(node, event)
    case 'comparison':
      return comparison(node, event)
    case 'arithmetic':
      return arithmetic(node, event)
    case 'like':
      return like(node, event)
    case 'in':
      return isAmong(node, event)
    case 'call':
      return call(node, event)
  }
}

/** The value, cast; a cast error is that of the operand. */
function castOf(node: Expression, event: CesqlEvent, type: CesqlType): CesqlValue {
  return castFrom(valueOf(node, event), node, type)
}

function castFrom(value: CesqlValue, node: Expression, type: CesqlType): CesqlValue {
  return castTo(type, value) ?? fail(CAST_FAILED[type](node, value), node)
}

function booleanOf(node: Expression, event: CesqlEvent): boolean {
  return castOf(node, event, 'Boolean') as boolean
}

function integerOf(node: Expression, event: CesqlEvent): number {
  return castOf(node, event, 'Integer') as number
}

function textOf(node: Expression, event: CesqlEvent): string {
  const text = castOf(node, event, 'String') as string
  return text.length > TEXT_LENGTH_MAX ? fail(textTooLong(node), node) : text
}

/** §3.6: what the left side decides is never asked on the right. */
function logic({ operator, of }: LogicNode, event: CesqlEvent): boolean {
  if (operator === 'AND') return of.every((each) => booleanOf(each, event))
  if (operator === 'OR') return of.some((each) => booleanOf(each, event))
  return of.reduce((odd, each) => booleanOf(each, event) !== odd, false)
}

function comparison(node: ComparisonNode, event: CesqlEvent): boolean {
  const { operator, left, right } = node
  if (operator === '=' || operator === '!=') {
    // CE-75: the left is cast to the type of the right.
    const value = valueOf(left, event)
    const wanted = valueOf(right, event)
    return (castFrom(value, left, typeOfValue(wanted)) === wanted) === (operator === '=')
  }
  const a = integerOf(left, event)
  const b = integerOf(right, event)
  if (operator === '<') return a < b
  if (operator === '<=') return a <= b
  return operator === '>' ? a > b : a >= b
}

function arithmetic(node: ArithmeticNode, event: CesqlEvent): number {
  const a = integerOf(node.left, event)
  const b = integerOf(node.right, event)
  switch (node.operator) {
    case '+':
      return within32Bits(a + b, node)
    case '-':
      return within32Bits(a - b, node)
    case '*':
      return within32Bits(a * b, node)
    case '/':
      return b === 0 ? fail(dividedByZero(node), node) : within32Bits(Math.trunc(a / b), node)
    case '%':
      return b === 0 ? fail(dividedByZero(node), node) : within32Bits(a % b, node)
  }
}

function within32Bits(result: number, node: Expression): number {
  return isInteger(result) ? result | 0 : fail(overflowed(node), node) // there is no -0
}

function like({ of, pattern, negated }: LikeNode, event: CesqlEvent): boolean {
  return likeMatcher(pattern)(textOf(of, event)) !== negated
}

/** CE-75: the elements are cast to the type of the left, one after the other until one is equal (CE-80). */
function isAmong({ of, among, negated }: InNode, event: CesqlEvent): boolean {
  const wanted = valueOf(of, event)
  const isEqual = (each: Expression): boolean => castOf(each, event, typeOfValue(wanted)) === wanted
  return among.some(isEqual) !== negated
}

function call(node: CallNode, event: CesqlEvent): CesqlValue {
  const { definition, of } = node
  if (definition === undefined) return fail(missingFunction(node), node)
  const values = of.map((each, i) => argumentOf(each, event, definition, i))
  return given(node, definition, values)
}

function argumentOf(node: Expression, event: CesqlEvent, { parameters, rest }: CesqlFunction, i: number): CesqlValue {
  const type = parameters[i] ?? rest!
  if (type === 'String') return textOf(node, event)
  const value = type === 'Any' ? valueOf(node, event) : castOf(node, event, type)
  return typeof value === 'string' && value.length > TEXT_LENGTH_MAX ? fail(textTooLong(node), node) : value
}

/** What the function gives, if it may (§3.5.3). */
function given(node: CallNode, definition: CesqlFunction, values: CesqlValue[]): CesqlValue {
  const result = resultOf(definition, values)
  return typeof result === 'object'
    ? fail(FUNCTION_FAILED[result.kind](node, result.message), node, result.value)
    : result
}
