// Keeps what runs equal to what the files say, as long as they say it without a mistake (faults 42, 43).
//
// From: a notice that files have changed (resource/src/watch.ts), or a SIGHUP. Next: they are read again in a thread
// (resource/src/reread.ts), and the controller applies them whole or not at all: what ran runs on where they are broken.

import type { Clock, Timer } from '@sluice/clock'
import type { Controller } from '@sluice/controller'
import {
  identityOf,
  nameOf,
  pathText,
  readyCondition,
  rereader,
  resourceKey,
  watchFiles,
  type Declared,
  type FileWatch,
  type Loaded,
  type Origin,
  type Path,
  type Problem,
  type Reading,
  type Rereader,
} from '@sluice/resource'
import type { Tell } from './tell.ts'

/** Of {@link keepUp}. */
export interface LiveFilesOptions {
  readonly paths: readonly string[]
  /** What was loaded of them, and applied. */
  readonly loaded: Loaded
  readonly controller: Controller
  /** As of `Controller.apply`. */
  readonly base: string
  readonly clock: Clock
  readonly tell: Tell
  /** Whether they are watched, or read on demand only. */
  readonly watch: boolean
  /** They were applied, or can't be: why not, in one line. */
  readonly applied: (broken: string | undefined) => void
}

/** Files whose changes are applied. */
export interface LiveFiles {
  /** Reads and applies them now, whatever was noticed. */
  reload(): void
  /** Applies nothing any more. */
  close(): Promise<void>
}

/**
 * A file that is being written or replaced may look broken, or as if resources were gone. What would remove anything, or
 * is a mistake, has to stand there unchanged for so long before it counts.
 */
const DOUBT_MS = 300
/** But no longer than so long, where files never come to rest. */
const DOUBT_MS_MAX = 2000
/** Resources that are told by name, of one change. */
const NAMES_MAX = 10

/** Resolves once they are watched. */
export async function keepUp({ loaded, ...options }: LiveFilesOptions): Promise<LiveFiles> {
  const live = new Live(options, loaded)
  await live.watch(loaded)
  return live
}

/** Without what was loaded: it holds every text, and counts for nothing after the first change. */
type Settings = Omit<LiveFilesOptions, 'loaded'>

class Live implements LiveFiles {
  readonly #options: Settings
  readonly #rereader: Rereader
  #watch: FileWatch | undefined
  /** The reading that is under way, and what has to follow it. */
  #running: Promise<void> | undefined
  #next: 'noticed' | 'asked' | undefined
  /** Since when what stands there is doubted: all of it, and as it is now. */
  #doubt: { readonly sinceMs: number; stillMs: number } | undefined
  #doubtTimer: Timer | undefined
  /** The problems that were told last. */
  #told = ''
  #isBroken = false
  #isClosed = false

  constructor(options: Settings, loaded: Loaded) {
    this.#options = options
    this.#rereader = rereader(options.paths, loaded)
    this.#told = JSON.stringify(loaded.problems)
  }

