// What is configured: the one place where resources live. Files write through `apply`, the API one by one through
// writer.ts; the controller listens, and writes what it found through `setStatus`. It knows no kind by name: what may not
// change comes from the kind's form (refusals.ts).

import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '@sluice/clock'
import type { Condition } from './conditions.ts'
import { History, type ResourceEvent } from './history.ts'
import type { Path, Problem } from './problem.ts'
import { isAsWritten, refusals, type Entry } from './refusals.ts'
import { groupOf, keyOf } from './resource.ts'
import type { Declared, Metadata, Origin, Resource, Status } from './resource.ts'

/** Resources by key, and who changes them. All of it is synchronous: nobody sees half of a commit. */
export interface ResourceStore {
  /** Of the last change, as a decimal number. */
  readonly resourceVersion: () => string
  /** By `resourceKey`. */
  readonly get: (key: string) => Resource | undefined
  /** Where it came from; `undefined` when it is not there or came through the API. */
  readonly origin: (key: string) => Origin | undefined
  /** Whose it is, as `source` of {@link ApplyOptions}; `undefined` when it is not there. */
  readonly source: (key: string) => string | undefined
  /** In the order in which they were added; of one group and kind if asked. */
  readonly list: (of?: { readonly group: string; readonly kind: string }) => Resource[]
  /**
   * Makes `resources` all that comes from `source`: adds, updates, and removes what that source had and has no longer.
   * All or nothing: where one is refused (an immutable field changed, another source's resource, an old
   * `resourceVersion`), nothing changes and the problems of all are returned. Each resource that changes gets a
   * resourceVersion of its own; where nothing does, nobody is told.
   */
  readonly apply: (resources: readonly Declared[], options: ApplyOptions) => Applied
  /** As {@link apply}, of a part: what the source has beside that stays as it is, and costs nothing. */
  readonly change: (changes: Changes, options: ApplyOptions) => Applied
  /** They stand elsewhere now, with the same content. Nobody is told. */
  readonly relocate: (moved: Iterable<readonly [key: string, origin: Origin]>) => void
  /** What would become of one resource by {@link put}. Changes nothing. */
  readonly preview: (declared: Declared, options: ApplyOptions) => Previewed
  /** Adds or replaces one resource, or refuses it as {@link apply} does. */
  readonly put: (declared: Declared, options: ApplyOptions) => Applied
  /** Removes one, whoever it belongs to; nothing where it is not there. */
  readonly remove: (key: string) => Change
  /**
   * Replaces the status: conditions and `observedGeneration` together (spec 83). `lastTransitionTime` of a condition
   * moves only when its `status` does. Returns false, and changes nothing, when the resource is not there, when the
   * status is about an older generation than the one that stands there, or when it is the same.
   */
  readonly setStatus: (key: string, status: Status) => boolean
  /** Calls `listener` after every commit, in their order, before the call that made it returns. Returns the way out. */
  readonly subscribe: (listener: (change: Change) => void) => () => void
  /**
   * The changes after this resourceVersion, in their order; `undefined` where some of them are forgotten already, or
   * it is none that this store has given.
   */
  readonly since: (resourceVersion: string) => readonly ResourceEvent[] | undefined
}

/** Of {@link ResourceStore.apply}. */
export interface ApplyOptions {
  /** Whose resources these are, such as `files` or `api`. */
  readonly source: string
  /** Where a path of a resource stands, for problems: `locate` of what was loaded. Default: the resource's origin. */
  readonly locate?: (declared: Declared, path: Path) => Origin
}

/** Of {@link ResourceStore.change}. */
export interface Changes {
  /** Added, or in place of what is there. */
  readonly put: readonly Declared[]
  /** Keys. */
  readonly removed: readonly string[]
}

/** What came of an apply: a change, empty where nothing differed; or problems, and no change. */
export type Applied =
  | { readonly change: Change; readonly problems?: undefined }
  | { readonly change?: undefined; readonly problems: readonly Problem[] }

/** What would be stored; the very resource that is, where nothing would change. */
export type Previewed =
  | { readonly resource: Resource; readonly problems?: undefined }
  | { readonly resource?: undefined; readonly problems: readonly Problem[] }

/** One commit. */
export interface Change {
  /** Of the store after it. */
  readonly resourceVersion: string
  readonly added: readonly Resource[]
  /** `specChanged`: its generation grew. Else labels, annotations or the status changed. */
  readonly updated: readonly { readonly before: Resource; readonly after: Resource; readonly specChanged: boolean }[]
  readonly removed: readonly Resource[]
}

