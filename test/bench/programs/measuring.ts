// A program that measures by itself, without a load: it prints what it found as one line of JSON, and stays until it is
// ended, so that what it has used can be told from what others use.

import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Context } from '../goal.ts'
import type { Contender } from '../rounds.ts'

export interface Measuring<Reading> extends Contender {
  /** Rejects, with the program's stderr, when it ends without having printed one. */
  readonly reading: Promise<Reading>
}

/** Starts `node FILE ...ARGS`; `file` lies beside this one. */
export function startMeasuring<Reading>(
  { children }: Context,
  file: string,
  ...args: readonly (string | number)[]
): Measuring<Reading> {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const child = children.start([path, ...args.map(String)], { channel: true })
  const stderr = text(child.stderr)
  const reading = new Promise<Reading>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line)))
    child.once('close', () => {
      stderr.then((words) => reject(new Error(`${file} ended by itself:\n${words}`)), reject)
    })
  })
  reading.catch(() => {}) // whoever ended it no longer waits
  return { pid: child.pid!, reading, end: () => children.end(child) }
}

/** In such a program: hands over what it found, and waits for its end. */
export function tell(reading: unknown): void {
  process.stdout.write(`${JSON.stringify(reading)}\n`)
  process.on('disconnect', () => process.exit())
}
