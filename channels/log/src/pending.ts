// What a subscription has taken and not settled, and what of that is not saved yet. Hot path (bench/log.ts).

import type { Segment } from '@sluice/segments'
import type { Event } from '@sluice/event'
import type { SavedPending, Unsaved } from './saved.ts'

/** An event that a subscription has taken and not settled. */
export interface Ref extends SavedPending {
  readonly segment: Segment
  /** When it was stored, wall-clock ms. */
  readonly time: number
  /** Until it is handed out, where it was in memory anyway. */
  event: Event | undefined
  /** It stands in the progress. */
  isSaved: boolean
}

export class Pending {
  /** In the order of taking. */
  readonly #refs = new Set<Ref>()
  /** A seek has mixed the order: the first is not the oldest. */
  #isMixed = false
  readonly #unsaved = new Set<Ref>()
  /** Saved ones that are settled. */
  #settled: number[] = []

  get size(): number {
    return this.#refs.size
  }

  has(ref: Ref): boolean {
    return this.#refs.has(ref)
  }

  /** Those of a process that is gone. `gone`: what is not stored any more; `position`: where its cursor stood. */
  restore(refs: readonly Ref[], gone: readonly number[], position: number): void {
    for (const ref of refs) this.#refs.add(ref)
    this.#settled.push(...gone)
    this.#isMixed = refs.some(({ seq }) => seq >= position)
  }

  take(ref: Ref): void {
    this.#refs.add(ref)
    this.#unsaved.add(ref)
  }

  /** It is not as it was saved. */
  changed(ref: Ref): void {
    this.#unsaved.add(ref)
  }

  settle(ref: Ref): void {
    this.#refs.delete(ref)
    if (ref.isSaved) this.#settled.push(ref.seq)
    this.#unsaved.delete(ref)
    if (this.#refs.size === 0) this.#isMixed = false
  }

  /** What is taken from here on may be older than what is there. */
  sought(): void {
    this.#isMixed = this.#refs.size > 0
  }

  /** What is not saved, or all of it; from here on it is. */
  save(isFull: boolean): Pick<Unsaved, 'pending' | 'settled'> {
    const refs = isFull ? this.#refs : this.#unsaved
    const unsaved = { pending: [...refs], settled: isFull ? [] : this.#settled }
    for (const ref of refs) ref.isSaved = true
    this.#unsaved.clear()
    this.#settled = []
    return unsaved
  }

  /** The lowest sequence number of `others` and of them. */
  lowest(others: number): number {
    let lowest = others
    for (const { seq } of this.#refs) {
      lowest = Math.min(lowest, seq)
      if (!this.#isMixed) break // the first one taken is the oldest
    }
    return lowest
  }

  /** When the oldest of them was stored; or `others`, if that is earlier. */
  since(others: number): number {
    let since = others
    for (const { time } of this.#refs) {
      since = Math.min(since, time)
      if (!this.#isMixed) break
    }
    return since
  }
}
