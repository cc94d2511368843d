// What of a store can't be read any more, as it turns out: each told once, and remembered for whoever removes its segment.

import type { Problem } from './find.ts'
import type { Damage } from './scan.ts'
import type { Segment } from './segment.ts'

/** Of one segment so many are told; the disk is at its end by then, and all of them are in `damaged` in the end. */
const TOLD_MAX = 100

type Numbers = readonly [first: number, last: number]

export class Damages {
  readonly #tell: (problem: Problem) => void
  /** Told when the store was opened. */
  readonly #before: readonly Numbers[]
  /** Told since then, of each damaged segment. */
  readonly #since = new Map<string, Numbers[]>()

  /** `found`: what an open has found, and tells itself. */
  constructor(found: readonly Problem[], tell: (problem: Problem) => void = () => {}) {
    this.#tell = tell
    this.#before = found.map(({ lost }) => lost)
    for (const { path, lost } of found) if (lost[1] >= lost[0]) this.#of(path)
  }

  /** A scan has found these. */
  scanned({ path }: Segment, damages: readonly Damage[]): void {
    for (const damage of damages) this.#add(path, { path, what: inWords(damage), lost: damage.lost })
  }

  /** A read has met the entry `seq`, at byte `at`. Without its number it is only remembered. */
  met({ path }: Segment, at: number, seq: number | undefined): void {
    if (seq === undefined) this.#of(path)
    else this.#add(path, { path, what: `the entry at byte ${at} is damaged`, lost: [seq, seq] })
  }

  /** Whether something in the segment can't be read. */
  in({ path }: Segment): boolean {
    return this.#since.has(path)
  }

  forget({ path }: Segment): void {
    this.#since.delete(path)
  }

  #add(path: string, problem: Problem): void {
    const since = this.#of(path)
    if (since.length === TOLD_MAX || [...this.#before, ...since].some((known) => holds(known, problem.lost))) return
    since.push(problem.lost)
    this.#tell(problem)
  }

  #of(path: string): Numbers[] {
    let since = this.#since.get(path)
    if (since === undefined) this.#since.set(path, (since = []))
    return since
  }
}

function holds([first, last]: Numbers, inner: Numbers): boolean {
  return first <= inner[0] && last >= inner[1]
}

/** `damaged from byte 4096 to 8192` */
export function inWords({ from, to, lost }: Damage): string {
  return from === to
    ? `it lacks the entries ${lost[0]} to ${lost[1]}, at byte ${from}`
    : `damaged from byte ${from} to ${to}`
}
