// What there is: the lists by which clients find kinds, their names and their verbs.

import { apiVersionOf, type Kind } from '@sluice/resource'
import { isOffered, type Catalog, type Group } from './catalog.ts'

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

/** `/api`: the versions of the core group. */
export function coreVersions(): object {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }
}

/** `/apis`: all other groups. */
export function groupList(catalog: Catalog): object {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: named(catalog).map((group) => groupOf(group)) }
}

/** `/apis/{group}`; `undefined` where there is none. */
export function groupNamed(catalog: Catalog, name: string): object | undefined {
  const group = named(catalog).find((each) => each.name === name)
  return group && { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(group) }
}

function named({ groups }: Catalog): Group[] {
  return groups.filter(({ name }) => name !== '')
}

function groupOf({ name, versions }: Group): object {
  const all = versions.map(({ version }) => ({ groupVersion: apiVersionOf(name, version), version }))
  return { name, versions: all, preferredVersion: all[0] }
}

/** `/apis/{group}/{version}` and `/api/v1`; `undefined` where there is none. */
export function resourceList(catalog: Catalog, group: string, version: string): object | undefined {
  const kinds = catalog.kindsServed(group, version)
  return (
    kinds && {
      kind: 'APIResourceList',
      apiVersion: 'v1',
      groupVersion: apiVersionOf(group, version),
      resources: kinds.filter(isOffered).flatMap((kind) => [resourceOf(kind), statusOf(kind)]),
    }
  )
}

function resourceOf({ plural, singular, namespaced, kind, shortNames, categories }: Kind): object {
  return {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs: VERBS,
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
  }
}

/** It is written by Sluice, and can only be read. */
function statusOf({ plural, namespaced, kind }: Kind): object {
  return { name: `${plural}/status`, singularName: '', namespaced, kind, verbs: ['get'] }
}

/** `/api` (`isCore`) or `/apis` at once, as newer clients ask for it. */
export function aggregated({ groups }: Catalog, isCore: boolean): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups
      .filter(({ name }) => (name === '') === isCore)
      .map(({ name, versions }) => ({
        metadata: name === '' ? {} : { name },
        versions: versions.map(({ version, kinds }) => ({
          version,
          freshness: 'Current',
          resources: kinds.filter(isOffered).map((kind) => discovered(kind, version)),
        })),
      })),
  }
}

function discovered(
  { group, kind, plural, singular, namespaced, shortNames, categories }: Kind,
  version: string,
): object {
  const responseKind = { group, version, kind }
  return {
    resource: plural,
    responseKind,
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs: VERBS,
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
    subresources: [{ subresource: 'status', responseKind, verbs: ['get'] }],
  }
}
