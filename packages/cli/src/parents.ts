// Started by npm, npx or pnpm, Sluice ends when any of them ends: they pass a Ctrl-C on, but not their own death.

import { readFileSync } from 'node:fs'

const CHECK_MS = 500

/**
 * Takes note of the processes from here up to npx, as early as can be: one that has ended already is not found any
 * more. Returns what calls `orphaned` once one of them has gone (its child has another parent then). Does nothing
 * outside of an npm lifecycle, or where there is no /proc. A zombie still answers signals, so the parents are read
 * rather than asked.
 */
export function noteParents(): (orphaned: () => void) => void {
  const chain = process.env['npm_lifecycle_event'] === undefined ? [] : ancestors(process.pid)
  return (orphaned) => watch(chain, orphaned)
}

interface Process {
  readonly pid: number
  readonly parent: number
}

function watch(chain: readonly Process[], orphaned: () => void): void {
  if (chain.length === 0) return
  const timer = setInterval(() => {
    if (chain.every(({ pid, parent }) => parentOf(pid) === parent)) return
    clearInterval(timer)
    orphaned()
  }, CHECK_MS)
  timer.unref()
}

/** This process and those above it, as long as they belong to npm, npx, pnpm or a shell that these started. */
function ancestors(pid: number): Process[] {
  const chain: Process[] = []
  let at = pid
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    const parent = parentOf(at)
    if (parent === undefined || parent <= 1) break
    if (depth > 0 && !isLauncher(at)) break
    chain.push({ pid: at, parent })
    at = parent
  }
  return chain
}

const DEPTH_MAX = 12

function isLauncher(pid: number): boolean {
  const command = read(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ') ?? ''
  return /\b(npm|npx|pnpm)\b/.test(command) || /^(\/\S*\/)?(sh|bash|dash)\b/.test(command)
}

function parentOf(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`)
  // The name stands in brackets and may hold anything; the parent is the second field after it.
  const parent = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1]
  return parent === undefined ? undefined : Number(parent)
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // no such process any more, or no /proc on this system
  }
}
