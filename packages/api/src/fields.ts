// Sets of fields of an object, in Kubernetes' own form (FieldsV1): `{"f:spec":{"f:broker":{}}}`. Mappings are taken apart;
// a list is one field, as of every kind that says nothing else of its lists. Pure.

import { isDeepStrictEqual } from 'node:util'
import { isRecord } from '@sluice/resource'

/** A set: what is empty is a field, what is not holds the fields below. */
export interface Fields {
  readonly [field: `f:${string}`]: Fields
}

/** Nothing. */
export const NO_FIELDS: Fields = {}

/** What stands on the wire as a set; nothing where it is none. Elements of lists are beyond it: the list is the field. */
export function fieldsIn(value: unknown): Fields {
  if (!isRecord(value)) return NO_FIELDS
  return setOf(
    Object.entries(value)
      .filter(([key]) => key.startsWith('f:'))
      .map(([key, below]) => [key, fieldsIn(below)]),
  )
}

/** Every field that an object has. */
export function fieldsOf(object: unknown): Fields {
  if (!isRecord(object)) return NO_FIELDS
  return setOf(Object.entries(object).map(([key, value]) => [`f:${key}`, fieldsOf(value)]))
}

function setOf(entries: readonly (readonly [string, Fields])[]): Fields {
  return Object.fromEntries(entries)
}

function isField(fields: Fields): boolean {
  return Object.keys(fields).length === 0
}

/** What is in either. */
export function union(a: Fields, b: Fields): Fields {
  const both = new Map(Object.entries(a))
  for (const [key, below] of Object.entries(b)) both.set(key, union(both.get(key) ?? NO_FIELDS, below))
  return setOf([...both])
}

/** What is in `a` and not in `b`; of a field of `b`, nothing that is below it in `a` stays. */
export function difference(a: Fields, b: Fields): Fields {
  const left: [string, Fields][] = []
  for (const [key, below] of Object.entries(a)) {
    const other = at(b, key)
    if (other === undefined) left.push([key, below])
    else if (!isField(other) && !isField(below)) {
      const rest = difference(below, other)
      if (!isField(rest)) left.push([key, rest])
    } else if (isField(below) && !isField(other)) left.push([key, below])
  }
  return setOf(left)
}

/** What is a field of both. */
export function intersection(a: Fields, b: Fields): Fields {
  const both: [string, Fields][] = []
  for (const [key, below] of Object.entries(a)) {
    const other = at(b, key)
    if (other === undefined) continue
    if (isField(below) && isField(other)) both.push([key, NO_FIELDS])
    else if (!isField(below) && !isField(other)) {
      const shared = intersection(below, other)
      if (!isField(shared)) both.push([key, shared])
    }
  }
  return setOf(both)
}

function at(fields: Fields, key: string): Fields | undefined {
  return Object.hasOwn(fields, key) ? fields[key as `f:${string}`] : undefined
}

/** Those of `fields` whose values differ in the two objects. */
export function differing(fields: Fields, a: unknown, b: unknown): Fields {
  const found: [string, Fields][] = []
  for (const [key, below] of Object.entries(fields)) {
    const name = key.slice('f:'.length)
    const [x, y] = [member(a, name), member(b, name)]
    if (isField(below)) {
      if (!isDeepStrictEqual(x, y)) found.push([key, NO_FIELDS])
      continue
    }
    const deeper = differing(below, x, y)
    if (!isField(deeper)) found.push([key, deeper])
  }
  return setOf(found)
}

function member(value: unknown, name: string): unknown {
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

/** The object without these fields; a mapping that is emptied by that goes as well. */
export function withoutFields(object: unknown, fields: Fields): unknown {
  if (!isRecord(object)) return object
  const kept: [string, unknown][] = []
  for (const [name, value] of Object.entries(object)) {
    const below = at(fields, `f:${name}`)
    if (below === undefined) kept.push([name, value])
    else if (!isField(below)) {
      const rest = withoutFields(value, below)
      if (!isRecord(rest) || Object.keys(rest).length > 0 || isEmpty(value)) kept.push([name, rest])
    }
  }
  return Object.fromEntries(kept)
}

function isEmpty(value: unknown): boolean {
  return isRecord(value) && Object.keys(value).length === 0
}

/** Each field as Kubernetes writes it: `.spec.broker`, in their order. */
export function pathsOf(fields: Fields, before = ''): string[] {
  return Object.entries(fields).flatMap(([key, below]) => {
    const name = key.slice('f:'.length)
    const path = /^[\w-]+$/.test(name) ? `${before}.${name}` : `${before}[${JSON.stringify(name)}]`
    return isField(below) ? [path] : pathsOf(below, path)
  })
}
