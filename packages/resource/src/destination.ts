// Where a Destination leads (KNATIVE.md 1.0, spec 41 to 45). Pure: the caller looks objects up.

import type { Destination, KReference } from './ducks.ts'
import { findKind } from './kinds/index.ts'
import { mappedUrl, REFERENCE_MAPPING } from './reference-mapping.ts'
import { apiVersionOf, groupOf, isRecord, type Identity, type Resource } from './resource.ts'

/** What the DNS names of Services end in; Kubernetes' own default. */
export const CLUSTER_SUFFIX = 'svc.cluster.local'

/** What {@link resolveDestination} needs to know beside the destination. */
export interface ResolveOptions {
  /** Of the resource that has the destination. */
  readonly namespace: string
  /** Default {@link CLUSTER_SUFFIX}. */
  readonly clusterSuffix?: string
  /** What the destination is for; it decides the reason. Default `subscriber`. */
  readonly role?: 'subscriber' | 'deadLetterSink'
}

/**
 * A URL, and in PEM who vouches for it, where that is said; or why there is none, as reason and message of a condition in
 * Knative's words (A.2).
 */
export type Resolved =
  | { readonly url: string; readonly caCerts?: string; readonly reason?: undefined; readonly message?: undefined }
  | { readonly url?: undefined; readonly caCerts?: undefined; readonly reason: string; readonly message: string }

/**
 * The URL that events for this destination go to. A ref: what config-kreference-mapping says of its kind, else the object's
 * `status.address.url` (spec 41), or that of the kind's own making, such as the DNS name of a Service (spec 42); with a uri
 * beside it, that relative to it (spec 43). A uri alone: itself. CACerts of the destination win over those of the object's
 * address (KNATIVE.md 1.0).
 */
export function resolveDestination(
  destination: Destination | undefined,
  lookup: (identity: Identity) => Resource | undefined,
  options: ResolveOptions,
): Resolved {
  const fail = (message: string): Resolved => ({ reason: REASONS[options.role ?? 'subscriber'], message })
  const { ref, uri, CACerts } = destination ?? {}
  const found = (url: string, caCerts = CACerts): Resolved => ({
    url,
    ...(caCerts !== undefined && caCerts !== '' && { caCerts }),
  })
  if (ref === undefined) {
    if (uri === undefined) return fail('destination missing Ref and URI, expected at least one')
    return isHttpUrl(uri)
      ? found(uri)
      : fail(`URI is not absolute (both scheme and host should be non-empty): ${JSON.stringify(uri)}`)
  }
  const base = urlOf(ref, lookup, options)
  if (base.url === undefined) return fail(base.message)
  const caCerts = CACerts === undefined || CACerts === '' ? base.caCerts : CACerts
  if (uri === undefined || uri === '') return found(base.url, caCerts)
  return URL.canParse(uri, base.url)
    ? found(new URL(uri, base.url).href, caCerts)
    : fail(`URI ${JSON.stringify(uri)} is none relative to ${base.url}`)
}

const REASONS = {
  subscriber: "Unable to get the Subscriber's URI",
  deadLetterSink: "Unable to get the dead letter sink's URI",
}

function urlOf(
  ref: KReference,
  lookup: (identity: Identity) => Resource | undefined,
  { namespace, clusterSuffix = CLUSTER_SUFFIX }: ResolveOptions,
): { url: string; caCerts: string | undefined } | { url?: undefined; message: string } {
  const group = ref.apiVersion === undefined ? (ref.group ?? '') : groupOf(ref.apiVersion)
  const identity = { group, kind: ref.kind, namespace: ref.namespace ?? namespace, name: ref.name }
  const resource = lookup(identity)
  const said = resource === undefined ? undefined : addressOf(resource, ref.address)
  const kind = findKind(group, ref.kind)
  const apiVersion = ref.apiVersion ?? resource?.apiVersion ?? apiVersionOf(group, 'v1')
  const mapped = mappedUrl({ ...identity, apiVersion }, lookup(REFERENCE_MAPPING), resource?.metadata.uid)
  const url = mapped ?? said?.url ?? kind?.address?.(identity, resource, clusterSuffix)
  if (url !== undefined && isHttpUrl(url)) return { url, caCerts: mapped === undefined ? said?.caCerts : undefined }
  const name = `${identity.namespace}/${identity.name}`
  if (resource === undefined) {
    const plural = `${kind?.plural ?? `${ref.kind.toLowerCase()}s`}${group === '' ? '' : `.${group}`}`
    return { message: `failed to get object ${name}: ${plural} ${JSON.stringify(ref.name)} not found` }
  }
  const which = ref.address === undefined ? 'address' : `address with name ${JSON.stringify(ref.address)}`
  const hint = kind?.instead === undefined ? '' : `. Nothing runs it here. ${kind.instead.replace(/\.$/, '')}`
  return {
    message:
      url === undefined
        ? `${which} not set for ${ref.kind} ${name}${hint}`
        : `hostname missing in address of ${ref.kind} ${name}`,
  }
}

/** `status.address`, or the one of `status.addresses` with this name. */
function addressOf(
  { status }: Resource,
  wanted: string | undefined,
): { url: string; caCerts: string | undefined } | undefined {
  const addresses = status?.['addresses']
  const all = [status?.['address'], ...(Array.isArray(addresses) ? addresses : [])].filter(isRecord)
  const chosen = wanted === undefined ? all[0] : all.find(({ name }) => name === wanted)
  const { url, CACerts } = chosen ?? {}
  if (typeof url !== 'string' || url === '') return undefined
  return { url, caCerts: typeof CACerts === 'string' ? CACerts : undefined }
}

function isHttpUrl(url: string): boolean {
  return /^https?:\/\/[^/?#]/i.test(url) && URL.canParse(url)
}
