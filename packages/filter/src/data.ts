// `data`, a dialect of ours beside the standard ones: JSON Pointers, each with a value or with tests that all have to
// hold. From: dialects.ts. Next: compile.ts.

import { quote, type FilterPath } from './errors.ts'
import type { DataTest, FilterNode, JsonScalar } from './filter.ts'
import { nearest } from './nearest.ts'
import { pointerSteps } from './pointer.ts'
import { count, mayNest, isRecord, keep, kindOf, report, type Reading } from './reading.ts'

/** A pointer, while its tests are read. */
interface Place {
  readonly pointer: string
  readonly steps: readonly string[]
}

/** Reads what `data` holds: every entry has to hold. */
export function readData(content: unknown, path: FilterPath, depth: number, reading: Reading): FilterNode | undefined {
  if (!isRecord(content) || Object.keys(content).length === 0) {
    if (!count(reading, path)) return undefined
    const isEmpty = content === null || content === undefined || isRecord(content)
    const message = isEmpty ? 'data names no pointer' : `expected JSON Pointers and values, got ${kindOf(content)}`
    const hint = 'Such as {/action: opened, /total: {gt: 100}}.'
    report(reading, path, isEmpty ? 'SLUICE_FILTER_EMPTY' : 'SLUICE_FILTER_INVALID', message, { hint })
    return undefined
  }
  const of: FilterNode[] = []
  for (const [pointer, written] of Object.entries(content)) {
    const place = [...path, pointer]
    if (!count(reading, place)) break
    const node = readPointer(pointer, written, place, depth, reading)
    if (node !== undefined) of.push(node)
  }
  return allOf(of, path, reading)
}

function readPointer(
  pointer: string,
  written: unknown,
  path: FilterPath,
  depth: number,
  reading: Reading,
): FilterNode | undefined {
  const steps = pointerSteps(pointer)
  if ('hint' in steps) {
    const message = `${quote(pointer)} is no JSON Pointer: ${steps.message}`
    report(reading, path, 'SLUICE_FILTER_INVALID_POINTER', message, { at: 'key', hint: steps.hint })
    return undefined
  }
  const bytes = Buffer.byteLength(pointer)
  if (bytes > reading.limits.maxValueBytes) {
    const message = `a JSON Pointer has ${bytes} bytes; it may have ${reading.limits.maxValueBytes}`
    report(reading, path, 'SLUICE_FILTER_TOO_LARGE', message, { at: 'key' })
    return undefined
  }
  return readTests({ pointer, steps }, written, path, depth, reading)
}

/** A value, or an object of tests that all have to hold. */
function readTests(
  place: Place,
  written: unknown,
  path: FilterPath,
  depth: number,
  reading: Reading,
): FilterNode | undefined {
  if (written === null || written === undefined) {
    report(reading, path, 'SLUICE_FILTER_EMPTY', `nothing is asked of ${quote(place.pointer)}`, {
      hint: 'Write a value, {exists: true} for any, or {exact: null} for JSON’s null.',
    })
    return undefined
  }
  if (Array.isArray(written)) {
    const message = `expected a value or tests, got a list`
    report(reading, path, 'SLUICE_FILTER_INVALID_VALUE', message, { hint: 'Write {in: [...]} for one of several.' })
    return undefined
  }
  if (!isRecord(written)) return readTest('exact', written, place, path, depth, reading)
  const tests = Object.entries(written)
  if (tests.length === 0) {
    const hint = `Such as {exists: true}. The tests are ${TESTS.join(', ')}.`
    report(reading, path, 'SLUICE_FILTER_EMPTY', `nothing is asked of ${quote(place.pointer)}`, { hint })
    return undefined
  }
  const of: FilterNode[] = []
  for (const [test, value] of tests) {
    const at = [...path, test]
    if (!count(reading, at)) break
    const node = readTest(test, value, place, at, depth, reading)
    if (node !== undefined) of.push(node)
  }
  return allOf(of, path, reading)
}

const TESTS: readonly string[] = ['exact', 'in', 'prefix', 'suffix', 'exists', 'gt', 'gte', 'lt', 'lte', 'not']

function readTest(
  test: string,
  value: unknown,
  place: Place,
  path: FilterPath,
  depth: number,
  reading: Reading,
): FilterNode | undefined {
  switch (test) {
    case 'exact': {
      const scalar = readScalar(value, path, reading)
      return scalar === undefined ? undefined : leaf(place, { kind: 'exact', value: scalar }, path, reading)
    }
    case 'in':
      return readIn(value, place, path, reading)
    case 'prefix':
    case 'suffix':
      return readEnd(test, value, place, path, reading)
    case 'exists':
      return readExists(value, place, path, reading)
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return readOrder(test, value, place, path, reading)
    case 'not':
      return readNot(value, place, path, depth, reading)
    default:
      reportTest(test, place, path, reading)
      return undefined
  }
}

function readIn(value: unknown, place: Place, path: FilterPath, reading: Reading): FilterNode | undefined {
  if (!Array.isArray(value) || value.length === 0) {
    const message = `in has to be a list of at least one value, got ${Array.isArray(value) ? 'none' : kindOf(value)}`
    report(reading, path, 'SLUICE_FILTER_INVALID_VALUE', message, { hint: 'Such as {in: [opened, reopened]}.' })
    return undefined
  }
  const values: JsonScalar[] = []
  for (const [i, each] of value.entries()) {
    if (!count(reading, [...path, i])) break
    const scalar = readScalar(each, [...path, i], reading)
    if (scalar !== undefined) values.push(scalar)
  }
  return leaf(place, { kind: 'in', values }, path, reading)
}

