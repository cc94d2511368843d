// One subscription of the in-memory channel: a queue of what it is owed, and its hand-over. Hot path
// (bench: channels/memory/bench/memory.ts).
//
// From: ./memory.ts offers each event that matches. Next: the subscription's receiver.

import {
  Fifo,
  Handover,
  WINDOW_DEFAULT,
  unsupported,
  type Delivery,
  type Lag,
  type Start,
  type Subscription,
  type SubscriptionSpec,
  type Window,
} from '@sluice/channel'
import type { Event } from '@sluice/event'
import type { Filter } from '@sluice/filter'
import type { MemoryChannel } from './memory.ts'
import type { Placed } from './slabs.ts'

/** One stored event. */
export interface Stored extends Placed {
  readonly seq: number
  readonly time: number
  /** Counted bytes. */
  readonly bytes: number
  /** The event itself, until every subscription has taken it or it lies in a slab. */
  event: Event | undefined
  /** Subscriptions that have it and have not settled it. */
  owed: number
}

export class MemorySubscription implements Subscription {
  readonly id: string
  readonly handover: Handover<Stored>
  open = true
  #removed = false
  #filter: Filter
  readonly #channel: MemoryChannel
  readonly #queue = new Fifo<Stored>()

  constructor(channel: MemoryChannel, spec: SubscriptionSpec, deliver: (delivery: Delivery) => void) {
    this.id = spec.id
    this.#channel = channel
    this.#filter = spec.filter
    this.handover = new Handover<Stored>({
      backlog: {
        next: () => this.#queue.shift(),
        load: (stored) => stored.event ?? channel.slabs.read(stored),
        bytes: (stored) => stored.bytes,
        position: (stored) => String(stored.seq),
        settled: (stored) => channel.release(stored),
        parked: (stored, event) => channel.toSlab(stored, event),
      },
      parking: channel.parking,
      deliver,
      order: spec.order ?? 'none',
      window: spec.window ?? WINDOW_DEFAULT,
      paused: spec.paused ?? false,
      maxDelayMs: channel.capabilities.maxDelayMs,
      maxParked: channel.capabilities.maxParked,
    })
  }

  /** Takes an event, and hands it out at once if the window has room; returns whether it has to wait. */
  offer(stored: Stored): boolean {
    if (this.#removed) {
      this.#channel.release(stored) // by a receiver that was handed this same event a moment before
      return false
    }
    this.#queue.push(stored)
    this.handover.wake()
    return this.#queue.length > 0 || this.handover.deferred > 0
  }

  async update(change: { filter?: Filter; window?: Window; order?: 'none' | 'key' }): Promise<void> {
    if (change.order !== undefined) this.handover.setOrder(change.order)
    if (change.filter !== undefined) {
      this.#filter = change.filter
      this.#channel.judge(this, change.filter)
    }
    if (change.window !== undefined) this.handover.setWindow(change.window)
  }

  reopen(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): void {
    this.open = true
    void this.update({ filter: spec.filter, order: spec.order ?? 'none', window: spec.window ?? WINDOW_DEFAULT })
    this.handover.reopen(deliver, spec.paused ?? false)
  }

  pause(): void {
    this.handover.pause()
  }

  resume(): void {
    this.handover.resume()
  }

  hurry(): void {
    this.handover.hurry()
  }

  async seek(start: Start): Promise<void> {
    if (this.#channel.capabilities.seek === 'none') {
      throw unsupported('seek', 'This in-memory channel keeps no history, so a subscription has nowhere to go.')
    }
    // First owe what it will have, then let go what it had: nothing is evicted in between.
    const ahead: Stored[] = []
    const out = new Set(this.handover.out())
    for (const stored of this.#channel.from(start)) {
      if (!out.has(stored) && this.#filter.matches(this.#channel.slabs.read(stored))) ahead.push(stored)
    }
    for (const stored of ahead) this.#channel.owe(stored)
    for (const stored of [...this.#queue.takeAll(), ...this.handover.dropWaiting()]) this.#channel.release(stored)
    for (const stored of ahead) this.#queue.push(stored)
    this.handover.wake()
  }

  lag(): Lag {
    const events = this.#queue.length + this.handover.inFlight + this.handover.waiting
    let oldest = this.#queue.peek()?.time ?? Infinity
    for (const stored of this.handover.refs()) oldest = Math.min(oldest, stored.time)
    return {
      events,
      bound: 'exact',
      ...(events > 0 && { oldest }),
      inFlight: this.handover.inFlight,
      parked: this.handover.parkedEvents,
    }
  }

  /** The lowest number of what it has still to settle. */
  lowest(): number {
    let lowest = Infinity
    for (const { seq } of this.#queue) lowest = Math.min(lowest, seq)
    for (const { seq } of this.handover.refs()) lowest = Math.min(lowest, seq)
    return lowest
  }

  onLoss(): () => void {
    return () => {} // nothing unsettled is ever removed here
  }

  async close(): Promise<void> {
    this.open = false
    this.handover.close()
  }

  /** Gives up everything that is not out; returns how much that was. */
  discard(): number {
    this.open = false
    this.#removed = true
    const dropped = [...this.#queue.takeAll(), ...this.handover.remove()]
    for (const stored of dropped) this.#channel.release(stored)
    return dropped.length
  }
}
