// `sluice apply`, `diff` and `delete`: resources of files, written into a running sluice through its API, which keeps them.
// What is wrong with the files is told before anything is written; what the server refuses, with its place in them.

import { formatProblems, identityOf, loadFiles, nameOf as titleOf, pathText, type Declared, type Loaded, type Problem } from '@sluice/resource' // prettier-ignore
import { findKind, groupOf, type Resource } from '@sluice/resource'
import { clientOf, jsonOf, messageOf, reach, whyRefused, type Client } from './client.ts'
import { EXIT, exitWith } from './exit.ts'
import type { ClientFlags } from './flags.ts'
import type { Answer } from './request.ts'
import { nameOf, pathOf, wantedOf } from './resources.ts'

/** Flags of the three. */
export interface WriteFlags extends ClientFlags {
  filename?: string[]
  dryRun?: boolean
  ignoreNotFound?: boolean
}

/** Who owns, in the server's book of fields, what is applied here. */
const MANAGER = 'sluice'

// --- apply ---

export async function apply({ filename = [], dryRun = false, ...flags }: WriteFlags): Promise<void> {
  const client = clientOf('sluice apply', flags)
  const files = await filesOf(client.word, filename, flags.namespace)
  let failed = 0
  for (const file of files) {
    const before = await getOf(client, file)
    const { answer, resource } = await put(client, file, dryRun)
    if (resource === undefined) {
      failed++
      tell(refusal(client, file, answer))
      continue
    }
    const what = before === undefined ? 'created' : isSame(before, resource) ? 'unchanged' : 'configured'
    process.stdout.write(`${nameOf(resource)} ${what}${dryRun ? ' (server dry run)' : ''}\n`)
  }
  if (failed > 0) exitWith(EXIT.failed, `${client.word}: ${failed} of ${files.length} could not be applied.`)
}

function isSame(before: Resource, after: Resource): boolean {
  return contentOf(before) === contentOf(after)
}

// --- diff ---

export async function diff({ filename = [], ...flags }: WriteFlags): Promise<void> {
  const client = clientOf('sluice diff', flags)
  const [{ createTwoFilesPatch }, { stringify }] = await Promise.all([import('diff'), import('yaml')])
  let isOther = false
  let failed = 0
  for (const file of await filesOf(client.word, filename, flags.namespace)) {
    const before = await getOf(client, file)
    const { answer, resource } = await put(client, file, true)
    if (resource === undefined) {
      failed++
      tell(refusal(client, file, answer))
      continue
    }
    const shown = (each: Resource | undefined): string => (each === undefined ? '' : stringify(shownOf(each)))
    const [from, to] = [shown(before), shown(resource)]
    if (from === to) continue
    isOther = true
    const name = nameOf(resource)
    process.stdout.write(createTwoFilesPatch(`live/${name}`, file.place, from, to).replace(/^=+\n/, ''))
  }
  if (failed > 0 || isOther) exitWith(EXIT.failed)
}

/** What a person writes of it. */
function shownOf({ apiVersion, kind, metadata, status: _status, ...rest }: Resource): object {
  const { name, namespace, labels, annotations } = metadata
  return { apiVersion, kind, metadata: { name, namespace, labels, annotations }, ...rest }
}

function contentOf(resource: Resource): string {
  return JSON.stringify(shownOf(resource))
}

// --- delete ---

export async function remove(words: readonly string[], { filename = [], ...flags }: WriteFlags): Promise<void> {
  const client = clientOf('sluice delete', flags)
  const targets =
    filename.length > 0 ? await targetsOf(client.word, filename, flags) : await namedBy(client, words, flags.namespace)
  let failed = 0
  for (const { path, title } of targets) {
    const answer = await reach(client, 'DELETE', path)
    if (isSuccess(answer)) process.stdout.write(`${title} deleted\n`)
    else if (answer.status !== 404 || !flags.ignoreNotFound) {
      failed++
      tell(`${title}: ${whyRefused(client.server, path, answer)}`)
    }
  }
  if (failed > 0) exitWith(EXIT.failed)
}

interface Target {
  readonly path: string
  /** `trigger.eventing.knative.dev "orders"`, as kubectl says it. */
  readonly title: string
}

/** Of files, the last first: what points to others goes before them. */
async function targetsOf(word: string, paths: readonly string[], { namespace }: ClientFlags): Promise<Target[]> {
  const files = await filesOf(word, paths, namespace)
  return files.toReversed().map(({ path, resource }) => ({ path, title: quoted(resource) }))
}

async function namedBy(client: Client, words: readonly string[], namespace: string): Promise<Target[]> {
  const { word } = client
  if (words.length === 0) exitWith(EXIT.usage, `${word}: name what is to go: KIND NAME, KIND/NAME, or -f PATH.`)
  const wanted = await wantedOf(client, words)
  return wanted.map(({ kind, name }) => {
    if (name === undefined) exitWith(EXIT.usage, `${word}: name the ${kind.singular} that is to go.`)
    const title = `${kind.singular}${kind.group === '' ? '' : `.${kind.group}`} ${JSON.stringify(name)}`
    return { path: pathOf(kind, namespace, name), title }
  })
}

