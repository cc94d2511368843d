// Pointers to what isn't there. It may come later, through the API or another file, so these are warnings.

import { CLUSTER_SUFFIX } from './destination.ts'
import { findKind } from './kinds/index.ts'
import { didYouMean } from './nearest.ts'
import type { Finding } from './problem.ts'
import type { MappedReference } from './reference-mapping.ts'
import { groupOf, nameOf, resourceKey, type Identity, type Resource } from './resource.ts'

/** What a set of files declares. */
export interface Names {
  /** By `resourceKey`. */
  readonly has: (key: string) => boolean
  /** Names of that kind in that namespace. */
  readonly like: (identity: Identity) => readonly string[]
  /** Whether config-kreference-mapping says where it is. */
  readonly isMapped: (reference: MappedReference) => boolean
  /** Namespaces in which there is one of that kind and name. */
  readonly namespaces: (identity: Identity) => readonly string[]
}

/** A warning for each resource that this one points to and that isn't there. */
export function missingReferences(resource: Resource, names: Names): Finding[] {
  const references = findKind(groupOf(resource.apiVersion), resource.kind)?.references?.(resource) ?? []
  return references.flatMap(({ path, apiVersion, missing, ...identity }) => {
    const group = groupOf(apiVersion)
    if (names.has(resourceKey({ group, ...identity })) || names.isMapped({ apiVersion, ...identity })) return []
    const url = findKind(group, identity.kind)?.address?.(identity, undefined, CLUSTER_SUFFIX)
    const meant = didYouMean(identity.name, names.like({ group, ...identity }))
    const [elsewhere] = names.namespaces({ group, ...identity })
    const misplaced =
      elsewhere === undefined || elsewhere === '' // of a kind that lives in none
        ? undefined
        : `There is one in namespace ${elsewhere}; this points into ${identity.namespace}.`
    return [
      {
        severity: 'warning' as const,
        code: 'SLUICE_RESOURCE_MISSING_REFERENCE',
        path,
        message: `${nameOf(identity)}${group === '' ? '' : ` of ${group}`} is in none of these files.`,
        hint: [meant, misplaced, url === undefined ? missing : `Its events will go to ${url}.`]
          .filter((text) => text !== undefined)
          .join(' '),
      },
    ]
  })
}
