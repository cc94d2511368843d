// A channel that fills up, where somebody chose that new events are worth more than the oldest: `whenFull: deadLetter`
// (DESIGN "Full"). Before it refuses anything, the trigger with the oldest event to deliver gives up its oldest ones, to its
// dead-letter sink or the box, until there is room again. One that is paused, or whose box is full, keeps what it has.
//
// From: broker.ts, at each event that comes in. Next: dispatch.ts, which dead-letters so many.

import { INGRESS_SHARE, type Channel } from '@sluice/channel'
import type { Clock, Timer } from '@sluice/clock'

/** It begins when less than so much of what ingress may fill is free, and ends when twice as much is. */
export const RELIEF_SHARE = 0.05
/** How much is given up at once, before it is looked again. */
const EVENTS_AT_ONCE = 500
const AGAIN_MS = 50
/** Of what was given up, so much has to be free again before more is. */
const SEEN_SHARE = 0.1

/** A trigger that may give up events. Always the same object for one. */
export interface Relieving {
  /** When its oldest event was stored, wall-clock ms; `undefined`: it has none, or may not give any up. */
  oldest(): number | undefined
  /**
   * The next so many that are handed over to it, parked ones too, are dead letters. Until {@link keep} nothing is tried, and
   * what fails of what is under way is a dead letter too.
   */
  giveUp(events: number): void
  keep(): void
  /** Whether something is under way at its subscriber. */
  isTrying(): boolean
}

export interface ReliefOptions {
  readonly channel: Channel
  readonly clock: Clock
  /** Whether that is wanted, now. */
  readonly isWanted: () => boolean
  readonly triggers: () => Iterable<Relieving>
}

export class Relief {
  readonly #options: ReliefOptions
  /** In bytes. */
  readonly #margin: number
  #timer: Timer | undefined
  #relieving: Relieving | undefined
  /** What was given up, in bytes, and what was freed since, as far as it is known. */
  #givenUp = 0
  #bytesBefore = 0
  #came = 0
  #isStopped = false

  constructor(options: ReliefOptions) {
    this.#options = options
    this.#margin = Math.ceil(options.channel.usage().bytesMax * INGRESS_SHARE * RELIEF_SHARE)
  }

  /** An event of so many bytes was stored. */
  came(bytes: number): void {
    this.#came += bytes
  }

  /** An event of so many bytes is about to come in. */
  watch(bytes: number): void {
    const { channel, isWanted } = this.#options
    if (this.#timer !== undefined || this.#isStopped || !isWanted() || channel.room(bytes + this.#margin) === 0) return
    this.#relieve()
  }

  #relieve(): void {
    const { channel, clock, isWanted } = this.#options
    this.#timer = undefined
    const isOver = this.#isStopped || !isWanted() || channel.room(2 * this.#margin) === 0
    const next = isOver ? undefined : this.#oldest()
    if (next !== this.#relieving) this.#relieving?.keep()
    this.#relieving = next
    if (isOver) return void (this.#givenUp = 0)
    next?.giveUp(next.isTrying() && this.#isInVain() ? 0 : this.#eventsTooMany())
    this.#timer = clock.setTimer(AGAIN_MS, () => this.#relieve())
  }

  #oldest(): Relieving | undefined {
    let found: Relieving | undefined
    let oldest = Infinity
    for (const trigger of this.#options.triggers()) {
      const its = trigger.oldest() ?? Infinity
      if (its >= oldest) continue
      oldest = its
      found = trigger
    }
    return found
  }

  /**
   * A log is free only up to the oldest event that anybody needs, and that may be under way at a subscriber that hangs. Until
   * its attempt is over, more of what follows it would be given up for nothing.
   */
  #isInVain(): boolean {
    const freed = this.#bytesBefore + this.#came - this.#options.channel.usage().bytes
    return this.#givenUp > 0 && freed < this.#givenUp * SEEN_SHARE
  }

  /** As many as the bytes that are too many would be, were all events alike. */
  #eventsTooMany(): number {
    const { bytes, bytesMax, events } = this.#options.channel.usage()
    const tooMany = bytes - (bytesMax * INGRESS_SHARE - 2 * this.#margin)
    const each = Math.max(1, bytes / Math.max(1, events))
    const count = Math.min(EVENTS_AT_ONCE, Math.max(1, Math.ceil(tooMany / each)))
    this.#givenUp = count * each
    this.#bytesBefore = bytes
    this.#came = 0
    return count
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
