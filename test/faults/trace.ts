// A process of which strace makes some system calls fail, wait or be the last: `when=N` is the N-th of its thread, so it
// gets one thread for its disk.

import type { StartOptions } from '../support/sluice.ts'

/**
 * How to start a process with these injections, as strace has them: `fdatasync:error=EIO:when=3`.
 *
 * @param told where each of the calls that are named there is told on standard error, as it ends
 */
export function traced(injections: readonly string[], { told = false }: { told?: boolean } = {}): StartOptions {
  const calls = [...new Set(injections.map((injection) => injection.split(':')[0]!))].join(',')
  const kills = injections.some((injection) => injection.includes('signal='))
  // A filter in the kernel spares all other calls the way over strace; a signal is lost by it.
  const fast = kills ? [] : ['--seccomp-bpf']
  const quiet = told ? ['-qq'] : ['-qq', '-o', '/dev/null']
  return {
    env: { UV_THREADPOOL_SIZE: '1' },
    through: [
      'strace',
      '-D',
      '-f',
      ...quiet,
      ...fast,
      `-etrace=${calls}`,
      ...injections.map((each) => `-einject=${each}`),
    ],
  }
}
