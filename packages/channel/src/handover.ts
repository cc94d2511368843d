// One subscription's hand-over: window, order by key, parking and pause, the same for every driver.
// Hot path (bench: channels/memory/bench/memory.ts). No I/O: a driver brings the backlog, this decides what goes out.
//
// From: a driver's publish or reader calls `wake`. Next: the subscriber's `deliver` (broker/src/dispatch.ts).

import type { Event } from '@sluice/event'
import type { Backlog, HandoverOptions } from './backlog.ts'
import { WINDOW_DEFAULT, orderingKey, type Delivery, type Position, type Window } from './channel.ts'
import { Fifo } from './fifo.ts'
import { HandedOut, type DeliveryOwner } from './handed-out.ts'
import { Keys } from './keys.ts'
import { LoadingQueue, type Taken } from './loading.ts'
import { Occupancy } from './occupancy.ts'
import type { ParkingLot, ParkingOwner } from './parking.ts'

/**
 * Hands out a backlog within a window:
 *
 *                   ┌────── due ◀────── parked
 *                   ▼                      ▲
 *     backlog ──▶ loading ──────────────▶ out ──▶ settled
 *                  │   ▲
 *                  ▼   │            held: behind its key, with `order: key`
 *                held ─▶ fresh      fresh: it was held, and its key is free now
 *
 * What is loading counts for the window as what is out does. Events reach `deliver` in the order they were taken.
 */
export class Handover<Ref> implements ParkingOwner<Ref>, DeliveryOwner<Ref> {
  readonly parkedHandles: number[] = []
  readonly #backlog: Backlog<Ref>
  readonly #parking: ParkingLot<Ref>
  #deliver: (delivery: Delivery) => void
  #keys: Keys<Ref> | undefined
  /** Events taken before the order became `key`, and not settled: while there are any, nothing new is taken. */
  #unordered = 0
  readonly #maxDelayMs: number
  readonly #maxParked: number
  #window: Window
  readonly #out: HandedOut<Ref>[] = []
  readonly #occupancy = new Occupancy()
  /** Taken, and not in memory yet, or behind one that is not. */
  readonly #loading = new LoadingQueue<Ref>()
  /** Taken from the backlog, and too large for what is left of the window: the next one to go. */
  #unfit: Ref | undefined
  /** Released, and the delay is over. */
  readonly #due = new Fifo<Taken<Ref>>()
  /** Never out, and nothing in their way any more: their key is free, or the hand-over goes on. */
  readonly #fresh = new Fifo<Taken<Ref>>()
  #paused = false
  #closed = false
  #removed = false
  #pumping = false
  #drained: PromiseWithResolvers<void> | undefined

  constructor(options: HandoverOptions<Ref>) {
    this.#backlog = options.backlog
    this.#parking = options.parking
    this.#deliver = options.deliver
    this.#keys = options.order === 'key' ? this.#newKeys() : undefined
    this.#window = options.window ?? WINDOW_DEFAULT
    this.#maxDelayMs = options.maxDelayMs
    this.#maxParked = options.maxParked
    this.#paused = options.paused ?? false
  }

  /** Events out: handed over, or about to be, and neither settled nor released. */
  get inFlight(): number {
    return this.#out.length + this.#loading.length
  }

  /** Bytes of those. */
  get bytesInFlight(): number {
    return this.#occupancy.bytes
  }

  /** Events parked, due or held: taken from the backlog, and not out. */
  get waiting(): number {
    return this.parkedHandles.length + this.deferred
  }

  /** Events due or held: they go out as soon as window and key allow. */
  get deferred(): number {
    return this.#due.length + this.#fresh.length + (this.#keys?.events ?? 0) + (this.#unfit === undefined ? 0 : 1)
  }

  /** Events that were released, and are not out again yet. */
  get parkedEvents(): number {
    return this.parkedHandles.length + this.#due.length
  }

