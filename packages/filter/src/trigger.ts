// From what a Trigger's spec says to a compiled filter. Called when it is applied; never for an event.
// From: the controller (and the resource package, to check). Next: the broker's channel, which puts it into its index.

import { compile } from './compile.ts'
import { readAttributes } from './conditions.ts'
import { readFilters } from './dialects.ts'
import { quote, refuseProblems, type FilterPath, type FilterProblem } from './errors.ts'
import type { Filter, FilterEvent, FilterNode } from './filter.ts'
import { DEFAULT_FILTER_LIMITS, type FilterLimits } from './limits.ts'
import { isRecord, kindOf, report, startReading, type Reading } from './reading.ts'
import { usesIn, type AttributeUse } from './uses.ts'
import { warningsOf } from './warnings.ts'

/** What a Trigger's spec says about filtering, as it was written. */
export interface TriggerFilters {
  /** The older form: `{ attributes }`, for {@link compileAttributes}. */
  readonly filter?: unknown
  /** For {@link compileFilters}; wins where it is not empty. */
  readonly filters?: unknown
}

/** How a filter is compiled. */
export interface CompileOptions {
  /** Bounds, for each of a Trigger's two fields. Default: {@link DEFAULT_FILTER_LIMITS}. */
  readonly limits?: FilterLimits
  /** Becomes {@link Filter.onError}. Called in the middle of matching: it is quick, does not throw, and changes no index. */
  readonly onError?: (event: FilterEvent) => void
}

/**
 * Compiles both forms of a Trigger's filter: `filters` where that is not empty, else `filter.attributes` (KNATIVE.md
 * 1.1). Both are checked. Throws a {@link FilterError} whose paths begin with `filters` or `filter`.
 */
export function compileTrigger(filters: TriggerFilters, options: CompileOptions = {}): Filter {
  const { winner, problems } = readTrigger(filters, options)
  refuseProblems(problems)
  return compile(winner, options.onError)
}

/** What is wrong with a Trigger's filter, and what is probably not meant with it. */
export interface TriggerCheck {
  /** Each keeps it from being compiled. Paths begin with `filters` or `filter`. */
  readonly problems: readonly FilterProblem[]
  /** Each is only worth knowing; told where there are no problems. */
  readonly warnings: readonly FilterProblem[]
}

/** Checks both forms of a Trigger's filter, and compiles neither. Never throws. */
export function checkTrigger(filters: TriggerFilters, limits: FilterLimits = DEFAULT_FILTER_LIMITS): TriggerCheck {
  const { winner, reading, problems } = readTrigger(filters, { limits })
  return { problems, warnings: problems.length > 0 ? [] : warningsOf(winner, reading) }
}

/** Every attribute that a Trigger's filter asks for, where it is written; none where the filter is wrong. Never throws. */
export function attributeUses(filters: TriggerFilters): AttributeUse[] {
  const { reading, problems } = readTrigger(filters, {})
  return problems.length > 0 ? [] : usesIn(reading)
}

function readTrigger(
  { filter, filters }: TriggerFilters,
  { limits = DEFAULT_FILTER_LIMITS }: CompileOptions,
): { winner: FilterNode; reading: Reading; problems: FilterProblem[] } {
  const older = startReading(limits)
  const newer = startReading(limits)
  const byAttributes = readOlder(filter, ['filter'], older)
  const byList = readFilters(filters, ['filters'], newer)
  const problems = [...older.problems, ...newer.problems]
  const isList = Array.isArray(filters) && filters.length > 0
  return isList ? { winner: byList, reading: newer, problems } : { winner: byAttributes, reading: older, problems }
}

/**
 * Compiles a list of filters in the dialects of the Subscriptions API (CE-60 to CE-65) and our own `data`: `exact`,
 * `prefix`, `suffix`, `all`, `any`, `not`, `cesql` or `sql`. All of the list have to match; an empty or absent list is
 * every event. Throws a {@link FilterError} with all that is wrong; its paths begin with the index in the list.
 */
export function compileFilters(filters: unknown, options: CompileOptions = {}): Filter {
  const reading = startReading(options.limits ?? DEFAULT_FILTER_LIMITS)
  const ast = readFilters(filters, [], reading)
  refuseProblems(reading.problems)
  return compile(ast, options.onError)
}

/**
 * Compiles a Trigger's `filter.attributes` (spec 94 to 98): every attribute has exactly its value, or, where that is
 * "", has any value at all. An empty or absent map is every event. Every name is that of an attribute as the event
 * carries it: `schemaurl` isn't `dataschema`. Throws a {@link FilterError}; its paths begin with the name.
 */
export function compileAttributes(attributes: unknown, { limits }: CompileOptions = {}): Filter {
  const reading = startReading(limits ?? DEFAULT_FILTER_LIMITS)
  const ast = readAttributes(attributes, [], reading)
  refuseProblems(reading.problems)
  return compile(ast)
}

function readOlder(filter: unknown, path: FilterPath, reading: Reading): FilterNode {
  if (filter === undefined || filter === null) return { kind: 'all', of: [] }
  if (!isRecord(filter)) {
    const message = `expected an object with attributes, got ${kindOf(filter)}`
    report(reading, path, 'SLUICE_FILTER_INVALID', message, {
      hint: Array.isArray(filter) ? 'A list of filters is called filters.' : 'Such as {attributes: {type: ...}}.',
    })
    return { kind: 'all', of: [] }
  }
  const unknown = Object.keys(filter).find((key) => key !== 'attributes')
  if (unknown !== undefined) {
    report(reading, [...path, unknown], 'SLUICE_FILTER_INVALID', `unknown field ${quote(unknown)}`, {
      at: 'key',
      hint: 'filter holds attributes alone; dialects belong into the list called filters.',
    })
  }
  return readAttributes(filter['attributes'], [...path, 'attributes'], reading)
}
