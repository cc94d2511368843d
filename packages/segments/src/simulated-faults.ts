// What goes wrong on a simulated disk, as a test says: rules, asked once for every operation when it is called.

import type { Disk, DiskFile } from './disk.ts'

/** Names of the operations that can fail. */
export type DiskOperation = Exclude<keyof Disk | keyof DiskFile, 'close'>

/** A rule by which operations fail. */
export interface Fault {
  /** With which code: `EIO`, `ENOSPC`, `EMFILE`, `SHORT_WRITE`, ... `EROFS` spares what only reads. */
  readonly error: string
  /** Which operations. Default: all. */
  readonly operation?: DiskOperation | readonly DiskOperation[]
  /** Which paths; a rename by either of its two. Default: all. */
  readonly path?: RegExp
  /** How many of those pass first, counted as they are called. Default 0. */
  readonly after?: number
  /** How many then fail. Default 1; `Infinity`: until it is lifted. */
  readonly times?: number
  /** How many bytes of a failed write are written all the same. Default: chosen by the seed. */
  readonly written?: number
}

/** An operation as it is called. */
export interface Call {
  readonly operation: DiskOperation
  readonly paths: readonly string[]
  /** It changes nothing. */
  readonly isReading: boolean
}

export class Faults {
  readonly #rules = new Set<{ readonly fault: Fault; after: number; times: number }>()

  add(fault: Fault): () => void {
    const rule = { fault, after: fault.after ?? 0, times: fault.times ?? 1 }
    this.#rules.add(rule)
    return () => this.#rules.delete(rule)
  }

  /** The first rule by which this call fails. Every rule that it matches counts it. */
  match(call: Call): Fault | undefined {
    let found: Fault | undefined
    for (const rule of this.#rules) {
      if (!matches(rule.fault, call)) continue
      if (rule.after > 0) rule.after--
      else if (found === undefined) {
        found = rule.fault
        if (--rule.times <= 0) this.#rules.delete(rule)
      }
    }
    return found
  }
}

function matches({ error, operation, path }: Fault, call: Call): boolean {
  if (error === 'EROFS' && call.isReading) return false
  if (operation !== undefined && ![operation].flat().includes(call.operation)) return false
  return path === undefined || call.paths.some((each) => each.search(path) >= 0)
}
