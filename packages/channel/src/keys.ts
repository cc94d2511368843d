// `order: key` of one subscription: which keys are taken, and what is held behind them. Hot path (bench:
// channels/memory/bench/memory.ts).

import type { Window } from './channel.ts'
import { Fifo } from './fifo.ts'

/** Events held behind blocked keys, at most; beyond, the whole subscription waits (DESIGN "The channel contract"). */
export const HELD_MAX: Window = { events: 10_000, bytes: 16 * 1024 * 1024 }

/** A key belongs to one event, from its first hand-over until it is settled; later events of that key are held. */
export class Keys<Ref> {
  readonly #held = new Map<string, Fifo<Ref>>()
  readonly #bytesOf: (ref: Ref) => number
  #bytes = 0
  /** Events held. */
  events = 0

  constructor(bytesOf: (ref: Ref) => number) {
    this.#bytesOf = bytesOf
  }

  get isFull(): boolean {
    return this.events >= HELD_MAX.events || this.#bytes >= HELD_MAX.bytes
  }

  /** Takes a key that is free; one that is taken stays with whom it belongs to. Returns whether it was free. */
  take(key: string): boolean {
    if (this.#held.has(key)) return false
    this.#held.set(key, new Fifo())
    return true
  }

  /** Puts an event behind a key that is taken. */
  hold(key: string, ref: Ref): void {
    this.#held.get(key)!.push(ref)
    this.events++
    this.#bytes += this.#bytesOf(ref)
  }

  /** The event that a key belongs to is settled. The key goes to the next one held, which is returned, or is free. */
  pass(key: string): Ref | undefined {
    const next = this.#held.get(key)?.shift()
    if (next === undefined) {
      this.#held.delete(key)
      return undefined
    }
    this.events--
    this.#bytes -= this.#bytesOf(next)
    return next
  }

  /** Frees every key and gives up what was held, that of one key in its order. */
  takeAll(): Ref[] {
    const taken: Ref[] = []
    for (const held of this.#held.values()) taken.push(...held.takeAll())
    this.#held.clear()
    this.events = 0
    this.#bytes = 0
    return taken
  }

  /** Gives up what is held and `which` is true of; no key becomes free. */
  takeWhere(which: (ref: Ref) => boolean): Ref[] {
    const taken: Ref[] = []
    for (const held of this.#held.values()) taken.push(...held.takeWhere(which))
    this.events -= taken.length
    for (const ref of taken) this.#bytes -= this.#bytesOf(ref)
    return taken
  }

  *refs(): Generator<Ref> {
    for (const held of this.#held.values()) yield* held
  }
}
