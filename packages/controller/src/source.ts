// One source that is declared: from nothing to making events, and again when its spec changes.
//
// From: sources.ts, at a commit. Next: its driver opens it; its events go to sink.ts.

import { isDeepStrictEqual } from 'node:util'
import { newEvent, SluiceError, type Event } from '@sluice/event'
import { findKind, groupOf, type Resource, type SourceSpec } from '@sluice/resource'
import { memoryCheckpoint, type Checkpoint, type Source, type SourceContext, type SourceDriver } from '@sluice/source'
import type { Clock } from '@sluice/clock'
import { diskCheckpoint, removeCheckpoint } from './checkpoint.ts'
import type { DataDirectory } from './data.ts'
import { inWords, Retry, TRIED_AGAIN } from './retry.ts'
import type { Secrets } from './secrets.ts'
import { Sink, type SinkOptions } from './sink.ts'

/** What every source is given. */
export interface SourceOptions extends SinkOptions {
  readonly clock: Clock
  readonly secrets: Secrets
  readonly data?: DataDirectory
  /** Finds the driver of a resource, which is loaded by then. */
  readonly load: (resource: Resource) => Promise<SourceDriver>
}

/** How a source is: not open yet, why it can't be opened, or what it says itself. */
export type SourceState =
  | { readonly state: 'opening' }
  | { readonly state: 'failed'; readonly reason: string }
  | { readonly state: 'running'; readonly source: Source }

/** Runs one source. Whatever fails, it says so, and tries again; nothing rejects. */
export class DeclaredSource {
  readonly #options: SourceOptions
  readonly #changed: () => void
  readonly #retry: Retry
  #resource: Resource
  #url: string
  #sink: Sink
  #state: SourceState = { state: 'opening' }
  /** Openings and closings, one after another. */
  #turn: Promise<void> = Promise.resolve()
  #isGone = false

  /** `url`: where its HTTP handler is reached. `changed`: its state is another. */
  constructor(resource: Resource, url: string, options: SourceOptions, changed: () => void) {
    this.#resource = resource
    this.#url = url
    this.#options = options
    this.#changed = changed
    this.#retry = new Retry(options.clock, () => void this.#again())
    this.#sink = this.#sinkOf(resource)
  }

  get resource(): Resource {
    return this.#resource
  }

  get state(): SourceState {
    return this.#state
  }

  get sink(): Sink {
    return this.#sink
  }

  /** Where its HTTP handler is reached. */
  get url(): string {
    return this.#url
  }

  /** Resolves once it runs, or the first try has failed; the next follow by themselves. */
  open(): Promise<void> {
    return this.#inTurn(() => this.#open())
  }

  /** What it is from now on. It goes on as it is unless what it was opened with has changed. */
  async set(resource: Resource, url: string): Promise<void> {
    const before = this.#resource
    this.#resource = resource
    this.#sink = this.#sinkOf(resource)
    const isSame =
      url === this.#url &&
      isDeepStrictEqual(before.spec, resource.spec) &&
      isDeepStrictEqual(before.metadata.annotations, resource.metadata.annotations)
    this.#url = url
    if (isSame) return
    await this.#again()
  }

  #again(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#stop()
      await this.#open()
    })
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(work)
    return this.#turn
  }

  async #open(): Promise<void> {
    if (this.#isGone) return
    try {
      const driver = await this.#options.load(this.#resource)
      const source = await driver.open(this.#context())
      this.#retry.end()
      this.#become({ state: 'running', source })
    } catch (error) {
      this.#retry.later(error)
      this.#become({ state: 'failed', reason: `${inWords(error)}${TRIED_AGAIN}` })
    }
  }

  #context(): SourceContext {
    const { clock, secrets } = this.#options
    const resource = this.#resource
    const { namespace, name, uid, annotations } = resource.metadata
    const kind = findKind(groupOf(resource.apiVersion), resource.kind)
    return {
      ...{ namespace, name, uid, annotations, clock },
      spec: kind?.settings?.(resource) ?? resource.spec ?? {},
      url: this.#url,
      checkpoint: this.#checkpoint(),
      newEvent: (fields) => newEvent(fields, () => clock.now()),
      emit: (events) => this.#emit(events),
      secret: (reference) => secrets.get(namespace, reference),
    }
  }

  #checkpoint(): Checkpoint {
    const folder = this.#folder()
    return folder === undefined ? memoryCheckpoint() : diskCheckpoint(folder)
  }

  #folder(): string | undefined {
    const { data } = this.#options
    return data?.isOpen ? `${data.path}/sources/${this.#resource.metadata.uid}` : undefined
  }

  async #emit(events: readonly Event[]): Promise<void> {
    const { ceOverrides } = this.#resource.spec as unknown as SourceSpec
    const extensions = ceOverrides?.extensions
    await this.#sink.take(extensions === undefined ? events : events.map((event) => event.with(extensions)))
  }

  #sinkOf({ spec, metadata }: Resource): Sink {
    return new Sink((spec as unknown as SourceSpec).sink, metadata.namespace, this.#options)
  }

  #become(state: SourceState): void {
    this.#state = state
    if (!this.#isGone) this.#changed()
  }

  async #stop(): Promise<void> {
    const state = this.#state
    this.#state = { state: 'opening' }
    if (state.state !== 'running') return
    try {
      await state.source.stop()
    } catch (error) {
      process.emitWarning(error as Error) // it is over all the same
    }
  }

  /** What is under way ends first. */
  close(): Promise<void> {
    this.#isGone = true
    this.#retry.end()
    return this.#inTurn(() => this.#stop())
  }

  /** As {@link close}, for good: what it kept goes too. */
  async delete(): Promise<void> {
    await this.close()
    const folder = this.#folder()
    if (folder !== undefined) await removeCheckpoint(folder)
  }
}

/** Told to senders while a source is not there to take what they send. */
export function notOpen(): SluiceError {
  return new SluiceError(
    'SLUICE_SOURCE_NOT_OPEN',
    'This source is not open now; its status says why. Nothing was stored.',
    {
      status: 503,
      retryable: true,
      retryAfterMs: 1000,
    },
  )
}
