// What is refused, as Kubernetes says it: a Status with a code, a reason that programs read, and a message for people.

import type { Kind } from '@sluice/resource'

/** Why something was refused, in the wire form. */
export interface Status {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: object
  readonly status: 'Failure' | 'Success'
  readonly message?: string
  readonly reason?: string
  readonly details?: object
  readonly code?: number
}

/** A request that can't be answered as it was meant. */
export class Refusal extends Error {
  readonly code: number
  readonly reason: string
  readonly details: Readonly<Record<string, unknown>> | undefined
  /** What was worth knowing beside it. */
  warnings: readonly string[] = []

  constructor(code: number, reason: string, message: string, details?: Readonly<Record<string, unknown>>) {
    super(message)
    this.name = 'Refusal'
    this.code = code
    this.reason = reason
    this.details = details
  }

  get status(): Status {
    const { code, reason, message, details } = this
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason,
      ...(details !== undefined && { details }),
      code,
    }
  }
}

/** `brokers.eventing.knative.dev "shop"`, as Kubernetes names what it talks about. */
export function titleOf({ plural, group }: Kind, name: string): string {
  return `${plural}${group === '' ? '' : `.${group}`} ${JSON.stringify(name)}`
}

/** Of one resource. */
export function detailsOf({ group, plural }: Kind, name: string): Readonly<Record<string, unknown>> {
  return { name, ...(group !== '' && { group }), kind: plural }
}

export function badRequest(message: string): Refusal {
  return new Refusal(400, 'BadRequest', message)
}

export function notFound(kind: Kind, name: string): Refusal {
  return new Refusal(404, 'NotFound', `${titleOf(kind, name)} not found`, detailsOf(kind, name))
}

/** Of a path that nobody has. */
export function nothingThere(path: string): Refusal {
  const hint = 'Kinds and their paths are listed by kubectl api-resources, and at /apis.'
  return new Refusal(
    404,
    'NotFound',
    `the server could not find the requested resource (${path.slice(0, 200)}). ${hint}`,
  )
}

/** Of a Pod that is kept, and was never started. */
export function noContainers(name: string): Refusal {
  const hint = 'Run it yourself, and send events with curl or sluice send.'
  return new Refusal(
    404,
    'NotFound',
    `Sluice starts no containers, so nothing of pod ${name.slice(0, 63)} runs. ${hint}`,
  )
}

export function alreadyExists(kind: Kind, name: string): Refusal {
  return new Refusal(409, 'AlreadyExists', `${titleOf(kind, name)} already exists`, detailsOf(kind, name))
}

export function modified(kind: Kind, name: string, why?: string): Refusal {
  const because = why ?? 'the object has been modified; please apply your changes to the latest version and try again'
  const message = `Operation cannot be fulfilled on ${titleOf(kind, name)}: ${because}`
  return new Refusal(409, 'Conflict', message, detailsOf(kind, name))
}

/** What a list or a watch asks for is known no more: who asked lists anew. */
export function expired(message: string): Refusal {
  return new Refusal(410, 'Expired', message)
}

export function methodNotAllowed(method: string, what: string): Refusal {
  return new Refusal(405, 'MethodNotAllowed', `${method} is not for ${what}`)
}

export function unsupportedMediaType(contentType: string, accepted: readonly string[]): Refusal {
  const message = `the body of the request was in an unknown format (${contentType.slice(0, 100)}) - accepted media types include: ${accepted.join(', ')}`
  return new Refusal(415, 'UnsupportedMediaType', message)
}

/** `Trigger in version "v1"`, for what can't be read as one. */
export function unreadable(kind: Kind, version: string, why: string): Refusal {
  return badRequest(`${kind.kind} in version "${version}" cannot be handled as a ${kind.kind}: ${why}`)
}

/** What was deleted, and how that ended: well. */
export function deleted(kind: Kind, name: string, uid: string): Status {
  const details = { ...detailsOf(kind, name), uid }
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }
}

/** A value of a request in a message. */
export function shortText(value: unknown): string {
  return (typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')).slice(0, 100)
}
