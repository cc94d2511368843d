// What waits for one target: first tries, and repeats of what has failed. Hot path (bench: test/bench, G1).
//
// Whatever fails, fails again for a while, and some of it takes its whole timeout to do so. Therefore the two take turns, and
// of what is under way repeats are three quarters at most: poison events leave the others a way through (fault 32).

import { Fifo, repeatsMax } from '@sluice/channel'

export class Tries<T> {
  /** Repeats under way; kept by whoever starts and ends them. */
  repeating = 0
  readonly #first = new Fifo<T>()
  readonly #repeats = new Fifo<T>()
  #wasRepeat = false

  get length(): number {
    return this.#first.length + this.#repeats.length
  }

  push(task: T, isRepeat: boolean): void {
    if (isRepeat) this.#repeats.push(task)
    else this.#first.push(task)
  }

  /**
   * Takes the next one, where so many may be under way at once. `undefined`: there is none, or repeats alone, of which
   * enough are under way.
   */
  shift(limit: number): T | undefined {
    if (this.#repeats.length === 0) return this.#first.shift()
    const mayRepeat = this.repeating < repeatsMax(limit)
    this.#wasRepeat = mayRepeat && (!this.#wasRepeat || this.#first.length === 0)
    return this.#wasRepeat ? this.#repeats.shift() : this.#first.shift()
  }

  /** Takes a first try where there is one: it tells best whether the target is there. */
  shiftFirst(): T | undefined {
    return this.#first.shift() ?? this.#repeats.shift()
  }

  /** Takes everything, repeats first. */
  takeAll(): T[] {
    return [...this.#repeats.takeAll(), ...this.#first.takeAll()]
  }
}
