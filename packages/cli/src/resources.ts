// Resources of a running sluice, as its words ask for them: by kind and name, at the paths that Kubernetes has.

import { didYouMean, kindByName, kinds, type Kind, type Resource } from '@sluice/resource'
import { ask, type Client } from './client.ts'
import { EXIT, exitWith } from './exit.ts'

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
export function wantedOf(word: string, words: readonly string[]): Wanted[] {
  const [first = '', ...names] = words
  if (words.some((each) => each.includes('/') && !isGrouped(each))) {
    return words.map((each) => {
      const slash = each.lastIndexOf('/')
      const [kind, name] = [each.slice(0, slash), each.slice(slash + 1)]
      if (slash < 1 || name === '') exitWith(EXIT.usage, `${word}: ${JSON.stringify(each)} is no KIND/NAME.`)
      return { kind: kindNamed(word, kind), name }
    })
  }
  const wanted = first.split(',').flatMap((name) => (name === 'all' ? ALL : [kindNamed(word, name)]))
  if (names.length === 0) return wanted.map((kind) => ({ kind, name: undefined }))
  return wanted.flatMap((kind) => names.map((name) => ({ kind, name })))
}

/** `GROUP/KIND`, which also has a slash. */
function isGrouped(text: string): boolean {
  return text.includes('.') && kindByName(text) !== undefined
}

const ALL = kinds.filter(({ run, categories }) => run && categories.includes('all'))

function kindNamed(word: string, name: string): Kind {
  const kind = kindByName(name)
  if (kind !== undefined) return kind
  const run = kinds.filter((each) => each.run)
  const meant = didYouMean(
    name,
    run.flatMap(({ plural, singular }) => [plural, singular]),
  )
  const hint = meant ?? `There are ${run.map(({ plural }) => plural).join(', ')}.`
  return exitWith(EXIT.usage, `${word}: there is no kind ${JSON.stringify(name)}. ${hint}`)
}

/** Where the resources of a kind are, or one of them. */
export function pathOf({ group, versions, plural, namespaced }: Kind, namespace: Namespace, name?: string): string {
  const base = group === '' ? '/api/v1' : `/apis/${group}/${versions[0] ?? 'v1'}`
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
