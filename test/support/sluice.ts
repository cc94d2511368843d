// The program as its user runs it: a process, its files, its ready line, its end.

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { atEnd } from './cleanup.ts'
import { collectText, type Text } from './text.ts'

/** The command, as `node` runs it. */
export const SLUICE: string = join(import.meta.dirname, '../../packages/cli/bin/sluice.mjs')

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A process under test. */
export interface Program {
  readonly process: ChildProcessWithoutNullStreams
  readonly stdout: Text
  readonly stderr: Text
  readonly exited: Promise<Exit>
}

/** `sluice up`, ready. */
export interface Sluice extends Program {
  /** As the ready line has it: `http://127.0.0.1:41234`. */
  readonly ingress: string
  readonly api: string
  /** Address of Broker default/default. */
  readonly broker: string
  /** The folder of its files. */
  readonly folder: string
  /** Sends a signal (SIGTERM) and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Exit>
}

/** Files by their path below the folder. */
export type Files = Readonly<Record<string, string>>

const started = new Set<ChildProcessWithoutNullStreams>()
const folders = new Set<string>()

// Whatever becomes of the tests of a file, nothing of theirs outlives them.
atEnd(async () => {
  await Promise.all([...started].map(end))
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
process.on('exit', () => started.forEach((child) => child.kill('SIGKILL')))

async function end(child: ChildProcessWithoutNullStreams): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/** A temporary folder with these files. */
export function folderOf(files: Files): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  folders.add(folder)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

/** What a process is started with beside its words. */
export interface StartOptions {
  readonly env?: NodeJS.ProcessEnv
  /** Default: a new folder, so that no `.sluice` of one test is another's. */
  readonly cwd?: string
  /** Default: the `sluice` command. */
  readonly script?: string
  /** A command that runs it in its own place: `['strace', '-D', ...]`. The process that is told of is the program's. */
  readonly through?: readonly string[]
}

/** Starts `sluice WORDS`, as it is. */
export function startProgram(words: readonly string[], options: StartOptions = {}): Program {
  const { env = {}, cwd = folderOf({}), script = SLUICE, through = [] } = options
  const [command, ...rest] = [...through, process.execPath, script, ...words] as [string, ...string[]]
  const child = spawn(command, rest, { env: { ...cleanEnvironment(), ...env }, cwd })
  started.add(child)
  const exited = once(child, 'exit').then(([code, signal]): Exit => ({ code, signal }))
  return { process: child, stdout: collectText(child.stdout), stderr: collectText(child.stderr), exited }
}

/** This process's environment without what would be a setting of Sluice. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SLUICE_')))
}

/** Starts `sluice up` on these files (a record, or a folder that is there) and waits until it is ready. */
export async function startSluice(
  files: Files | string,
  words: readonly string[] = [],
  options: StartOptions = {},
): Promise<Sluice> {
  const folder = typeof files === 'string' ? files : folderOf({ 'sluice.yaml': '', ...files })
  const data = join(folderOf({}), 'data')
  const ports = ['--listen', '127.0.0.1:0', '--api', '127.0.0.1:0', '--data', data]
  return ready(startProgram(['up', folder, ...ports, ...words], options), folder)
}

/** Waits for the ready line. */
export async function ready(program: Program, folder: string): Promise<Sluice> {
  const [, ingress, api] = await program.stdout
    .until(/^sluice ready ingress=(\S+) api=(\S+) data=\S+\n/m)
    .catch((error: Error) => {
      throw new Error(`sluice did not start: ${error.message}\n${program.stderr.soFar()}`)
    })
  return {
    ...program,
    ingress: ingress!,
    api: api!,
    broker: `${ingress}/default/default`,
    folder,
    stop(signal = 'SIGTERM') {
      program.process.kill(signal)
      return program.exited
    },
  }
}

/** What a command printed, and its exit code. */
export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `sluice WORDS` to its end. */
export async function runSluice(
  words: readonly string[],
  options: StartOptions & { readonly input?: string } = {},
): Promise<Ran> {
  const program = startProgram(words, options)
  program.process.stdin.end(options.input)
  await once(program.process, 'close')
  return {
    code: program.process.exitCode,
    stdout: program.stdout.soFar(),
    stderr: program.stderr.soFar(),
  }
}
