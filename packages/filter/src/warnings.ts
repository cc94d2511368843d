// What is probably not meant with a filter that can be compiled, at the place where it was written.
// From: trigger.ts, when a Trigger is applied.

import { constantsOf, type ConstantPart } from './constant.ts'
import type { FilterProblem } from './errors.ts'
import { expressionWarnings } from './expression.ts'
import type { FilterNode } from './filter.ts'
import type { Reading } from './reading.ts'

/** Of expressions that are read otherwise than they look, and of filters that never match or always do. */
export function warningsOf(ast: FilterNode, { places }: Reading): FilterProblem[] {
  const warnings: FilterProblem[] = []
  const told = new Set<FilterNode>()
  for (const [node, path] of places) {
    if (node.kind !== 'cesql') continue
    const found = expressionWarnings(node, path)
    // That a part of it is constant says more than that the whole is.
    if (found.some(({ code }) => code === 'SLUICE_FILTER_CONSTANT')) told.add(node)
    warnings.push(...found)
  }
  const { parts, whole } = constantsOf(ast)
  for (const part of parts) {
    const path = places.get(part.node)
    if (path === undefined || told.has(part.node)) continue
    warnings.push({ ...warningOf(part, whole), path, at: 'value' })
  }
  return warnings
}

function warningOf({ verdict, reason }: ConstantPart, whole: boolean | undefined): Omit<FilterProblem, 'path' | 'at'> {
  const code = verdict ? 'SLUICE_FILTER_ALWAYS_MATCHES' : 'SLUICE_FILTER_NEVER_MATCHES'
  const events = whole === undefined ? '' : `, so that the Trigger gets ${whole ? 'every' : 'no'} event`
  const hint = verdict ? 'Remove it, if every event is meant.' : 'Change it, or remove it.'
  return { code, message: `this ${verdict ? 'always' : 'never'} matches${events}: ${reason}`, hint }
}
