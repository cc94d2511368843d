// What the API is an API of; and namespaces, which are there by being used.

import { resourceUid, type Identity, type Resource, type ResourceStore, type ResourceWriter } from '@sluice/resource'

/** Resources, with statuses as of now, and how they are written. */
export interface Resources {
  readonly store: ResourceStore
  readonly writer: ResourceWriter
  readonly get: (identity: Identity) => Resource | undefined
  readonly list: (of: { group: string; kind: string }) => Resource[]
  /** Wall-clock ms. */
  readonly now: () => number
}

const NAMESPACE = { group: '', kind: 'Namespace', namespace: '' }
/** It is there without being used, so that tools that look for it find it. */
const ALWAYS = ['default']

/** All namespaces: those that were declared, and those that something is in. */
export function namespacesOf(resources: Resources): Resource[] {
  const declared = new Map(resources.list(NAMESPACE).map((resource) => [resource.metadata.name, resource]))
  const oldest = new Map<string, string>(ALWAYS.map((name) => [name, '']))
  for (const { metadata } of resources.store.list()) {
    const { namespace, creationTimestamp } = metadata
    const known = oldest.get(namespace)
    if (namespace === '') continue
    if (known === undefined || known === '' || creationTimestamp < known) oldest.set(namespace, creationTimestamp)
  }
  for (const name of declared.keys()) oldest.delete(name)
  const used = Array.from(oldest, ([name, since]) => namespace(name, since, resources.store.resourceVersion()))
  return [...Array.from(declared.values(), active), ...used]
}

/** One of them. */
export function namespaceNamed(resources: Resources, name: string): Resource | undefined {
  return namespacesOf(resources).find(({ metadata }) => metadata.name === name)
}

function namespace(name: string, creationTimestamp: string, resourceVersion: string): Resource {
  return active({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      namespace: '',
      labels: { 'kubernetes.io/metadata.name': name },
      annotations: {},
      uid: resourceUid({ ...NAMESPACE, name }),
      generation: 1,
      resourceVersion,
      creationTimestamp: creationTimestamp === '' ? STARTED : creationTimestamp,
    },
    spec: { finalizers: ['kubernetes'] },
  })
}

/** Of a namespace in which nothing is yet. */
const STARTED = `${new Date().toISOString().slice(0, 19)}Z`

function active(resource: Resource): Resource {
  return { ...resource, status: { observedGeneration: resource.metadata.generation, conditions: [], phase: 'Active' } }
}
