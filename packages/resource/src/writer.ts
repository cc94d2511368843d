// Writing one resource at a time, as the API does: what is there now is read, changed, kept on the disk and stored, and
// nobody else writes meanwhile. So a patch needs no second try, and what is answered is durable.
//
// From: @sluice/api. Next: folder.ts keeps it, store.ts stores it, and the controller, who listens, runs it.

import { SluiceError } from '@sluice/event'
import { identityOf, keyOf, nameOf, resourceKey, type Declared, type Identity, type Origin, type Resource } from './resource.ts' // prettier-ignore
import type { Problem } from './problem.ts'
import { owned } from './refusals.ts'
import type { ResourceFolder } from './folder.ts'
import type { ResourceStore } from './store.ts'

/** Whose resources these are, in the store. */
export const API_SOURCE = 'api'

/** Writes through the API, in turn. */
export interface ResourceWriter {
  /**
   * Stores what `decide` makes of what is there now: a resource, or nothing at all. It is called when nobody else
   * writes, and refuses by throwing. What it is given itself changes nothing. Rejects, with nothing changed, where the
   * disk fails.
   */
  write(identity: Identity, decide: Decide, options?: WriteOptions): Promise<Written>
  /** Calls `run` when nobody else writes. */
  exclusively<T>(run: () => T | Promise<T>): Promise<T>
}

/** What is to be there, given what is: `undefined` = nothing. */
export type Decide = (current: Resource | undefined) => Resource | undefined

/** Of {@link ResourceWriter.write}. */
export interface WriteOptions {
  /** Says what would become of it, and changes nothing. */
  readonly dryRun?: boolean
}

/**
 * What is there now, or was there where it is removed; or why nothing changed: of a resource from a file, the problems
 * have its place.
 */
export type Written =
  | { readonly resource: Resource | undefined; readonly problems?: undefined }
  | { readonly resource?: undefined; readonly problems: readonly Problem[] }

/** Of {@link resourceWriter}. */
export interface WriterOptions {
  readonly store: ResourceStore
  /** Where it is kept, once something has to be; `undefined`: nowhere. */
  readonly folder: () => Promise<ResourceFolder | undefined>
  /** What speaks against this resource taking its place, beyond its own kind. */
  readonly refuse?: (resource: Resource) => readonly Problem[]
}

/** The one writer of a store. */
export function resourceWriter({ store, folder, refuse }: WriterOptions): ResourceWriter {
  let last: Promise<unknown> = Promise.resolve()

  return { write, exclusively }

  function exclusively<T>(run: () => T | Promise<T>): Promise<T> {
    const turn = last.then(run)
    last = turn.catch(() => {})
    return turn
  }

  function write(identity: Identity, decide: Decide, { dryRun = false }: WriteOptions = {}): Promise<Written> {
    return exclusively(async () => {
      const key = resourceKey(identity)
      const current = store.get(key)
      const next = decide(current)
      if (next === current) return { resource: current }
      if (next !== undefined) return put(next, dryRun)
      const problems = removalRefused(key, current!)
      if (problems.length > 0) return { problems }
      if (dryRun) return { resource: current }
      await onDisk(current!, async () => (await folder())?.remove(current!))
      const [removed] = store.remove(key).removed
      return { resource: removed }
    })
  }

  async function put(resource: Resource, dryRun: boolean): Promise<Written> {
    const declared: Declared = { resource }
    const key = keyOf(resource)
    const place = placeOf(key)
    const options = { source: API_SOURCE, locate: () => place }
    const { resource: next, problems = [] } = store.preview(declared, options)
    const refused = [...problems, ...(problems.length === 0 ? (refuse?.(resource) ?? []) : [])]
    if (refused.length > 0) return { problems: refused }
    if (dryRun || next === store.get(key)) return { resource: next! }
    await onDisk(next!, async () => (await folder())?.save(next!))
    // A status may have come meanwhile, and nothing else: the version was looked at before.
    store.put({ resource: { ...resource, metadata: { ...resource.metadata, resourceVersion: '' } } }, options)
    return { resource: store.get(key)! }
  }

  /** What the disk says is for operators; who asked learns what became of it. */
  async function onDisk(resource: Resource, keep: () => Promise<unknown>): Promise<void> {
    try {
      await keep()
    } catch (cause) {
      if (cause instanceof SluiceError) throw cause
      const title = nameOf(identityOf(resource))
      const { code = 'unknown' } = cause as NodeJS.ErrnoException
      const message = `${title} can't be written to the disk (${code}). Nothing was changed.`
      throw new SluiceError('SLUICE_DISK', message, { status: 503, retryable: true, retryAfterMs: 1000, cause })
    }
  }

  function placeOf(key: string): Origin {
    return store.origin(key) ?? { file: API_SOURCE, line: 0, column: 0 }
  }

  function removalRefused(key: string, resource: Resource): Problem[] {
    const source = store.source(key)!
    if (source === API_SOURCE) return []
    const said = owned({ source, origin: store.origin(key) })
    return [
      { severity: 'error', ...placeOf(key), resource: nameOf(identityOf(resource)), ...said, hint: 'Remove it there.' },
    ]
  }
}
