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
  if (of.length > 1 || typeOf(first) !== 'Boolean')
    return of.every(isLiteral) ? valueOf({ ...node, of }) : { ...node, of }
  return first
}

function isLiteral({ kind }: Expression): boolean {
  return kind === 'literal'
}

function withFoldedParts(node: Expression): Expression {
  switch (node.kind) {
    case 'literal':
    case 'attribute':
    case 'exists':
      return node
    case 'not':
    case 'negate':
    case 'like':
      return { ...node, of: fold(node.of) }
    case 'comparison':
    case 'arithmetic':
      return { ...node, left: fold(node.left), right: fold(node.right) }
    case 'in':
      return { ...node, of: fold(node.of), among: node.among.map(fold) }
    case 'logic':
    case 'call':
      return { ...node, of: node.of.map(fold) }
  }
}
