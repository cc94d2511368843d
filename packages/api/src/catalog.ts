// Which kinds the API has, under which paths: those that Sluice knows, those that a CustomResourceDefinition declares, and
// those of which nothing is known but that a file has one.

import {
  findKind,
  groupOf,
  isRecord,
  kinds,
  versionOf,
  type Kind,
  type Resource,
  type ResourceStore,
} from '@sluice/resource'
import { badRequest, noContainers, nothingThere } from './errors.ts'

/** What a path of a resource, or of a list of them, means. */
export interface Target {
  readonly kind: Kind
  readonly version: string
  /** `undefined`: of all namespaces; '' of a kind that lives in none. */
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly subresource: string | undefined
}

/** The versions that a kind is offered in, the preferred one first. */
export function servedVersions({ versions, served }: Kind): readonly string[] {
  return versions.length > 0 ? versions : (served ?? ['v1'])
}

/** A group with its versions, the preferred one first. The core group is ''. */
export interface Group {
  readonly name: string
  readonly versions: readonly { readonly version: string; readonly kinds: readonly Kind[] }[]
}

/** The kinds that there are at one time. */
export class Catalog {
  /** All groups, the core first. */
  readonly groups: readonly Group[]
  readonly #byPath: ReadonlyMap<string, Kind>

  constructor(all: readonly Kind[]) {
    this.#byPath = new Map(all.flatMap((kind) => servedVersions(kind).map((version) => [pathOf(kind, version), kind])))
    this.groups = [...new Set(['', ...all.map(({ group }) => group)])].map((name) => {
      const ofGroup = all.filter(({ group }) => group === name)
      const versions = [...new Set(ofGroup.flatMap(servedVersions))].toSorted(byPriority)
      const kindsOf = (version: string): Kind[] => ofGroup.filter((kind) => servedVersions(kind).includes(version))
      return { name, versions: versions.map((version) => ({ version, kinds: kindsOf(version) })) }
    })
  }

  /** The kinds of a group and version; `undefined` where there is no such version. */
  kindsServed(group: string, version: string): readonly Kind[] | undefined {
    return this.groups.find(({ name }) => name === group)?.versions.find((each) => each.version === version)?.kinds
  }

  /**
   * What a path below `/api/v1` or `/apis/{group}/{version}` means: `[namespaces/{namespace}/]{plural}[/{name}[/{sub}]]`.
   *
   * @throws Refusal 404 where no kind has it; 400 where it can't be decoded
   */
  targetOf(group: string, version: string, steps: readonly string[], path: string): Target {
    const decoded = steps.map((step) => decode(step))
    const isInside = decoded[0] === 'namespaces' && decoded.length > 2 && !OF_NAMESPACE.has(decoded[2]!)
    const [plural = '', name, subresource, ...rest] = isInside ? decoded.slice(2) : decoded
    const kind = this.#byPath.get(`${group}/${version}/${plural}`)
    if (kind === undefined || rest.length > 0 || (isInside && !kind.namespaced)) throw nothingThere(path)
    if (kind.namespaced && !isInside && name !== undefined) throw nothingThere(path)
    if (kind.group === '' && kind.kind === 'Pod' && WITHIN_PODS.has(subresource ?? '')) throw noContainers(name!)
    const namespace = isInside ? decoded[1] : kind.namespaced ? undefined : ''
    return { kind, version, namespace, name, subresource }
  }
}

/** What follows the name of a Namespace and is no kind inside of it. */
const OF_NAMESPACE: ReadonlySet<string> = new Set(['status', 'finalize'])

/** What kubectl logs, attach, exec and port-forward ask for. */
const WITHIN_PODS: ReadonlySet<string> = new Set(['log', 'attach', 'exec', 'portforward'])

function pathOf({ group, plural }: Kind, version: string): string {
  return `${group}/${version}/${plural}`
}

function decode(step: string): string {
  try {
    return decodeURIComponent(step)
  } catch {
    throw badRequest(`the path has a step that can't be percent-decoded: ${step.slice(0, 100)}`)
  }
}

