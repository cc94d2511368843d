// How full a window is, and how much of it is taken by events that come back again and again. Hot path (bench:
// channels/memory/bench/memory.ts).

import type { Window } from './channel.ts'

/** What a subscription has out or on its way out. */
export class Occupancy {
  bytes = 0
  /** Of it: events that were released before. */
  #repeats = 0
  #repeatsBytes = 0

  enter(bytes: number, isFresh: boolean): void {
    this.bytes += bytes
    if (isFresh) return
    this.#repeats++
    this.#repeatsBytes += bytes
  }

  leave(bytes: number, isFresh: boolean): void {
    this.bytes -= bytes
    if (isFresh) return
    this.#repeats--
    this.#repeatsBytes -= bytes
  }

  /** Whether one more that was released may go out: see {@link repeatsMax}. One alone always may. */
  mayRepeat(bytes: number, window: Window): boolean {
    if (this.#repeats === 0) return true
    return this.#repeats < repeatsMax(window.events) && this.#repeatsBytes + bytes <= repeatsMax(window.bytes)
  }
}

/**
 * Of so many places, those that repeats may have: three quarters, and one at least. Some of what fails takes its whole
 * timeout to do so, and there may be more of it than a window has places; what was never tried still gets through (fault
 * 32).
 */
export function repeatsMax(places: number): number {
  return Math.max(1, Math.floor(places * REPEATS_SHARE))
}

const REPEATS_SHARE = 0.75
