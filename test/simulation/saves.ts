// What a process that has ended may have forgotten: whatever it had not saved yet.

import type { World } from './world.ts'

/** A number that is saved with what it belongs to, and when it became that. */
interface Change {
  readonly made: number
  readonly at: number
}

export class Saves {
  readonly #world: World
  /** When each life ended. */
  readonly #ends: number[] = []

  constructor(world: World) {
    this.#world = world
  }

  end(): void {
    this.#ends.push(this.#world.clock.monotonic())
  }

  /** Whether what happened then may be forgotten: it had not been saved when its life ended. */
  mayForget(time: number): boolean {
    const end = this.#ends.find((each) => each >= time)
    if (end === undefined) return false
    const { savedAfterMs, trouble } = this.#world
    return end - time < savedAfterMs || time < trouble.until + savedAfterMs
  }

  /** The least that has to be known by now. */
  least(changes: readonly Change[]): number {
    let least = Infinity
    for (const { made, at } of changes.toReversed()) {
      least = Math.min(least, made)
      if (!this.mayForget(at)) break
    }
    return least
  }
}
