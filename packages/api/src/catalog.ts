// Which kinds the API has, under which paths.

import { kinds, type Kind } from '@sluice/resource'
import { badRequest, nothingThere } from './errors.ts'

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

const byPath = new Map(
  kinds.flatMap((kind) => servedVersions(kind).map((version) => [`${kind.group}/${version}/${kind.plural}`, kind])),
)

/** All groups, the core first. */
export const groups: readonly Group[] = [...new Set(['', ...kinds.map(({ group }) => group)])].map((name) => {
  const ofGroup = kinds.filter(({ group }) => group === name)
  const versions = [...new Set(ofGroup.flatMap(servedVersions))].toSorted(byPriority)
  return {
    name,
    versions: versions.map((version) => ({
      version,
      kinds: ofGroup.filter((kind) => servedVersions(kind).includes(version)),
    })),
  }
})

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

/** The kinds of a group and version; `undefined` where there is no such version. */
export function kindsServed(group: string, version: string): readonly Kind[] | undefined {
  return groups.find(({ name }) => name === group)?.versions.find((each) => each.version === version)?.kinds
}

/**
 * What a path below `/api/v1` or `/apis/{group}/{version}` means: `[namespaces/{namespace}/]{plural}[/{name}[/{sub}]]`.
 *
 * @throws Refusal 404 where no kind has it; 400 where it can't be decoded
 */
export function targetOf(group: string, version: string, steps: readonly string[], path: string): Target {
  const decoded = steps.map((step) => decode(step))
  const isInside = decoded[0] === 'namespaces' && decoded.length > 2 && !OF_NAMESPACE.has(decoded[2]!)
  const [plural = '', name, subresource, ...rest] = isInside ? decoded.slice(2) : decoded
  const kind = byPath.get(`${group}/${version}/${plural}`)
  if (kind === undefined || rest.length > 0 || (isInside && !kind.namespaced)) throw nothingThere(path)
  if (kind.namespaced && !isInside && name !== undefined) throw nothingThere(path)
  const namespace = isInside ? decoded[1] : kind.namespaced ? undefined : ''
  return { kind, version, namespace, name, subresource }
}

/** What follows the name of a Namespace and is no kind inside of it. */
const OF_NAMESPACE: ReadonlySet<string> = new Set(['status', 'finalize'])

function decode(step: string): string {
  try {
    return decodeURIComponent(step)
  } catch {
    throw badRequest(`the path has a step that can't be percent-decoded: ${step.slice(0, 100)}`)
  }
}
