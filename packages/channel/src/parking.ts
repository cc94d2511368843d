// Where released events wait until they are due: a timer wheel and a few arrays, at most 64 bytes an event
// (G13). One lot for all subscriptions of a channel.

import { TimerWheel, type Clock } from '@sluice/clock'

/** Who parked an event, and gets it back when it is due. */
export interface ParkingOwner<Ref> {
  /** Handles of what it has parked, in no order. The lot keeps this list. */
  readonly parkedHandles: number[]
  /** The delay of a parked event is over. */
  due(ref: Ref, attempt: number): void
}

/** Parked events of many subscriptions. */
export class ParkingLot<Ref> {
  // A handle of the wheel is the index into all of these.
  readonly #owners: (ParkingOwner<Ref> | undefined)[] = []
  readonly #refs: (Ref | undefined)[] = []
  #attempts = new Int32Array(64)
  #slots = new Int32Array(64) // where the handle stands in its owner's parkedHandles
  readonly #wheel: TimerWheel
  #closed = false

  constructor(clock: Clock) {
    this.#wheel = new TimerWheel({ clock, expire: (handle) => this.#expire(handle) })
  }

  get size(): number {
    return this.#wheel.size
  }

  /**
   * Keeps `ref` for `owner`; `owner.due` is called with it, not before `delayMs` milliseconds have passed. Once the
   * lot is closed it does nothing: a receiver may release what is out after its channel has closed.
   */
  park(owner: ParkingOwner<Ref>, ref: Ref, attempt: number, delayMs: number): void {
    if (this.#closed) return
    const handle = this.#wheel.add(delayMs)
    if (handle >= this.#attempts.length) {
      this.#attempts = grown(this.#attempts)
      this.#slots = grown(this.#slots)
    }
    this.#owners[handle] = owner
    this.#refs[handle] = ref
    this.#attempts[handle] = attempt
    this.#slots[handle] = owner.parkedHandles.length
    owner.parkedHandles.push(handle)
  }

  ref(handle: number): Ref {
    return this.#refs[handle] as Ref
  }

  /** Gives up everything that `owner` has parked, or what `which` is true of, and returns it. */
  takeAll(owner: ParkingOwner<Ref>, which: (ref: Ref) => boolean = () => true): Ref[] {
    const taken: Ref[] = []
    for (const handle of [...owner.parkedHandles]) {
      const ref = this.ref(handle)
      if (!which(ref)) continue
      this.#wheel.cancel(handle)
      this.#forget(owner, handle)
      taken.push(ref)
    }
    return taken
  }

  /** What `owner` has parked is due now. */
  hurry(owner: ParkingOwner<Ref>): void {
    for (const handle of [...owner.parkedHandles]) {
      this.#wheel.cancel(handle)
      this.#expire(handle)
    }
  }

  close(): void {
    this.#closed = true
    this.#wheel.close()
  }

  #expire(handle: number): void {
    const owner = this.#owners[handle] as ParkingOwner<Ref>
    const ref = this.#refs[handle] as Ref
    this.#forget(owner, handle)
    owner.due(ref, this.#attempts[handle] as number)
  }

  #forget(owner: ParkingOwner<Ref>, handle: number): void {
    this.#owners[handle] = undefined
    this.#refs[handle] = undefined
    const last = owner.parkedHandles.pop() as number
    if (last === handle) return
    const slot = this.#slots[handle] as number
    owner.parkedHandles[slot] = last
    this.#slots[last] = slot
  }
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2)
  larger.set(array)
  return larger
}