/** Of {@link resourceStore}. */
export interface StoreOptions {
  readonly clock: Clock
  /**
   * The resourceVersion before the first change. Default 0. A number of no earlier process keeps those who watch, or
   * hold an old resourceVersion, from taking this one's for that.
   */
  readonly version?: number
  /** Changes that {@link ResourceStore.since} remembers. Default 10,000. */
  readonly historyMax?: number
}

const HISTORY_MAX = 10_000

/** An empty store. */
export function resourceStore({ clock, version = 0, historyMax = HISTORY_MAX }: StoreOptions): ResourceStore {
  const entries = new Map<string, Entry>()
  const byKind = new Map<string, Map<string, Resource>>()
  const listeners = new Set<(change: Change) => void>()
  const history = new History(historyMax, version)
  const untold: Change[] = []
  const first = version
  let telling = false

  return {
    resourceVersion: () => String(version),
    get: (key) => entries.get(key)?.resource,
    origin: (key) => entries.get(key)?.origin,
    source: (key) => entries.get(key)?.source,
    list: (of) =>
      of === undefined
        ? Array.from(entries.values(), ({ resource }) => resource)
        : [...(byKind.get(`${of.group}/${of.kind}`)?.values() ?? [])],
    apply,
    change,
    relocate,
    preview,
    put,
    remove,
    setStatus,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    since: (resourceVersion) => {
      const after = Number(resourceVersion)
      return /^\d{1,16}$/.test(resourceVersion) && after >= first && after <= version ? history.after(after) : undefined
    },
  }

  // --- Writing ---

  function apply(resources: readonly Declared[], options: ApplyOptions): Applied {
    const kept = new Set<string>()
    const problems: Problem[] = []
    const other: Declared[] = []
    for (const declared of resources) {
      const key = keyOf(declared.resource)
      const stored = entries.get(key)
      kept.add(key)
      if (!isAsWritten(stored, declared.resource, options.source) || stored!.origin !== declared.origin)
        other.push(declared)
      problems.push(...refusals(declared, stored, options))
    }
    if (problems.length > 0) return { problems }
    const gone = Array.from(entries).filter(([key, { source }]) => source === options.source && !kept.has(key))
    const keys = gone.map(([key]) => key)
    return { change: commit(other, keys, options.source) }
  }

  function change({ put: resources, removed }: Changes, options: ApplyOptions): Applied {
    const problems = resources.flatMap((declared) => refusals(declared, entries.get(keyOf(declared.resource)), options))
    if (problems.length > 0) return { problems }
    const gone = removed.filter((key) => entries.get(key)?.source === options.source)
    return { change: commit(resources, gone, options.source) }
  }

  function relocate(moved: Iterable<readonly [key: string, origin: Origin]>): void {
    for (const [key, origin] of moved) {
      const entry = entries.get(key)
      if (entry !== undefined) entries.set(key, { ...entry, origin })
    }
  }

  function preview(declared: Declared, options: ApplyOptions): Previewed {
    const stored = entries.get(keyOf(declared.resource))
    const problems = refusals(declared, stored, options)
    if (problems.length > 0) return { problems }
    return { resource: nextOf(stored?.resource, declared.resource, version + 1) }
  }

  function put(declared: Declared, options: ApplyOptions): Applied {
    return change({ put: [declared], removed: [] }, options)
  }

  function remove(key: string): Change {
    return commit([], entries.has(key) ? [key] : [], '')
  }

  function commit(resources: readonly Declared[], gone: readonly string[], source: string): Change {
    const added: Resource[] = []
    const updated: Change['updated'][number][] = []
    for (const { resource, origin } of resources) {
      const key = keyOf(resource)
      const stored = entries.get(key)
      if (isAsWritten(stored, resource, source)) {
        if (stored!.origin !== origin) set(key, { ...stored!, origin })
        continue
      }
      const before = stored?.resource
      const after = nextOf(before, resource, version + 1)
      set(key, { resource: after, origin, source, written: resource })
      if (before === undefined) added.push(noted({ type: 'added', version: ++version, resource: after }))
      else if (after !== before) {
        noted({ type: 'updated', version: ++version, resource: after, before })
        updated.push({ before, after, specChanged: after.metadata.generation !== before.metadata.generation })
      }
    }
    const removed = gone.map((key) => {
      const before = entries.get(key)!.resource
      unset(key, before)
      return noted({ type: 'removed', version: ++version, resource: atVersion(before, version), before })
    })
    const change = { resourceVersion: String(version), added, updated, removed }
    tell(change)
    return change
  }

  function setStatus(key: string, status: Status): boolean {
    const entry = entries.get(key)
    if (entry === undefined) return false
    const { resource: before } = entry
    if (before.status !== undefined && status.observedGeneration < before.status.observedGeneration) return false
    const dated = {
      ...status,
      conditions: dateConditions(status.conditions, before.status?.conditions ?? [], timestamp()),
    }
    if (isDeepStrictEqual(dated, before.status)) return false
    const after = { ...atVersion(before, ++version), status: dated }
    set(key, { ...entry, resource: after })
    noted({ type: 'updated', version, resource: after, before })
    tell({ resourceVersion: String(version), added: [], updated: [{ before, after, specChanged: false }], removed: [] })
    return true
  }

  // --- What that consists of ---

  function set(key: string, entry: Entry): void {
    entries.set(key, entry)
    const { apiVersion, kind } = entry.resource
    const group = `${groupOf(apiVersion)}/${kind}`
    const ofKind = byKind.get(group)
    if (ofKind === undefined) byKind.set(group, new Map([[key, entry.resource]]))
    else ofKind.set(key, entry.resource)
  }

  function unset(key: string, { apiVersion, kind }: Resource): void {
    entries.delete(key)
    byKind.get(`${groupOf(apiVersion)}/${kind}`)?.delete(key)
  }

  function noted(event: ResourceEvent): Resource {
    history.add(event)
    return event.resource
  }

  function nextOf(before: Resource | undefined, written: Resource, next: number): Resource {
    return before === undefined
      ? firstOf(written, String(next), timestamp())
      : successorOf(before, written, String(next))
  }

  /** A listener may write: what it commits is told after this change, so that everybody hears all in one order. */
  function tell(change: Change): void {
    if (change.added.length + change.updated.length + change.removed.length === 0) return
    untold.push(change)
    if (telling) return
    telling = true
    try {
      for (let next = untold.shift(); next !== undefined; next = untold.shift()) {
        for (const listener of listeners) listener(next)
      }
    } finally {
      telling = false
    }
  }

  /** RFC 3339 in whole seconds, as Kubernetes has it. */
  function timestamp(): string {
    return `${new Date(clock.now()).toISOString().slice(0, 19)}Z`
  }
}

