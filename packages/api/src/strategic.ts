// Strategic merge patch, of Kubernetes' own kinds: a merge patch in which some lists are merged as well, by the key that
// tells their elements apart, and in which directives ($patch, $retainKeys, $deleteFromPrimitiveList) say what a merge can't.

import { isRecord } from '@sluice/resource'
import { badRequest } from './errors.ts'

/** By the name of the list: what tells its elements apart. Of Kubernetes' API; any other list is replaced. */
const MERGE_KEYS: Readonly<Record<string, readonly string[]>> = {
  ports: ['port', 'containerPort'],
  containers: ['name'],
  initContainers: ['name'],
  ephemeralContainers: ['name'],
  env: ['name'],
  volumes: ['name'],
  volumeMounts: ['mountPath'],
  volumeDevices: ['devicePath'],
  imagePullSecrets: ['name'],
  secrets: ['name'],
  hostAliases: ['ip'],
  topologySpreadConstraints: ['topologyKey'],
  conditions: ['type'],
  ownerReferences: ['uid'],
  taints: ['key'],
}
/** Lists of plain values that are merged as sets. */
const SETS: ReadonlySet<string> = new Set(['finalizers', 'loadBalancerSourceRanges'])

/** What a patch makes of `value`. */
export function strategicPatched(
  value: Record<string, unknown>,
  patch: Record<string, unknown>,
): Record<string, unknown> {
  const { $patch: directive, $retainKeys: retained, ...changes } = patch
  if (directive === 'replace') return changes
  if (directive === 'delete') return {}
  if (directive !== undefined && directive !== 'merge')
    throw badRequest(`Unknown patch type: ${JSON.stringify(directive)}; there are replace, delete and merge`)
  const kept = Array.isArray(retained)
    ? Object.entries(value).filter(([field]) => retained.includes(field))
    : Object.entries(value)
  const merged = new Map(kept)
  for (const [field, change] of Object.entries(changes)) {
    const [, order] = /^\$setElementOrder\/(.+)$/.exec(field) ?? []
    const [, removed] = /^\$deleteFromPrimitiveList\/(.+)$/.exec(field) ?? []
    if (removed !== undefined) merged.set(removed, without(merged.get(removed), change))
    else if (order !== undefined) continue // below, once all elements are there
    else if (change === null) merged.delete(field)
    else merged.set(field, changed(field, merged.get(field), change))
  }
  for (const [field, order] of Object.entries(changes)) {
    const [, list] = /^\$setElementOrder\/(.+)$/.exec(field) ?? []
    if (list !== undefined) merged.set(list, ordered(list, merged.get(list), order))
  }
  return Object.fromEntries(Array.from(merged).filter(([, each]) => each !== undefined))
}

function changed(field: string, value: unknown, change: unknown): unknown {
  if (isRecord(change)) return strategicPatched(isRecord(value) ? value : {}, change)
  if (!Array.isArray(change)) return change
  const present: unknown[] = Array.isArray(value) ? value : []
  if (SETS.has(field)) return [...new Set([...present, ...(change as unknown[])])]
  const key = keyOf(field, [...present, ...(change as unknown[])])
  return key === undefined ? change : mergedList(present, change as unknown[], key)
}

function keyOf(field: string, elements: readonly unknown[]): string | undefined {
  if (!Object.hasOwn(MERGE_KEYS, field)) return undefined
  const records = elements.filter(isRecord)
  return MERGE_KEYS[field]!.find((key) => records.some((each) => each[key] !== undefined))
}

function mergedList(value: readonly unknown[], change: readonly unknown[], key: string): unknown[] {
  if (change.some((each) => isRecord(each) && each['$patch'] === 'replace')) {
    return change.filter((each) => !isRecord(each) || each['$patch'] !== 'replace')
  }
  const merged = [...value]
  for (const element of change) {
    if (!isRecord(element)) throw badRequest(`an element of a list that is merged by ${key} has to be a mapping`)
    if (element[key] === undefined)
      throw badRequest(`map: ${JSON.stringify(element).slice(0, 100)} does not contain declared merge key: ${key}`)
    const at = merged.findIndex((each) => isRecord(each) && each[key] === element[key])
    if (element['$patch'] === 'delete') merged.splice(at === -1 ? merged.length : at, 1)
    else if (at === -1) merged.push(strategicPatched({}, element))
    else merged[at] = strategicPatched(merged[at] as Record<string, unknown>, element)
  }
  return merged
}

function without(value: unknown, removed: unknown): unknown {
  if (!Array.isArray(value) || !Array.isArray(removed)) return value
  return value.filter((each) => !removed.includes(each))
}

/** Those that the order names first, in that order; the others after them. */
function ordered(field: string, value: unknown, order: unknown): unknown {
  if (!Array.isArray(value) || !Array.isArray(order)) return value
  const key = keyOf(field, [...(order as unknown[]), ...(value as unknown[])])
  const identityOf = (each: unknown): unknown => (key !== undefined && isRecord(each) ? each[key] : each)
  const places = new Map(order.map((each, place) => [identityOf(each), place]))
  const placeOf = (each: unknown): number => places.get(identityOf(each)) ?? order.length
  return value.toSorted((a, b) => placeOf(a) - placeOf(b))
}
