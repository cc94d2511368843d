// What a reading of files has seen, beside their text: what has to be watched, so that nothing that would change its
// answer goes unnoticed, and by what to tell whether anything did.

import type { BigIntStats } from 'node:fs'
import { readlink, stat } from 'node:fs/promises'
import { dirname, join, parse, resolve, sep } from 'node:path'

/** What has to be watched. Paths are absolute. Nothing but maps and sets: it crosses threads. */
export interface Watched {
  /** Folders that were read: every name in them counts. */
  readonly folders: Set<string>
  /**
   * Names in other folders on which it depends what a path means: of the files and folders that were named, and of each
   * link on the way to what was read, such as `..data` of a mounted ConfigMap.
   */
  readonly names: Map<string, Set<string>>
}

/** Filled while paths are walked (files.ts). */
export interface Sight extends Watched {
  /** For each file and folder that was read, what tells one version of it from the next. */
  readonly stamps: Map<string, string>
}

export function newSight(): Sight {
  return { folders: new Set(), names: new Map(), stamps: new Map() }
}

export function noteFolder(path: string, stats: BigIntStats, sight: Sight): void {
  sight.folders.add(path)
  noteStamp(path, stats, sight)
}

export function noteStamp(path: string, stats: BigIntStats, { stamps }: Sight): void {
  stamps.set(path, stampOf(stats))
}

/** Links that are followed on one way, at most; the system has 40 as well. */
const LINKS_MAX = 40

/** Notes the path itself in its folder, and every link on the way to what it stands for. */
export async function noteWay(path: string, sight: Sight): Promise<void> {
  let at = parse(path).root
  let steps = stepsOf(path)
  let links = 0
  for (let name = steps.shift(); name !== undefined; name = steps.shift()) {
    const next = join(at, name)
    const target = await readlink(next).catch(() => undefined) // not a link, or not there
    if (target !== undefined || steps.length === 0) noteName(at, name, sight)
    if (target === undefined) at = next
    else if (++links > LINKS_MAX) return
    else {
      steps = [...stepsOf(resolve(at, target)), ...steps]
      at = parse(path).root
    }
  }
}

function stepsOf(path: string): string[] {
  return path.slice(parse(path).root.length).split(sep).filter(Boolean)
}

export function noteName(folder: string, name: string, { names }: Watched): void {
  const known = names.get(folder)
  if (known === undefined) names.set(folder, new Set([name]))
  else known.add(name)
}

/** Whether what was seen is as it was. */
export async function isAsSeen({ stamps }: Sight): Promise<boolean> {
  const all = [...stamps]
  for (let at = 0; at < all.length; at += AT_ONCE) {
    const same = await Promise.all(all.slice(at, at + AT_ONCE).map(isAsStamped))
    if (same.includes(false)) return false
  }
  return true
}

/** Files that are asked for at once. */
const AT_ONCE = 64

async function isAsStamped([path, stamp]: [string, string]): Promise<boolean> {
  const stats = await stat(path, { bigint: true }).catch(() => undefined)
  return stats !== undefined && stampOf(stats) === stamp
}

/** With the time of the last change of anything, which nobody can set back. */
export function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`
}

/** The nearest folder that is there: of one that isn't, its coming is seen from there. */
export async function nearestFolder(path: string): Promise<string> {
  let at = path
  while (at !== dirname(at)) {
    const stats = await stat(at).catch(() => undefined)
    if (stats?.isDirectory()) break
    at = dirname(at)
  }
  return at
}