function atVersion(resource: Resource, version: number): Resource {
  return { ...resource, metadata: { ...resource.metadata, resourceVersion: String(version) } }
}

/** What was stored before, in a process that is gone, keeps its generation and when it was created. */
function firstOf(resource: Resource, resourceVersion: string, now: string): Resource {
  const { generation, creationTimestamp } = resource.metadata
  return {
    ...resource,
    metadata: {
      ...resource.metadata,
      generation: Math.max(1, generation),
      resourceVersion,
      creationTimestamp: creationTimestamp === '' ? now : creationTimestamp,
    },
  }
}

/**
 * The stored resource with what `written` changes; the stored one itself where that is nothing. A spec and annotations that
 * don't change stay the same objects, so that looking is enough.
 */
function successorOf(before: Resource, written: Resource, resourceVersion: string): Resource {
  const { uid, creationTimestamp, generation } = before.metadata
  const specChanged = !isDeepStrictEqual(contentOf(before), contentOf(written))
  const sameAnnotations = isDeepStrictEqual(before.metadata.annotations, written.metadata.annotations)
  const metadata: Metadata = {
    ...written.metadata,
    annotations: sameAnnotations ? before.metadata.annotations : written.metadata.annotations,
    uid,
    creationTimestamp,
    generation: generation + (specChanged ? 1 : 0),
    resourceVersion: before.metadata.resourceVersion,
  }
  if (!specChanged && isDeepStrictEqual(metadata, before.metadata)) return before
  return {
    ...(specChanged ? written : before),
    metadata: { ...metadata, resourceVersion },
    ...(before.status !== undefined && { status: before.status }),
  }
}

/** What a person writes beside metadata: the spec, or `data` and the like. */
function contentOf({ metadata: _metadata, status: _status, ...content }: Resource): Record<string, unknown> {
  return content
}

/** With the time of their last change of status. */
function dateConditions(next: readonly Condition[], before: readonly Condition[], now: string): Condition[] {
  return next.map((condition) => {
    const same = before.find(({ type }) => type === condition.type)
    const lastTransitionTime = same?.status === condition.status ? (same.lastTransitionTime ?? now) : now
    return { ...condition, lastTransitionTime }
  })
}
