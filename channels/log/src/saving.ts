// When progress is saved: a while after it has changed, all that has changed meanwhile at once. One save after the
// other: what is removed is in a save of its own or a later one, never in one that still states it.

import { channelUnavailable } from '@sluice/channel'
import type { Clock, Timer } from '@sluice/clock'
import type { ProgressHead } from './progress-codec.ts'
import type { Progress } from './progress.ts'
import type { Saver } from './saved.ts'

export interface SavingOptions {
  clock: Clock
  /** From the first change to the save, in ms. */
  everyMs: number
  progress: Progress
  head: () => ProgressHead
  /** All there are. */
  savers: () => Saver[]
  /** Progress is saved that had this head: what nobody needs any more may go. */
  saved: (head: ProgressHead) => void
}

const RETRY_AFTER_MS = 1000

export class Saving {
  readonly #options: SavingOptions
  /** By their numbers. */
  readonly #changed = new Map<number, Saver>()
  /** Numbers of subscriptions that the next save removes, and who hears of it. */
  readonly #leaving = new Map<number, () => void>()
  #timer: Timer | undefined
  #running: Promise<void> = Promise.resolve()
  /** It waits for the one that runs; whoever asks meanwhile joins it. */
  #next: Promise<void> | undefined
  #isStopped = false
  /** Saves begun, the last of them that succeeded, and the first that {@link isStated} waits for. */
  #begun = 0
  #succeeded = 0
  #awaited = 1

  constructor(options: SavingOptions) {
    this.#options = options
  }

  /**
   * Whether all that is saved is of this life of the process, and later than the last {@link takenBack}: it names no
   * sequence number that is free.
   */
  get isStated(): boolean {
    return this.#succeeded >= this.#awaited
  }

  /** Numbers are free again that progress may name: those who have named them have said that they changed. */
  takenBack(): void {
    this.#awaited = this.#begun + 1
    this.soon()
  }

  changed(number: number, saver: Saver): void {
    this.#changed.set(number, saver)
    this.soon()
  }

  soon(): void {
    if (this.#isStopped) return
    this.#timer ??= this.#options.clock.setTimer(this.#options.everyMs, () => {
      this.#timer = undefined
      this.now().catch(() => this.soon()) // the disk fails: the next save has all of it
    })
  }

  /** Resolves once all that has changed up to now is saved; rejects when the disk fails, or the log is closed. */
  now(): Promise<void> {
    if (this.#isStopped) return Promise.reject(channelUnavailable('The channel is closed.', RETRY_AFTER_MS))
    return this.#queue()
  }

  /**
   * Resolves once the subscription of that number is removed; rejects when the disk fails, and then it is not. `removed`
   * is called in the tick in which it is, so that no later save states it again.
   */
  async remove(number: number, removed: () => void): Promise<void> {
    this.#leaving.set(number, removed)
    try {
      await this.now()
    } catch (error) {
      if (this.#leaving.delete(number)) throw error
      // Else it is removed: what failed came after.
    }
  }

  /** The subscription of that number never came to be: whatever the disk has of it is removed with the next save. */
  forget(number: number): void {
    this.#changed.delete(number)
    this.#leaving.set(number, () => {})
    this.soon()
  }

  /** Saves once more, and no more. */
  async stop(): Promise<void> {
    this.#timer?.cancel()
    const last = this.#queue()
    this.#isStopped = true
    await last.catch(() => {}) // what is not saved is delivered again
  }

  #queue(): Promise<void> {
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#running = this.#next!
        this.#next = undefined
        return this.#save()
      })
    return this.#next
  }

  async #save(): Promise<void> {
    const { progress, head, savers, saved } = this.#options
    const save = ++this.#begun
    if (!progress.hasBegun) await progress.beginAnew(head, savers())
    const leaving = [...this.#leaving.keys()]
    for (const number of leaving) this.#changed.delete(number)
    const changed = [...this.#changed.values()]
    this.#changed.clear()
    const now = head()
    await progress.save(now, changed, leaving)
    for (const number of leaving) {
      this.#leaving.get(number)?.()
      this.#leaving.delete(number)
      this.#changed.delete(number) // it may have changed meanwhile
    }
    if (progress.isLong) await progress.beginAnew(head, savers())
    this.#succeeded = save
    saved(now)
  }
}
