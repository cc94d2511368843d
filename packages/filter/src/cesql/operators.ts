// Hot path (`pnpm bench --only CESQL`): the closures of operators, made from the closures of their operands. Each
// says the same as its namesake in interpret.ts.

import { CAST_FAILED, dividedByZero, missingAttribute, overflowed, textTooLong } from './errors.ts'
import { likeMatcher } from './like.ts'
import { fail, type Run } from './run.ts'
import type {
  ArithmeticNode,
  AttributeNode,
  ComparisonNode,
  Expression,
  InNode,
  LikeNode,
  LiteralNode,
  LogicNode,
  UnaryNode,
} from './syntax.ts'
import {
  castTo,
  isInteger,
  TEXT_LENGTH_MAX,
  toBoolean,
  toInteger,
  toText,
  typeOfValue,
  valueOf,
  type CesqlEvent,
  type CesqlValue,
} from './values.ts'

/** An attribute, as the event has it. */
export function attribute(node: AttributeNode): Run {
  const { name } = node
  if (name === 'data') return () => fail(missingAttribute, node) // CE-62
  return (event) => valueOf(event.attribute(name)) ?? fail(missingAttribute, node)
}

/** The operand, cast to a Boolean. */
export function asBoolean(node: Expression, run: Run): Run<boolean> {
  return (event) => {
    const value = run(event)
    if (value === undefined || typeof value === 'boolean') return value
    return toBoolean(value) ?? fail(CAST_FAILED.Boolean, node, value)
  }
}

/** The operand, cast to an Integer. */
export function asInteger(node: Expression, run: Run): Run<number> {
  return (event) => {
    const value = run(event)
    if (value === undefined || typeof value === 'number') return value
    return toInteger(value) ?? fail(CAST_FAILED.Integer, node, value)
  }
}

/** The operand, cast to a String. */
export function asText(run: Run): Run<string> {
  return (event) => {
    const value = run(event)
    return value === undefined || typeof value === 'string' ? value : toText(value)
  }
}

/** The operand, unless it is a text too long to be walked. */
export function bounded<Value extends CesqlValue>(node: Expression, run: Run<Value>): Run<Value> {
  return (event) => {
    const value = run(event)
    return typeof value === 'string' && value.length > TEXT_LENGTH_MAX ? fail(textTooLong, node) : value
  }
}

/** NOT. */
export function not(run: Run<boolean>): Run<boolean> {
  return (event) => {
    const value = run(event)
    return value === undefined ? undefined : !value
  }
}

/** The prefix -. */
export function negate(node: UnaryNode, run: Run<number>): Run<number> {
  return (event) => {
    const value = run(event)
    return value === undefined ? undefined : within32Bits(-value, node)
  }
}

/** AND, OR, XOR: whatever isn't the value that lets it go on ends it, a failure too (CE-80). */
export function logic(operator: LogicNode['operator'], of: readonly Run<boolean>[]): Run<boolean> {
  if (operator === 'XOR') return xor(of)
  const goesOn = operator === 'AND'
  const [first, second] = of
  if (of.length === 2) {
    return (event) => {
      const value = first!(event)
      return value === goesOn ? second!(event) : value
    }
  }
  return (event) => {
    for (let i = 0; i < of.length; i++) {
      const value = of[i]!(event)
      if (value !== goesOn) return value
    }
    return goesOn
  }
}

function xor(of: readonly Run<boolean>[]): Run<boolean> {
  return (event) => {
    let odd = false
    for (let i = 0; i < of.length; i++) {
      const value = of[i]!(event)
      if (value === undefined) return undefined
      odd = odd !== value
    }
    return odd
  }
}

/** `<`, `<=`, `>`, `>=`. */
export function order(operator: Order, left: Run<number>, right: Run<number>): Run<boolean> {
  const holds = ORDERS[operator]
  return (event) => {
    const a = left(event)
    if (a === undefined) return undefined
    const b = right(event)
    return b === undefined ? undefined : holds(a, b)
  }
}

