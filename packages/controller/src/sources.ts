// All sources that are declared, and the one table of their drivers: nothing else names one. Each is loaded when the first
// resource of its kind is there.
//
// From: controller.ts, at a commit. Next: source.ts runs each for itself.

import { within } from '@sluice/channel'
import { SluiceError } from '@sluice/event'
import { groupOf, keyOf, nameOf, identityOf, readyCondition, type Change, type Resource, type ResourceStore } from '@sluice/resource' // prettier-ignore
import type { SourceDriver, SourceHttp } from '@sluice/source'
import type { Addresses } from './addresses.ts'
import { removeCheckpoint } from './checkpoint.ts'
import { namesIn } from './data.ts'
import { isReadyAsBefore } from './plans.ts'
import { DeclaredSource, notOpen, type SourceOptions } from './source.ts'
import { sourceStatus } from './source-status.ts'

/** Those that Sluice comes with, by group and kind. */
const DRIVERS: Readonly<Record<string, () => Promise<SourceDriver>>> = {
  'sources.sluice.dev/WebhookSource': async () => (await import('@sluice/source-webhook')).webhookSource(),
  'sources.knative.dev/PingSource': async () => (await import('@sluice/source-ping')).pingSource,
}

/** Where a source takes requests. */
export interface MountedSource {
  readonly http: SourceHttp
  /** Milliseconds until its sink has room for so many bytes; 0: now. */
  room(bytes: number): number
  /** For more its sink never has room. Infinity: no bound is known. */
  readonly roomMax: number
  /** Where it is reached from outside. */
  readonly url: string
  /** Where its events go, as far as that is known. */
  sinkUri(): string | undefined
}

/** Of {@link Sources}. */
export interface SourcesOptions extends Omit<SourceOptions, 'load'> {
  readonly store: ResourceStore
  /** Beside those that Sluice comes with. */
  readonly sources?: readonly SourceDriver[]
}

export class Sources {
  readonly #options: SourceOptions
  readonly #store: ResourceStore
  readonly #addresses: Addresses
  readonly #loaders: ReadonlyMap<string, () => Promise<SourceDriver>>
  /** By resource key. */
  readonly #declared = new Map<string, DeclaredSource>()
  /** By `namespace/name`, which sources of several kinds may share. */
  readonly #byPath = new Map<string, Set<DeclaredSource>>()
  /** Those that a commit concerns, each until it runs. */
  readonly #opening = new Set<Promise<void>>()
  /** Removed ones, each until it has ended. */
  readonly #leaving = new Set<Promise<void>>()
  #isTelling = false
  #isSwept = false
  #isClosed = false

  constructor(options: SourcesOptions) {
    const own = (options.sources ?? []).flatMap((driver) =>
      driver.kinds.map(({ apiVersion, kind }) => [`${groupOf(apiVersion)}/${kind}`, async () => driver] as const),
    )
    this.#loaders = new Map([...Object.entries(DRIVERS), ...own])
    this.#addresses = options.addresses
    this.#store = options.store
    this.#options = { ...options, load: (resource) => this.#loaders.get(kindOf(resource))!() }
  }

  /** Whether it is a source that is run here. */
  isSource(resource: Resource): boolean {
    return this.#loaders.has(kindOf(resource))
  }

  /** Begins, in the tick of a commit, what it changes. */
  committed({ added, updated, removed }: Change): void {
    for (const resource of removed) if (this.isSource(resource)) this.#remove(keyOf(resource))
    const written = updated.filter(({ before, after }) => before.status === after.status).map(({ after }) => after)
    for (const resource of [...added, ...written]) if (this.isSource(resource)) this.#set(resource)
    const isConcerned =
      added.length + removed.length + written.length > 0 ||
      updated.some(({ before, after }) => !this.isSource(after) && !isReadyAsBefore(before, after))
    if (isConcerned) this.#tellLater()
  }

