// What a resource is: the Kubernetes resource model without Kubernetes. A file or the API brings it, `admit.ts`
// makes it whole, the store keeps it, and the controller runs it and answers with a status.

import { hash } from 'node:crypto'
import type { Condition } from './conditions.ts'

/**
 * A resource in the form that is stored and shown: of the stored version of its kind, with its defaults filled in.
 * Nobody changes one in place; a change makes a new object.
 */
export interface Resource {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Metadata
  /** What a person wrote. Absent on kinds without one, such as ConfigMap and Secret. */
  readonly spec?: Readonly<Record<string, unknown>>
  /** What Sluice wrote. Absent until the controller looked at it for the first time. */
  readonly status?: Status
  /** Kinds such as ConfigMap carry their content beside `spec`: `data`, `stringData`, `type`. */
  readonly [field: string]: unknown
}

/** Of a resource. Those that the store gives (spec 81) are empty until it has stored the resource. */
export interface Metadata {
  readonly name: string
  /** Empty for a kind that lives in no namespace, such as Namespace itself. */
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** From a file: the same in every process that reads the same files, {@link resourceUid}. Through the API: at random. */
  readonly uid: string
  /** Counts the changes of what a person wrote; from 1, 0 = not stored yet. */
  readonly generation: number
  /** Of its last change, as a decimal number; empty = not stored yet. */
  readonly resourceVersion: string
  /** RFC 3339, whole seconds; empty = not stored yet. */
  readonly creationTimestamp: string
  /** The prefix that the name was made from. Through the API only, as all that follows. */
  readonly generateName?: string
  /** Kept as they were written; whoever writes them acts on them. */
  readonly ownerReferences?: readonly unknown[]
  /** Who wrote which field, as Kubernetes has it. */
  readonly managedFields?: readonly unknown[]
}

/** What Sluice found, always about one generation of the resource (spec 83). */
export interface Status {
  readonly observedGeneration: number
  readonly conditions: readonly Condition[]
  /** The kind's own, such as `address`, `subscriberUri`, `deadLetterSinkUri`. */
  readonly [field: string]: unknown
}

/** Where in a file a resource stands. Lines and columns count from 1. */
export interface Origin {
  /** As given to `loadFiles`: relative to the working directory, else absolute. */
  readonly file: string
  readonly line: number
  readonly column: number
}

/** A resource and where it came from; the origin stays beside it, for it isn't shown as part of it. */
export interface Declared {
  readonly resource: Resource
  /** Absent for what came through the API. */
  readonly origin?: Origin
}

/** What tells two resources apart, whatever version they were written in. */
export interface Identity {
  /** Empty for the core group. */
  readonly group: string
  readonly kind: string
  /** Empty for a kind that lives in no namespace. */
  readonly namespace: string
  readonly name: string
}

/** `group/kind/namespace/name`; none of the four can hold a slash. */
export function resourceKey({ group, kind, namespace, name }: Identity): string {
  return `${group}/${kind}/${namespace}/${name}`
}

/** The identity of a resource. */
export function identityOf(resource: Resource): Identity {
  const { name, namespace } = resource.metadata
  return { group: groupOf(resource.apiVersion), kind: resource.kind, namespace, name }
}

/** {@link resourceKey} of a resource. */
export function keyOf(resource: Resource): string {
  return resourceKey(identityOf(resource))
}

/** `eventing.knative.dev` of `eventing.knative.dev/v1`; empty for the core group's `v1`. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/')
  return slash === -1 ? '' : apiVersion.slice(0, slash)
}

/** `v1` of `eventing.knative.dev/v1` and of `v1`. */
export function versionOf(apiVersion: string): string {
  return apiVersion.slice(apiVersion.indexOf('/') + 1)
}

/** The inverse of {@link groupOf} and {@link versionOf}. */
export function apiVersionOf(group: string, version: string): string {
  return group === '' ? version : `${group}/${version}`
}

/** `Trigger default/big-orders`, as people are told about it. */
export function nameOf({ kind, namespace, name }: Omit<Identity, 'group'>): string {
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`
}

/**
 * The uid of a resource from a file: UUIDv5 (RFC 9562, 5.5) of group/kind/namespace/name, so that it is equal in
 * every process and after every restart (DESIGN, end of "The channel contract").
 */
export function resourceUid(identity: Identity): string {
  const hex = hash('sha1', Buffer.concat([UID_NAMESPACE, Buffer.from(resourceKey(identity))]))
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** Drawn once at random. Changing it would orphan the progress of every durable subscription. */
const UID_NAMESPACE = Buffer.from('8f0d6f5a4c0e4f7db0a5d0a1c3e96b2e', 'hex')

/** Whether `value` is a mapping. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
