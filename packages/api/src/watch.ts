// A watch: what is there, where that is asked for, and then each change as it is committed, until the client leaves, its
// time is over, or it doesn't read.
//
// From: api.ts. What came before is the store's history; what comes, its subscription.

import type { ServerResponse } from 'node:http'
import { apiVersionOf, groupOf, type Change, type Resource, type ResourceEvent } from '@sluice/resource'
import type { Clock } from '@sluice/clock'
import type { Target } from './catalog.ts'
import { badRequest, expired } from './errors.ts'
import { includedObject, tooMany, type ApiLimits, type Wanted } from './http.ts'
import { present, presentPartial } from './present.ts'
import { select } from './read.ts'
import type { Resources } from './resources.ts'
import { selectorOf } from './selectors.ts'
import { columnDefinitions, rowOf, tableOf } from './table.ts'

/** So often a watcher who takes bookmarks learns how far it is. */
const BOOKMARK_MS = 60_000
/** So long a watch lasts that says nothing of its end: 30 to 60 minutes, as in Kubernetes. */
const LASTS_MS = 30 * 60_000

/** All watches of one API. */
export class Watches {
  readonly #resources: Resources
  readonly #clock: Clock
  readonly #limits: ApiLimits
  readonly #open = new Set<() => void>()

  constructor(resources: Resources, clock: Clock, limits: ApiLimits) {
    this.#resources = resources
    this.#clock = clock
    this.#limits = limits
  }

  /** Ends all of them: their clients come again, elsewhere. */
  close(): void {
    for (const end of [...this.#open]) end()
  }

  /**
   * Answers with a watch.
   *
   * @throws Refusal before anything is answered: 400, 410 where the resourceVersion is known no more, 429
   */
  watch(target: Target, query: URLSearchParams, wanted: Wanted, response: ServerResponse): void {
    if (this.#open.size >= this.#limits.watchesMax) throw tooMany('watches are open')
    const watched = this.#watched(target, query, wanted)
    const { initial, past, isBookmarked } = this.#begin(target, query)

    response.writeHead(200, { 'content-type': wanted.contentType, 'cache-control': 'no-cache' })
    const lines = this.#linesTo(response)
    for (const resource of initial) lines.add(watched.line('ADDED', resource))
    for (const event of past) this.#tell(event, watched, lines)
    if (isBookmarked) lines.add(this.#bookmark(target, true))
    lines.flush()
    response.flushHeaders()

    const leave = this.#resources.store.subscribe((change) => {
      for (const event of eventsOf(change)) this.#tell(event, watched, lines)
      lines.flush()
    })
    const bookmarks =
      query.get('allowWatchBookmarks') === 'true' &&
      this.#every(BOOKMARK_MS, () => {
        lines.add(this.#bookmark(target, false))
        lines.flush()
      })
    const end = (): void => {
      this.#open.delete(end)
      leave()
      if (bookmarks) bookmarks()
      over.cancel()
      response.end()
    }
    const over = this.#clock.setTimer(lastsMs(query), end)
    this.#open.add(end)
    response.once('close', end)
  }

  #watched({ kind, version, namespace }: Target, query: URLSearchParams, { as }: Wanted): Watched {
    const selector = selectorOf(kind, query.get('labelSelector'), query.get('fieldSelector'))
    const include = includedObject(query)
    let columns: readonly object[] | undefined = columnDefinitions(kind, version) // with the first row alone
    const objectOf = (resource: Resource): object => {
      if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return presentPartial(resource, kind)
      if (as !== 'Table') return present(resource, kind, version)
      const row = rowOf(resource, { kind, version, include, nowMs: this.#resources.now() })
      const table = tableOf([row], { resourceVersion: resource.metadata.resourceVersion }, columns)
      columns = undefined
      return table
    }
    return {
      isMeant: (resource) =>
        resource.kind === kind.kind &&
        groupOf(resource.apiVersion) === kind.group &&
        (namespace === undefined || resource.metadata.namespace === namespace) &&
        (selector?.(resource) ?? true),
      line: (type, object) => JSON.stringify({ type, object: objectOf(object) }),
    }
  }

  /** What a watch begins with. */
  #begin(
    target: Target,
    query: URLSearchParams,
  ): { initial: readonly Resource[]; past: readonly ResourceEvent[]; isBookmarked: boolean } {
    const { store } = this.#resources
    const version = query.get('resourceVersion') ?? ''
    if (query.get('sendInitialEvents') === 'true') {
      if (query.get('resourceVersionMatch') !== 'NotOlderThan') {
        throw badRequest('sendInitialEvents needs resourceVersionMatch=NotOlderThan')
      }
      const isBookmarked = query.get('allowWatchBookmarks') === 'true'
      return { initial: select(this.#resources, target, query), past: [], isBookmarked }
    }
    if (version === '' || version === '0') {
      return { initial: select(this.#resources, target, query), past: [], isBookmarked: false }
    }
    if (!/^\d{1,16}$/.test(version))
      throw badRequest(`resourceVersion: invalid value: ${JSON.stringify(version.slice(0, 40))}`)
    const past = store.since(version)
    if (past === undefined) throw expired(`too old resource version: ${version} (${store.resourceVersion()})`)
    return { initial: [], past, isBookmarked: false }
  }

  /** What comes into the selection is added, what leaves it is deleted. */
  #tell({ type, resource, before }: ResourceEvent, { isMeant, line }: Watched, lines: Lines): void {
    const was = type !== 'added' && isMeant(before ?? resource)
    const is = type !== 'removed' && isMeant(resource)
    if (was && is) lines.add(line('MODIFIED', resource))
    else if (is) lines.add(line('ADDED', resource))
    else if (was) lines.add(line('DELETED', resource))
  }

  #bookmark({ kind, version }: Target, isInitialEnd: boolean): string {
    const annotations = isInitialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}
    const metadata = {
      resourceVersion: this.#resources.store.resourceVersion(),
      creationTimestamp: null,
      ...annotations,
    }
    return JSON.stringify({
      type: 'BOOKMARK',
      object: { kind: kind.kind, apiVersion: apiVersionOf(kind.group, version), metadata },
    })
  }

  #every(ms: number, run: () => void): () => void {
    let timer = this.#clock.setTimer(ms, again)
    const clock = this.#clock
    function again(): void {
      run()
      timer = clock.setTimer(ms, again)
    }
    return () => timer.cancel()
  }

  #linesTo(response: ServerResponse): Lines {
    const { watchBytesMax } = this.#limits
    let waiting: string[] = []
    return {
      add: (line) => void waiting.push(line),
      flush: () => {
        if (waiting.length === 0 || response.destroyed) return
        response.write(`${waiting.join('\n')}\n`)
        waiting = []
        if (response.writableLength > watchBytesMax) response.destroy() // it doesn't read, and lists anew when it does
      },
    }
  }
}

