// What a filter means, as plainly as it can be said: the reference that the compiler and the index are held to by
// property tests. Not on the path of an event.

import { evaluate as evaluateExpression } from './cesql/interpret.ts'
import type { DataFilterNode, FilterEvent, FilterNode } from './filter.ts'
import { valueAt } from './pointer.ts'

/** Whether the event passes the tree; the same as the compiled filter says, only slower. Never throws. */
export function evaluate(node: FilterNode, event: FilterEvent): boolean {
  const passes = (each: FilterNode): boolean => evaluate(each, event)
  switch (node.kind) {
    case 'not':
      return !passes(node.of)
    case 'all':
      return node.of.every(passes)
    case 'any':
      return node.of.some(passes)
    case 'cesql': {
      // CE-64: true, and no error.
      const { value, errors } = evaluateExpression(node.expression, event)
      return value === true && errors.length === 0
    }
    case 'data':
      return holds(node, valueAt(event.json(), node.steps))
    case 'exists':
      return textOf(node.attribute, event) !== undefined
    case 'exact':
      return textOf(node.attribute, event) === node.value
    case 'prefix':
      return textOf(node.attribute, event)?.startsWith(node.value) ?? false
    case 'suffix':
      return textOf(node.attribute, event)?.endsWith(node.value) ?? false
  }
}

/** The attribute's canonical text (CE-61); `data` is no attribute (CE-62). */
function textOf(name: string, event: FilterEvent): string | undefined {
  const value = name === 'data' ? undefined : event.attribute(name)
  return value === undefined ? undefined : String(value)
}

/** Texts and numbers are compared with their own kind only. */
function holds({ test }: DataFilterNode, found: unknown): boolean {
  if (found === undefined) return false
  switch (test.kind) {
    case 'exists':
      return true
    case 'exact':
      return found === test.value
    case 'in':
      return test.values.some((value) => found === value)
    case 'prefix':
      return typeof found === 'string' && found.startsWith(test.value)
    case 'suffix':
      return typeof found === 'string' && found.endsWith(test.value)
    default:
      return typeof found === typeof test.value && isOrdered(test.kind, found as string | number, test.value)
  }
}

function isOrdered(kind: 'gt' | 'gte' | 'lt' | 'lte', found: string | number, value: string | number): boolean {
  if (kind === 'gt') return found > value
  if (kind === 'gte') return found >= value
  return kind === 'lt' ? found < value : found <= value
}
