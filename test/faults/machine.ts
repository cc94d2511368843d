// What the fault tests need of the machine. Where it is missing they are skipped, and their names say why; in CI, where it
// has to be there (.ci/run sees to it), they fail.

import { spawnSync } from 'node:child_process'

/** Something that a test needs: `test.skipIf(TRACING.isMissing)('...' + TRACING.why)`. */
export interface Need {
  readonly isMissing: boolean
  /** For the test's name: empty, or why it is skipped and how to get what it needs. */
  readonly why: string
}

/** Runs a command with mounts of its own. */
export const UNSHARE: readonly [string, ...string[]] = ['unshare', process.getuid?.() === 0 ? '-m' : '-rm']

/** Runs a command as this user, and where that is root: bound by the rights of files all the same. */
export const WITHOUT_RIGHTS: readonly [string, ...string[]] =
  process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : ['env']

/** strace, which makes system calls fail, wait, or end the process. */
export const TRACING: Need = need('strace that may trace (apt-get install strace)', () =>
  runs('strace', '-qq', '-o', '/dev/null', 'true'),
)

/** Mounts of one's own, in a namespace of one's own. */
export const MOUNTING: Need = need('mounts in a namespace of its own (unshare and root, or user namespaces)', () =>
  runs(...UNSHARE, 'mount', '-t', 'tmpfs', 'none', '/mnt'),
)

/** Rights that even root can be without. */
export const RIGHTS: Need = need('a user who is not above all rights (setpriv of util-linux, as root)', () =>
  runs(...WITHOUT_RIGHTS, 'true'),
)

/** Files and sockets enough for 10,000 connections, at both ends. */
export const SOCKETS: Need = need('12,000 open files (ulimit -n 12000)', () => runs('sh', '-c', 'ulimit -n 12000'))

function need(what: string, isThere: () => boolean): Need {
  if (process.platform === 'linux' && isThere()) return { isMissing: false, why: '' }
  if (process.env['CI'] === 'true') return { isMissing: false, why: ` (CI has to have ${what})` }
  return { isMissing: true, why: ` (skipped: it needs ${what})` }
}

function runs(...[command, ...words]: readonly [string, ...string[]]): boolean {
  return spawnSync(command, words).status === 0
}
