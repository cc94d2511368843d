// Files that were loaded, read again: what they say now, as a difference to what was applied of them.
//
// From: cli/src/live-files.ts, when they may have changed. Next: reread-thread.ts, which is not started before the first
// time, so that who never edits a file has no second thread.

import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { foreignKinds } from './foreign-kinds.ts'
import type { Loaded } from './load.ts'
import type { Parts } from './parts.ts'
import type { Path, Problem } from './problem.ts'
import { keyOf, type Declared, type Identity, type Origin } from './resource.ts'
import type { Moved, Reread, RereadData, RereadRequest } from './reread-thread.ts'
import { isAsSeen, type Sight, type Watched } from './sight.ts'

/** What files say now. */
export interface Reading {
  /** All that is wrong. Apply nothing where one of them is an error: what is wrong may be missing below. */
  readonly problems: readonly Problem[]
  readonly files: readonly string[]
  /** What has to be watched from now on. */
  readonly watched: Watched
  /** Whether any file has another text than the last time. */
  readonly isNew: boolean
  /** Those that were not applied. */
  readonly added: readonly Declared[]
  /** Those with another content than was applied. */
  readonly changed: readonly Declared[]
  /** Those that are as they were applied, and stand at another place. */
  readonly moved: Iterable<readonly [key: string, Origin]>
  readonly movedCount: number
  /** Those that were applied and are in no file any more. */
  readonly removed: readonly Identity[]
}

/** Reads the same paths again and again. */
export interface Rereader {
  /** Rejects where the thread can't do it, such as for want of memory; the next call tries it with a new one. */
  read(): Promise<Reading>
  /** What was read last is applied: differences are to that from now on. */
  applied(): Promise<void>
  /** Whether what was read last, or loaded, is as it was. */
  isAsSeen(): Promise<boolean>
  /** The place of a path inside a resource of what was read last; its own place, where that can't be told. */
  locate(declared: Declared, path: Path): Promise<Origin | undefined>
  close(): Promise<void>
}

/** What a {@link Rereader} begins with. */
export type Begun = Pick<Loaded, 'texts' | 'parts' | 'sight'>

/** Of the paths that were loaded; `loaded` is what was applied. */
export function rereader(paths: readonly string[], loaded: Begun): Rereader {
  return new ThreadRereader(paths, loaded)
}

/** By file. */
type Texts = ReadonlyMap<string, string>

class ThreadRereader implements Rereader {
  readonly #paths: readonly string[]
  /** Those that were applied last, from which a new thread begins. */
  #applied: Texts
  #read: Texts | undefined
  #thread: Worker | undefined
  /** Of what was loaded, until the thread knows it. */
  #parts: Parts | undefined
  #sight: Sight | undefined
  /** The thread answers one question at a time. */
  #asked: Promise<unknown> = Promise.resolve()

  constructor(paths: readonly string[], { texts, parts, sight }: Begun) {
    this.#paths = paths
    this.#parts = parts
    this.#sight = sight
    this.#applied = new Map(texts.map(({ file, text }) => [file, text]))
  }

  async read(): Promise<Reading> {
    const { problems, files, texts, watched, isNew, difference } = await this.#ask<Reread>({ ask: 'read' })
    this.#sight = undefined
    this.#read = textsOf(files, texts, this.#read ?? this.#applied)
    const moved = unpacked(difference.moved)
    return { problems, files, watched, isNew, ...difference, moved, movedCount: difference.moved.keys.length }
  }

  async applied(): Promise<void> {
    if (this.#read === undefined) return
    this.#applied = this.#read
    await this.#ask({ ask: 'applied' })
  }

  async isAsSeen(): Promise<boolean> {
    if (this.#sight !== undefined) return isAsSeen(this.#sight)
    return this.#thread !== undefined && (await this.#ask<boolean>({ ask: 'isAsSeen' }).catch(() => false))
  }

  async locate(declared: Declared, path: Path): Promise<Origin | undefined> {
    const place = await this.#ask<Origin | null>({ ask: 'locate', key: keyOf(declared.resource), path })
    return place ?? declared.origin
  }

  #ask<Answer>(request: RereadRequest): Promise<Answer> {
    const answer = this.#asked.then(() => this.#askNow<Answer>(request))
    this.#asked = answer.catch(() => {})
    return answer
  }

  async #askNow<Answer>(request: RereadRequest): Promise<Answer> {
    const thread = this.#thread ?? (await this.#start())
    const failed = new AbortController()
    const answer = once(thread, 'message', { signal: failed.signal })
    const exit = once(thread, 'exit', { signal: failed.signal }).then(() => {
      throw new Error('The thread that reads files has ended.')
    })
    post(thread, request)
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

  /** What was loaded is told in pieces, between which events go on: it parses nothing that was parsed already. */
  async #start(): Promise<Worker> {
    this.#read = undefined
    const texts = Array.from(this.#applied, ([file, text]) => ({ file, text }))
    const workerData: RereadData = { paths: this.#paths, texts, kinds: foreignKinds() }
    const thread = new Worker(THREAD, { workerData })
    thread.unref() // it keeps no process alive
    this.#thread = thread
    const parts = [...(this.#parts ?? [])]
    this.#parts = undefined
    for (let at = 0; at < parts.length; at += PARTS_AT_ONCE) {
      post(thread, { ask: 'parts', parts: parts.slice(at, at + PARTS_AT_ONCE) })
      await setImmediate()
    }
    return thread
  }

  async close(): Promise<void> {
    const thread = this.#thread
    this.#thread = undefined
    await thread?.terminate()
  }
}

/** About 1 ms. */
const PARTS_AT_ONCE = 50

function post(thread: Worker, request: RereadRequest): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
  thread.postMessage(request)
}

/** Beside this file: TypeScript in the repository, JavaScript where it was installed from a registry. */
const THREAD = new URL(import.meta.url.replace(/reread(\.[jt]s)$/, 'reread-thread$1'))

/** Made as they are asked for, each time that they are. */
function unpacked({ keys, places, names }: Moved): Reading['moved'] {
  return {
    *[Symbol.iterator]() {
      for (const [index, key] of keys.entries()) {
        const at = index * 3
        yield [key, { file: names[places[at]!]!, line: places[at + 1]!, column: places[at + 2]! }]
      }
    },
  }
}

function textsOf(files: readonly string[], changed: Reread['texts'], before: Texts): Texts {
  const texts = new Map(changed.map(({ file, text }) => [file, text]))
  return new Map(files.map((file) => [file, texts.get(file) ?? before.get(file) ?? '']))
}
