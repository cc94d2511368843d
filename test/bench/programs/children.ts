// Every process the benchmark starts, so that none outlives it: not at the end, not after an error, not at Ctrl-C.

import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'

/** A child whose stdin is closed and whose output we read. */
export type Child = ChildProcess & { readonly stdout: Readable; readonly stderr: Readable }

/** Starts Node children and ends them. */
export interface Children {
  start(args: readonly string[], options?: StartOptions): Child
  /** Kills one child and waits until it is gone. */
  end(child: Child): Promise<void>
  /** Kills all that still run. Synchronous: it is called when the process exits. */
  killAll(): void
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Opens a process channel, over which a child notices that we are gone. Default false. */
  readonly channel?: boolean
}

export function children(): Children {
  const running = new Set<Child>()
  return {
    start(args, options = {}) {
      const stdio: StdioOptions =
        options.channel === true ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe']
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `stdio` makes both of them pipes
      const child = spawn(process.execPath, args, { stdio, env: { ...process.env, ...options.env } }) as Child
      running.add(child)
      child.once('exit', () => running.delete(child))
      return child
    },
    async end(child) {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    },
    killAll() {
      for (const child of running) child.kill('SIGKILL')
    },
  }
}
