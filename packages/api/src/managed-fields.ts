// Who wrote which field: `metadata.managedFields`, which server-side apply decides by (apply.ts).

import type { IncomingMessage } from 'node:http'
import { isDeepStrictEqual } from 'node:util'
import { isRecord, type Resource } from '@sluice/resource'
import { badRequest } from './errors.ts'
import { difference, differing, fieldsIn, fieldsOf, NO_FIELDS, union, type Fields } from './fields.ts'

/** Who writes, and how. */
export interface Manager {
  readonly name: string
  readonly operation: 'Apply' | 'Update'
}

/** An entry of the list. */
export interface ManagedFields {
  readonly manager: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly time?: string
  readonly fieldsType: 'FieldsV1'
  readonly fieldsV1: Fields
}

const NAME_CHARACTERS_MAX = 128
/** Further ones are merged into the oldest: a client that calls itself otherwise each time can't fill it. */
const MANAGERS_MAX = 50

/** The one that a request names, or its User-Agent up to the slash. */
export function managerOf(query: URLSearchParams, { headers }: IncomingMessage): { name: string } {
  const given = query.get('fieldManager') ?? ''
  if (given.length > NAME_CHARACTERS_MAX)
    throw badRequest(`fieldManager: Too long: may not be more than ${NAME_CHARACTERS_MAX} bytes`)
  const agent = (headers['user-agent'] ?? 'unknown').split('/')[0]!.slice(0, NAME_CHARACTERS_MAX)
  return { name: given === '' ? agent : given }
}

/** The entries of a resource; what is none is left out. */
export function managersOf(resource: { readonly metadata?: unknown } | undefined): ManagedFields[] {
  const metadata = isRecord(resource?.metadata) ? resource.metadata : {}
  const entries: unknown = metadata['managedFields']
  if (!Array.isArray(entries)) return []
  return entries.filter(isRecord).map((entry) => ({
    manager: textOf(entry['manager'], 'unknown'),
    operation: entry['operation'] === 'Apply' ? 'Apply' : 'Update',
    apiVersion: textOf(entry['apiVersion'], ''),
    ...(typeof entry['time'] === 'string' && { time: entry['time'] }),
    fieldsType: 'FieldsV1',
    fieldsV1: fieldsIn(entry['fieldsV1']),
  }))
}

/**
 * The resource with the entries that follow from this write. `current`: what stood there. `sent`: what the client sent or
 * its patch came to; where it changes the entries themselves, they are taken as they are there.
 */
export function managed(
  next: Resource,
  current: Resource | undefined,
  manager: Manager & { fields?: Fields },
  nowMs: number,
  sent?: Record<string, unknown>,
): Resource {
  const before = managersOf(current)
  const given = sent === undefined ? before : managersOf(sent)
  const isSet = isRecord(sent?.['metadata']) && Array.isArray(sent['metadata']['managedFields'])
  const entries =
    isSet && !isDeepStrictEqual(given, before) && manager.fields === undefined
      ? given
      : entriesOf(next, current, manager, before, nowMs)
  return { ...next, metadata: { ...next.metadata, ...(entries.length > 0 && { managedFields: entries }) } }
}

function entriesOf(
  next: Resource,
  current: Resource | undefined,
  manager: Manager & { fields?: Fields },
  before: ManagedFields[],
  nowMs: number,
): ManagedFields[] {
  const [is, was] = [contentOf(next), current === undefined ? {} : contentOf(current)]
  const gone = difference(fieldsOf(was), fieldsOf(is))
  const changed = differing(fieldsOf(is), is, was)
  const own = manager.fields ?? union(difference(ofManager(before, manager), gone), changed)
  const others = before.filter((entry) => !isBy(entry, manager)).map((entry) => lessened(entry, union(gone, changed)))
  const mine = before.find((entry) => isBy(entry, manager))
  const kept = others.filter(({ fieldsV1 }) => Object.keys(fieldsV1).length > 0)
  if (Object.keys(own).length === 0) return kept
  const entry: ManagedFields = {
    manager: manager.name,
    operation: manager.operation,
    apiVersion: next.apiVersion,
    time: timeOf(nowMs),
    fieldsType: 'FieldsV1',
    fieldsV1: own,
  }
  const same = mine !== undefined && isDeepStrictEqual(mine.fieldsV1, own)
  return bounded([...kept, same ? mine : entry])
}

/** What this write changed or removed is another's no more. */
function lessened(entry: ManagedFields, fields: Fields): ManagedFields {
  return { ...entry, fieldsV1: difference(entry.fieldsV1, fields) }
}

function bounded(entries: ManagedFields[]): ManagedFields[] {
  if (entries.length <= MANAGERS_MAX) return entries
  const [first, second, ...rest] = entries as [ManagedFields, ManagedFields, ...ManagedFields[]]
  return [
    { ...second, manager: 'ancient-changes', operation: 'Update', fieldsV1: union(first.fieldsV1, second.fieldsV1) },
    ...rest,
  ]
}

/** What one manager owns. */
export function ofManager(entries: readonly ManagedFields[], manager: Manager): Fields {
  return entries.find((entry) => isBy(entry, manager))?.fieldsV1 ?? NO_FIELDS
}

/** Whether an entry is that manager's. */
export function isBy(entry: ManagedFields, { name, operation }: Manager): boolean {
  return entry.manager === name && entry.operation === operation
}

/** What can be owned: all that a client writes. */
export function contentOf(object: object): Record<string, unknown> {
  const { apiVersion: _version, kind: _kind, status: _status, metadata, ...content } = object as Record<string, unknown>
  const { labels, annotations } = isRecord(metadata) ? metadata : {}
  const written = { ...(isFull(labels) && { labels }), ...(isFull(annotations) && { annotations }) }
  return { ...(isFull(written) && { metadata: written }), ...content }
}

function isFull(value: unknown): boolean {
  return isRecord(value) && Object.keys(value).length > 0
}

function textOf(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise
}

function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