  /** The address under which webhooks are reached has changed: all are opened for the new one. */
  based(): void {
    for (const each of this.#declared.values()) this.#begin(each.set(each.resource, this.#urlOf(each.resource)))
  }

  /** Resolves once each that a commit concerned runs, or has failed for the first time. */
  async opened(): Promise<void> {
    await Promise.all(this.#opening)
  }

  #begin(opening: Promise<void>): void {
    const ended = opening.finally(() => this.#opening.delete(ended))
    this.#opening.add(ended)
  }

  #set(resource: Resource): void {
    const key = keyOf(resource)
    const known = this.#declared.get(key)
    const url = this.#urlOf(resource)
    if (known !== undefined) return this.#begin(known.set(resource, url))
    const declared = new DeclaredSource(resource, url, this.#options, () => this.#tellLater())
    this.#declared.set(key, declared)
    const path = nameOfSource(resource)
    this.#byPath.set(path, (this.#byPath.get(path) ?? new Set()).add(declared))
    this.#begin(declared.open())
  }

  #remove(key: string): void {
    const declared = this.#declared.get(key)
    if (declared === undefined) return
    this.#declared.delete(key)
    const path = nameOfSource(declared.resource)
    const named = this.#byPath.get(path)
    named?.delete(declared)
    if (named?.size === 0) this.#byPath.delete(path)
    const left = declared
      .delete()
      .catch((error: unknown) => process.emitWarning(error as Error))
      .finally(() => this.#leaving.delete(left))
    this.#leaving.add(left)
  }

  #urlOf({ metadata }: Resource): string {
    return `${this.#addresses.base}/webhooks/${metadata.namespace}/${metadata.name}`
  }

  /** After an apply: the statuses are written, and once it is removed what undeclared sources had kept. */
  async settle(): Promise<void> {
    this.writeStatuses()
    const { data } = this.#options
    if (this.#isSwept || !data?.isOpen) return
    this.#isSwept = true
    const uids = new Set(Array.from(this.#declared.values(), ({ resource }) => resource.metadata.uid))
    const folder = `${data.path}/sources`
    for (const uid of await namesIn(folder)) if (!uids.has(uid)) await removeCheckpoint(`${folder}/${uid}`)
  }

  // --- Requests ---

  /** What takes requests at this path; `undefined`: nothing. Throws a SluiceError 503 while it is not open. */
  mounted(namespace: string, name: string): MountedSource | undefined {
    const named = this.#byPath.get(`${namespace}/${name}`)
    if (named === undefined) return undefined
    let isOpening = false
    for (const { state, sink, url } of named) {
      if (state.state !== 'running') isOpening = true
      else if (state.source.http !== undefined) {
        return {
          http: state.source.http,
          room: (bytes) => sink.room(bytes),
          roomMax: sink.roomMax,
          url,
          sinkUri: () => sink.resolve().url,
        }
      }
    }
    if (isOpening) throw notOpen()
    return undefined
  }

  // --- Statuses ---

  /** Writes the status of this resource, where it is a source. */
  writeStatus(key: string): void {
    const declared = this.#declared.get(key)
    const resource = this.#store.get(key)
    if (declared === undefined || resource === undefined) return
    this.#store.setStatus(key, sourceStatus(resource, declared.state, declared.sink.resolve(), declared.url))
  }

  /** Of all. */
  writeStatuses(): void {
    for (const key of this.#declared.keys()) this.writeStatus(key)
  }

  /** Once for all that happens in a turn. */
  #tellLater(): void {
    if (this.#isTelling || this.#isClosed) return
    this.#isTelling = true
    setImmediate(() => {
      this.#isTelling = false
      if (!this.#isClosed) this.writeStatuses()
    })
  }

  /** A line for each: where it is, where its events go, and if it isn't ready, why. */
  summary(): string[] {
    return Array.from(this.#declared.keys(), (key) => {
      const resource = this.#store.get(key)!
      const { status } = resource
      const address = (status?.['address'] as { url?: string } | undefined)?.url
      const ready = readyCondition(status?.conditions)
      const why = ready?.status === 'True' ? '' : `  NOT READY, ${ready?.reason ?? 'Unknown'}: ${ready?.message ?? ''}`
      const sink = status?.['sinkUri'] as string | undefined
      return `${nameOf(identityOf(resource))}${address === undefined ? '' : `  ${address}`} → ${sink ?? 'nowhere'}${why}`
    })
  }

  // --- The end ---

  /** Stops all, for `deadlineMs` at most, and resolves with what is left of these. */
  async close({ deadlineMs }: { deadlineMs: number }): Promise<number> {
    this.#isClosed = true
    const { clock } = this.#options
    const endMs = clock.monotonic() + deadlineMs
    const ends = Array.from(this.#declared.values(), (declared) => declared.close())
    await within(clock, deadlineMs, Promise.all([...ends, ...this.#leaving]))
    return Math.max(0, endMs - clock.monotonic())
  }
}

/** `namespace/name`, as in its path. */
function nameOfSource({ metadata }: Resource): string {
  return `${metadata.namespace}/${metadata.name}`
}

function kindOf({ apiVersion, kind }: Resource): string {
  return `${groupOf(apiVersion)}/${kind}`
}

/** Thrown to who asks a source that takes no requests. */
export function unknownSource(namespace: string, name: string): SluiceError {
  const path = `${namespace.slice(0, 63)}/${name.slice(0, 63)}`
  const what = `There is no source ${path} that takes requests. Declare a WebhookSource, or mend the path: /webhooks/{namespace}/{name}.`
  return new SluiceError('SLUICE_SOURCE_UNKNOWN', `${what} Nothing was stored.`, { status: 404 })
}
