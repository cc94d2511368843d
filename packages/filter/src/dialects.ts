// The filter dialects: from what somebody wrote to a tree, or to all that is wrong with it. From: trigger.ts, when a
// Trigger is applied. Next: compile.ts. CloudEvents Subscriptions API 3.2.4 (CE-60..64).

import { readConditions } from './conditions.ts'
import { readData } from './data.ts'
import { quote, type FilterPath } from './errors.ts'
import type { FilterNode } from './filter.ts'
import { readExpression } from './expression.ts'
import { nearest } from './nearest.ts'
import { count, isRecord, keep, kindOf, mayNest, report, type Reading } from './reading.ts'

/**
 * What an element of `filters` may be called, in the order in which messages list them. `cesql` and `sql` are one by the
 * names of Knative and of the Subscriptions API; `data` is our own.
 */
const DIALECTS: ReadonlySet<string> = new Set([
  'exact',
  'prefix',
  'suffix',
  'all',
  'any',
  'not',
  'cesql',
  'sql',
  'data',
])

/** Reads a list that has to hold all together: `filters` itself, where empty and absent mean every event (CE-60). */
export function readFilters(filters: unknown, path: FilterPath, reading: Reading): FilterNode {
  if (filters === undefined || filters === null) return { kind: 'all', of: [] }
  if (!Array.isArray(filters)) {
    reportNoList(filters, path, reading)
    return { kind: 'all', of: [] }
  }
  const of = readList(filters, path, 1, reading)
  return of.length === 1 ? of[0]! : keep(reading, path, { kind: 'all', of })
}

function reportNoList(written: unknown, path: FilterPath, reading: Reading): void {
  report(reading, path, 'SLUICE_FILTER_INVALID', `expected a list of filters, got ${kindOf(written)}`, {
    hint: 'Write each filter as an element of its own: "- exact: {type: ...}".',
  })
}

function readList(filters: readonly unknown[], path: FilterPath, depth: number, reading: Reading): FilterNode[] {
  const nodes: FilterNode[] = []
  for (let i = 0; i < filters.length && !reading.stopped; i++) {
    const node = readFilter(filters[i], [...path, i], depth, reading)
    if (node !== undefined) nodes.push(node)
  }
  return nodes
}

/** Reads an object with exactly one key, the dialect; `undefined` where that is not what it is. */
function readFilter(filter: unknown, path: FilterPath, depth: number, reading: Reading): FilterNode | undefined {
  if (!mayNest(reading, path, depth)) return undefined
  if (!isRecord(filter)) {
    const message = `expected a filter, an object with one dialect, got ${kindOf(filter)}`
    const hint = 'Such as {exact: {type: com.example.order}}.'
    if (count(reading, path)) report(reading, path, 'SLUICE_FILTER_INVALID', message, { hint })
    return undefined
  }
  const keys = Object.keys(filter)
  if (keys.length === 0) {
    const message = `expected exactly one dialect, got none: ${[...DIALECTS].join(', ')}`
    const hint = 'Remove it to have every event.'
    if (count(reading, path)) report(reading, path, 'SLUICE_FILTER_INVALID', message, { hint })
  }
  if (keys.filter((key) => DIALECTS.has(key)).length > 1) {
    const message = 'multiple dialects found, filters can have only one dialect set'
    report(reading, path, 'SLUICE_FILTER_MULTIPLE_DIALECTS', message, {
      hint: 'Make each an element of its own: all of a list have to match.',
    })
  }
  let node: FilterNode | undefined
  for (const key of keys) {
    if (reading.stopped) break
    node = readDialect(key, filter[key], [...path, key], depth, reading)
  }
  return node
}

function readDialect(
  dialect: string,
  content: unknown,
  path: FilterPath,
  depth: number,
  reading: Reading,
): FilterNode | undefined {
  switch (dialect) {
    case 'exact':
    case 'prefix':
    case 'suffix':
      return readConditions(dialect, content, path, reading)
    case 'all':
    case 'any':
      if (!count(reading, path) || !isFilledList(content, dialect, path, reading)) return undefined
      return keep(reading, path, { kind: dialect, of: readList(content, path, depth + 1, reading) })
    case 'not': {
      if (!count(reading, path)) return undefined
      const of = readFilter(content, path, depth + 1, reading)
      return of === undefined ? undefined : keep(reading, path, { kind: 'not', of })
    }
    case 'cesql':
    case 'sql':
      return readExpression(content, path, reading)
    case 'data':
      return readData(content, path, depth, reading)
    default:
      if (count(reading, path)) reportDialect(dialect, path, reading)
      return undefined
  }
}

/** CE-63: `all` and `any` hold at least one filter. Knative takes an empty one, and skips it where events come. */
function isFilledList(
  content: unknown,
  dialect: 'all' | 'any',
  path: FilterPath,
  reading: Reading,
): content is readonly unknown[] {
  if (!Array.isArray(content)) {
    reportNoList(content, path, reading)
    return false
  }
  if (content.length > 0) return true
  report(reading, path, 'SLUICE_FILTER_EMPTY', `${dialect} must contain at least one nested filter`, {
    hint: `Write them as ${dialect}: [{exact: {type: ...}}, {prefix: {source: ...}}], or remove it: Knative skips an empty one.`,
  })
  return false
}

function reportDialect(dialect: string, path: FilterPath, reading: Reading): void {
  report(reading, path, 'SLUICE_FILTER_UNKNOWN_DIALECT', `unknown dialect ${quote(dialect)}`, {
    at: 'key',
    hint: hintFor(dialect),
  })
}

function hintFor(dialect: string): string {
  if (dialect === 'attributes') return 'attributes belongs to spec.filter; in a list of filters it is called exact.'
  const near = nearest(dialect.toLowerCase(), [...DIALECTS])
  if (near !== undefined) return `Did you mean ${quote(near)}?`
  return `The dialects are ${[...DIALECTS].join(', ')}.`
}
