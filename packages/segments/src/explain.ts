// Errors of the disk in words for people.

import { SluiceError } from '@sluice/event'

/** How long a sender whose event met a disk that fails is told to wait. */
const RETRY_AFTER_MS = 1000

/** `SLUICE_DISK`, retryable, status 503: the disk did not take it. Nobody was told that it is stored. */
export function diskFailed(path: string, cause: unknown): SluiceError {
  return new SluiceError('SLUICE_DISK', `${path}: ${words(cause)}`, {
    status: 503,
    retryable: true,
    retryAfterMs: RETRY_AFTER_MS,
    cause,
  })
}

/** Whether a {@link diskFailed} says that there is no space left. */
export function isDiskFull({ cause }: SluiceError): boolean {
  return FULL.includes((cause as NodeJS.ErrnoException | undefined)?.code ?? '')
}

const FULL = ['ENOSPC', 'EDQUOT']

/** `SLUICE_RECORD_DAMAGED`: what was durable there once can't be read any more, now or later. */
export function recordDamaged(path: string, at: number): SluiceError {
  return new SluiceError('SLUICE_RECORD_DAMAGED', `${path}: the entry at byte ${at} is damaged. It is lost.`)
}

function words(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'the disk is full. Make space; Sluice goes on by itself.'
    case 'EROFS':
      return 'the file system is read-only. Mount it for writing; Sluice goes on by itself.'
    case 'EACCES':
    case 'EPERM':
      return 'this user may not write there. Give it the right; Sluice goes on by itself.'
    case 'EMFILE':
    case 'ENFILE':
      return 'too many files are open. Raise the limit (ulimit -n); Sluice goes on by itself.'
    case 'ENOENT':
      return 'the folder is gone. Put it back, or restart Sluice.'
    case 'EIO':
    case 'SHORT_WRITE':
      return `the disk failed (${code}). Look at the system's log; Sluice tries a new file.`
    default:
      return `the disk failed (${code ?? message}).`
  }
}
