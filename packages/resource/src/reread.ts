// Files that were loaded, read again: what they say now, as a difference to what was applied of them.
//
// From: cli/src/live-files.ts, when they may have changed. Next: reread-thread.ts, which is not started before the first
// time, so that who never edits a file has no second thread.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { foreignKinds } from './foreign-kinds.ts'
import type { FileText, Loaded } from './load.ts'
import type { Path, Problem } from './problem.ts'
import { keyOf, type Declared, type Origin } from './resource.ts'
import type { Difference, Reread, RereadData, RereadRequest } from './reread-thread.ts'
import type { Sight } from './sight.ts'

/** What files say now. */
export interface Reading {
  /** All that is wrong. Apply nothing where one of them is an error: what is wrong may be missing below. */
  readonly problems: readonly Problem[]
  readonly files: readonly string[]
  /** What has to be watched from now on. */
  readonly sight: Sight
  /** Whether any file has another text than the last time. */
  readonly isNew: boolean
  /** All resources. Those that are as they were applied are the same objects. */
  readonly declared: readonly Declared[]
  /** Of these, those that were not applied. */
  readonly added: readonly Declared[]
  /** Of these, those with another content than was applied. */
  readonly changed: readonly Declared[]
  /** How many of these stand at another place. */
  readonly moved: number
  /** Those that were applied and are in no file any more. */
  readonly removed: readonly Declared[]
}

/** Reads the same paths again and again. One call at a time. */
export interface Rereader {
  /** Rejects where the thread can't do it, such as for want of memory; the next call tries it with a new one. */
  read(): Promise<Reading>
  /** What was read last is applied: differences are to that from now on. */
  applied(): Promise<void>
  /** The place of a path inside a resource of what was read last; its own place, where that can't be told. */
  locate(declared: Declared, path: Path): Promise<Origin | undefined>
  close(): Promise<void>
}

/** Of the paths that were loaded; `loaded` is what was applied. */
export function rereader(paths: readonly string[], loaded: Pick<Loaded, 'resources' | 'texts'>): Rereader {
  return new ThreadRereader(paths, loaded)
}

interface Applied {
  readonly held: ReadonlyMap<string, Declared>
  readonly texts: readonly FileText[]
}

class ThreadRereader implements Rereader {
  readonly #paths: readonly string[]
  #applied: Applied
  #read: Applied | undefined
  #thread: Worker | undefined

  constructor(paths: readonly string[], { resources, texts }: Pick<Loaded, 'resources' | 'texts'>) {
    this.#paths = paths
    this.#applied = { held: new Map(resources.map((each) => [keyOf(each.resource), each])), texts }
  }

  async read(): Promise<Reading> {
    const { problems, texts, sight, isNew, difference } = await this.#ask<Reread>({ ask: 'read' })
    const { held: before } = this.#applied
    const held = changedBy(before, difference)
    this.#read = { held, texts }
    return {
      problems,
      files: texts.map(({ file }) => file),
      sight,
      isNew,
      declared: [...held.values()],
      added: difference.added,
      changed: difference.changed,
      moved: difference.moved.length,
      removed: difference.removed.map((key) => before.get(key)!),
    }
  }

  async applied(): Promise<void> {
    if (this.#read === undefined) return
    this.#applied = this.#read
    await this.#ask({ ask: 'applied' })
  }

  async locate(declared: Declared, path: Path): Promise<Origin | undefined> {
    const place = await this.#ask<Origin | null>({ ask: 'locate', key: keyOf(declared.resource), path })
    return place ?? declared.origin
  }

  async #ask<Answer>(request: RereadRequest): Promise<Answer> {
    const thread = (this.#thread ??= this.#start())
    const failed = new AbortController()
    const answer = once(thread, 'message', { signal: failed.signal })
    const exit = once(thread, 'exit', { signal: failed.signal }).then(() => {
      throw new Error('The thread that reads files has ended.')
    })
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    thread.postMessage(request)
    try {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- reread-thread.ts answers what was asked
      const [message] = (await Promise.race([answer, exit])) as [Answer]
      return message
    } catch (error) {
      if (this.#thread === thread) this.#thread = undefined
      void thread.terminate()
      throw error
    } finally {
      answer.catch(() => {})
      exit.catch(() => {})
      failed.abort()
    }
  }

  #start(): Worker {
    const { texts } = this.#applied
    const workerData: RereadData = { paths: this.#paths, texts, kinds: foreignKinds() }
    const thread = new Worker(THREAD, { workerData })
    thread.unref() // it keeps no process alive
    return thread
  }

  async close(): Promise<void> {
    const thread = this.#thread
    this.#thread = undefined
    await thread?.terminate()
  }
}

/** Beside this file: TypeScript in the repository, JavaScript where it was installed from a registry. */
const THREAD = new URL(import.meta.url.replace(/reread(\.[jt]s)$/, 'reread-thread$1'))

function changedBy(
  before: ReadonlyMap<string, Declared>,
  { added, changed, moved, removed }: Difference,
): ReadonlyMap<string, Declared> {
  const after = new Map(before)
  for (const key of removed) after.delete(key)
  for (const declared of [...added, ...changed]) after.set(keyOf(declared.resource), declared)
  for (const [key, origin] of moved) after.set(key, { ...before.get(key)!, origin })
  return after
}
