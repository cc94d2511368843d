// The thread in which files are read again: parsing and validation hold up nobody there. It knows what was applied, and
// answers with the difference to that.
//
// From: reread.ts, on the main thread. One request is answered at a time.

import { isDeepStrictEqual } from 'node:util'
import { parentPort, workerData } from 'node:worker_threads'
import type { Found } from './files.ts'
import { addForeignKinds, type ForeignKind } from './foreign-kinds.ts'
import { findFiles, loadTexts, type FileText, type Loaded } from './load.ts'
import type { Path, Problem } from './problem.ts'
import { keyOf, type Declared, type Origin } from './resource.ts'
import { isAsSeen, newSight, type Sight } from './sight.ts'

/** What the thread is started with. */
export interface RereadData {
  readonly paths: readonly string[]
  /** What was applied last: the difference is to these. */
  readonly texts: readonly FileText[]
  /** Of sources of somebody's own. */
  readonly kinds: readonly ForeignKind[]
}

/** `read`: what the files say now. `applied`: what was read last is. `locate`: a place in what was read last. */
export type RereadRequest =
  | { readonly ask: 'read' }
  | { readonly ask: 'applied' }
  | { readonly ask: 'locate'; readonly key: string; readonly path: Path }

/** An answer to `read`. */
export interface Reread {
  readonly problems: readonly Problem[]
  readonly texts: readonly FileText[]
  readonly sight: Sight
  /** Whether any text is another than the last time. */
  readonly isNew: boolean
  readonly difference: Difference
}

/** To what was applied. */
export interface Difference {
  readonly added: readonly Declared[]
  /** Those with another content. */
  readonly changed: readonly Declared[]
  /** Those with the same content that stand elsewhere now, by key. */
  readonly moved: readonly (readonly [string, Origin])[]
  /** Keys of those that are in no file any more. */
  readonly removed: readonly string[]
}

type Held = ReadonlyMap<string, Declared>

/** A reading, with what it was made from. */
interface Read extends Reread {
  readonly found: readonly Found[]
  readonly held: Held
  readonly locate: Loaded['locate']
}

/** Files that change while they are read are read again, so often at most; then something else will have to tell of it. */
const READS_MAX = 3

const { paths, texts, kinds } = workerData as RereadData
addForeignKinds(kinds)
let applied: Held = byKey((await loadTexts(texts)).resources)
let last: Read | undefined

parentPort!.on('message', (request: RereadRequest) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
  void answer(request).then((it) => parentPort!.postMessage(it))
})

async function answer(request: RereadRequest): Promise<Reread | Origin | null> {
  switch (request.ask) {
    case 'read': {
      last = await read()
      const { problems, texts, sight, isNew, difference } = last
      return { problems, texts, sight, isNew, difference }
    }
    case 'applied':
      if (last === undefined) return null
      applied = last.held
      last = { ...last, difference: { added: [], changed: [], moved: [], removed: [] } }
      return null
    case 'locate': {
      const declared = last?.held.get(request.key)
      return declared === undefined ? null : last!.locate(declared, request.path)
    }
  }
}

async function read(): Promise<Read> {
  for (let reads = 1; ; reads++) {
    const sight = newSight()
    const found: Found[] = []
    for await (const each of findFiles(paths, sight)) found.push(each)
    if (reads < READS_MAX && !(await isAsSeen(sight))) continue
    if (last !== undefined && isDeepStrictEqual(found, last.found)) return { ...last, sight, isNew: false }
    const { resources, problems, texts, locate } = await loadTexts(found)
    const held = byKey(resources)
    return { problems, texts, sight, isNew: true, difference: differenceTo(held), found, held, locate }
  }
}

function differenceTo(held: Held): Difference {
  const added: Declared[] = []
  const changed: Declared[] = []
  const moved: [string, Origin][] = []
  for (const [key, declared] of held) {
    const before = applied.get(key)
    if (before === undefined) added.push(declared)
    else if (!isDeepStrictEqual(before.resource, declared.resource)) changed.push(declared)
    else if (!isDeepStrictEqual(before.origin, declared.origin)) moved.push([key, declared.origin!])
  }
  return { added, changed, moved, removed: Array.from(applied.keys()).filter((key) => !held.has(key)) }
}

function byKey(resources: readonly Declared[]): Held {
  return new Map(resources.map((declared) => [keyOf(declared.resource), declared]))
}
