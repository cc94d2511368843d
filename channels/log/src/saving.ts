// When progress is saved: a while after it has changed, all that has changed meanwhile at once.

import type { Clock, Timer } from '@sluice/clock'
import type { LogSubscription } from './subscription.ts'

export interface SavingOptions {
  clock: Clock
  /** From the first change to the save, in ms. */
  everyMs: number
  /** Saves what has changed of these, and that time has gone on. */
  save: (changed: LogSubscription[]) => Promise<void>
}

export class Saving {
  readonly #options: SavingOptions
  #changed = new Set<LogSubscription>()
  #timer: Timer | undefined
  #running: Promise<void> = Promise.resolve()
  /** It waits for the one that runs; whoever asks meanwhile joins it. */
  #next: Promise<void> | undefined
  #isStopped = false

  constructor(options: SavingOptions) {
    this.#options = options
  }

  changed(subscription: LogSubscription): void {
    this.#changed.add(subscription)
    this.soon()
  }

  forget(subscription: LogSubscription): void {
    this.#changed.delete(subscription)
  }

  soon(): void {
    if (this.#isStopped) return
    this.#timer ??= this.#options.clock.setTimer(this.#options.everyMs, () => {
      this.#timer = undefined
      this.now().catch(() => this.soon()) // the disk fails: the next save has all of it
    })
  }

  /** Resolves once all that has changed up to now is saved; rejects when the disk fails. */
  now(): Promise<void> {
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#running = this.#next!
        this.#next = undefined
        const changed = [...this.#changed]
        this.#changed.clear()
        return this.#options.save(changed)
      })
    return this.#next
  }

  /** Saves once more, and no more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#timer?.cancel()
    await this.now().catch(() => {}) // what is not saved is delivered again
  }
}
