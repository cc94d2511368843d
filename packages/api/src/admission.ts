// From what a client sent to a resource that can be stored, or to a refusal in the words that Kubernetes and Knative have
// for it (KNATIVE.md A.3).

import { randomUUID } from 'node:crypto'
import {
  admit,
  apiVersionOf,
  isRecord,
  pathText,
  toldAs,
  type Finding,
  type Kind,
  type Path,
  type Problem,
  type Resource,
} from '@sluice/resource'
import type { Target } from './catalog.ts'
import { badRequest, detailsOf, modified, Refusal, shortText, alreadyExists, titleOf, unreadable } from './errors.ts'

/** What becomes of fields that the kind doesn't have: `fieldValidation`. */
export type FieldValidation = 'Strict' | 'Warn' | 'Ignore'

export function fieldValidationOf(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation') ?? 'Warn'
  if (value === 'Strict' || value === 'Warn' || value === 'Ignore' || value === '') return value === '' ? 'Warn' : value
  throw badRequest(
    `fieldValidation: Unsupported value: ${JSON.stringify(value.slice(0, 40))}: supported values: "Ignore", "Strict", "Warn"`,
  )
}

/**
 * The mapping that a body has to be, of the kind, namespace and name of its path. What it leaves out is filled in.
 *
 * @throws Refusal 400
 */
export function objectFor({ kind, version, namespace, name }: Target, value: unknown): Record<string, unknown> {
  if (!isRecord(value)) throw badRequest('the body has to be one object, with apiVersion, kind and metadata')
  const apiVersion = apiVersionOf(kind.group, version)
  const metadata = value['metadata'] ?? {}
  if (!isRecord(metadata)) throw unreadable(kind, version, 'metadata has to be a mapping')
  for (const [field, wanted] of [['apiVersion', apiVersion] as const, ['kind', kind.kind] as const]) {
    const given = value[field]
    if (given === undefined || given === wanted) continue
    throw badRequest(`the ${field} in the data (${shortText(given)}) does not match the expected one (${wanted})`)
  }
  const place: Record<string, string | undefined> = { namespace: namespace === '' ? undefined : namespace, name }
  for (const [field, wanted] of Object.entries(place)) {
    const given = metadata[field]
    if (wanted === undefined || given === undefined || given === null || given === '' || given === wanted) continue
    const what = `the ${field} of the provided object does not match the ${field} sent on the request`
    throw badRequest(`${what} (${shortText(given)}, ${wanted})`)
  }
  return {
    ...value,
    apiVersion,
    kind: kind.kind,
    metadata: { ...metadata, ...(name !== undefined && { name }), ...(namespace !== undefined && { namespace }) },
  }
}

/** A resource as it was sent, judged and completed. */
export interface Admitted {
  readonly resource: Resource
  /** For the client. */
  readonly warnings: readonly string[]
}

/**
 * Judges what was sent. What is there already keeps what the server gave it.
 *
 * @throws Refusal 400 where fields are unknown and `Strict`, or a rule of Knative refuses; 422 where one of Kubernetes does
 */
export function admitted(
  target: Target,
  written: Record<string, unknown>,
  current: Resource | undefined,
  validation: FieldValidation,
): Admitted {
  const { kind, version } = target
  const warnings: string[] = []
  let object = current === undefined ? written : withHidden(written, current, kind)
  let { resource, findings } = admit(structuredClone(object))
  const unknown = findings.filter(({ code }) => code === 'SLUICE_RESOURCE_UNKNOWN_FIELD')
  if (unknown.length > 0) {
    const told = unknown.map(({ message, hint }) => toldAs(message, hint))
    if (validation === 'Strict') throw unreadable(kind, version, `strict decoding error: ${told.join('; ')}`)
    if (validation === 'Warn') warnings.push(...told)
    object = unknown.reduce((rest, { path }) => without(rest, path), object)
    ;({ resource, findings } = admit(structuredClone(object)))
  }
  const errors = findings.filter(({ severity }) => severity === 'error')
  if (errors.length > 0 || resource === undefined) {
    throw Object.assign(denied(target, nameIn(written), errors), { warnings })
  }
  warnings.push(...findings.map(({ message, hint }) => toldAs(message, hint)))
  return { resource: withServers(resource, written, current), warnings }
}

function nameIn({ metadata }: Record<string, unknown>): string {
  return isRecord(metadata) && typeof metadata['name'] === 'string' ? metadata['name'] : ''
}

