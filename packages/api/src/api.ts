// The Kubernetes API: a request is read, its path says what it is about, and its verb what is done with that.
//
// From: server/src/server.ts. Next: discovery.ts, openapi.ts, read.ts, watch.ts or write.ts.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '@sluice/clock'
import { catalogOf, type Catalog, type Target } from './catalog.ts'
import { aggregated, coreVersions, groupList, groupNamed, resourceList } from './discovery.ts'
import { methodNotAllowed, nothingThere, Refusal } from './errors.ts'
import {
  API_LIMITS,
  JSON_ANSWER,
  send,
  sendRefusal,
  wantedOf,
  type ApiLimits,
  type Reading,
  type Wanted,
} from './http.ts'
import { openapiIndex, openapiOf, PROTOBUF_ANSWERED, PROTOBUF_ASKED, PROTOBUF_SWAGGER, swagger } from './openapi.ts'
import { get, list } from './read.ts'
import type { Resources } from './resources.ts'
import { sortedLists } from './sorted.ts'
import { Watches } from './watch.ts'
import { create, patch, remove, removeAll, update } from './write.ts'

/** What the API serves. */
export interface ApiOptions {
  /** A controller is one. */
  readonly resources: Pick<Resources, 'store' | 'writer' | 'get' | 'refresh' | 'shown'>
  readonly clock: Clock
  /** Of Sluice. */
  readonly version: string
  readonly limits?: Partial<ApiLimits>
}

/** The API over one store. */
export interface Api {
  /** Answers a request to one of {@link API_PATHS}; never throws, never rejects. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>
  /** Ends all watches. Whoever listens does so before closing, for they last. */
  readonly close: () => void
}

/** What {@link Api.handle} answers, and all that is below `/api/`, `/apis/` and `/openapi/`. */
export const API_PATHS: readonly string[] = ['/api', '/api/*', '/apis', '/apis/*', '/openapi/*', '/version']

/** Makes the API of these resources. */
export function resourceApi({ resources, clock, version, limits: given }: ApiOptions): Api {
  const limits = { ...API_LIMITS, ...given }
  const reading: Reading = { bytes: 0 }
  const served: Resources = {
    store: resources.store,
    writer: resources.writer,
    get: (identity) => resources.get(identity),
    refresh: () => resources.refresh(),
    shown: (resource) => resources.shown(resource),
    sorted: sortedLists(resources.store),
    now: () => clock.now(),
    catalog: catalogOf(resources.store),
  }
  const watches = new Watches(served, clock, limits)

  return { handle, close: () => watches.close() }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await answer(request, response)
    } catch (error) {
      if (response.headersSent) response.destroy(error as Error)
      else sendRefusal(request, response, error)
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [pathname, query] = split(request.url ?? '/')
    const steps = pathname.split('/').filter((step) => step !== '')
    const wanted = pathname === '/openapi/v2' ? JSON_WANTED : wantedOf(request.headers.accept)
    if (pathname === '/openapi/v2' && request.headers.accept?.startsWith(PROTOBUF_ASKED) === true) {
      return void response.writeHead(200, { 'content-type': PROTOBUF_ANSWERED }).end(PROTOBUF_SWAGGER)
    }
    const document = documentAt(steps, wanted)
    if (document !== undefined) {
      if (request.method !== 'GET') throw methodNotAllowed(request.method ?? '', pathname)
      return send(response, 200, document, steps[0] === 'openapi' ? JSON_ANSWER : wanted)
    }
    const target = targetAt(served.catalog(), steps, pathname)
    await act({ target, query, wanted, request, response })
  }

  /** What is the same for everybody; `undefined` where the path is one of resources. */
  function documentAt(steps: readonly string[], { as }: Wanted): object | undefined {
    const [first, ...rest] = steps
    const catalog = served.catalog()
    switch (first) {
      case 'version':
        return versionInfo(version)
      case 'api':
        if (rest.length === 0) return as === 'APIGroupDiscoveryList' ? aggregated(catalog, true) : coreVersions()
        return rest.length === 1 ? found(resourceList(catalog, '', rest[0]!), steps) : undefined
      case 'apis':
        if (rest.length === 0) return as === 'APIGroupDiscoveryList' ? aggregated(catalog, false) : groupList(catalog)
        if (rest.length === 1) return found(groupNamed(catalog, rest[0]!), steps)
        return rest.length === 2 ? found(resourceList(catalog, rest[0]!, rest[1]!), steps) : undefined
      case 'openapi':
        return found(openapiAt(catalog, rest), steps)
      default:
        throw nothingThere(`/${steps.join('/')}`)
    }
  }

  async function act({ target, query, wanted, request, response }: Asked): Promise<void> {
    const { method = 'GET' } = request
    const { kind, name, subresource } = target
    if (subresource !== undefined) checkSubresource(target, method)
    const call = { resources: served, target, query, wanted, request, response, reading, limits }
    const isWatch = query.get('watch') === 'true' || query.get('watch') === '1'
    switch (method) {
      case 'GET':
        if (isWatch) return watches.watch(named(target, query), query, wanted, response)
        return name === undefined
          ? list(served, target, query, wanted, response)
          : get(served, target, query, wanted, response)
      case 'POST':
        if (target.namespace === undefined) throw methodNotAllowed(method, `all namespaces: name one in the path`)
        return create(call)
      case 'PUT':
        return name === undefined ? refuse() : update(call)
      case 'PATCH':
        return name === undefined ? refuse() : patch(call)
      case 'DELETE':
        return name === undefined ? removeAll(call) : remove(call)
      default:
        return refuse()
    }
    function refuse(): never {
      throw methodNotAllowed(method, name === undefined ? `a list of ${kind.plural}` : kind.plural)
    }
  }
}