interface Lines {
  readonly add: (line: string) => void
  /** In one write, what belongs to one commit. */
  readonly flush: () => void
}

/** What one watch is about, and how it tells it. */
interface Watched {
  readonly isMeant: (resource: Resource) => boolean
  readonly line: (type: 'ADDED' | 'MODIFIED' | 'DELETED', resource: Resource) => string
}

/** In the order in which they were made. */
function eventsOf({ added, updated, removed }: Change): ResourceEvent[] {
  const version = (resource: Resource): number => Number(resource.metadata.resourceVersion)
  const events: ResourceEvent[] = [
    ...added.map((resource) => ({ type: 'added' as const, version: version(resource), resource })),
    ...updated.map(({ before, after }) => ({
      type: 'updated' as const,
      version: version(after),
      resource: after,
      before,
    })),
    ...removed.map((resource) => ({ type: 'removed' as const, version: version(resource), resource })),
  ]
  return events.length === 1 ? events : events.toSorted((a, b) => a.version - b.version)
}

/** Until a watch ends by itself. Spread, so that not all clients come again at once. */
function lastsMs(query: URLSearchParams): number {
  const seconds = query.get('timeoutSeconds') ?? ''
  if (/^[1-9]\d{0,8}$/.test(seconds)) return Math.min(Number(seconds) * 1000, TIMER_MS_MAX)
  return LASTS_MS * (1 + Math.random())
}

/** What a timer can hold. */
const TIMER_MS_MAX = 2 ** 31 - 1
