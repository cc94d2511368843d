// Resources that are there without anybody having declared them: the namespaces that something is in, and the
// CustomResourceDefinitions of the kinds that Sluice knows, by which kn and others find out what there is. Who writes one
// declares it.

import { kinds, resourceUid, type Identity, type Kind, type Resource } from '@sluice/resource'
import { servedVersions } from './catalog.ts'
import type { Resources } from './resources.ts'

/** All of a kind, declared or implied; `undefined` of a kind of which none is implied. */
export function withImplied(resources: Resources, { group, kind }: Kind): Resource[] | undefined {
  const declared = (): Resource[] => resources.store.list({ group, kind })
  if (group === '' && kind === 'Namespace') return merged(declared().map(active), namespacesIn(resources))
  if (group === 'apiextensions.k8s.io' && kind === 'CustomResourceDefinition')
    return merged(declared(), definitions(resources))
  return undefined
}

/** The one that nobody has declared. */
export function implied(resources: Resources, kind: Kind, name: string): Resource | undefined {
  return withImplied(resources, kind)?.find(({ metadata }) => metadata.name === name)
}

function merged(declared: readonly Resource[], others: readonly Resource[]): Resource[] {
  const names = new Set(declared.map(({ metadata }) => metadata.name))
  return [...declared, ...others.filter(({ metadata }) => !names.has(metadata.name))]
}

function impliedResource(
  identity: Identity,
  apiVersion: string,
  resourceVersion: string,
  more: Partial<Resource> & { since?: string; labels?: Record<string, string> },
): Resource {
  const { since = STARTED, labels = {}, ...content } = more
  return {
    apiVersion,
    kind: identity.kind,
    metadata: {
      name: identity.name,
      namespace: '',
      labels,
      annotations: {},
      uid: resourceUid(identity),
      generation: 1,
      resourceVersion,
      creationTimestamp: since,
    },
    ...content,
  }
}

const STARTED = `${new Date().toISOString().slice(0, 19)}Z`

// --- Namespaces ---

/** Clients look for it. */
const ALWAYS = 'default'

function namespacesIn({ store }: Resources): Resource[] {
  const oldest = new Map<string, string>([[ALWAYS, STARTED]])
  for (const { metadata } of store.list()) {
    const { namespace, creationTimestamp } = metadata
    const known = oldest.get(namespace)
    if (namespace !== '' && (known === undefined || creationTimestamp < known)) oldest.set(namespace, creationTimestamp)
  }
  return Array.from(oldest, ([name, since]) => {
    const labels = { 'kubernetes.io/metadata.name': name }
    const identity = { group: '', kind: 'Namespace', namespace: '', name }
    return active(
      impliedResource(identity, 'v1', store.resourceVersion(), { since, labels, spec: { finalizers: ['kubernetes'] } }),
    )
  })
}

function active(resource: Resource): Resource {
  return { ...resource, status: { observedGeneration: resource.metadata.generation, conditions: [], phase: 'Active' } }
}

// --- CustomResourceDefinitions ---

function definitions({ store }: Resources): Resource[] {
  const ours = kinds.filter(({ group }) => group.endsWith('knative.dev') || group.endsWith('sluice.dev'))
  return ours.map((kind) => definitionOf(kind, store.resourceVersion()))
}

function definitionOf(kind: Kind, resourceVersion: string): Resource {
  const { group, plural, singular, shortNames, categories, namespaced, description } = kind
  const name = `${plural}.${group}`
  const identity = { group: 'apiextensions.k8s.io', kind: 'CustomResourceDefinition', namespace: '', name }
  const versions = servedVersions(kind).map((version, n) => ({
    name: version,
    served: true,
    storage: n === 0,
    schema: { openAPIV3Schema: { type: 'object', description, 'x-kubernetes-preserve-unknown-fields': true } },
  }))
  const names = { kind: kind.kind, listKind: `${kind.kind}List`, plural, singular, shortNames, categories }
  return {
    ...impliedResource(identity, 'apiextensions.k8s.io/v1', resourceVersion, {
      labels: ducksOf(kind),
      spec: { group, names, scope: namespaced ? 'Namespaced' : 'Cluster', versions },
    }),
    status: {
      observedGeneration: 1,
      conditions: ['NamesAccepted', 'Established'].map((type) => ({
        type,
        status: 'True' as const,
        lastTransitionTime: STARTED,
      })),
      acceptedNames: names,
      storedVersions: [versions[0]!.name],
    },
  }
}

/** What it can be used as, as Knative labels its definitions (KNATIVE.md A.1). */
function ducksOf({ group, kind }: Kind): Record<string, string> {
  const isChannel = group.startsWith('messaging.') && kind.endsWith('Channel')
  const isSource = group.startsWith('sources.')
  const isAddressable = isChannel || group.startsWith('flows.') || group.startsWith('sinks.') || ADDRESSABLE.has(kind)
  return {
    ...(isSource && { 'duck.knative.dev/source': 'true' }),
    ...(kind.endsWith('Binding') && { 'duck.knative.dev/binding': 'true' }),
    ...(isAddressable && { 'duck.knative.dev/addressable': 'true' }),
    ...(isChannel && { 'messaging.knative.dev/subscribable': 'true' }),
  }
}

const ADDRESSABLE: ReadonlySet<string> = new Set([
  'Broker',
  'EventTransform',
  'RequestReply',
  'KafkaSink',
  'Service',
  'Route',
])
