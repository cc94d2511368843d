// What is configured: the one place where resources live. Files, the API and the CLI write through `apply`; the
// controller listens, and writes what it found through `setStatus`. It knows no kind by name: what may not change
// comes from the kind's form.

import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '@sluice/clock'
import type { Condition } from './conditions.ts'
import { findKind } from './kinds/index.ts'
import { pathText, type Path, type Problem } from './problem.ts'
import { groupOf, identityOf, isRecord, keyOf, nameOf } from './resource.ts'
import type { Declared, Metadata, Origin, Resource, Status } from './resource.ts'
import { show } from './schema.ts'

/** Resources by key, and who changes them. All of it is synchronous: nobody sees half of a commit. */
export interface ResourceStore {
  /** Of the last commit, as a decimal number; `0` before the first. */
  readonly resourceVersion: () => string
  /** By `resourceKey`. */
  readonly get: (key: string) => Resource | undefined
  /** Where it came from; `undefined` when it is not there or came through the API. */
  readonly origin: (key: string) => Origin | undefined
  /** In the order in which they were added; of one group and kind if asked. */
  readonly list: (of?: { readonly group: string; readonly kind: string }) => Resource[]
  /**
   * Makes `resources` all that comes from `source`: adds, updates, and removes what that source had and has no longer.
   * All or nothing: where one is refused (an immutable field changed, another source's resource, an old
   * `resourceVersion`), nothing changes and the problems of all are returned. What changes gets one new
   * resourceVersion; where nothing does, nobody is told.
   */
  readonly apply: (resources: readonly Declared[], options: ApplyOptions) => Applied
  /**
   * Replaces the status: conditions and `observedGeneration` together (spec 83). `lastTransitionTime` of a condition
   * moves only when its `status` does. Returns false, and changes nothing, when the resource is not there, when the
   * status is about an older generation than the one that stands there, or when it is the same.
   */
  readonly setStatus: (key: string, status: Status) => boolean
  /** Calls `listener` after every commit, in their order, before `apply` or `setStatus` returns. Returns the way out. */
  readonly subscribe: (listener: (change: Change) => void) => () => void
}

/** Of {@link ResourceStore.apply}. */
export interface ApplyOptions {
  /** Whose resources these are, such as `files` or `api`. */
  readonly source: string
  /** Where a path of a resource stands, for problems: `locate` of what was loaded. Default: the resource's origin. */
  readonly locate?: (declared: Declared, path: Path) => Origin
}

/** What came of an apply: a change, empty where nothing differed; or problems, and no change. */
export type Applied =
  | { readonly change: Change; readonly problems?: undefined }
  | { readonly change?: undefined; readonly problems: readonly Problem[] }

/** One commit. */
export interface Change {
  readonly resourceVersion: string
  readonly added: readonly Resource[]
  /** `specChanged`: its generation grew. Else labels, annotations or the status changed. */
  readonly updated: readonly { readonly before: Resource; readonly after: Resource; readonly specChanged: boolean }[]
  readonly removed: readonly Resource[]
}

interface Entry {
  readonly resource: Resource
  readonly origin: Origin | undefined
  readonly source: string
}

