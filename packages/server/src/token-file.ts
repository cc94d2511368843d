// Tokens in a file: one a line, so that an old one holds until a new one is everywhere.

import { readFileSync, statSync } from 'node:fs'
import { SluiceError } from '@sluice/event'

const FILE_BYTES_MAX = 64 * 1024

/**
 * The tokens of a file: its lines, but for empty ones and those that begin with `#`. Who sends one sends the first.
 *
 * @throws SluiceError `SLUICE_TOKEN_FILE`, with words for people that never hold a token
 */
export function readTokens(path: string): [string, ...string[]] {
  const lines = textOf(path)
    .split(/\r?\n/)
    .map((line) => line.trim())
  const [first, ...others] = lines.filter((line) => line !== '' && !line.startsWith('#'))
  if (first === undefined) throw invalid(path, 'has no token: write one a line')
  const tokens: [string, ...string[]] = [first, ...others]
  for (const [index, token] of tokens.entries()) {
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw invalid(
        path,
        `has as token ${index + 1} what is none: blanks and other than ASCII characters can't be sent`,
      )
    }
  }
  return tokens
}

function textOf(path: string): string {
  try {
    const stats = statSync(path)
    if (!stats.isFile()) throw invalid(path, 'is no regular file')
    if (stats.size > FILE_BYTES_MAX) throw invalid(path, `has more than ${FILE_BYTES_MAX} bytes`)
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof SluiceError) throw error
    throw invalid(path, `can't be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  }
}

function invalid(path: string, problem: string): SluiceError {
  return new SluiceError('SLUICE_TOKEN_FILE', `The token file ${path} ${problem}.`)
}
