// A small disk of a process's own: a tmpfs in a mount namespace, which ends with the process that holds it, and so with
// the tests.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { basename, join } from 'node:path'
import { atEnd } from '../support/cleanup.ts'
import { folderOf, type StartOptions } from '../support/sluice.ts'
import { collectText } from '../support/text.ts'
import { UNSHARE } from './machine.ts'

/** A mounted volume. */
export interface Volume {
  /** Its path, for who is in its namespace: {@link through}. */
  readonly path: string
  /** Its path, for everybody. */
  readonly outside: string
  /** How to start a process that sees it. */
  readonly inside: StartOptions
  /** Takes up all its space but so many bytes. */
  fill(leaveBytes?: number): void
  /** Gives that space back. */
  free(): void
  /** Mounts it anew, to be read only or to be written as well. */
  remount(mode: 'ro' | 'rw'): void
  /** Lays a file with this text over one of the machine, for who is in its namespace; its path for everybody. */
  cover(path: string, text: string): string
  /** Takes it away; who has a file open keeps that. */
  unmount(): void
}

const PAGE = Buffer.alloc(4096)

/** Mounts one of so many bytes. */
export async function mountVolume(bytes: number): Promise<Volume> {
  const path = folderOf({})
  const script = `mount -t tmpfs -o size=${bytes} none "$0" && echo mounted && exec cat`
  const [command, ...words] = UNSHARE
  const holder = spawn(command, [...words, 'sh', '-c', script, path])
  atEnd(async () => {
    if (holder.exitCode !== null) return
    holder.stdin.end()
    await once(holder, 'exit')
  })
  await collectText(holder.stdout).until(/mounted/)
  const enter = ['-t', String(holder.pid), '-m', ...(UNSHARE[1] === '-rm' ? ['-U'] : [])]
  const outside = join(`/proc/${holder.pid}/root`, path)
  const filler = join(outside, 'filler')
  const run = (...line: string[]): void => void execFileSync('nsenter', [...enter, ...line])
  return {
    path,
    outside,
    inside: { through: ['nsenter', ...enter] },
    fill(leaveBytes = 0) {
      const file = openSync(filler, 'w')
      try {
        for (let at = 0; ;) at += writeSync(file, PAGE, 0, PAGE.length, at)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      } finally {
        closeSync(file)
      }
      if (leaveBytes > 0) truncateSync(filler, Math.max(0, statSync(filler).size - leaveBytes))
    },
    free: () => rmSync(filler, { force: true }),
    remount: (mode) => run('mount', '-o', `remount,${mode}`, path),
    cover(covered, text) {
      const file = join(outside, basename(covered))
      writeFileSync(file, text)
      run('mount', '--bind', join(path, basename(covered)), covered)
      return file
    },
    unmount: () => run('umount', '-l', path),
  }
}
