// Every change of a simulated disk in the order of completion, so that it can be found again as it was at any point.

import type { Choose } from './simulated-file.ts'
import type { Change, Volume } from './simulated-volume.ts'

/** A change that was called when `calledAfter` others had completed. */
export interface Called {
  readonly change: Change
  readonly calledAfter: number
}

export class Past {
  readonly changes: Change[] = []
  readonly #calledAfter: number[] = []
  readonly #start: Volume
  /** Where the last question left off: who asks for all in turn goes through them once. */
  #reached: { volume: Volume; n: number }

  constructor(start: Volume) {
    this.#start = start
    this.#reached = { volume: start.clone(), n: 0 }
  }

  add({ change, calledAfter }: Called): void {
    // Whoever wrote may use the buffer again.
    this.changes.push('bytes' in change ? { ...change, bytes: Buffer.from(change.bytes) } : change)
    this.#calledAfter.push(calledAfter)
  }

  /** The volume when `n` changes had completed. */
  volumeAfter(n: number): Volume {
    if (n < this.#reached.n) this.#reached = { volume: this.#start.clone(), n: 0 }
    while (this.#reached.n < n) this.#reached.volume.perform(this.changes[this.#reached.n++]!)
    return this.#reached.volume.clone()
  }

  /** Which changes were under way then; some of `unfinished` may still have been when the process ended. */
  underWayAfter(n: number, unfinished: Iterable<Called>): Change[] {
    const underWay = this.changes.slice(n).filter((_, i) => this.#calledAfter[n + i]! <= n)
    for (const { change, calledAfter } of unfinished) if (calledAfter <= n) underWay.push(change)
    return underWay
  }
}

/** Ends the process on this volume: of what is under way each is done wholly, in part or not at all, in any order. */
export function endProcess(volume: Volume, underWay: readonly Change[], power: boolean, choose: Choose): Volume {
  const left = [...underWay]
  while (left.length > 0) {
    const [change] = left.splice(Math.floor(choose() * left.length), 1)
    volume.performPart(change!, choose)
  }
  if (power) volume.cutPower(choose)
  volume.sweep([])
  return volume
}