/** An empty store. */
export function resourceStore({ clock }: { readonly clock: Clock }): ResourceStore {
  const entries = new Map<string, Entry>()
  const listeners = new Set<(change: Change) => void>()
  const untold: Change[] = []
  let version = 0
  let telling = false

  return {
    resourceVersion: () => String(version),
    get: (key) => entries.get(key)?.resource,
    origin: (key) => entries.get(key)?.origin,
    list: (of) => {
      const all = Array.from(entries.values(), ({ resource }) => resource)
      return of === undefined
        ? all
        : all.filter(({ kind, apiVersion }) => kind === of.kind && groupOf(apiVersion) === of.group)
    },
    apply,
    setStatus,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }

  function apply(resources: readonly Declared[], options: ApplyOptions): Applied {
    const problems = resources.flatMap((declared) => refusals(declared, entries.get(keyOf(declared.resource)), options))
    if (problems.length > 0) return { problems }
    const change = commit(resources, options.source)
    tell(change)
    return { change }
  }

  function commit(resources: readonly Declared[], source: string): Change {
    const next = String(version + 1)
    const now = timestamp()
    const kept = new Set<string>()
    const added: Resource[] = []
    const updated: Change['updated'][number][] = []
    for (const { resource, origin } of resources) {
      const key = keyOf(resource)
      const before = entries.get(key)?.resource
      kept.add(key)
      const after = before === undefined ? firstOf(resource, next, now) : successorOf(before, resource, next)
      entries.set(key, { resource: after, origin, source })
      if (before === undefined) added.push(after)
      else if (after !== before) {
        updated.push({ before, after, specChanged: after.metadata.generation !== before.metadata.generation })
      }
    }
    const removed: Resource[] = []
    for (const [key, entry] of entries) {
      if (entry.source !== source || kept.has(key)) continue
      entries.delete(key)
      removed.push(entry.resource)
    }
    if (added.length + updated.length + removed.length > 0) version++
    return { resourceVersion: String(version), added, updated, removed }
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
    version++
    const metadata = { ...before.metadata, resourceVersion: String(version) }
    const after = { ...before, metadata, status: dated }
    entries.set(key, { ...entry, resource: after })
    tell({ resourceVersion: String(version), added: [], updated: [{ before, after, specChanged: false }], removed: [] })
    return true
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

function firstOf(resource: Resource, resourceVersion: string, creationTimestamp: string): Resource {
  return { ...resource, metadata: { ...resource.metadata, generation: 1, resourceVersion, creationTimestamp } }
}

/** The stored resource with what `written` changes; the stored one itself where that is nothing. */
function successorOf(before: Resource, written: Resource, resourceVersion: string): Resource {
  const { labels, annotations } = written.metadata
  const specChanged = !isDeepStrictEqual(contentOf(before), contentOf(written))
  if (
    !specChanged &&
    isDeepStrictEqual(labels, before.metadata.labels) &&
    isDeepStrictEqual(annotations, before.metadata.annotations)
  ) {
    return before
  }
  const metadata: Metadata = {
    ...before.metadata,
    labels,
    annotations,
    generation: before.metadata.generation + (specChanged ? 1 : 0),
    resourceVersion,
  }
  return { ...written, metadata, ...(before.status !== undefined && { status: before.status }) }
}

/** What a person writes beside metadata: the spec, or `data` and the like. */
function contentOf({ metadata: _metadata, status: _status, ...content }: Resource): Record<string, unknown> {
  return content
}

/** Why the resource can't take the place of what stands there. */
function refusals(declared: Declared, stored: Entry | undefined, { source, locate }: ApplyOptions): Problem[] {
  const { resource } = declared
  const place = (path: Path): Origin =>
    locate?.(declared, path) ?? declared.origin ?? { file: source, line: 0, column: 0 }
  const refuse = (code: string, path: Path, message: string, hint: string): Problem => ({
    severity: 'error',
    code,
    ...place(path),
    resource: nameOf(identityOf(resource)),
    path: pathText(path),
    message,
    hint,
  })
  const { resourceVersion } = resource.metadata
  const current = stored?.resource.metadata.resourceVersion
  if (resourceVersion !== '' && resourceVersion !== current) {
    return [
      refuse(
        'SLUICE_RESOURCE_CONFLICT',
        ['metadata', 'resourceVersion'],
        `The object has been modified: it is at resourceVersion ${current ?? 'none'}, not ${resourceVersion}.`,
        'Get it again, and apply the change to that.',
      ),
    ]
  }
  if (stored === undefined) return []
  if (stored.source !== source) {
    const { origin } = stored
    const owner = origin === undefined ? stored.source : `${origin.file}:${origin.line}`
    return [
      refuse(
        'SLUICE_RESOURCE_OWNED',
        ['metadata', 'name'],
        `It belongs to ${owner} already.`,
        'Change it there, or choose another name.',
      ),
    ]
  }
  const kind = findKind(groupOf(resource.apiVersion), resource.kind)
  return (kind?.immutable ?? []).flatMap((path) => {
    const [before, after] = [at(stored.resource, path), at(resource, path)]
    if (isDeepStrictEqual(before, after)) return []
    // Knative's text (A.3); spec 9, 10, 18.
    const what = path[1] === 'annotations' ? 'annotations' : 'fields'
    const shown = path[1] === 'annotations' ? 'annotations' : pathText(path)
    const message = `Immutable ${what} changed (-old +new): ${shown}\n-${shortly(before)}\n+${shortly(after)}`
    const hint = `${pathText(path)} can't be changed: delete the ${resource.kind} and create it again.`
    return [refuse('SLUICE_RESOURCE_IMMUTABLE', path, message, hint)]
  })
}

function at(resource: Resource, path: Path): unknown {
  let value: unknown = resource
  for (const step of path) value = isRecord(value) && Object.hasOwn(value, step) ? value[step] : undefined
  return value
}

function shortly(value: unknown): string {
  return isRecord(value) ? JSON.stringify(value).slice(0, 200) : show(value)
}

/** With the time of their last change of status. */
function dateConditions(next: readonly Condition[], before: readonly Condition[], now: string): Condition[] {
  return next.map((condition) => {
    const same = before.find(({ type }) => type === condition.type)
    const lastTransitionTime = same?.status === condition.status ? (same.lastTransitionTime ?? now) : now
    return { ...condition, lastTransitionTime }
  })
}