type Order = Exclude<ComparisonNode['operator'], '=' | '!='>

const ORDERS: Readonly<Record<Order, (a: number, b: number) => boolean>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
}

/** `=` and `!=` with a right side that is known, of whose type the left one is. */
export function equalsLiteral(operator: ComparisonNode['operator'], left: Run, literal: CesqlValue): Run<boolean> {
  const isEqual = operator === '='
  return (event) => {
    const value = left(event)
    return value === undefined ? undefined : (value === literal) === isEqual
  }
}

/** The same of an attribute and a text, which is what nearly all expressions ask. */
export function attributeEquals(node: AttributeNode, operator: ComparisonNode['operator'], text: string): Run<boolean> {
  const { name } = node
  const isEqual = operator === '='
  if (name === 'data') return () => fail(missingAttribute, node)
  return (event) => {
    const value = event.attribute(name)
    if (typeof value === 'string') return (value === text) === isEqual
    return value === undefined ? fail(missingAttribute, node) : (String(value) === text) === isEqual
  }
}

/** `=` and `!=`: the left is cast to the type of the right (CE-75). */
export function equals({ operator, left: node }: ComparisonNode, left: Run, right: Run): Run<boolean> {
  const isEqual = operator === '='
  return (event) => {
    const value = left(event)
    if (value === undefined) return undefined
    const wanted = right(event)
    if (wanted === undefined) return undefined
    const type = typeOfValue(wanted)
    const cast = castTo(type, value)
    return cast === undefined ? fail(CAST_FAILED[type], node, value) : (cast === wanted) === isEqual
  }
}

/** `+`, `-`, `*`, `/`, `%`. */
export function arithmetic(node: ArithmeticNode, left: Run<number>, right: Run<number>): Run<number> {
  const { operator } = node
  const result = RESULTS[operator]
  const divides = operator === '/' || operator === '%'
  return (event) => {
    const a = left(event)
    if (a === undefined) return undefined
    const b = right(event)
    if (b === undefined) return undefined
    return divides && b === 0 ? fail(dividedByZero, node) : within32Bits(result(a, b), node)
  }
}

const RESULTS: Readonly<Record<ArithmeticNode['operator'], (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => Math.trunc(a / b),
  '%': (a, b) => a % b,
}

function within32Bits(result: number, node: Expression): number | undefined {
  return isInteger(result) ? result | 0 : fail(overflowed, node) // there is no -0
}

/** LIKE and NOT LIKE. */
export function like({ pattern, negated }: LikeNode, text: Run<string>): Run<boolean> {
  const matches = likeMatcher(pattern)
  return (event) => {
    const value = text(event)
    return value === undefined ? undefined : matches(value) !== negated
  }
}

/** IN and NOT IN: elements are cast to the type of the left, one after the other until one is equal (CE-75, CE-80). */
export function isAmong(node: InNode, left: Run, elements: readonly Run[]): Run<boolean> {
  return (event) => {
    const wanted = left(event)
    return wanted === undefined ? undefined : finds(node, wanted, elements, event)
  }
}

/** The same where all elements are known: a text, which most attributes are, is looked up. */
export function isAmongLiterals(node: InNode, left: Run, literals: readonly LiteralNode[]): Run<boolean> {
  const { negated } = node
  const texts = new Set(literals.map(({ value }) => toText(value)))
  const elements = literals.map(
    ({ value }) =>
      () =>
        value,
  )
  return (event) => {
    const wanted = left(event)
    if (typeof wanted === 'string') return texts.has(wanted) !== negated
    return wanted === undefined ? undefined : finds(node, wanted, elements, event)
  }
}

function finds(
  { among, negated }: InNode,
  wanted: CesqlValue,
  elements: readonly Run[],
  event: CesqlEvent,
): boolean | undefined {
  const type = typeOfValue(wanted)
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i]!(event)
    if (element === undefined) return undefined
    const cast = castTo(type, element)
    if (cast === undefined) return fail(CAST_FAILED[type], among[i]!, element)
    if (cast === wanted) return !negated
  }
  return negated
}