/** Kubernetes' order: v2, v1, v1beta2, v1beta1, v1alpha1. */
function byPriority(a: string, b: string): number {
  const [x, y] = [weightOf(a), weightOf(b)]
  return y[0] - x[0] || y[1] - x[1] || y[2] - x[2]
}

function weightOf(version: string): [stability: number, major: number, minor: number] {
  const [, major = '0', stage, minor = '0'] = /^v(\d+)(alpha|beta)?(\d+)?$/.exec(version) ?? []
  return [stage === undefined ? 2 : stage === 'beta' ? 1 : 0, Number(major), Number(minor)]
}

/**
 * Whether clients are told of it. Where an older group has a kind that is run under a newer one, `kubectl get channels` would
 * find the older: that one is there for who names it by its path. (The core's are found first anyway.)
 */
export function isOffered({ kind, group, run }: Kind): boolean {
  return run || !kinds.some((other) => other.run && other.kind === kind && other.group !== group && other.group !== '')
}

// --- What is known only by what is there ---

const DEFINITION = { group: 'apiextensions.k8s.io', kind: 'CustomResourceDefinition' }

/** The catalog of a store, made anew when something changes what is in it. */
export function catalogOf(store: ResourceStore): () => Catalog {
  let catalog: Catalog | undefined
  store.subscribe(({ added, updated, removed }) => {
    const concerned = [
      ...added,
      ...updated.filter(({ specChanged }) => specChanged).map(({ after }) => after),
      ...removed,
    ]
    if (concerned.some(addsKinds)) catalog = undefined
  })
  return () => (catalog ??= new Catalog([...kinds, ...kindsIn(store)]))
}

function addsKinds({ apiVersion, kind }: Resource): boolean {
  return kind === DEFINITION.kind || findKind(groupOf(apiVersion), kind) === undefined
}

function kindsIn(store: ResourceStore): Kind[] {
  const found = new Map<string, Kind>()
  for (const definition of store.list(DEFINITION)) {
    const kind = definedBy(definition)
    if (kind !== undefined && findKind(kind.group, kind.kind) === undefined)
      found.set(`${kind.group}/${kind.kind}`, kind)
  }
  for (const { apiVersion, kind, metadata } of store.list()) {
    const group = groupOf(apiVersion)
    const key = `${group}/${kind}`
    if (findKind(group, kind) !== undefined) continue
    const version = versionOf(apiVersion)
    const known = found.get(key)
    const names = { plural: `${kind.toLowerCase()}s`, singular: kind.toLowerCase(), shortNames: [], categories: [] }
    if (known === undefined) found.set(key, keptKind(group, kind, names, metadata.namespace !== '', [version]))
    else if (!servedVersions(known).includes(version))
      found.set(key, { ...known, served: [...servedVersions(known), version] })
  }
  return [...found.values()]
}

type Names = Pick<Kind, 'plural' | 'singular' | 'shortNames' | 'categories'>

function keptKind(group: string, kind: string, names: Names, namespaced: boolean, served: readonly string[]): Kind {
  const description = `A ${kind} of ${group}. Kept, and not acted on.`
  return { group, kind, ...names, namespaced, versions: [], served, description, run: false, naming: 'path' }
}

/** What a definition declares; nothing is checked of one beforehand. */
function definedBy({ spec }: Resource): Kind | undefined {
  const { group, names, scope, versions } = spec ?? {}
  if (typeof group !== 'string' || !isRecord(names) || !Array.isArray(versions)) return undefined
  const { kind, plural } = names
  if (typeof kind !== 'string' || typeof plural !== 'string') return undefined
  const served = versions.flatMap((each) => (isRecord(each) && typeof each['name'] === 'string' ? [each['name']] : []))
  const singular = typeof names['singular'] === 'string' ? names['singular'] : kind.toLowerCase()
  const texts = (value: unknown): string[] =>
    Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
  const all = { plural, singular, shortNames: texts(names['shortNames']), categories: texts(names['categories']) }
  return served.length === 0 ? undefined : keptKind(group, kind, all, scope !== 'Cluster', served)
}