  /** Everything taken from the backlog and not settled, in no order. */
  *refs(): Generator<Ref> {
    yield* this.out()
    yield* this.#loading.refs()
    if (this.#unfit !== undefined) yield this.#unfit
    for (const due of this.#due) yield due.ref
    for (const fresh of this.#fresh) yield fresh.ref
    for (const handle of this.parkedHandles) yield this.#parking.ref(handle)
    if (this.#keys !== undefined) yield* this.#keys.refs()
  }

  positionOf(ref: Ref): Position {
    return this.#backlog.position(ref)
  }

  /** What was handed over and is neither settled nor released, in no order. */
  *out(): Generator<Ref> {
    for (const delivery of this.#out) yield delivery.ref
  }

  /** The backlog has something new, or the window has room: hands out what may go. */
  wake(): void {
    if (this.#pumping) return // the loop that is running sees it
    this.#pumping = true
    try {
      while (!this.#paused && !this.#closed && this.#handOutNext()) {
        // one event a round
      }
    } finally {
      this.#pumping = false
    }
  }

  setWindow(window: Window): void {
    this.#window = window
    this.wake()
  }

  /** From `none` to `key`, what was taken before has to end first; from `key` to `none`, no key blocks any more. */
  setOrder(order: 'none' | 'key'): void {
    if ((order === 'key') === (this.#keys !== undefined)) return
    if (this.#keys === undefined) {
      this.#unordered = this.inFlight + this.waiting - (this.#unfit === undefined ? 0 : 1)
      this.#keys = this.#newKeys()
      return
    }
    for (const ref of this.#keys.takeAll()) this.#putFresh(ref, undefined)
    this.#keys = undefined
    this.#unordered = 0
    this.wake()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.wake()
  }

  /** Hands out nothing more. What is out may still settle, and what is released stays parked. */
  close(): void {
    this.#closed = true
  }

  /** After {@link close}: hands out again, to another receiver. */
  reopen(deliver: (delivery: Delivery) => void, paused: boolean): void {
    this.#deliver = deliver
    this.#paused = paused
    this.#closed = false
    this.wake()
  }

  /** The subscription is gone: gives up everything that is not out, and what is released later is given up too. */
  remove(): Ref[] {
    this.#closed = true
    this.#removed = true
    return this.dropWaiting()
  }

  /** Resolves once nothing is out. */
  drained(): Promise<void> {
    if (this.#out.length === 0) return Promise.resolve()
    this.#drained ??= Promise.withResolvers()
    return this.#drained.promise
  }

  /** Gives up everything that is not out, and returns it: for a seek or a removal. */
  dropWaiting(): Ref[] {
    const dropped = this.#parking.takeAll(this)
    for (const { ref } of this.#due.takeAll()) dropped.push(ref)
    for (const { ref } of this.#fresh.takeAll()) dropped.push(ref)
    for (const { ref, isFresh } of this.#loading.takeAll()) {
      dropped.push(ref)
      this.#occupancy.leave(this.#backlog.bytes(ref), isFresh)
    }
    if (this.#unfit !== undefined) dropped.push(this.#unfit)
    this.#unfit = undefined
    if (this.#keys !== undefined) {
      dropped.push(...this.#keys.takeAll())
      // A key stays taken only by an event that is out; what was parked gave its key up.
      if (this.#unordered > 0) this.#unordered = this.#out.length
      else for (const { event } of this.#out) this.#keys.take(orderingKey(event))
    }
    return dropped
  }

  /**
   * As {@link dropWaiting}, of what `isLost` alone: for a driver that has lost a part of its backlog to another process.
   * What is loading stays: it arrives, or the driver calls {@link unloadable}. `keyOf`: the key of one, with `order: key`.
   */
  dropLost(isLost: (ref: Ref) => boolean, keyOf: (ref: Ref) => string): Ref[] {
    const held = this.#keys?.takeWhere(isLost) ?? []
    const owners = this.#parking.takeAll(this, isLost)
    for (const { ref } of this.#due.takeWhere(({ ref }) => isLost(ref))) owners.push(ref)
    for (const { ref, ownsKey } of this.#fresh.takeWhere(({ ref }) => isLost(ref))) (ownsKey ? owners : held).push(ref)
    if (this.#unfit !== undefined && isLost(this.#unfit)) {
      held.push(this.#unfit)
      this.#unfit = undefined
    }
    for (const ref of owners) {
      if (this.#unordered > 0) this.#unordered--
      else if (this.#keys !== undefined) this.#passKey(keyOf(ref))
    }
    return [...held, ...owners]
  }

  /** What is parked is due now. */
  hurry(): void {
    this.#parking.hurry(this)
  }

  /** From the parking lot: the delay is over. */
  due(ref: Ref, tries: number): void {
    this.#due.push({ ref, tries, ownsKey: true, key: undefined, isFresh: false })
    this.wake()
  }

  /**
   * Before anything is handed out: `ref` was parked by a process that is gone. `key`: the one that it holds, with
   * `order: key`; without it nothing new goes out until this event and all others like it have ended.
   */
  restore(ref: Ref, tries: number, delayMs: number, key?: string): void {
    if (this.#keys !== undefined && key !== undefined) this.#keys.take(key)
    else if (this.#keys !== undefined) this.#unordered++
    this.#parking.park(this, ref, tries, delayMs)
  }

  /** From the driver: an event is in memory that {@link Backlog.load} had not. */
  loaded(ref: Ref, event: Event): void {
    this.#loading.came(ref, event)
    this.#arriveLoaded()
  }

  /**
   * From the driver: {@link Backlog.load} will never bring this event; the driver is done with it. `key`: the one that it
   * was parked with.
   */
  unloadable(ref: Ref, key?: string): void {
    const taken = this.#loading.gone(ref)
    if (taken === undefined) return
    const held = taken.key ?? key
    if (this.#unordered > 0) this.#unordered--
    else if (held !== undefined && taken.ownsKey) this.#passKey(held)
    this.#arriveLoaded()
  }

  #arriveLoaded(): void {
    for (let next = this.#loading.shift(); next !== undefined; next = this.#loading.shift()) {
      if (next.isGone) this.#occupancy.leave(this.#backlog.bytes(next.taken.ref), next.taken.isFresh)
      else this.#arrive(next.taken, next.event!)
    }
    this.wake()
  }

  /**
   * Retries first, as far as their share of the window goes; then what was never out, oldest first. Returns whether anything
   * went.
   */
  #handOutNext(): boolean {
    if (this.inFlight >= this.#window.events) return false
    const due = this.#due.peek()
    if (due !== undefined && this.#occupancy.mayRepeat(this.#backlog.bytes(due.ref), this.#window)) {
      return this.#handOut(this.#due, due)
    }
    if (this.parkedEvents + this.inFlight >= this.#maxParked) return false // whatever is out may be parked next
    const fresh = this.#fresh.peek()
    if (fresh !== undefined) return this.#handOut(this.#fresh, fresh)
    if (this.#unordered > 0 || this.#keys?.isFull) return false
    const ref = this.#unfit ?? this.#backlog.next()
    if (ref === undefined) return false
    if (!this.#fits(ref)) {
      this.#unfit = ref
      return false
    }
    this.#unfit = undefined
    this.#load({ ref, tries: this.#triesOf(ref), ownsKey: false, key: undefined, isFresh: true })
    return true
  }

  #newKeys(): Keys<Ref> {
    return new Keys((ref) => this.#backlog.bytes(ref))
  }

  #triesOf(ref: Ref): number {
    return this.#backlog.tries === undefined ? 0 : this.#backlog.tries(ref)
  }

  /** Its key is free for it. */
  #putFresh(ref: Ref, key: string | undefined): void {
    this.#fresh.push({ ref, tries: this.#triesOf(ref), ownsKey: true, key, isFresh: true })
  }

  #handOut(queue: Fifo<Taken<Ref>>, taken: Taken<Ref>): boolean {
    if (!this.#fits(taken.ref)) return false
    queue.shift()
    this.#load(taken)
    return true
  }

  /** An event larger than the whole window goes out alone. */
  #fits(ref: Ref): boolean {
    return this.inFlight === 0 || this.#occupancy.bytes + this.#backlog.bytes(ref) <= this.#window.bytes
  }

  #load(taken: Taken<Ref>): void {
    const { ref, isFresh } = taken
    this.#occupancy.enter(this.#backlog.bytes(ref), isFresh)
    const event = this.#backlog.load(ref)
    if (event !== undefined && this.#loading.length === 0) this.#arrive(taken, event)
    else this.#loading.push(taken, event)
  }

  #arrive(taken: Taken<Ref>, event: Event): void {
    const { ref, tries, ownsKey, isFresh } = taken
    const bytes = this.#backlog.bytes(ref)
    if (this.#closed || this.#paused) {
      // It was under way when the hand-over stopped.
      this.#occupancy.leave(bytes, isFresh)
      if (isFresh) this.#fresh.push(taken)
      else this.#due.push(taken)
    } else if (!ownsKey && this.#unordered === 0 && this.#keys !== undefined && !this.#keys.take(orderingKey(event))) {
      this.#keys.hold(orderingKey(event), ref)
      this.#occupancy.leave(bytes, isFresh)
    } else {
      const delivery = new HandedOut(this, ref, event, tries + 1, bytes, isFresh, this.#out.length)
      this.#out.push(delivery)
      this.#deliver(delivery)
    }
  }

  /** From a {@link HandedOut}. */
  settle(delivery: HandedOut<Ref>): void {
    this.#take(delivery)
    if (this.#unordered > 0) this.#unordered--
    else if (this.#keys !== undefined) this.#passKey(orderingKey(delivery.event))
    this.#backlog.settled(delivery.ref)
    this.#afterOut()
  }

  #passKey(key: string): void {
    const next = this.#keys?.pass(key)
    if (next !== undefined) this.#putFresh(next, key)
  }

  /** From a {@link HandedOut}. */
  release(delivery: HandedOut<Ref>, delayMs: number, tries: number): void {
    if (this.#removed) return this.settle(delivery)
    this.#take(delivery)
    const delay = delayMs > 0 ? Math.min(delayMs, this.#maxDelayMs) : 0
    this.#backlog.parked(delivery.ref, delivery.event, tries, delay)
    this.#parking.park(this, delivery.ref, tries, delay)
    this.#afterOut()
  }

  #take(delivery: HandedOut<Ref>): void {
    const last = this.#out.pop() as HandedOut<Ref>
    if (last !== delivery) {
      this.#out[delivery.slot] = last
      last.slot = delivery.slot
    }
    this.#occupancy.leave(delivery.bytes, delivery.isFresh)
  }

  #afterOut(): void {
    this.wake()
    if (this.#drained !== undefined && this.#out.length === 0) {
      this.#drained.resolve()
      this.#drained = undefined
    }
  }
}
