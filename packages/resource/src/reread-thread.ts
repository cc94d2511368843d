// The thread in which files are read again: parsing and validation hold up nobody there. It knows what was applied, and
// answers with the difference to that. What is as it was, a file or a document, is neither read nor judged again.
//
// From: reread.ts, on the main thread. One request is answered at a time.

import { constants, setPriority } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import { parentPort, workerData } from 'node:worker_threads'
import type { Found, KnownTexts } from './files.ts'
import { addForeignKinds, type ForeignKind } from './foreign-kinds.ts'
import { findFiles, loadTexts, type FileText, type Loaded } from './load.ts'
import type { Part, Parts } from './parts.ts'
import type { Path, Problem } from './problem.ts'
import { identityOf, keyOf, type Declared, type Identity, type Origin } from './resource.ts'
import { isAsSeen, newSight, type Sight, type Watched } from './sight.ts'

/** What the thread is started with. */
export interface RereadData {
  readonly paths: readonly string[]
  /** What was applied last: the difference is to these. */
  readonly texts: readonly FileText[]
  /** Of sources of somebody's own. */
  readonly kinds: readonly ForeignKind[]
}

/**
 * `parts`: what stands in the texts that it was started with, a piece of it; not answered. `read`: what the files say now.
 * `applied`: what was read last is. `locate`: a place in what was read last. `isAsSeen`: whether that is as it was.
 */
export type RereadRequest =
  | { readonly ask: 'parts'; readonly parts: readonly (readonly [text: string, Part])[] }
  | { readonly ask: 'read' }
  | { readonly ask: 'applied' }
  | { readonly ask: 'locate'; readonly key: string; readonly path: Path }
  | { readonly ask: 'isAsSeen' }

/** An answer to `read`. */
export interface Reread {
  readonly problems: readonly Problem[]
  /** Their names, in the order in which they were read. */
  readonly files: readonly string[]
  /** Texts that are others than the last time, or at the start. */
  readonly texts: readonly FileText[]
  readonly watched: Watched
  /** Whether any text is another than the last time. */
  readonly isNew: boolean
  readonly difference: Difference
}

/** To what was applied. */
export interface Difference {
  readonly added: readonly Declared[]
  /** Those with another content. */
  readonly changed: readonly Declared[]
  /** Those with the same content that stand elsewhere now. */
  readonly moved: Moved
  /** Those that are in no file any more. */
  readonly removed: readonly Identity[]
}

/** Thousands, where a line was put in above them: so few objects, as the main thread has to take them apart. */
export interface Moved {
  readonly keys: readonly string[]
  /** Of each: which of {@link names}, line, column. */
  readonly places: Uint32Array
  readonly names: readonly string[]
}

type Held = ReadonlyMap<string, Declared>

/** A reading, with what it was made from. */
interface Read extends Reread {
  readonly found: readonly Found[]
  readonly held: Held
  readonly sight: Sight
  readonly locate: Loaded['locate']
}

/** Files that change while they are read are read again, so often at most; then something else will have to tell of it. */
const READS_MAX = 3

// Where every core is busy, events come first. Linux gives each thread a priority of its own, others would lower all.
if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL)

const { paths, texts: textsAtStart, kinds } = workerData as RereadData
addForeignKinds(kinds)
/** Of what was read last. */
let parts: Parts = new Map()
let texts: ReadonlyMap<string, string> = new Map(textsAtStart.map(({ file, text }) => [file, text]))
let applied: Held | undefined
let last: Read | undefined
const knownTexts: KnownTexts = new Map()

parentPort!.on('message', (request: RereadRequest) => {
  if (request.ask === 'parts') return request.parts.forEach(([text, part]) => parts.set(text, part))
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
  return void answer(request).then((it) => parentPort!.postMessage(it))
})

async function answer(request: Exclude<RereadRequest, { ask: 'parts' }>): Promise<Reread | Origin | boolean | null> {
  switch (request.ask) {
    case 'read': {
      last = await read()
      const { problems, files, texts, watched, isNew, difference } = last
      return { problems, files, texts, watched, isNew, difference }
    }
    case 'applied':
      if (last === undefined) return null
      applied = last.held
      last = { ...last, difference: NO_DIFFERENCE }
      return null
    case 'locate': {
      const declared = last?.held.get(request.key)
      return declared === undefined ? null : last!.locate(declared, request.path)
    }
    case 'isAsSeen':
      return last !== undefined && (await isAsSeen(last.sight))
  }
}

async function read(): Promise<Read> {
  applied ??= byKey((await load(textsAtStart)).resources)
  for (let reads = 1; ; reads++) {
    const sight = newSight()
    const found: Found[] = []
    for await (const each of findFiles(paths, sight, {}, knownTexts)) found.push(each)
    if (reads < READS_MAX && !(await isAsSeen(sight))) continue
    for (const path of knownTexts.keys()) if (!sight.stamps.has(path)) knownTexts.delete(path)
    const { folders, names } = sight
    const seen = { sight, watched: { folders, names } }
    if (last !== undefined && isDeepStrictEqual(found, last.found)) return { ...last, ...seen, texts: [], isNew: false }
    const { resources, problems, files, texts: all, locate } = await load(found)
    const held = byKey(resources)
    const changed = all.filter(({ file, text }) => texts.get(file) !== text)
    texts = new Map(all.map(({ file, text }) => [file, text]))
    const difference = differenceTo(held, applied)
    return { ...seen, problems, files, texts: changed, isNew: true, difference, found, held, locate }
  }
}

async function load(found: readonly Found[]): Promise<Omit<Loaded, 'sight'>> {
  const loaded = await loadTexts(found, {}, parts)
  ;({ parts } = loaded)
  return loaded
}

function differenceTo(held: Held, before: Held): Difference {
  const added: Declared[] = []
  const changed: Declared[] = []
  const moved: [string, Origin][] = []
  for (const [key, declared] of held) {
    const old = before.get(key)
    if (old === undefined) added.push(declared)
    else if (!isDeepStrictEqual(old.resource, declared.resource)) changed.push(declared)
    else if (!isSamePlace(old.origin!, declared.origin!)) moved.push([key, declared.origin!])
  }
  const removed = [...before].flatMap(([key, { resource }]) => (held.has(key) ? [] : [identityOf(resource)]))
  return { added, changed, moved: packed(moved), removed }
}

function isSamePlace(a: Origin, b: Origin): boolean {
  return a.line === b.line && a.column === b.column && a.file === b.file
}

function packed(moved: readonly (readonly [string, Origin])[]): Moved {
  const names = new Map<string, number>()
  const places = new Uint32Array(moved.length * 3)
  for (const [index, [, { file, line, column }]] of moved.entries()) {
    if (!names.has(file)) names.set(file, names.size)
    places.set([names.get(file)!, line, column], index * 3)
  }
  return { keys: moved.map(([key]) => key), places, names: [...names.keys()] }
}

const NO_DIFFERENCE: Difference = { added: [], changed: [], moved: packed([]), removed: [] }

function byKey(resources: readonly Declared[]): Held {
  return new Map(resources.map((declared) => [keyOf(declared.resource), declared]))
}
