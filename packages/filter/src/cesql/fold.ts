// What an expression says for every event alike is worked out once, before any. From: compile.ts and the filter index.

import { evaluate } from './interpret.ts'
import { partsOf, REQUIRED_ATTRIBUTES, typeOf, type Expression, type LogicNode } from './syntax.ts'
import { toBoolean, type CesqlEvent } from './values.ts'

/**
 * The expression with its constant parts replaced by their values; it gives the same value and the same error for every
 * event. A constant part that fails stays: it fails for each.
 */
export function fold(expression: Expression): Expression {
  const folded = withFoldedParts(expression)
  if (folded.kind === 'exists') return REQUIRED_ATTRIBUTES.has(folded.name) ? literal(true, folded) : folded
  if (folded.kind === 'literal' || folded.kind === 'attribute') return folded
  if (folded.kind === 'logic' && folded.operator !== 'XOR') return foldLogic(folded)
  return isConstant(folded) ? valueOf(folded) : folded
}

function isConstant(folded: Expression): boolean {
  return partsOf(folded).every(({ kind }) => kind === 'literal')
}

function valueOf(constant: Expression): Expression {
  const { value, errors } = evaluate(constant, NO_EVENT)
  return errors.length === 0 ? literal(value, constant) : constant
}

const NO_EVENT: CesqlEvent = { attribute: () => undefined }

function literal(value: string | number | boolean, { start, end }: Expression): Expression {
  return { kind: 'literal', value, start, end }
}

/** AND: what is TRUE is left out, and what follows a FALSE is never asked. OR: the other way round. */
function foldLogic(node: LogicNode): Expression {
  const decides = node.operator === 'OR'
  const of: Expression[] = []
  for (const each of node.of) {
    const value = each.kind === 'literal' ? toBoolean(each.value) : undefined
    if (value === !decides) continue
    of.push(each)
    if (value === decides) break
  }
  const [first] = of
  if (first === undefined) return literal(!decides, node)
  if (of.length === 1 && typeOf(first) === 'Boolean') return first
  const rest: Expression = of.length === node.of.length ? node : { ...node, of }
  return of.every(isLiteral) ? valueOf(rest) : rest
}

function isLiteral({ kind }: Expression): boolean {
  return kind === 'literal'
}

/** The same node where none of its parts becomes another. */
function withFoldedParts(node: Expression): Expression {
  switch (node.kind) {
    case 'literal':
    case 'attribute':
    case 'exists':
      return node
    case 'not':
    case 'negate':
    case 'like': {
      const of = fold(node.of)
      return of === node.of ? node : { ...node, of }
    }
    case 'comparison':
    case 'arithmetic': {
      const left = fold(node.left)
      const right = fold(node.right)
      return left === node.left && right === node.right ? node : { ...node, left, right }
    }
    case 'in': {
      const of = fold(node.of)
      const among = foldAll(node.among)
      return of === node.of && among === node.among ? node : { ...node, of, among }
    }
    case 'logic':
    case 'call': {
      const of = foldAll(node.of)
      return of === node.of ? node : { ...node, of }
    }
  }
}

function foldAll(nodes: readonly Expression[]): readonly Expression[] {
  const folded = nodes.map(fold)
  return folded.every((each, i) => each === nodes[i]) ? nodes : folded
}
