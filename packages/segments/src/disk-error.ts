// Errors in the form in which Node's file system makes them, for what no system call says.

import { getSystemErrorMap } from 'node:util'

const WORDS: ReadonlyMap<string, string> = new Map([
  ...getSystemErrorMap().values(),
  ['SHORT_WRITE', 'the disk took fewer bytes than it was given'],
])

/** An error with `code` and `path`; `EIO: i/o error, write '/data/1'`. */
export function diskError(code: string, operation: string, path: string): NodeJS.ErrnoException {
  const message = `${code}: ${WORDS.get(code) ?? 'failed'}, ${operation} '${path}'`
  return Object.assign(new Error(message), { code, syscall: operation, path })
}
