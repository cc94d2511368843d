// Which files a list of paths means, and their text. Next: load.ts reads resources out of it; watch.ts tells when it is
// another, by what was seen on the way.

import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { extname, isAbsolute, join, relative, resolve } from 'node:path'
import { noteFolder, noteStamp, noteWay, stampOf, type Sight } from './sight.ts'

/** A file that was found; or why not. */
export type Found =
  | { readonly file: string; readonly text: string }
  | { readonly file: string; readonly fault: FileFault }

/** What keeps a file from being read. */
export interface FileFault {
  readonly severity: 'error' | 'warning'
  readonly code: 'SLUICE_RESOURCE_UNREADABLE' | 'SLUICE_RESOURCE_TOO_LARGE' | 'SLUICE_RESOURCE_NO_FILES'
  readonly message: string
  readonly hint: string
}

/** What a load reads at most. */
export interface FileLimits {
  /** Bytes of one file. */
  readonly fileBytesMax: number
  /** Files of one load. */
  readonly filesMax: number
}

/** Texts that were read before, by path: a file that is as it was then is not read again. Its caller keeps it. */
export type KnownTexts = Map<string, { readonly stamp: string; readonly text: string }>

/** A file that changed less than so long before it was read may change again without another stamp: clocks have steps. */
const STILL_MS = 1000

/** A file that is to be read. */
interface Met {
  readonly path: string
  readonly stamp: string
  readonly changedMs: number
}

/**
 * Reads files, and directories with all that is in them, sorted by name: .yaml, .yml and .json, without hidden names
 * and node_modules. Links are followed; a file or directory that is reached twice is read once, so that links may make
 * circles. A file that is named itself is read whatever its name. `file` is relative to the working directory where it
 * lies below, else absolute. `sight` takes what the answer depends on; `known` is used, and takes what was read.
 */
export async function* readFiles(
  paths: readonly string[],
  { fileBytesMax, filesMax }: FileLimits,
  sight: Sight,
  known: KnownTexts = new Map(),
): AsyncGenerator<Found, void> {
  const seen = new Set<string>()
  let count = 0
  for (const path of paths) {
    let found = 0
    await noteWay(resolve(path), sight)
    for await (const met of walk(resolve(path), true, seen, sight)) {
      found++
      if ('file' in met) yield met
      else if (++count > filesMax) {
        const message = `There are more than ${filesMax} files.`
        yield fault(met.path, 'SLUICE_RESOURCE_TOO_LARGE', message, 'Name fewer folders.')
        return
      } else yield await read(met, fileBytesMax, known)
    }
    if (found === 0 && !(await isSeen(path, seen))) {
      yield fault(
        resolve(path),
        'SLUICE_RESOURCE_NO_FILES',
        'There are no .yaml, .yml or .json files in it.',
        'Is it the right folder?',
        'warning',
      )
    }
  }
}

/** A folder named twice, or a file of a folder named before: it was read already. */
async function isSeen(path: string, seen: ReadonlySet<string>): Promise<boolean> {
  return !(await stat(path)).isDirectory() && seen.has(await realpath(path))
}

/** `known`: what the path stands for, where no link can be on its way. */
async function* walk(
  path: string,
  named: boolean,
  seen: Set<string>,
  sight: Sight,
  known?: string,
): AsyncGenerator<Met | Found, void> {
  try {
    const real = known ?? (await realpath(path))
    if (seen.has(real)) return
    const stats = await stat(real, { bigint: true })
    if (stats.isDirectory()) {
      seen.add(real)
      noteFolder(path, stats, sight)
      for (const entry of (await readdir(path, { withFileTypes: true })).toSorted(byName)) {
        const { name } = entry
        if (name.startsWith('.') || name === 'node_modules') continue
        const isLink = entry.isSymbolicLink()
        if (isLink) await noteWay(join(path, name), sight)
        yield* walk(join(path, name), false, seen, sight, isLink ? undefined : join(real, name))
      }
    } else if (named || (stats.isFile() && isRead(path))) {
      seen.add(real)
      noteStamp(path, stats, sight)
      const changedMs = Number(stats.mtimeMs > stats.ctimeMs ? stats.mtimeMs : stats.ctimeMs)
      yield { path, stamp: stampOf(stats), changedMs }
    }
  } catch (error) {
    yield unreadable(path, error)
  }
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}

/** Whether a file of that name is read where it is found in a folder. */
export function isRead(name: string): boolean {
  return EXTENSIONS.has(extname(name))
}

const EXTENSIONS = new Set(['.yaml', '.yml', '.json'])

async function read({ path, stamp, changedMs }: Met, fileBytesMax: number, known: KnownTexts): Promise<Found> {
  const before = known.get(path)
  if (before?.stamp === stamp) return { file: shownPath(path), text: before.text }
  const tooLarge = (bytes: number): Found =>
    fault(
      path,
      'SLUICE_RESOURCE_TOO_LARGE',
      `The file has ${bytes} bytes; at most ${fileBytesMax} are read.`,
      'Split it.',
    )
  try {
    const { size } = await stat(path)
    if (size > fileBytesMax) return tooLarge(size)
    const nowMs = Date.now()
    const bytes = await readFile(path)
    if (bytes.length > fileBytesMax) return tooLarge(bytes.length)
    const text = UTF_8.decode(bytes)
    if (changedMs < nowMs - STILL_MS) known.set(path, { stamp, text })
    else known.delete(path)
    return { file: shownPath(path), text }
  } catch (error) {
    return unreadable(path, error)
  }
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true })

function unreadable(path: string, error: unknown): Found {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  switch (code) {
    case 'ENOENT':
      return fault(path, 'SLUICE_RESOURCE_UNREADABLE', 'There is no such file or folder.', 'Check the path.')
    case 'ELOOP':
      return fault(path, 'SLUICE_RESOURCE_UNREADABLE', 'The link leads to itself.', 'Remove it.')
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return fault(path, 'SLUICE_RESOURCE_UNREADABLE', 'The file is not UTF-8.', 'Save it as UTF-8.')
    default:
      return fault(path, 'SLUICE_RESOURCE_UNREADABLE', `It can't be read (${code}).`, 'Check its permissions.')
  }
}

function fault(
  path: string,
  code: FileFault['code'],
  message: string,
  hint: string,
  severity: FileFault['severity'] = 'error',
): Found {
  return { file: shownPath(path), fault: { severity, code, message, hint } }
}

function shownPath(path: string): string {
  const below = relative(process.cwd(), path)
  return below.startsWith('..') || isAbsolute(below) ? path : below || '.'
}
