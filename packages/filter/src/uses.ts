// Which attributes a Trigger's filter asks for, and where each is written. Asked when a Trigger is applied, for who knows
// which attributes there are.

import { partsOf, type Expression } from './cesql/syntax.ts'
import type { FilterPath } from './errors.ts'
import type { FilterNode } from './filter.ts'
import type { Reading } from './reading.ts'

/** One place where a filter asks for an attribute. */
export interface AttributeUse {
  readonly name: string
  /** The value that it has to have there, where that is one. */
  readonly exact?: string
  /** Begins with `filters` or `filter`. */
  readonly path: FilterPath
  readonly at: 'key' | 'value'
  /** Of an expression: the character in it, in UTF-16 units. */
  readonly offset?: number
}

/** Of the nodes that were read, in the order of writing. */
export function usesIn({ places }: Reading): AttributeUse[] {
  const uses: AttributeUse[] = []
  for (const [node, path] of places) uses.push(...usesOf(node, path))
  return uses
}

function usesOf(node: FilterNode, path: FilterPath): AttributeUse[] {
  switch (node.kind) {
    case 'exact':
      return [{ name: node.attribute, exact: node.value, path, at: 'key' }]
    case 'prefix':
    case 'suffix':
    case 'exists':
      return [{ name: node.attribute, path, at: 'key' }]
    case 'cesql':
      return expressionUses(node.expression).map((use) => ({ ...use, path, at: 'value' }))
    default:
      return [] // its parts have places of their own
  }
}

function expressionUses(node: Expression): Pick<AttributeUse, 'name' | 'exact' | 'offset'>[] {
  if (node.kind === 'attribute' || node.kind === 'exists') return [{ name: node.name, offset: node.start }]
  if (
    node.kind === 'comparison' &&
    node.operator === '=' &&
    node.left.kind === 'attribute' &&
    node.right.kind === 'literal'
  ) {
    const { left, right } = node
    return [{ name: left.name, offset: left.start, ...(typeof right.value === 'string' && { exact: right.value }) }]
  }
  return partsOf(node).flatMap(expressionUses)
}
