// Real processes: what ends when npx does, and what doesn't.

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { noteParents } from '../src/parents.ts'
import { folderOf } from '../../../test/support/sluice.ts'
import { collectText, type Text } from '../../../test/support/text.ts'

const NPM = join(import.meta.dirname, 'programs/npm.mjs')

interface Started {
  readonly shell: ChildProcessWithoutNullStreams
  readonly stdout: Text
  /** Parent, its parent, ...: those that the program watches. */
  readonly launchers: readonly number[]
}

/** A person's shell, in it npx, in it a shell, in it the program. */
async function start(env: NodeJS.ProcessEnv = {}): Promise<Started> {
  const command = `"${process.execPath}" "${NPM}" start; exit $?`
  const shell = spawn('/bin/bash', ['-c', command], { detached: true, env: { ...process.env, ...env } })
  onTestFinished(() => {
    try {
      process.kill(-shell.pid!, 'SIGKILL')
    } catch {
      // all of the group has ended
    }
  })
  const stdout = collectText(shell.stdout)
  const [line] = await stdout.until(/^\[.*\]\n/)
  return { shell, stdout, launchers: JSON.parse(line) as number[] }
}

function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}

test.runIf(existsSync('/proc/self/stat'))(
  'the program watches up to npx, and not the shell in which it was typed',
  async () => {
    const { shell, launchers } = await start()
    expect(launchers).toHaveLength(2)
    const [sh, npx] = launchers as [number, number]
    expect(parentOf(sh)).toBe(npx)
    expect(parentOf(npx)).toBe(shell.pid)
  },
)

test.runIf(existsSync('/proc/self/stat')).each([
  ['npx', 1],
  ['the shell between', 0],
])('it learns that %s was killed', async (_which, index) => {
  const { stdout, launchers } = await start()
  process.kill(launchers[index]!, 'SIGKILL')
  await stdout.until(/orphaned\n/)
})

test.runIf(existsSync('/proc/self/stat'))(
  'the end of the shell in which it was typed is nothing to it, as with nohup',
  async () => {
    const { shell, stdout, launchers } = await start({ TELL_LOOKS: '1' })
    const npx = launchers[1]!
    const ended = once(shell, 'exit')
    shell.kill('SIGKILL')
    await ended
    while (parentOf(npx) === shell.pid) await new Promise((resolve) => setImmediate(resolve))
    // Two of its looks at its parents later it has said nothing; what kills it is the end of npx.
    const before = stdout.soFar().length
    await stdout.until(new RegExp(`^[^]{${before}}[^]*looked\\n[^]*looked\\n`))
    expect(stdout.soFar()).not.toContain('orphaned')
    process.kill(npx, 'SIGKILL')
    await stdout.until(/orphaned\n/)
  },
)

test('started by nobody of npm’s, nothing is watched', () => {
  const { npm_lifecycle_event: event, ...rest } = process.env
  process.env = rest
  onTestFinished(() => {
    process.env = { ...rest, ...(event !== undefined && { npm_lifecycle_event: event }) }
  })
  noteParents()(() => {
    throw new Error('there is nobody to lose')
  })
})

test.runIf(existsSync('/proc/self/stat'))(
  'started by node_modules/.bin/node, it learns that this was killed',
  async () => {
    const bin = join(
      folderOf({ 'node_modules/.bin/node': `"${process.execPath}" "$@"\nexit $?\n` }),
      'node_modules/.bin',
    )
    const { npm_lifecycle_event: _, ...env } = process.env
    const program = join(import.meta.dirname, 'programs/orphan.ts')
    const shim = spawn('/bin/sh', [join(bin, 'node'), program], { detached: true, env })
    onTestFinished(() => {
      try {
        process.kill(-shim.pid!, 'SIGKILL')
      } catch {
        // all of the group has ended
      }
    })
    const stdout = collectText(shim.stdout)
    const [line] = await stdout.until(/^\[.*\]\n/)
    expect((JSON.parse(line) as number[])[0]).toBe(shim.pid)
    shim.kill('SIGTERM')
    await stdout.until(/orphaned\n/)
  },
)
