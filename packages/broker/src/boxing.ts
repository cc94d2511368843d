// The way into the dead-letter box. While the box is full nothing is dropped: what it did not take stays out, its
// trigger stands still (DESIGN "The dead-letter box"), and the box is asked again. What came out of the box and failed
// once more keeps its place there, for which there is always room.
//
// From: dispatch.ts, with what no subscriber and no sink took. Next: back there, which settles what was stored.

import type { DeadLetterBox, Delivery, NewDeadLetter } from '@sluice/channel'
import type { Clock, Timer } from '@sluice/clock'
import { Redriven } from './redrive.ts'

/** A full box is asked again after so many ms. */
export const BOX_RETRY_MS = 1000

/** An entry for the box, and the delivery that is done once it is there. */
export interface Letter {
  readonly delivery: Delivery
  readonly entry: NewDeadLetter
}

export interface BoxingOptions {
  box: DeadLetterBox
  clock: Clock
  /** The box has it. */
  stored: (letter: Letter) => void
  /** After {@link Boxing.stop}: the box did not take it, and is not asked again. */
  refused: (letter: Letter) => void
  /** {@link Boxing.full} has changed. */
  changed: () => void
}

export class Boxing {
  /** The box takes no more of this trigger, or can't be written. */
  full = false
  /** Why it can't be written, in words; `undefined` where it is full. */
  failure: string | undefined
  readonly #options: BoxingOptions
  /** First come, first stored. No more than the trigger's window, for each is still out. */
  #waiting: Letter[] = []
  #timer: Timer | undefined
  #stopped = false

  constructor(options: BoxingOptions) {
    this.#options = options
  }

  /** After {@link stop} the box is asked once. What has its place there doesn't wait for room. */
  push(letter: Letter): void {
    if (this.full && !this.#stopped && !hasPlace(letter)) this.#waiting.push(letter)
    else void this.#append(letter)
  }

  /** Asks no more. Returns what waits. */
  stop(): Letter[] {
    this.#stopped = true
    this.#timer?.cancel()
    const waiting = this.#waiting
    this.#waiting = []
    return waiting
  }

  async #append(letter: Letter): Promise<boolean> {
    const stored = await this.#isStored(letter)
    if (stored) this.#options.stored(letter)
    else if (this.#stopped) this.#options.refused(letter)
    else this.#wait(letter)
    return stored
  }

  /** A box that can't be written is as good as full: the events stay where they are. */
  async #isStored(letter: Letter): Promise<boolean> {
    try {
      const { stored } = hasPlace(letter)
        ? await letter.delivery.keep(letter.entry)
        : await this.#options.box.append(letter.entry)
      this.failure = undefined
      return stored
    } catch (error) {
      this.failure = (error as Error).message
      return false
    }
  }

  #wait(letter: Letter): void {
    this.#waiting.unshift(letter)
    this.#timer ??= this.#options.clock.setTimer(BOX_RETRY_MS, () => {
      this.#timer = undefined
      void this.#appendWaiting()
    })
    if (!this.full) this.#setFull(true)
  }

  async #appendWaiting(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (!(await this.#append(next))) return
    }
    if (!this.#stopped) this.#setFull(false)
  }

  #setFull(full: boolean): void {
    this.full = full
    this.#options.changed()
  }
}

/** It came out of the box. The answer to what did is another event, and needs room. */
function hasPlace(letter: Letter): letter is Letter & { delivery: Redriven } {
  const { delivery, entry } = letter
  return delivery instanceof Redriven && entry.event === delivery.event
}