/** By hand: there are paths that are no URL's, such as `//%00`, and they are just nobody's. */
function split(url: string): [path: string, query: URLSearchParams] {
  const end = url.indexOf('?')
  return end === -1 ? [url, new URLSearchParams()] : [url.slice(0, end), new URLSearchParams(url.slice(end + 1))]
}

interface Asked {
  readonly target: Target
  readonly query: URLSearchParams
  readonly wanted: Wanted
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** A watch of one resource is one of its kind that selects its name. */
function named(target: Target, query: URLSearchParams): Target {
  if (target.name !== undefined) query.append('fieldSelector', `metadata.name=${target.name}`)
  return { ...target, name: undefined }
}

/** Sluice writes statuses, and nobody else. */
function checkSubresource({ kind, name, subresource }: Target, method: string): void {
  if (subresource !== 'status') throw nothingThere(`${kind.plural}/${name}/${subresource}`)
  if (method !== 'GET') {
    throw new Refusal(405, 'MethodNotAllowed', `the status of ${kind.plural} is written by Sluice: it can only be read`)
  }
}

function targetAt(catalog: Catalog, [root, ...steps]: readonly string[], path: string): Target {
  if (root === 'api') return catalog.targetOf('', steps[0]!, steps.slice(1), path)
  return catalog.targetOf(steps[0]!, steps[1]!, steps.slice(2), path)
}

function found<T>(document: T | undefined, steps: readonly string[]): T {
  if (document === undefined) throw nothingThere(`/${steps.join('/')}`)
  return document
}

function openapiAt(catalog: Catalog, steps: readonly string[]): object | undefined {
  const [version, root, ...rest] = steps
  if (version === 'v2' && root === undefined) return swagger(catalog)
  if (version !== 'v3') return undefined
  if (root === undefined) return openapiIndex(catalog)
  if (root === 'api' && rest.length === 1) return openapiOf(catalog, '', rest[0]!)
  return root === 'apis' && rest.length === 2 ? openapiOf(catalog, rest[0]!, rest[1]!) : undefined
}

const JSON_WANTED: Wanted = { ...JSON_ANSWER, as: undefined }

/** Clients compare themselves with the Kubernetes whose API this is. */
function versionInfo(version: string): object {
  return {
    major: '1',
    minor: '32',
    gitVersion: `v1.32.0+sluice-${version}`,
    platform: `${process.platform}/${process.arch}`,
    sluice: version,
  }
}
