// The dead-letter box: where an event goes that has run out of tries and has no sink that takes it.
// One per broker. Contract only; the broker brings implementations, and so may a driver.
//
// From: broker/src/boxing.ts. Next: a person redrives what is in it (broker/src/redrive.ts), or purges it.

import type { Event } from '@sluice/event'

/**
 * Keeps dead letters until a person redrives or purges them. Bounded; it refuses rather than drops.
 *
 * Every method rejects with a SluiceError where the box can't be written or read: retryable, 503, its message says why
 * and what to do (such as `SLUICE_DISK`). Then nothing has changed, as far as this process will ever see; after a
 * restart it may have (at least once).
 */
export interface DeadLetterBox {
  /**
   * Stores an entry; resolves once it is stored as durably as this box ever stores. Or says that it is full, of this
   * trigger's share or altogether: then nothing was stored. An entry larger than a whole bound is taken alone.
   */
  append(entry: NewDeadLetter): Promise<{ stored: true; id: string } | { stored: false; reason: 'full' }>
  /**
   * Puts `entry` in the place of the one with that id, in one step: at no time are there two, or none. It keeps its id,
   * its place and its time, and is taken by a full box too, for it needs no more room than the failure's own words.
   * Returns whether there was such an entry; if not, nothing is stored.
   */
  replace(id: string, entry: NewDeadLetter): Promise<boolean>
  /**
   * Entries in the order they came, from the one after the id `after` on, which need not be there any more. At most
   * `limit` (default 100), or fewer where they are large: at the end is who gets none. `trigger`: `namespace/name`.
   */
  list(options?: { trigger?: string; after?: string; limit?: number }): Promise<DeadLetter[]>
  /** `undefined`: there is none of that id. Rejects with `SLUICE_RECORD_DAMAGED` where it can't be read any more. */
  get(id: string): Promise<DeadLetter | undefined>
  /** Returns whether there was such an entry. Once it has resolved, the entry never comes back. */
  remove(id: string): Promise<boolean>
  /** Removes all entries, or those of one trigger (`namespace/name`), and returns how many: those there at the call. */
  clear(trigger?: string): Promise<number>
  /** What it holds, or what it holds of one trigger (`namespace/name`); `bytesMax` is then that trigger's share. */
  usage(trigger?: string): BoxUsage
  /** Stores what is under way, and closes. From here on every method may reject. */
  close(): Promise<void>
}

export interface BoxUsage {
  readonly events: number
  /** As they count for the bound. */
  readonly bytes: number
  readonly bytesMax: number
}

export interface NewDeadLetter {
  /** As the subscriber would have got it, without error extensions. */
  event: Event
  /** The trigger, `namespace/name`. */
  trigger: string
  /** The trigger's uid. */
  triggerId: string
  /**
   * `undeliverable`: out of tries or refused. `sink`: so did the dead-letter sink. `loop`: a reply of this trigger's
   * subscriber, without hops left, that was not routed.
   */
  reason: 'undeliverable' | 'sink' | 'loop'
  /** Tries that were made. */
  attempts: number
  /** HTTP status of the last try, 500 where there was no answer (KNATIVE.md 3.5). */
  code: number
  /** What went wrong, in words. */
  error: string
  /** Up to 1 KiB of the last response. */
  response: Buffer | undefined
}

/** An entry of the box. */
export interface DeadLetter extends NewDeadLetter {
  /** Names the entry for good, over restarts too: letters, digits and `-`. Opaque: compare only for equality. */
  readonly id: string
  /** When it came into the box, wall-clock ms. */
  readonly time: number
}