/** With what clients may write there beside name, labels and annotations, and with the uid that it has or gets. */
function withServers(resource: Resource, written: Record<string, unknown>, current: Resource | undefined): Resource {
  const metadata = isRecord(written['metadata']) ? written['metadata'] : {}
  const { ownerReferences, resourceVersion, generateName } = metadata
  return {
    ...resource,
    metadata: {
      ...resource.metadata,
      uid: current?.metadata.uid ?? randomUUID(),
      resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : '',
      ...(typeof generateName === 'string' && generateName !== '' && { generateName }),
      ...(Array.isArray(ownerReferences) && ownerReferences.length > 0 && { ownerReferences }),
    },
  }
}

function without(value: Record<string, unknown>, [step, ...rest]: Path): Record<string, unknown> {
  if (step === undefined || !Object.hasOwn(value, step)) return value
  const { [step]: at, ...others } = value
  if (rest.length === 0) return others
  return {
    ...value,
    [step]: Array.isArray(at)
      ? at.map((each, n) => (n === rest[0] && isRecord(each) ? without(each, rest.slice(1)) : (each as unknown)))
      : isRecord(at)
        ? without(at, rest)
        : at,
  }
}

/** Who edited an answer sends back what stands there in place of what it may not read: that is what is there. */
function withHidden(written: Record<string, unknown>, current: Resource, { hide }: Kind): Record<string, unknown> {
  if (hide === undefined) return written
  const shown = hide(current)
  const fields = Object.keys(current).filter((field) => current[field] !== shown[field] && field !== 'metadata')
  return Object.fromEntries(
    Object.entries(written).map(([field, value]) => {
      const [there, hidden] = [current[field], shown[field]]
      if (!fields.includes(field) || !isRecord(value) || !isRecord(there) || !isRecord(hidden)) return [field, value]
      const restored = Object.entries(value).map(([key, each]) => [key, each === hidden[key] ? there[key] : each])
      return [field, Object.fromEntries(restored)]
    }),
  )
}

// --- Refusals ---

/** Knative's webhooks refuse with 400, Kubernetes' own validation with 422. */
function denied({ kind }: Target, name: string, errors: readonly Finding[]): Refusal {
  if (isKnatives(kind) && !errors.some(({ code }) => code === 'SLUICE_RESOURCE_INVALID_NAME')) {
    return webhook(errors.map(({ path, message, hint }) => toldAs(atPath(message, pathText(path)), hint)))
  }
  return invalid(
    kind,
    name,
    errors.map(({ path, message, hint }) => ({ field: pathText(path), message: toldAs(message, hint) })),
  )
}

/** Knative says where after what. */
function atPath(message: string, path: string): string {
  return path === '' || message.includes(path) || /spec\.|metadata\./.test(message)
    ? message
    : `${message.replace(/\.$/, '')}: ${path}`
}

function isKnatives({ group }: Kind): boolean {
  return group.endsWith('knative.dev') || group.endsWith('sluice.dev')
}

function webhook(messages: readonly string[]): Refusal {
  const who = 'admission webhook "validation.webhook.eventing.knative.dev" denied the request'
  return badRequest(`${who}: validation failed: ${messages.join('\n')}`)
}

function invalid(kind: Kind, name: string, causes: readonly { field: string; message: string }[]): Refusal {
  const told = causes.map(({ field, message }) => `${field}: ${message}`)
  const title = `${kind.kind}${kind.group === '' ? '' : `.${kind.group}`} ${JSON.stringify(name)}`
  return new Refusal(422, 'Invalid', `${title} is invalid: ${told.length === 1 ? told[0]! : `[${told.join(', ')}]`}`, {
    ...detailsOf(kind, name),
    causes: causes.map((cause) => ({ reason: 'FieldValueInvalid', ...cause })),
  })
}

/** What the store says against a write. */
export function refusalOf({ kind }: Target, name: string, problems: readonly Problem[]): Refusal {
  const [problem] = problems as [Problem]
  const { code, file, line, column } = problem
  if (code === 'SLUICE_RESOURCE_OWNED') {
    // Not `Conflict`: at that kubectl tries again for five seconds, and it can't help.
    const where = line === 0 ? file : `${file}:${line}:${column}`
    const message = `${titleOf(kind, name)} is declared in ${where}, and can be changed there alone. Nothing was changed.`
    return new Refusal(409, alreadyExists(kind, name).reason, message, detailsOf(kind, name))
  }
  if (code === 'SLUICE_RESOURCE_CONFLICT') return modified(kind, name)
  const told = problems.map(({ message, hint }) => toldAs(message, hint))
  return isKnatives(kind) ? webhook(told) : invalid(kind, name, problems.map(({ path = '', message, hint }) => ({ field: path, message: toldAs(message, hint) }))) // prettier-ignore
}
