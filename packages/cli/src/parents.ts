// Started by npm, npx or pnpm, Sluice ends when any of them ends: they pass a Ctrl-C on, but not their own death.

import { readFileSync } from 'node:fs'

const CHECK_MS = 500

/** Calls `look` again and again until it returns true. Doesn't keep the process. */
export type Repeat = (look: () => boolean) => void

/**
 * Takes note of the processes from here up to npx, as early as can be: one that has ended already is not found any
 * more. Returns what calls `orphaned` once one of them has gone (its child has another parent then). Outside of an npm
 * lifecycle that is the shell script `node_modules/.bin/node` alone, where that started this one. Does nothing where
 * there is no /proc. A zombie still answers signals, so the parents are read rather than asked.
 */
export function noteParents(repeat: Repeat = everyHalfSecond): (orphaned: () => void) => void {
  const chain = process.env['npm_lifecycle_event'] === undefined ? shimOf(process.pid) : launchersOf(process.pid)
  return (orphaned) => {
    if (chain.length === 0) return
    repeat(() => {
      const isOrphan = chain.some(({ pid, parent }) => parentOf(pid) !== parent)
      if (isOrphan) orphaned()
      return isOrphan
    })
  }
}

const everyHalfSecond: Repeat = (look) => {
  const timer = setInterval(() => {
    if (look()) clearInterval(timer)
  }, CHECK_MS)
  timer.unref()
}

/** A process, and the one that started it. */
export interface Process {
  readonly pid: number
  readonly parent: number
}

/**
 * This process and its parent, whatever that is; and on up to the topmost npm, npx or pnpm, with the shells between
 * them. Not the shell in which somebody typed the command: that may end while Sluice goes on, as with nohup.
 */
export function launchersOf(pid: number): Process[] {
  const chain: Process[] = []
  let watched = 1
  for (let at = pid; chain.length < DEPTH_MAX;) {
    const parent = parentOf(at)
    if (parent === undefined || parent <= 1) break
    chain.push({ pid: at, parent })
    const command = read(`/proc/${parent}/cmdline`)?.replaceAll('\0', ' ') ?? ''
    const isShell = SHELL.test(command)
    if (!isShell && !NPM.test(command)) break
    if (!isShell) watched = chain.length
    at = parent
  }
  return chain.slice(0, watched)
}

/**
 * `node_modules/.bin/sluice` becomes `.bin/node`, a shell script that waits for Node and passes no signal on: somebody
 * who kills the process that they started kills the script only.
 */
function shimOf(pid: number): Process[] {
  const parent = parentOf(pid)
  const isShim = parent !== undefined && SHIM.test(read(`/proc/${parent}/cmdline`) ?? '')
  return isShim ? [{ pid, parent }] : []
}

const SHIM = /^[^\0]*sh\0[^\0]*\/node_modules\/\.bin\/node\0/
const DEPTH_MAX = 12
const SHELL = /^(\/\S*\/)?(sh|bash|dash)( |$)/
/** As they call themselves (`npm exec pnpm@10 start`), or a Node that runs their script. */
const NPM = /(^|[/ ])(npm|npx|pnpm)(-cli)?(\.[cm]?js)?( |$)/

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
