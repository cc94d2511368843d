// One resource, or a list of them: whole, as a table, or their metadata alone; page by page where that is asked for.

import type { ServerResponse } from 'node:http'
import { setImmediate } from 'node:timers/promises'
import { apiVersionOf, type Resource } from '@sluice/resource'
import type { Target } from './catalog.ts'
import { badRequest, expired, notFound } from './errors.ts'
import { includedObject, send, type Wanted } from './http.ts'
import { implied, withImplied } from './implied.ts'
import type { Resources } from './resources.ts'
import { placeOf, sorted } from './sorted.ts'
import { present, presentPartial } from './present.ts'
import { selectorOf } from './selectors.ts'
import { columnDefinitions, rowOf, tableOf } from './table.ts'

/** Answers with one resource. */
export function get(
  resources: Resources,
  target: Target,
  query: URLSearchParams,
  wanted: Wanted,
  response: ServerResponse,
): void {
  const resource = find(resources, target)
  if (resource === undefined) throw notFound(target.kind, target.name!)
  send(response, 200, formOf(resource, target, query, wanted, resources.now()), wanted)
}

/** The one that a path names. */
export function find(resources: Resources, { kind, namespace = '', name = '' }: Target): Resource | undefined {
  const resource = resources.get({ group: kind.group, kind: kind.kind, namespace, name })
  return resource ?? implied(resources, kind, name)
}

/** A resource, in the form that an answer about one is wanted in. */
export function formOf(
  resource: Resource,
  { kind, version }: Target,
  query: URLSearchParams,
  { as }: Wanted,
  nowMs: number,
): object {
  if (as === 'Table') {
    const include = includedObject(query)
    const row = rowOf(resource, { kind, version, include, nowMs })
    return tableOf([row], { resourceVersion: resource.metadata.resourceVersion }, columnDefinitions(kind, version))
  }
  return as === 'PartialObjectMetadata' ? presentPartial(resource, kind) : present(resource, kind, version)
}

/** The resources that a list or a watch is about, sorted by namespace and name. */
export function select(resources: Resources, { kind, namespace }: Target, query: URLSearchParams): readonly Resource[] {
  const selector = selectorOf(kind, query.get('labelSelector'), query.get('fieldSelector'))
  resources.refresh()
  const others = withImplied(resources, kind)
  const all = others === undefined ? resources.sorted(kind) : sorted(others)
  if (namespace === undefined && selector === undefined) return all
  return all.filter(
    (resource) =>
      (namespace === undefined || resource.metadata.namespace === namespace) && (selector?.(resource) ?? true),
  )
}

/**
 * Answers with a list. It is written in slices, between which others have their turn: ten thousand resources are megabytes.
 * Later pages are of what is there by then; all of them have the resourceVersion of the first, from which a watch tells
 * everything that came between.
 */
export async function list(
  resources: Resources,
  target: Target,
  query: URLSearchParams,
  wanted: Wanted,
  response: ServerResponse,
): Promise<void> {
  const { kind, version } = target
  checkVersion(resources, query)
  const from = continueOf(resources, query)
  const limit = limitOf(query)
  const all = select(resources, target, query)
  const rest = from === undefined ? all : all.filter((resource) => placeOf(resource) > from.after)
  const page = limit === 0 ? rest : rest.slice(0, limit)
  const left = rest.length - page.length
  const resourceVersion = from?.version ?? resources.store.resourceVersion()
  const metadata = {
    resourceVersion,
    ...(left > 0 && { continue: tokenOf(resourceVersion, placeOf(page.at(-1)!)) }),
    ...(left > 0 && !query.has('labelSelector') && !query.has('fieldSelector') && { remainingItemCount: left }),
  }
  if (wanted.as === 'Table') {
    const options = { kind, version, include: includedObject(query), nowMs: resources.now() }
    const head = tableOf([], metadata, columnDefinitions(kind, version))
    return write(response, head, 'rows', page, (resource) => rowOf(resources.shown(resource), options), wanted)
  }
  const isPartial = wanted.as === 'PartialObjectMetadataList' || wanted.as === 'PartialObjectMetadata'
  const head = isPartial
    ? { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata, items: [] }
    : { kind: `${kind.kind}List`, apiVersion: apiVersionOf(kind.group, version), metadata, items: [] }
  const item = (resource: Resource): object =>
    isPartial ? presentPartial(resource, kind) : present(resources.shown(resource), kind, version)
  return write(response, head, 'items', page, item, wanted)
}

const AT_ONCE = 200

/** Writes `head`, whose last member `field` is an empty list, with these items in that list. */
async function write(
  response: ServerResponse,
  head: object,
  field: 'rows' | 'items',
  resources: readonly Resource[],
  item: (resource: Resource) => object,
  wanted: Wanted,
): Promise<void> {
  if (resources.length <= AT_ONCE || wanted.form === 'yaml') {
    return send(response, 200, { ...head, [field]: resources.map(item) }, wanted)
  }
  const text = JSON.stringify(head)
  response.writeHead(200, { 'content-type': wanted.contentType })
  response.write(text.slice(0, -']}'.length))
  for (let at = 0; at < resources.length && !response.destroyed; at += AT_ONCE) {
    const slice = resources.slice(at, at + AT_ONCE).map((resource) => JSON.stringify(item(resource)))
    const isRoom = response.write(`${at === 0 ? '' : ','}${slice.join(',')}`)
    await (isRoom ? setImmediate() : roomIn(response))
  }
  response.end(']}\n')
}

/** Resolves once it takes more, or nobody reads it any more. */
function roomIn(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}

/** A list is of now; one that has to be exactly of then can't be had. */
function checkVersion({ store }: Resources, query: URLSearchParams): void {
  const version = query.get('resourceVersion') ?? ''
  const match = query.get('resourceVersionMatch') ?? ''
  if (match !== '' && match !== 'Exact' && match !== 'NotOlderThan') {
    throw badRequest(`resourceVersionMatch has to be Exact or NotOlderThan, not ${JSON.stringify(match.slice(0, 40))}`)
  }
  if (version === '' || version === '0') return
  if (!/^\d{1,16}$/.test(version))
    throw badRequest(`resourceVersion: invalid value: ${JSON.stringify(version.slice(0, 40))}`)
  const current = store.resourceVersion()
  if (match === 'Exact' && version !== current)
    throw expired(`The provided resource version is not available: ${version}`)
  if (Number(version) > Number(current))
    throw expired(`resourceVersion ${version} is none of this server: it is at ${current}`)
}

function limitOf(query: URLSearchParams): number {
  const limit = query.get('limit') ?? '0'
  if (!/^\d{1,9}$/.test(limit))
    throw badRequest(`limit has to be a whole number, not ${JSON.stringify(limit.slice(0, 40))}`)
  return Number(limit)
}

// --- Pages ---

function tokenOf(version: string, after: string): string {
  return Buffer.from(JSON.stringify([version, after])).toString('base64url')
}

function continueOf({ store }: Resources, query: URLSearchParams): { version: string; after: string } | undefined {
  const token = query.get('continue') ?? ''
  if (token === '') return undefined
  const [version, after] = tokenIn(token)
  if (store.since(version) !== undefined) return { version, after }
  throw expired('The provided continue parameter is too old to display a consistent list result. List it anew.')
}

function tokenIn(token: string): [string, string] {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString())
    if (Array.isArray(value) && value.every((each) => typeof each === 'string') && value.length === 2) {
      return value as [string, string]
    }
  } catch {
    // what follows says so
  }
  throw badRequest('continue key is not valid: it has to be what the page before said')
}
