// What a word reads of its user's files.

import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { EXIT, exitWith } from './exit.ts'

/** The bytes of a file, or of standard input where it is `-`. Ends the process where they can't be read. */
export async function readInput(word: string, path: string): Promise<Buffer> {
  try {
    return path === '-' ? await buffer(process.stdin) : await readFile(path)
  } catch (error) {
    exitWith(EXIT.failed, `${word}: can't read ${path}: ${(error as Error).message}`)
  }
}
