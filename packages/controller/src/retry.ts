// Trying again by itself what a channel could not do, and telling what that was.

import type { Clock, Timer } from '@sluice/clock'
import { SluiceError } from '@sluice/event'

const FIRST_MS = 1000
const MAX_MS = 30_000

/** Something that is tried until it works: a second after the first failure, then after twice as long, at most 30 s. */
export class Retry {
  readonly #clock: Clock
  readonly #attempt: () => void
  #delayMs = FIRST_MS
  #timer: Timer | undefined
  #dueMs = 0

  constructor(clock: Clock, attempt: () => void) {
    this.#clock = clock
    this.#attempt = attempt
  }

  /**
   * It failed: it is tried again after a while. Does nothing where that is due already. An error that is not ours may
   * be a bug, so the first of a row is shown with its stack.
   */
  later(error: unknown): void {
    if (this.#timer !== undefined) return
    if (this.#delayMs === FIRST_MS && !(error instanceof SluiceError)) process.emitWarning(error as Error)
    this.#dueMs = this.#clock.monotonic() + this.#delayMs
    this.#timer = this.#clock.setTimer(this.#delayMs, () => {
      this.#timer = undefined
      this.#attempt()
    })
    this.#delayMs = Math.min(this.#delayMs * 2, MAX_MS)
  }

  /** It worked, or nobody wants it any more: nothing is due, and the next failure is a first one. */
  end(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#delayMs = FIRST_MS
  }

  /** Milliseconds until the next attempt; 0 where it is under way. */
  leftMs(): number {
    return this.#timer === undefined ? 0 : Math.max(0, this.#dueMs - this.#clock.monotonic())
  }
}

/** Whether the same may work later. An error that is not ours (a full disk, a bug) says nothing against it. */
export function mayWorkLater(error: unknown): boolean {
  return !(error instanceof SluiceError) || error.retryable
}

/** What is wrong, as whole sentences. */
export function inWords(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return /[.!?]$/.test(message) ? message : `${message}.`
}

/** What follows, in a status, where {@link Retry} has it. */
export const TRIED_AGAIN = ' It is tried again by itself, every 30 s at the latest.'
