// Creating, replacing, patching and deleting. All of them are decided on what is there at that moment, while nobody else
// writes: ../../resource/src/writer.ts.

import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  advisers,
  API_SOURCE,
  identityOf,
  isEventType,
  isRecord,
  isTrigger,
  keyOf,
  toldAs,
  type Decide,
  type Identity,
  type Resource,
} from '@sluice/resource'
import { admitted, fieldValidationOf, objectFor, refusalOf } from './admission.ts'
import type { Target } from './catalog.ts'
import {
  alreadyExists,
  badRequest,
  deleted,
  methodNotAllowed,
  modified,
  notFound,
  Refusal,
  shortText,
  titleOf,
} from './errors.ts'
import { readObject, send, type ApiLimits, type Reading, type Wanted } from './http.ts'
import { managed, managerOf } from './managed-fields.ts'
import { patched, PATCH_TYPES } from './patch.ts'
import { formOf, select } from './read.ts'
import { implied } from './implied.ts'
import type { Resources } from './resources.ts'

/** One request, as the writing verbs need it. */
export interface Call {
  readonly resources: Resources
  readonly target: Target
  readonly query: URLSearchParams
  readonly wanted: Wanted
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly reading: Reading
  readonly limits: ApiLimits
}

/** POST to a collection. */
export async function create(call: Call): Promise<void> {
  const { target, query } = call
  const { kind } = target
  if (target.name !== undefined) throw methodNotAllowed('POST', 'a resource that has a name')
  const object = named(objectFor(target, await bodyOf(call)), target)
  const validation = fieldValidationOf(query)
  const manager = managerOf(query, call.request)
  // Once, outside of the turn: what is wrong with it needs no turn.
  const { resource, warnings } = admitted(target, object, undefined, validation)
  const { name } = resource.metadata
  if (resource.metadata.resourceVersion !== '')
    throw badRequest('resourceVersion should not be set on objects to be created')
  await store(call, identityOf(resource), 201, warnings, (current) => {
    if (current !== undefined) throw alreadyExists(kind, name)
    return managed(resource, undefined, { ...manager, operation: 'Update' }, call.resources.now())
  })
}

/** With the name that the server makes of `generateName`. */
function named(object: Record<string, unknown>, { kind }: Target): Record<string, unknown> {
  const metadata = object['metadata'] as Record<string, unknown>
  const { name, generateName } = metadata
  const isUnnamed = name === undefined || name === null || name === ''
  if (!isUnnamed || typeof generateName !== 'string' || generateName === '') return object
  if (generateName.length > 240) throw badRequest(`metadata.generateName of a ${kind.kind} has at most 240 characters`)
  const suffix = Array.from(randomBytes(5), (byte) => LETTERS[byte % LETTERS.length]).join('')
  return { ...object, metadata: { ...metadata, name: generateName + suffix } }
}

/** Kubernetes': no vowels, so no words. */
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789'

/** PUT of a resource. */
export async function update(call: Call): Promise<void> {
  const { target, query, resources } = call
  const name = target.name!
  const object = objectFor(target, await bodyOf(call))
  const validation = fieldValidationOf(query)
  const manager = managerOf(query, call.request)
  const warnings: string[] = []
  await store(call, identityAt(target), 200, warnings, (stored) => {
    const current = stored ?? impliedAt(call)
    if (current === undefined) throw notFound(target.kind, name)
    checkUid(object, current, target)
    const next = admitted(target, object, current, validation)
    warnings.push(...next.warnings)
    return managed(next.resource, current, { ...manager, operation: 'Update' }, resources.now(), object)
  })
}

/** PATCH of a resource, in any of four forms; of server-side apply also where it isn't there yet. */
export async function patch(call: Call): Promise<void> {
  const { target, query, resources } = call
  const { request, reading, limits } = call
  const body = await readObject(request, reading, limits, PATCH_TYPES)
  if (body === undefined) throw badRequest('the body has to be a patch')
  const validation = fieldValidationOf(query)
  const manager = managerOf(query, request)
  const warnings: string[] = []
  let isNew = false
  const decide: Decide = (stored) => {
    const current = stored ?? impliedAt(call)
    const change = patched(body, current, target, { ...manager, force: query.get('force') === 'true' })
    isNew = current === undefined
    if (current !== undefined) checkUid(change.object, current, target)
    const next = admitted(target, objectFor(target, change.object), current, validation)
    warnings.push(...next.warnings)
    return managed(next.resource, current, change.manager, resources.now(), change.object)
  }
  await store(call, identityAt(target), () => (isNew ? 201 : 200), warnings, decide)
}

/** It is there without being declared, and may be changed all the same: that declares it. */
function impliedAt({ resources, target: { kind, name = '' } }: Call): Resource | undefined {
  const found = implied(resources, kind, name)
  return found && { ...found, metadata: { ...found.metadata, resourceVersion: '' } }
}

function checkUid({ metadata }: Record<string, unknown>, current: Resource, { kind }: Target): void {
  const uid = isRecord(metadata) ? metadata['uid'] : undefined
  if (uid === undefined || uid === '' || uid === current.metadata.uid) return
  const why = `Precondition failed: UID in precondition: ${shortText(uid)}, UID in object meta: ${current.metadata.uid}`
  throw modified(kind, current.metadata.name, why)
}

