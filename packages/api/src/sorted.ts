// Lists sorted by namespace and name, kept until something of their kind changes: clients read ten thousand triggers in
// twenty pages, and sorting them for each would cost more than the rest.

import { groupOf, type Change, type Resource, type ResourceStore } from '@sluice/resource'

/** Where a resource stands in a sorted list. */
export function placeOf({ metadata }: Resource): string {
  return `${metadata.namespace}/${metadata.name}`
}

/** Those of a kind, in their order. */
export function sorted(resources: readonly Resource[]): Resource[] {
  const placed = resources.map((resource) => ({ place: placeOf(resource), resource }))
  return placed.toSorted((a, b) => (a.place < b.place ? -1 : 1)).map(({ resource }) => resource)
}

/** As {@link sorted}, of what a store has of a kind; nobody may change what is returned. */
export function sortedLists(store: ResourceStore): (of: { group: string; kind: string }) => readonly Resource[] {
  const known = new Map<string, Resource[]>()
  store.subscribe(({ added, updated, removed }: Change) => {
    for (const resource of added) forget(resource)
    for (const { after } of updated) forget(after)
    for (const resource of removed) forget(resource)
  })
  return (of) => {
    const key = `${of.group}/${of.kind}`
    let found = known.get(key)
    if (found === undefined) known.set(key, (found = sorted(store.list(of))))
    return found
  }

  function forget({ apiVersion, kind }: Resource): void {
    if (known.size > 0) known.delete(`${groupOf(apiVersion)}/${kind}`)
  }
}
