// What is wrong, or probably not meant, with an expression that can be read; told when it is applied, before any event.

import { quote } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { evaluate } from './interpret.ts'
import { BUILT_IN_FUNCTIONS, type CesqlFunction, type Functions } from './functions.ts'
import { format } from './format.ts'
import {
  partsOf,
  type ArithmeticNode,
  type CallNode,
  type ComparisonNode,
  type Expression,
  type InNode,
  type LikeNode,
  type LogicNode,
  type Span,
} from './syntax.ts'
import { castTo, type CesqlType } from './values.ts'

/** Something that is wrong with an expression, or probably not meant. */
export interface CesqlFinding extends Span {
  /**
   * `missingFunction`: it calls a function that there is not. `mixedOperators`: other readers put the parentheses
   * elsewhere. `looseNot`: NOT binds tighter than it looks. `constant`: a part is the same for every event.
   * `alwaysFails`: a part gives an error whenever it is asked. `noBoolean`: an attribute alone, which is hardly ever a Boolean.
   */
  readonly kind: 'missingFunction' | 'mixedOperators' | 'looseNot' | 'constant' | 'alwaysFails' | 'noBoolean'
  readonly message: string
  /** What to do. */
  readonly hint: string
}

/** The calls of functions that there are not: each is an error whenever it is evaluated. */
export function missingFunctions(expression: Expression, functions: Functions = BUILT_IN_FUNCTIONS): CesqlFinding[] {
  const found = partsOf(expression).flatMap((part) => missingFunctions(part, functions))
  if (expression.kind !== 'call' || expression.definition !== undefined) return found
  return [missing(expression, functions), ...found]
}

function missing({ name, of, start, end }: CallNode, functions: Functions): CesqlFinding {
  const named = functions.named(name)
  if (named.length === 0) {
    const meant = meantBy(name, functions)
    const hint = meant === undefined ? `There are ${functions.names.join(', ')}.` : meant
    return { kind: 'missingFunction', start, end: start + name.length, message: `CESQL has no function ${name}`, hint }
  }
  const counts = named.map(argumentsOf).join(' or ')
  const message = `${name} takes ${counts}, not ${of.length}`
  return { kind: 'missingFunction', start, end, message, hint: `Write ${named.map(signatureOf).join(' or ')}.` }
}

function meantBy(name: string, { names }: Functions): string | undefined {
  const like = LIKE_FUNCTIONS.get(name.replaceAll('_', ''))
  if (like !== undefined) return like
  const isRelated = (each: string): boolean =>
    (name.length > 2 && each.startsWith(name)) || (each.length > 3 && name.includes(each))
  const meant = names.find(isRelated) ?? nearest(name, names)
  return meant === undefined ? undefined : `Did you mean ${meant}?`
}

const LIKE_FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ...['STARTSWITH', 'PREFIX', 'HASPREFIX'].map((name) => [name, "Write x LIKE '...%'."] as const),
  ...['ENDSWITH', 'SUFFIX', 'HASSUFFIX'].map((name) => [name, "Write x LIKE '%...'."] as const),
  ...['CONTAINS', 'INSTR', 'INCLUDES'].map((name) => [name, "Write x LIKE '%...%'."] as const),
  ['CAST', 'Write INT(x), BOOL(x) or STRING(x).'],
  ['COALESCE', 'Write (EXISTS x AND ...) OR ....'],
])

function argumentsOf({ parameters, rest }: CesqlFunction): string {
  const count = parameters.length
  return `${rest === undefined ? '' : 'at least '}${count} ${count === 1 ? 'argument' : 'arguments'}`
}

function signatureOf({ name, parameters, rest }: CesqlFunction): string {
  return `${name}(${[...parameters, ...(rest === undefined ? [] : ['...'])].join(', ')})`
}

/** What in an expression is probably not meant. Missing functions are not among it. */
export function warningsOf(expression: Expression): CesqlFinding[] {
  const findings: CesqlFinding[] = []
  if (expression.kind === 'attribute') findings.push(noBoolean(expression.name, expression))
  look(expression)
  return findings

  function look(node: Expression): void {
    const finding = findingOf(node)
    if (finding !== undefined) findings.push(finding)
    // A part of what is told already would be told twice.
    if (finding?.kind !== 'constant' && finding?.kind !== 'alwaysFails') partsOf(node).forEach(look)
  }
}

function findingOf(node: Expression): CesqlFinding | undefined {
  switch (node.kind) {
    case 'literal':
    case 'exists':
      return undefined
    case 'attribute':
      return node.name === 'data' ? dataIsNone(node) : undefined
    case 'logic':
      return mixed(node) ?? uncastable(node, node.of, 'Boolean')
    case 'not':
      return uncastable(node, [node.of], 'Boolean')
    case 'negate':
      return uncastable(node, [node.of], 'Integer')
    case 'arithmetic':
      return loose(node, node.left) ?? uncastable(node, [node.left, node.right], 'Integer') ?? constant(node)
    case 'comparison':
      return (
        loose(node, node.left) ??
        (node.operator === '=' || node.operator === '!='
          ? undefined
          : uncastable(node, [node.left, node.right], 'Integer')) ??
        constant(node)
      )
    case 'like':
    case 'in':
      return loose(node, node.of) ?? constant(node)
    case 'call':
      return constant(node)
  }
}