function readEnd(
  kind: 'prefix' | 'suffix',
  value: unknown,
  place: Place,
  path: FilterPath,
  reading: Reading,
): FilterNode | undefined {
  if (typeof value !== 'string') {
    const message = `${kind} has to be text, got ${kindOf(value)}`
    report(reading, path, 'SLUICE_FILTER_INVALID_VALUE', message, { hint: 'Put it in quotes.' })
    return undefined
  }
  if (value === '') {
    const hint = 'Every text has an empty one; write {exists: true} for any value.'
    report(reading, path, 'SLUICE_FILTER_EMPTY', `the ${kind} is empty`, { hint })
    return undefined
  }
  return isShort(value, path, reading) ? leaf(place, { kind, value }, path, reading) : undefined
}

function readExists(value: unknown, place: Place, path: FilterPath, reading: Reading): FilterNode | undefined {
  if (typeof value !== 'boolean') {
    const message = `exists has to be true or false, got ${kindOf(value)}`
    report(reading, path, 'SLUICE_FILTER_INVALID_VALUE', message)
    return undefined
  }
  const exists = leaf(place, { kind: 'exists' }, path, reading)
  return value ? exists : keep(reading, path, { kind: 'not', of: exists })
}

function readOrder(
  kind: 'gt' | 'gte' | 'lt' | 'lte',
  value: unknown,
  place: Place,
  path: FilterPath,
  reading: Reading,
): FilterNode | undefined {
  const scalar = readScalar(value, path, reading)
  if (scalar === undefined) return undefined
  if (typeof scalar === 'number' || typeof scalar === 'string')
    return leaf(place, { kind, value: scalar }, path, reading)
  const message = `${kind} has to be a number or a text, got ${kindOf(scalar)}`
  report(reading, path, 'SLUICE_FILTER_INVALID_VALUE', message)
  return undefined
}

/** A value or tests that must not all hold. */
function readNot(
  value: unknown,
  place: Place,
  path: FilterPath,
  depth: number,
  reading: Reading,
): FilterNode | undefined {
  if (!mayNest(reading, path, depth + 1)) return undefined
  const of = readTests(place, value, path, depth + 1, reading)
  return of === undefined ? undefined : keep(reading, path, { kind: 'not', of })
}

function reportTest(test: string, { pointer }: Place, path: FilterPath, reading: Reading): void {
  const meant = OTHER_NAMES.get(test.toLowerCase()) ?? nearest(test.toLowerCase(), TESTS)
  const member = `${pointer}/${test.replace(/^\//, '').replaceAll('~', '~0')}`
  const hint =
    meant === undefined
      ? `The tests are ${TESTS.join(', ')}; for a member of that name write ${quote(member)}.`
      : `Did you mean ${quote(meant)}?`
  const message = `unknown test ${quote(test)}`
  report(reading, path, 'SLUICE_FILTER_UNKNOWN_TEST', message, { at: 'key', hint })
}

const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ...['eq', 'equals', 'equal', '=', '==', 'is', 'const'].map((name) => [name, 'exact'] as const),
  ...['ne', 'neq', '!=', 'isnot', 'notequals'].map((name) => [name, 'not'] as const),
  ...['startswith', 'begins', 'beginswith'].map((name) => [name, 'prefix'] as const),
  ...['endswith', 'ends'].map((name) => [name, 'suffix'] as const),
  ...['enum', 'oneof', 'anyof', 'any', 'values'].map((name) => [name, 'in'] as const),
  ...['present', 'has'].map((name) => [name, 'exists'] as const),
  ['>', 'gt'],
  ['>=', 'gte'],
  ['min', 'gte'],
  ['minimum', 'gte'],
  ['<', 'lt'],
  ['<=', 'lte'],
  ['max', 'lte'],
  ['maximum', 'lte'],
])

/** A value of JSON that is no object and no array; `undefined` where it is none, and that is told. */
function readScalar(written: unknown, path: FilterPath, reading: Reading): JsonScalar | undefined {
  const value = typeof written === 'bigint' ? Number(written) : written
  if (
    typeof value === 'number' &&
    (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
  ) {
    const message = `${String(written)} is no number that can be compared exactly`
    report(reading, path, 'SLUICE_FILTER_INVALID_VALUE', message, { hint: 'Whole numbers go up to 9007199254740991.' })
    return undefined
  }
  if (typeof value === 'string') return isShort(value, path, reading) ? value : undefined
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value
  const message = `expected a text, a number, true, false or null, got ${kindOf(value)}`
  const hint = isRecord(value) ? 'For a member of an object write its JSON Pointer, such as /user/login.' : undefined
  report(reading, path, 'SLUICE_FILTER_INVALID_VALUE', message, hint === undefined ? {} : { hint })
  return undefined
}

function isShort(value: string, path: FilterPath, reading: Reading): boolean {
  const bytes = Buffer.byteLength(value)
  if (bytes <= reading.limits.maxValueBytes) return true
  const message = `the value has ${bytes} bytes; it may have ${reading.limits.maxValueBytes}`
  report(reading, path, 'SLUICE_FILTER_TOO_LARGE', message, { hint: 'Match by prefix or suffix.' })
  return false
}

function leaf({ pointer, steps }: Place, test: DataTest, path: FilterPath, reading: Reading): FilterNode {
  return keep(reading, path, { kind: 'data', pointer, steps, test })
}

function allOf(of: readonly FilterNode[], path: FilterPath, reading: Reading): FilterNode {
  return of.length === 1 ? of[0]! : keep(reading, path, { kind: 'all', of })
}
