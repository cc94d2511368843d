// Resources of a running sluice, as its words ask for them: by kind and name, at the paths that Kubernetes has.

import { didYouMean, kindByName, kinds, type Kind, type Resource } from '@sluice/resource'
import { ask, jsonOf, type Client } from './client.ts'
import { EXIT, exitWith } from './exit.ts'
import { request } from './request.ts'

/** What a word was asked for. */
export interface Wanted {
  readonly kind: Kind
  /** `undefined`: all of them. */
  readonly name: string | undefined
}

/** Of which namespace; `undefined`: of all. */
export type Namespace = string | undefined

/**
 * What `KIND[,KIND...] [NAME...]` and `KIND/NAME...` mean, as kubectl takes them: kinds by plural, singular or short name,
 * and `all` for those that this version acts on. Ends the process where there is no such kind.
 */
export async function wantedOf(client: Client, words: readonly string[]): Promise<Wanted[]> {
  const [first = '', ...names] = words
  const wanted: Wanted[] = []
  if (words.some((each) => each.includes('/') && !isGrouped(each))) {
    for (const each of words) {
      const slash = each.lastIndexOf('/')
      const [kind, name] = [each.slice(0, slash), each.slice(slash + 1)]
      if (slash < 1 || name === '') exitWith(EXIT.usage, `${client.word}: ${JSON.stringify(each)} is no KIND/NAME.`)
      wanted.push({ kind: await kindNamed(client, kind), name })
    }
    return wanted
  }
  for (const each of first.split(',')) {
    for (const kind of each === 'all' ? ALL : [await kindNamed(client, each)]) {
      if (names.length === 0) wanted.push({ kind, name: undefined })
      else wanted.push(...names.map((name) => ({ kind, name })))
    }
  }
  return wanted
}

/** `GROUP/KIND`, which also has a slash. */
function isGrouped(text: string): boolean {
  return text.includes('.') && kindByName(text) !== undefined
}

const ALL = kinds.filter(({ run, categories }) => run && categories.includes('all'))

async function kindNamed(client: Client, name: string): Promise<Kind> {
  const { word } = client
  const kind = kindByName(name) ?? (await kindAt(client, name))
  if (kind !== undefined) return kind
  const run = kinds.filter((each) => each.run)
  const meant = didYouMean(
    name,
    run.flatMap(({ plural, singular }) => [plural, singular]),
  )
  const hint = meant ?? `There are ${run.map(({ plural }) => plural).join(', ')}.`
  return exitWith(EXIT.usage, `${word}: there is no kind ${JSON.stringify(name)}. ${hint}`)
}

/** What `/apis` says of a kind, as far as it matters here. */
interface Discovered {
  readonly resource: string
  readonly singularResource: string
  readonly shortNames?: readonly string[]
  readonly scope: 'Namespaced' | 'Cluster'
  readonly responseKind: { readonly group: string; readonly version: string; readonly kind: string }
}

/** One that only the server knows: it is kept there. */
async function kindAt(client: Client, name: string): Promise<Kind | undefined> {
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
  const answer = await request('GET', `${client.server}/apis`, client, { headers: { accept } }).catch(() => undefined) // a slip of the pen is told all the same
  const { items = [] }: { items?: { versions: { resources: Discovered[] }[] }[] } = jsonOf(answer?.body ?? '') ?? {}
  const wanted = name.toLowerCase()
  for (const found of items.flatMap(({ versions }) => versions.flatMap(({ resources }) => resources))) {
    const { resource, singularResource, shortNames = [], responseKind } = found
    const known = [resource, singularResource, ...shortNames]
    if (!known.some((each) => wanted === each || wanted === `${each}.${responseKind.group}`)) continue
    return {
      ...responseKind,
      plural: resource,
      singular: singularResource,
      shortNames,
      categories: [],
      namespaced: found.scope === 'Namespaced',
      versions: [responseKind.version],
      description: '',
      run: false,
      naming: 'path',
    }
  }
  return undefined
}

/** Where the resources of a kind are, or one of them. */
export function pathOf(
  { group, versions, served = [], plural, namespaced }: Kind,
  namespace: Namespace,
  name?: string,
): string {
  const base = group === '' ? '/api/v1' : `/apis/${group}/${versions[0] ?? served[0] ?? 'v1'}`
  const inside = namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  return `${base}${inside}/${plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`
}

/** A list as it came. */
export interface ResourceList {
  readonly metadata: { readonly resourceVersion?: string }
  readonly items: readonly Resource[]
}

/** Those of a kind. Ends the process where that fails. */
export function list(client: Client, kind: Kind, namespace: Namespace, query = ''): Promise<ResourceList> {
  return ask<ResourceList>(client, 'GET', `${pathOf(kind, namespace)}${query}`)
}

/** One of them. Ends the process where it isn't there. */
export function get(client: Client, kind: Kind, namespace: string, name: string): Promise<Resource> {
  return ask<Resource>(client, 'GET', pathOf(kind, namespace, name))
}

/** `broker.eventing.knative.dev/default`, as kubectl's `-o name` has it. */
export function nameOf({ apiVersion, kind, metadata: { name } }: Resource): string {
  const slash = apiVersion.indexOf('/')
  return `${kind.toLowerCase()}${slash === -1 ? '' : `.${apiVersion.slice(0, slash)}`}/${name}`
}
