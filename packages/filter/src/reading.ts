// What the readers of the dialects share while they go through one filter: its bounds, and what they found wrong.

import { quote, type FilterCode, type FilterPath, type FilterProblem } from './errors.ts'
import type { FilterNode } from './filter.ts'
import type { FilterLimits } from './limits.ts'

/** One filter being read. */
export interface Reading {
  readonly limits: FilterLimits
  readonly problems: FilterProblem[]
  /** Where each node was written, for what is found out about it later. */
  readonly places: Map<FilterNode, FilterPath>
  nodes: number
  /** There are more nodes than may be; this is told, and nothing more is read. */
  stopped: boolean
}

/** Begins to read a filter. */
export function startReading(limits: FilterLimits): Reading {
  return { limits, problems: [], places: new Map(), nodes: 0, stopped: false }
}

/**
 * Counts a node; false where it is one too many. Whatever is looked at is counted, wrong or right, so that this bounds
 * the work and the problems too: YAML's aliases make a few lines into a huge tree, or one without an end.
 */
export function count(reading: Reading, path: FilterPath): boolean {
  if (reading.stopped) return false
  if (++reading.nodes <= reading.limits.maxNodes) return true
  reading.stopped = true
  const message = `the filter has more than ${reading.limits.maxNodes} nodes`
  const hint = 'Split it into several Triggers, or match by prefix. What follows was not read.'
  report(reading, path, 'SLUICE_FILTER_TOO_LARGE', message, { hint })
  return false
}

/** Whether filters may nest so deep; where they may not, that is told. */
export function mayNest(reading: Reading, path: FilterPath, depth: number): boolean {
  const { maxDepth } = reading.limits
  if (depth <= maxDepth) return true
  const hint = 'Flatten it: all in all is one all.'
  if (count(reading, path))
    report(reading, path, 'SLUICE_FILTER_TOO_LARGE', `filters nest more than ${maxDepth} deep`, { hint })
  return false
}

/** Remembers where a node was written; gives it back. */
export function keep<Node extends FilterNode>(reading: Reading, path: FilterPath, node: Node): Node {
  reading.places.set(node, path)
  return node
}

/** Writes a problem down, at the value unless `at` says otherwise. */
export function report(
  reading: Reading,
  path: FilterPath,
  code: FilterCode,
  message: string,
  { at = 'value', ...more }: { at?: FilterProblem['at']; hint?: string; offset?: number } = {},
): void {
  reading.problems.push({ code, path, at, message, ...more })
}

/** Whether this is what a YAML map becomes. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What somebody wrote instead of what was expected. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'string') return `the text ${quote(value)}`
  if (typeof value === 'number' || typeof value === 'boolean') return `the ${typeof value} ${value}`
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