/** DELETE of a resource. A Namespace goes with all that is in it. */
export async function remove(call: Call): Promise<void> {
  const { target, resources, response, wanted } = call
  const { kind } = target
  const name = target.name!
  const options = deleteOptionsOf(await bodyOf(call), call.query)
  const identity = identityAt(target)
  const isNamespace = kind.group === '' && kind.plural === 'namespaces'
  if (isNamespace) await removeNamespace(call, name, options)
  if (resources.get(identity) === undefined && (isNamespace || implied(resources, kind, name) !== undefined)) {
    if (isNamespace) return send(response, 200, deleted(kind, name, ''), wanted)
    throw methodNotAllowed('DELETE', `${titleOf(kind, name)}, which is Sluice's own`)
  }
  const removed = await removeOne(resources, target, identity, options)
  send(response, 200, deleted(kind, name, removed.metadata.uid), wanted)
}

/** DELETE of a collection: all that are selected, or none where one of them is declared in a file. */
export async function removeAll(call: Call): Promise<void> {
  const { target, resources, query, response, wanted } = call
  const options = deleteOptionsOf(await bodyOf(call), query)
  const meant = select(resources, target, query)
  await removeEach(resources, target.kind, meant, options)
  const metadata = { resourceVersion: resources.store.resourceVersion() }
  send(response, 200, { kind: 'Status', apiVersion: 'v1', metadata, status: 'Success' }, wanted)
}

async function removeNamespace({ resources, target }: Call, name: string, options: DeleteOptions): Promise<void> {
  const isThere = resources.get(identityAt(target)) ?? implied(resources, target.kind, name)
  if (isThere === undefined) throw notFound(target.kind, name)
  if (name === 'default') {
    throw new Refusal(403, 'Forbidden', 'namespaces "default" is forbidden: this namespace may not be deleted')
  }
  const inside = resources.store.list().filter(({ metadata }) => metadata.namespace === name)
  await removeEach(resources, target.kind, inside, options)
}

async function removeEach(
  resources: Resources,
  kind: Target['kind'],
  meant: readonly Resource[],
  options: DeleteOptions,
): Promise<void> {
  const { store } = resources
  const fixed = meant.find((resource) => store.source(keyOf(resource)) !== API_SOURCE)
  if (fixed !== undefined) {
    const { file, line } = store.origin(keyOf(fixed)) ?? { file: 'a file', line: 0 }
    const { name } = fixed.metadata
    const message = `${fixed.kind} ${JSON.stringify(name)} is declared in ${file}:${line}, and can be removed there alone. Nothing was deleted.`
    throw new Refusal(409, alreadyExists(kind, name).reason, message)
  }
  for (const resource of meant) {
    await resources.writer.write(identityOf(resource), () => undefined, options)
  }
}

async function removeOne(
  resources: Resources,
  { kind }: Target,
  identity: Identity,
  options: DeleteOptions,
): Promise<Resource> {
  const { name } = identity
  const { resource, problems = [] } = await resources.writer.write(
    identity,
    (current) => {
      if (current === undefined) throw notFound(kind, name)
      const { uid, resourceVersion } = current.metadata
      if ((options.uid ?? uid) !== uid || (options.resourceVersion ?? resourceVersion) !== resourceVersion) {
        throw modified(kind, name, `Precondition failed: it has uid ${uid} and resourceVersion ${resourceVersion}`)
      }
      return undefined
    },
    options,
  )
  if (problems.length > 0) throw refusalOf({ kind } as Target, name, problems)
  return resource!
}

interface DeleteOptions {
  readonly dryRun: boolean
  readonly uid: string | undefined
  readonly resourceVersion: string | undefined
}

function deleteOptionsOf(body: unknown, query: URLSearchParams): DeleteOptions {
  const options = isRecord(body) ? body : {}
  const preconditions = isRecord(options['preconditions']) ? options['preconditions'] : {}
  const { uid, resourceVersion } = preconditions
  return {
    dryRun: isDryRun(query) || (Array.isArray(options['dryRun']) && options['dryRun'].includes('All')),
    uid: typeof uid === 'string' ? uid : undefined,
    resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : undefined,
  }
}

// --- What they share ---

async function bodyOf({ request, reading, limits }: Call): Promise<unknown> {
  return (await readObject(request, reading, limits))?.value
}

function identityAt({ kind, namespace = '', name = '' }: Target): Identity {
  return { group: kind.group, kind: kind.kind, namespace, name }
}

async function store(
  { resources, target, query, wanted, response }: Call,
  identity: Identity,
  code: number | (() => number),
  warnings: readonly string[],
  decide: Decide,
): Promise<void> {
  const { resource, problems = [] } = await resources.writer.write(identity, decide, { dryRun: isDryRun(query) })
  if (problems.length > 0) throw refusalOf(target, identity.name, problems)
  const answer = formOf(resource!, target, query, wanted, resources.now())
  const all = [...warnings, ...adviceOn(resource!, resources)]
  send(response, typeof code === 'number' ? code : code(), answer, wanted, all)
}

/** What the EventTypes that there are say about the filter of a Trigger. */
function adviceOn(resource: Resource, { store }: Resources): string[] {
  if (!isTrigger(resource)) return []
  const adviserOf = advisers(store.list(EVENT_TYPES).filter(isEventType))
  const findings = adviserOf(resource.metadata.namespace, resource.spec.broker)?.(resource) ?? []
  return findings.map(({ message, hint }) => toldAs(message, hint))
}

const EVENT_TYPES = { group: 'eventing.knative.dev', kind: 'EventType' }

function isDryRun(query: URLSearchParams): boolean {
  const all = query.getAll('dryRun').filter((value) => value !== '')
  if (all.length === 0) return false
  if (all.every((value) => value === 'All')) return true
  throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(all.join(',').slice(0, 40))}: supported values: "All"`)
}