function quoted(resource: Resource): string {
  const [kind = '', name = ''] = nameOf(resource).split('/')
  return `${kind} ${JSON.stringify(name)}`
}

// --- Files ---

/** A resource of a file. */
interface InFile {
  readonly declared: Declared
  readonly loaded: Loaded
  /** As it is sent. */
  readonly resource: Resource
  /** Where it is at the server. */
  readonly path: string
  /** `shop.yaml:3` */
  readonly place: string
}

/** All of them, in their order. Ends the process where there is a mistake in any file. */
async function filesOf(word: string, paths: readonly string[], namespace: string): Promise<InFile[]> {
  if (paths.length === 0) exitWith(EXIT.usage, `${word}: name the files: -f PATH.`)
  const loaded = await loadFiles(paths)
  const problems = loaded.problems.filter(({ code }) => code !== 'SLUICE_RESOURCE_MISSING_REFERENCE') // it may be there
  if (problems.length > 0) tell(formatProblems(problems))
  const errors = problems.filter(({ severity }) => severity === 'error').length
  if (errors > 0)
    exitWith(EXIT.failed, `${word}: ${errors} ${errors === 1 ? 'error' : 'errors'} in the files; nothing was sent.`)
  if (loaded.resources.length === 0) exitWith(EXIT.failed, `${word}: there is nothing in the files.`)
  return loaded.resources.map((declared) => inFile(declared, loaded, namespace))
}

function inFile(declared: Declared, loaded: Loaded, namespace: string): InFile {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it was admitted
  const written = loaded.written(declared) as unknown as Resource
  const { group, kind } = identityOf(declared.resource)
  const known = findKind(group, kind)
  const { status: _status, ...rest } = known?.formerly === written.apiVersion ? today(declared.resource) : written
  const where = known?.namespaced === false ? {} : { namespace: written.metadata.namespace || namespace }
  const resource = { ...rest, metadata: { ...written.metadata, ...where } }
  const { apiVersion, metadata } = resource
  const plural = known?.plural ?? `${kind.toLowerCase()}s`
  const base = groupOf(apiVersion) === '' ? `/api/${apiVersion}` : `/apis/${apiVersion}`
  const inside = where.namespace === undefined ? '' : `/namespaces/${encodeURIComponent(where.namespace)}`
  const { file, line } = declared.origin!
  const path = `${base}${inside}/${plural}/${encodeURIComponent(metadata.name)}`
  return { declared, loaded, resource, path, place: `${file}:${line}` }
}

/** Of a kind that was in another group once: what the server has no path for. */
function today({ apiVersion, kind, spec, metadata }: Resource): Resource {
  const { name, namespace, labels, annotations } = metadata
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what else is there, the server writes
  return { apiVersion, kind, metadata: { name, namespace, labels, annotations }, spec } as Resource
}

// --- The server ---

/** `undefined`: it is not there. */
async function getOf(client: Client, { path }: InFile): Promise<Resource | undefined> {
  const answer = await reach(client, 'GET', path)
  if (answer.status === 404) return undefined
  return resourceIn(answer)
}

/** Server-side apply: what is written here is owned here, and what others wrote beside it stays. */
async function put(
  client: Client,
  { path, resource }: InFile,
  dryRun: boolean,
): Promise<{ answer: Answer; resource: Resource | undefined }> {
  const query = `fieldManager=${MANAGER}&force=true&fieldValidation=Strict${dryRun ? '&dryRun=All' : ''}`
  const headers = { 'content-type': 'application/apply-patch+yaml' }
  const body = Buffer.from(JSON.stringify(resource))
  const answer = await reach(client, 'PATCH', `${path}?${query}`, { headers, body })
  return { answer, resource: resourceIn(answer) }
}

function resourceIn(answer: Answer): Resource | undefined {
  return isSuccess(answer) ? (jsonOf(answer.body) as Resource | undefined) : undefined
}

function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300
}

/** With the place of the field that it is about, where that can be told. */
function refusal({ server }: Client, { declared, loaded, path }: InFile, answer: Answer): string {
  const message = messageOf(answer.body) ?? whyRefused(server, path, answer)
  const field = fieldIn(answer)
  const problem: Problem = {
    severity: 'error',
    code: reasonOf(answer),
    ...loaded.locate(declared, field),
    resource: titleOf(identityOf(declared.resource)),
    ...(field.length > 0 && { path: pathText(field) }),
    message,
  }
  return formatProblems([problem])
}

interface KubernetesStatus {
  readonly reason?: unknown
  readonly details?: { readonly causes?: readonly { readonly field?: unknown }[] }
}

function reasonOf({ body, status }: Answer): string {
  const { reason }: KubernetesStatus = jsonOf(body) ?? {}
  return typeof reason === 'string' ? reason : String(status)
}

/** `spec.filters[0].exact` of the first cause. */
function fieldIn({ body }: Answer): (string | number)[] {
  const { details }: KubernetesStatus = jsonOf(body) ?? {}
  const field = details?.causes?.[0]?.field
  if (typeof field !== 'string') return []
  return field.split(/\.|(?=\[)/).map((step) => (/^\[\d+\]$/.test(step) ? Number(step.slice(1, -1)) : step))
}

function tell(text: string): void {
  process.stderr.write(`${text}\n`)
}
