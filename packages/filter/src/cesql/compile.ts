// Hot path (`pnpm bench --only CESQL`): from the tree of an expression to closures, made once and run for every
// event. What is known before any event is used here: constants, types, literal operands, patterns.

import { NO_ERRORS, missingFunction, CAST_FAILED, type CesqlResult } from './errors.ts'
import { fold } from './fold.ts'
import { call } from './calls.ts'
import {
  arithmetic,
  asBoolean,
  asInteger,
  asText,
  attribute,
  attributeEquals,
  bounded,
  equals,
  equalsLiteral,
  isAmong,
  isAmongLiterals,
  like,
  logic,
  negate,
  not,
  order,
} from './operators.ts'
import { CAST_FUNCTIONS, type ParameterType } from './functions.ts'
import { fail, failure, type Run } from './run.ts'
import {
  REQUIRED_ATTRIBUTES,
  typeOf,
  type CallNode,
  type ComparisonNode,
  type Expression,
  type InNode,
  type LiteralNode,
} from './syntax.ts'
import { castTo, zeroOf, type CesqlEvent, type CesqlType } from './values.ts'

/** A compiled expression: gives its value for an event, with its errors. Never throws. */
export type CompiledExpression = (event: CesqlEvent) => CesqlResult

/** Compiles an expression; what it gives is what `evaluate` gives. */
export function compile(expression: Expression): CompiledExpression {
  const root = fold(expression)
  const run = runOf(root)
  const zero = zeroOf(typeOf(root) ?? 'Boolean')
  return (event) => {
    const value = run(event)
    if (value !== undefined) return { value, errors: NO_ERRORS }
    const { error, node } = failure
    // CE-78: an operand's error makes the zero value of the whole; only a function's own may come with a value.
    return { value: (node === root ? failure.own : undefined) ?? zero, errors: [error!(node!, failure.value)] }
  }
}

/** What a condition says of an event: `undefined` where there was an error, which is no match (CE-64). */
export type Condition = (event: CesqlEvent) => boolean | undefined

/** Compiles an expression that has to be true; a value that is no Boolean isn't (CE-64). */
export function compileCondition(expression: Expression): Condition {
  const root = fold(expression)
  const run = runOf(root)
  if (typeOf(root) === 'Boolean') return run as Run<boolean>
  return (event) => {
    const value = run(event)
    return value === undefined ? undefined : value === true
  }
}

/** The closure of a folded expression, with a value of its own type. */
function runOf(node: Expression): Run {
  switch (node.kind) {
    case 'literal': {
      const { value } = node
      return () => value
    }
    case 'attribute':
      return attribute(node)
    case 'exists':
      return exists(node.name)
    case 'not':
      return not(booleanOf(node.of))
    case 'negate':
      return negate(node, integerOf(node.of))
    case 'logic':
      return logic(node.operator, node.of.map(booleanOf))
    case 'comparison':
      return comparisonOf(node)
    case 'arithmetic':
      return arithmetic(node, integerOf(node.left), integerOf(node.right))
    case 'like':
      return like(node, boundedTextOf(node.of))
    case 'in':
      return inOf(node)
    case 'call':
      return callOf(node)
  }
}

/** The closure of a folded expression, with a value that is cast to the type. */
function castOf(type: CesqlType, node: Expression): Run {
  if (node.kind === 'literal') return literalOf(type, node)
  const run = runOf(node)
  return typeOf(node) === type ? run : castRun(type, node, run)
}

function castRun(type: CesqlType, node: Expression, run: Run): Run {
  return type === 'Boolean' ? asBoolean(node, run) : type === 'Integer' ? asInteger(node, run) : asText(run)
}

function literalOf(type: CesqlType, node: LiteralNode): Run {
  const value = castTo(type, node.value)
  return value === undefined ? () => fail(CAST_FAILED[type], node, node.value) : () => value
}

function booleanOf(node: Expression): Run<boolean> {
  return castOf('Boolean', node) as Run<boolean>
}

function integerOf(node: Expression): Run<number> {
  return castOf('Integer', node) as Run<number>
}

function boundedTextOf(node: Expression): Run<string> {
  return bounded(node, castOf('String', node) as Run<string>)
}

function exists(name: string): Run<boolean> {
  if (REQUIRED_ATTRIBUTES.has(name)) return () => true
  return name === 'data' ? () => false : (event) => event.attribute(name) !== undefined
}

function comparisonOf(node: ComparisonNode): Run<boolean> {
  const { operator, left, right } = node
  if (operator !== '=' && operator !== '!=') return order(operator, integerOf(left), integerOf(right))
  if (right.kind !== 'literal') return equals(node, runOf(left), runOf(right))
  if (left.kind === 'attribute' && typeof right.value === 'string') {
    return attributeEquals(left, operator, right.value)
  }
  return equalsLiteral(operator, castOf(typeOf(right)!, left), right.value)
}

function inOf(node: InNode): Run<boolean> {
  const { of, among } = node
  const literals = among.filter((each) => each.kind === 'literal')
  return literals.length === among.length
    ? isAmongLiterals(node, runOf(of), literals)
    : isAmong(node, runOf(of), among.map(runOf))
}

function callOf(node: CallNode): Run {
  const { definition, of } = node
  if (definition === undefined) return () => fail(missingFunction, node)
  const { parameters, rest } = definition
  const cast = CAST_FUNCTIONS.get(definition)
  if (cast !== undefined) return castRun(cast, node, argumentOf('Any', of[0]!))
  return call(
    node,
    definition,
    of.map((each, i) => argumentOf(parameters[i] ?? rest!, each)),
  )
}

function argumentOf(type: ParameterType, node: Expression): Run {
  return bounded(node, type === 'Any' ? runOf(node) : castOf(type, node))
}
