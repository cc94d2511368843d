// A program under test: a process that has said on stdout that it is ready, and where it takes events.

import { createInterface } from 'node:readline'
import type { Child, Children, StartOptions } from './children.ts'

export interface Program {
  /** What it is called in reports: `bare proxy`, `sluice`. */
  readonly name: string
  readonly pid: number
  /** Where events are posted to it. */
  readonly address: string
  /** From the start of the process until its ready line, in milliseconds. */
  readonly readyMs: number
  /** When the process was started, by `performance.now()`. */
  readonly startedAt: number
  end(): Promise<void>
}

export interface ProgramStart extends StartOptions {
  readonly args: readonly string[]
  /** Path below its ingress where it takes the benchmark's events, such as `/default/bench`. */
  readonly path: string
}

/** How long a program may take to get ready, and how much of its stderr an error shows. */
const READY_MS_MAX = 60_000
const STDERR_CHARS = 2_000

/**
 * Starts `node ...args` and waits for its line `NAME ready ingress=URL ...`. Throws, with the end of the program's
 * stderr, when it exits before that or is not ready within a minute.
 */
export async function startProgram(
  children: Children,
  name: string,
  { path, args, ...options }: ProgramStart,
): Promise<Program> {
  const startedAt = performance.now()
  const child = children.start(args, options)
  const stderr = lastOf(child)
  const ingress = await ready(child, name, stderr)
  return {
    name,
    pid: child.pid!,
    address: ingress + path,
    readyMs: performance.now() - startedAt,
    startedAt,
    end: () => children.end(child),
  }
}

/** Keeps reading stderr, so that the program never blocks on it, and remembers the end. */
function lastOf(child: Child): () => string {
  let text = ''
  child.stderr.on('data', (chunk: Buffer) => (text = (text + chunk.toString()).slice(-STDERR_CHARS)))
  return () => text.trim()
}

async function ready(child: Child, name: string, stderr: () => string): Promise<string> {
  const failed = (what: string): Error => new Error(`${name} ${what}${stderr() === '' ? '' : `:\n${stderr()}`}`)
  return await new Promise((resolve, reject) => {
    const timeout = setTimeout(() => reject(failed(`was not ready after ${READY_MS_MAX / 1000} s`)), READY_MS_MAX)
    const settle = (act: () => void): void => {
      clearTimeout(timeout)
      act()
    }
    child.once('error', (error) => settle(() => reject(error)))
    child.once('close', (code, signal) =>
      settle(() => reject(failed(`ended with ${signal ?? code} before it was ready`))),
    )
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = / ready ingress=(\S+)/.exec(line)
      if (match !== null) settle(() => resolve(match[1]!))
    })
  })
}