/** CE-72: the prose of the specification reads from left to right, its grammar and the other engines from the right. */
function mixed(node: LogicNode): CesqlFinding | undefined {
  const [first] = node.of
  if (first?.kind !== 'logic' || first.start !== node.start || first.operator === node.operator) return undefined
  const message = `${first.operator} and ${node.operator} bind alike: this reads ${shown(node)}, and Knative reads ${shown(fromTheRight(node))}`
  return {
    kind: 'mixedOperators',
    start: node.start,
    end: node.end,
    message,
    hint: 'Write the parentheses that you mean.',
  }
}

/** The same operands and operators, with the parentheses from the right. */
function fromTheRight(node: LogicNode): Expression {
  const operands: Expression[] = []
  const operators: LogicNode['operator'][] = []
  flatten(node)
  let right = operands.pop()!
  while (operands.length > 0) {
    const operator = operators.pop()!
    const left = operands.pop()!
    const others = right.kind === 'logic' && right.operator === operator && right.end === 0 ? right.of : [right]
    right = { kind: 'logic', operator, of: [left, ...others], start: 0, end: 0 }
  }
  return right

  function flatten(part: LogicNode): void {
    for (const [i, each] of part.of.entries()) {
      if (i > 0) operators.push(part.operator)
      if (i === 0 && each.kind === 'logic' && each.start === part.start) flatten(each)
      else operands.push(each)
    }
  }
}

/** CE-71: `NOT a = b` is `(NOT a) = b`. */
function loose(node: Infix, left: Expression): CesqlFinding | undefined {
  if (left.kind !== 'not' || left.start !== node.start) return undefined
  const { start, end } = node
  const meant = shown({ kind: 'not', of: withLeft(node, left.of), start, end })
  return {
    kind: 'looseNot',
    start,
    end,
    message: `NOT binds tighter than what follows: this reads ${shown(node)}`,
    hint: `Write ${meant}, if that is meant.`,
  }
}

function withLeft(node: Infix, left: Expression): Expression {
  return node.kind === 'comparison' || node.kind === 'arithmetic' ? { ...node, left } : { ...node, of: left }
}

/** What has an operand on its left. */
type Infix = ComparisonNode | ArithmeticNode | LikeNode | InNode

/** An operand that for no event has a cast to what the operator needs: a literal, or the attribute time. */
function uncastable(node: Expression, operands: readonly Expression[], type: CesqlType): CesqlFinding | undefined {
  for (const each of operands) {
    const isTime = each.kind === 'attribute' && each.name === 'time'
    if (!isTime && (each.kind !== 'literal' || castTo(type, each.value) !== undefined)) continue
    const isOrder = node.kind === 'comparison'
    const operand = each.kind === 'literal' ? quote(String(each.value)) : 'time'
    return {
      kind: 'alwaysFails',
      start: each.start,
      end: each.end,
      message: `${operand} is no ${type}: this fails for every event`,
      hint: isOrder
        ? 'Only Integers have an order; texts and times have none in CESQL.'
        : type === 'Integer'
          ? 'Only Integers can be calculated with.'
          : `Compare it with something, such as x = ${format(each)}.`,
    }
  }
  return undefined
}

/** A part without an attribute in it: somebody took a text for one. */
function constant(node: Expression): CesqlFinding | undefined {
  if (partsOf(node).length === 0 || !partsOf(node).every(({ kind }) => kind === 'literal')) return undefined
  const { start, end } = node
  const { value, errors } = evaluate(node, { attribute: () => undefined })
  const [error] = errors
  if (error?.kind === 'missingFunction') return undefined
  if (error !== undefined) {
    const message = `${error.message}: this fails for every event`
    return { kind: 'alwaysFails', start, end, message, hint: 'Remove it.' }
  }
  if (node.kind === 'call' || node.kind === 'arithmetic') return undefined
  const [left] = partsOf(node) as [Expression]
  const name = left.kind === 'literal' && typeof left.value === 'string' ? left.value : ''
  const isName = /^[A-Za-z0-9]+$/.test(name)
  return {
    kind: 'constant',
    start,
    end,
    message: `this is ${String(value).toUpperCase()} for every event`,
    hint: isName ? `${quote(name)} in quotes is a text; the attribute is ${name.toLowerCase()} without.` : 'Remove it.',
  }
}

function noBoolean(name: string, { start, end }: Span): CesqlFinding {
  return {
    kind: 'noBoolean',
    start,
    end,
    message: `${name} alone is TRUE only where it is a Boolean, and what comes in a header is a String`,
    hint: `Write ${name} = TRUE.`,
  }
}

function dataIsNone({ start, end }: Span): CesqlFinding {
  return {
    kind: 'alwaysFails',
    start,
    end,
    message: 'data is no attribute: this fails for every event',
    hint: 'CESQL reads attributes alone; for data there is the dialect data, such as data: {/action: opened}.',
  }
}

function shown(expression: Expression): string {
  const text = format(expression)
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text
}

const SHOWN_MAX = 200
