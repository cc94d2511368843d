// kubectl as its user runs it: the binary of this machine, without a kubeconfig.

import { execFile } from 'node:child_process'
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { folderOf, type Ran } from './sluice.ts'
import { collectText, type Text } from './text.ts'

/** Whether this machine has one. Where a CI has to have it, it is an error that it hasn't. */
export const HAS_KUBECTL: boolean = spawnSync('kubectl', ['version', '--client']).status === 0
if (!HAS_KUBECTL && process.env['CI'] === 'true') throw new Error('kubectl is not on the PATH, and CI needs it.')

/** What an invocation may want otherwise. */
export interface KubectlOptions {
  readonly input?: string
  readonly env?: NodeJS.ProcessEnv
}

/** Runs kubectl against this server. */
export type Kubectl = (words: readonly string[], options?: KubectlOptions) => Promise<Ran>

const home = (): NodeJS.ProcessEnv => ({ ...process.env, HOME: folderOf({}), KUBECONFIG: '' })

/** A kubectl of its own: its cache is nobody else's. */
export function kubectl(server: string): Kubectl {
  const own = home()
  return (words, { input = '', env = {} } = {}) =>
    new Promise((resolve) => {
      const child = execFile(
        'kubectl',
        [`--server=${server}`, ...words],
        { env: { ...own, ...env }, timeout: 60_000, maxBuffer: 64 * 1024 * 1024 },
        (error, stdout, stderr) => resolve({ code: error === null ? 0 : (child.exitCode ?? -1), stdout, stderr }),
      )
      child.stdin?.end(input)
    })
}

/** Starts one that goes on, such as `get -w`. */
export function startKubectl(server: string, words: readonly string[]): { stdout: Text } {
  const child: ChildProcessWithoutNullStreams = spawn('kubectl', [`--server=${server}`, ...words], { env: home() })
  onTestFinished(() => void child.kill('SIGKILL'))
  return { stdout: collectText(child.stdout) }
}
