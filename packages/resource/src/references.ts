// Pointers to what isn't there. It may come later, through the API or another file, so these are warnings.

import { CLUSTER_SUFFIX } from './destination.ts'
import { findKind } from './kinds/index.ts'
import type { Finding } from './problem.ts'
import { groupOf, nameOf, resourceKey, type Resource } from './resource.ts'

/** A warning for each resource that this one points to and that isn't there. `has` is asked by `resourceKey`. */
export function missingReferences(resource: Resource, has: (key: string) => boolean): Finding[] {
  const references = findKind(groupOf(resource.apiVersion), resource.kind)?.references?.(resource) ?? []
  return references.flatMap(({ path, apiVersion, missing, ...identity }) => {
    const group = groupOf(apiVersion)
    if (has(resourceKey({ group, ...identity }))) return []
    const url = findKind(group, identity.kind)?.address?.(identity, undefined, CLUSTER_SUFFIX)
    return [
      {
        severity: 'warning' as const,
        code: 'SLUICE_RESOURCE_MISSING_REFERENCE',
        path,
        message: `${nameOf(identity)}${group === '' ? '' : ` of ${group}`} is in none of these files.`,
        hint: url === undefined ? missing : `Its events will go to ${url}.`,
      },
    ]
  })
}
