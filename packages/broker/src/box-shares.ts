// The bounds of a dead-letter box: of the whole box, and of each trigger (DESIGN "The dead-letter box").

import type { BoxUsage } from '@sluice/channel'

/** What of a box each trigger takes up, and the bounds of both. A trigger without entries costs nothing. */
export class Shares {
  readonly #bytesMax: number
  readonly #triggerBytesMax: number
  readonly #byTrigger = new Map<string, { events: number; bytes: number }>()
  readonly #all = { events: 0, bytes: 0 }

  constructor(bytesMax: number, triggerBytesMax: number) {
    this.#bytesMax = bytesMax
    this.#triggerBytesMax = triggerBytesMax
  }

  /** An entry larger than a bound is taken alone: else its trigger would stand still for ever. */
  hasRoom(trigger: string, bytes: number): boolean {
    const share = this.#byTrigger.get(trigger)
    const { bytes: all } = this.#all
    if (share !== undefined && share.bytes + bytes > this.#triggerBytesMax) return false
    return all === 0 || all + bytes <= this.#bytesMax
  }

  add(trigger: string, bytes: number): void {
    const share = this.#byTrigger.get(trigger) ?? { events: 0, bytes: 0 }
    this.#byTrigger.set(trigger, share)
    share.events++
    share.bytes += bytes
    this.#all.events++
    this.#all.bytes += bytes
  }

  take(trigger: string, bytes: number): void {
    const share = this.#byTrigger.get(trigger)!
    share.events--
    share.bytes -= bytes
    if (share.events === 0) this.#byTrigger.delete(trigger)
    this.#all.events--
    this.#all.bytes -= bytes
  }

  usage(trigger?: string): BoxUsage {
    if (trigger === undefined) return { ...this.#all, bytesMax: this.#bytesMax }
    const { events = 0, bytes = 0 } = this.#byTrigger.get(trigger) ?? {}
    return { events, bytes, bytesMax: this.#triggerBytesMax }
  }
}
