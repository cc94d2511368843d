// What a filter means, as plainly as it can be said: the reference that the compiler and the index are held to by
// property tests. Not on the path of an event.

import type { FilterEvent, FilterNode } from './filter.ts'

/** Whether the event passes the tree; the same as the compiled filter says, only slower. Never throws. */
export function evaluate(node: FilterNode, event: FilterEvent): boolean {
  if (node.kind === 'not') return !evaluate(node.of, event)
  if ('of' in node) {
    const passes = (each: FilterNode): boolean => evaluate(each, event)
    return node.kind === 'all' ? node.of.every(passes) : node.of.some(passes)
  }
  const value = valueOf(node.attribute, event)
  if (value === undefined) return false
  if (node.kind === 'exists') return true
  if (node.kind === 'exact') return value === node.value
  return node.kind === 'prefix' ? value.startsWith(node.value) : value.endsWith(node.value)
}

/** The attribute's canonical text (CE-61); `data` is no attribute (CE-62). */
function valueOf(name: string, event: FilterEvent): string | undefined {
  const value = name === 'data' ? undefined : event.attribute(name)
  return value === undefined ? undefined : String(value)
}
