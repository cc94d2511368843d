// One event out, as its receiver sees it. Hot path (bench: channels/memory/bench/memory.ts).

import type { Event } from '@sluice/event'
import type { Delivery, Position } from './channel.ts'

/** Who handed an event out, and is told what became of it. */
export interface DeliveryOwner<Ref> {
  positionOf(ref: Ref): Position
  settle(delivery: HandedOut<Ref>): void
  /** `tries`: those made so far, as far as they count. */
  release(delivery: HandedOut<Ref>, delayMs: number, tries: number): void
}

export class HandedOut<Ref> implements Delivery {
  readonly ref: Ref
  readonly event: Event
  readonly attempt: number
  readonly bytes: number
  /** It was not out before. */
  readonly isFresh: boolean
  /** Where it stands among what its owner has out. */
  slot: number
  readonly #owner: DeliveryOwner<Ref>
  #done = false

  constructor(
    owner: DeliveryOwner<Ref>,
    ref: Ref,
    event: Event,
    attempt: number,
    bytes: number,
    isFresh: boolean,
    slot: number,
  ) {
    this.#owner = owner
    this.ref = ref
    this.event = event
    this.attempt = attempt
    this.bytes = bytes
    this.isFresh = isFresh
    this.slot = slot
  }

  get position(): Position {
    return this.#owner.positionOf(this.ref)
  }

  settle(): void {
    this.#finish()
    this.#owner.settle(this)
  }

  release(delayMs: number, attempt: 'used' | 'unused' = 'used'): void {
    this.#finish()
    this.#owner.release(this, delayMs, attempt === 'used' ? this.attempt : this.attempt - 1)
  }

  #finish(): void {
    if (this.#done) throw new Error('a delivery was settled or released twice: a bug in its receiver')
    this.#done = true
  }
}