  async watch({ sight }: Loaded): Promise<void> {
    if (!this.#options.watch) return
    this.#watch = watchFiles({
      clock: this.#options.clock,
      changed: () => this.#run('noticed'),
      isAsSeen: () => this.#rereader.isAsSeen(),
      looking: (path, why) => {
        this.#options.tell.lines('info', [`Changes are looked for every 2 s: ${path} can't be watched, ${why}.`])
      },
    })
    await this.#watch.set(sight)
  }

  reload(): void {
    this.#run('asked')
  }

  /** One reading at a time; what is noticed meanwhile is read after it. */
  #run(why: 'noticed' | 'asked'): void {
    if (this.#isClosed) return
    if (this.#running !== undefined) {
      if (this.#next !== 'asked') this.#next = why
      return
    }
    this.#running = this.#read(why === 'asked')
      .catch((error: unknown) => {
        if (!this.#isClosed) this.#refuse([], `The files can't be read: ${(error as Error).message}`)
      })
      .finally(() => {
        const next = this.#next
        this.#running = this.#next = undefined
        if (next !== undefined) this.#run(next)
      })
  }

  async #read(isAsked: boolean): Promise<void> {
    const reading = await this.#rereader.read()
    await this.#watch?.set(reading.watched)
    if (this.#isClosed || (!isAsked && this.#isDoubted(reading))) return
    this.#doubt = undefined
    const { problems, files } = reading
    if (problems.some(isError)) return this.#refuse(problems, count(problems.filter(isError).length, 'error'))
    if (files.length === 0 && reading.removed.length > 0) return this.#refuse(problems, 'There are no files any more')
    await this.#apply(reading)
  }

  async #apply(reading: Reading): Promise<void> {
    const { controller, base, applied } = this.#options
    const { added, changed, removed, moved, movedCount } = reading
    const isOther = added.length + changed.length + removed.length > 0
    if (isOther || movedCount > 0) {
      const places = new Places()
      const changes = { put: [...added, ...changed], removed: removed.map(resourceKey), moved }
      const refused = await controller.change(changes, { base, locate: places.locate })
      if (refused.length > 0) {
        const placed = await places.find(refused, this.#rereader)
        return this.#refuse([...reading.problems, ...placed], count(placed.length, 'error'))
      }
      await this.#rereader.applied()
    }
    this.#tellProblems(reading.problems)
    if (isOther) this.#tellApplied(reading)
    else if (this.#isBroken) this.#options.tell.lines('info', ['The files are as they were applied again.'])
    this.#isBroken = false
    applied(undefined)
  }

  /** Whether to look once more before it counts; that is seen to. */
  #isDoubted({ problems, removed, files, isNew }: Reading): boolean {
    this.#doubtTimer?.cancel()
    if (removed.length === 0 && files.length > 0 && !problems.some(isError)) return false
    const { clock } = this.#options
    const nowMs = clock.monotonic()
    this.#doubt ??= { sinceMs: nowMs, stillMs: nowMs }
    if (isNew) this.#doubt.stillMs = nowMs
    const leftMs = Math.min(this.#doubt.stillMs + DOUBT_MS, this.#doubt.sinceMs + DOUBT_MS_MAX) - nowMs
    if (leftMs <= 0) return false
    this.#doubtTimer = clock.setTimer(leftMs, () => this.#run('noticed'))
    return true
  }

  #refuse(problems: readonly Problem[], why: string): void {
    const isNews = this.#tellProblems(problems) || !this.#isBroken
    this.#isBroken = true
    const first = problems.find(isError)
    const at = first === undefined ? '' : `, the first at ${placeOf(first)}`
    if (isNews) {
      const errors = first === undefined ? why : `${why} in the files`
      this.#options.tell.lines('error', [`sluice up: ${errors}; nothing was changed, and what ran before runs on.`])
    }
    this.#options.applied(`${why}${at}`)
  }

  /** Those that were told already, such as warnings that still stand there, are not told again. */
  #tellProblems(problems: readonly Problem[]): boolean {
    const now = JSON.stringify(problems)
    if (now === this.#told) return false
    this.#told = now
    if (problems.length > 0) this.#options.tell.problems(problems)
    return problems.length > 0
  }

  #tellApplied({ added, changed, removed }: Reading): void {
    const counts = `${added.length} added, ${changed.length} changed, ${removed.length} removed`
    const lines = [
      ...added.map((each) => `+ ${this.#line(each)}`),
      ...changed.map((each) => `~ ${this.#line(each)}`),
      ...removed.map((identity) => `- ${nameOf(identity)}`),
    ]
    const shown = lines.slice(0, NAMES_MAX).map((line) => `  ${line}`)
    if (lines.length > NAMES_MAX) shown.push(`  and ${lines.length - NAMES_MAX} more`)
    this.#options.tell.lines('info', [`The files have changed: ${counts}.`, ...shown])
  }

  #line({ resource }: Declared): string {
    const identity = identityOf(resource)
    const ready = readyCondition(this.#options.controller.get(identity)?.status?.conditions)
    const isReady = ready === undefined || ready.status === 'True'
    const why = isReady ? '' : `  NOT READY, ${ready.reason ?? 'Unknown'}: ${ready.message ?? ''}`
    return `${nameOf(identity)}${why}`
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#doubtTimer?.cancel()
    this.#watch?.close()
    await this.#rereader.close()
    await this.#running
  }
}

/** Where refusals stand: their texts are in the thread, and an apply doesn't wait for it to say so. */
class Places {
  readonly #asked = new Map<string, { readonly declared: Declared; readonly path: Path }>()

  /** For the apply: the resource's own place. */
  readonly locate = (declared: Declared, path: Path): Origin => {
    const origin = declared.origin ?? { file: '', line: 0, column: 0 }
    this.#asked.set(`${placeOf(origin)} ${pathText(path)}`, { declared, path })
    return origin
  }

  /** The problems of that apply, at their exact places. */
  async find(problems: readonly Problem[], thread: Rereader): Promise<Problem[]> {
    const placed: Problem[] = []
    for (const problem of problems) {
      const asked = this.#asked.get(`${placeOf(problem)} ${problem.path ?? ''}`)
      const place = asked && (await thread.locate(asked.declared, asked.path))
      placed.push({ ...problem, ...place })
    }
    return placed
  }
}

function placeOf({ file, line, column }: Origin): string {
  return line === 0 ? file : `${file}:${line}:${column}`
}

function isError({ severity }: Problem): boolean {
  return severity === 'error'
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
