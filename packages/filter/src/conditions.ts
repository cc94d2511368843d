// Maps of attribute names to values: what `exact`, `prefix` and `suffix` hold, and the older `filter.attributes`.
// From: dialects.ts, trigger.ts. Next: compile.ts.

import { ATTRIBUTE_NAME_LENGTH_MAX } from '@sluice/event'
import { quote, type FilterPath } from './errors.ts'
import type { FilterNode } from './filter.ts'
import { count, isRecord, keep, kindOf, report, type Reading } from './reading.ts'

/** CloudEvents 1.0, "Naming Conventions" (CE-1). `data` is such a name, and no event has an attribute of it. */
const NAME = /^[a-z0-9]+$/
/** Knative's stricter rule for `filter.attributes` (KNATIVE.md 1.1). */
const NAME_IN_ATTRIBUTES = /^[a-z][a-z0-9]*$/

/**
 * Reads what `exact`, `prefix` or `suffix` hold: every entry has to hold; empty maps, names and values mean
 * nothing and are refused (CE-61).
 */
export function readConditions(
  kind: 'exact' | 'prefix' | 'suffix',
  conditions: unknown,
  path: FilterPath,
  reading: Reading,
): FilterNode | undefined {
  if (conditions !== null && conditions !== undefined && !isRecord(conditions)) {
    if (count(reading, path)) reportShape(conditions, path, reading)
    return undefined
  }
  const entries = Object.entries(conditions ?? {})
  if (entries.length === 0) {
    const hint = `Name an attribute and its value, such as {type: com.example.order}.`
    if (count(reading, path)) report(reading, path, 'SLUICE_FILTER_EMPTY', `${kind} names no attribute`, { hint })
    return undefined
  }
  const of: FilterNode[] = []
  for (const [attribute, written] of entries) {
    const place = [...path, attribute]
    if (!count(reading, place)) break
    checkName(attribute, NAME, place, reading)
    const value = readValue(written, attribute, place, reading)
    if (value === '') {
      report(reading, place, 'SLUICE_FILTER_EMPTY', `the value for ${quote(attribute)} is empty`, {
        hint: 'For "has any value", write filter: {attributes: {...: ""}} instead of filters.',
      })
    }
    if (value !== undefined) of.push(keep(reading, place, { kind, attribute, value }))
  }
  return of.length === 1 ? of[0] : keep(reading, path, { kind: 'all', of })
}

/**
 * Reads `filter.attributes`: exact values, where "" stands for any value (spec 94 to 98). An empty or absent map is
 * every event.
 */
export function readAttributes(attributes: unknown, path: FilterPath, reading: Reading): FilterNode {
  const of: FilterNode[] = []
  if (attributes !== undefined && attributes !== null && !isRecord(attributes)) {
    reportShape(attributes, path, reading)
    return { kind: 'all', of }
  }
  for (const [attribute, written] of Object.entries(attributes ?? {})) {
    const place = [...path, attribute]
    if (!count(reading, place)) break
    checkName(attribute, NAME_IN_ATTRIBUTES, place, reading)
    const value = readValue(written, attribute, place, reading)
    if (value === undefined) continue
    of.push(keep(reading, place, value === '' ? { kind: 'exists', attribute } : { kind: 'exact', attribute, value }))
  }
  return of.length === 1 ? of[0]! : keep(reading, path, { kind: 'all', of })
}

function reportShape(written: unknown, path: FilterPath, reading: Reading): void {
  const message = `expected attribute names and values, got ${kindOf(written)}`
  report(reading, path, 'SLUICE_FILTER_INVALID', message, { hint: 'Such as {type: com.example.order}.' })
}

function checkName(name: string, rule: RegExp, path: FilterPath, reading: Reading): void {
  if (name === '') {
    report(reading, path, 'SLUICE_FILTER_EMPTY', 'an attribute name is empty', {
      at: 'key',
      hint: 'Name one, such as type.',
    })
    return
  }
  if (rule.test(name) && name.length <= ATTRIBUTE_NAME_LENGTH_MAX) return
  const lower = name.toLowerCase()
  report(reading, path, 'SLUICE_FILTER_INVALID_NAME', `invalid key name ${quote(name)}`, {
    at: 'key',
    hint: rule.test(lower)
      ? `Attribute names are lower case: ${lower.slice(0, ATTRIBUTE_NAME_LENGTH_MAX)}.`
      : rule === NAME
        ? `Attribute names are lower-case letters and digits, at most ${ATTRIBUTE_NAME_LENGTH_MAX}.`
        : 'Attribute name must start with a letter and can only contain lowercase alphanumeric.',
  })
}

/** The value as text: numbers and booleans become what their canonical text is, as in Knative (KNATIVE.md 1.1). */
function readValue(written: unknown, attribute: string, path: FilterPath, reading: Reading): string | undefined {
  const isText = typeof written === 'string' || typeof written === 'boolean' || typeof written === 'bigint'
  if (!isText && !(typeof written === 'number' && Number.isFinite(written))) {
    const message = `the value for ${quote(attribute)} has to be text, got ${kindOf(written)}`
    report(reading, path, 'SLUICE_FILTER_INVALID_VALUE', message, { hint: 'Put it in quotes.' })
    return undefined
  }
  const value = String(written)
  const bytes = Buffer.byteLength(value)
  if (bytes > reading.limits.maxValueBytes) {
    const message = `the value for ${quote(attribute)} has ${bytes} bytes; it may have ${reading.limits.maxValueBytes}`
    report(reading, path, 'SLUICE_FILTER_TOO_LARGE', message, { hint: 'Match by prefix or suffix.' })
    return undefined
  }
  return value
}
