// The dead-letter box: where an event goes that has run out of tries and has no sink that takes it.
// One per broker. Contract only; the broker brings implementations, and so may a driver.

import type { Event } from '@sluice/event'

/** Keeps dead letters until a person redrives or purges them. Bounded; it refuses rather than drops. */
export interface DeadLetterBox {
  /** Stores an entry, or says that it is full (of this trigger's share, or altogether): then nothing was stored. */
  append(entry: NewDeadLetter): Promise<{ stored: true; id: string } | { stored: false; reason: 'full' }>
  /** Entries in the order they came, without their events' data being copied. */
  list(options?: { trigger?: string; after?: string; limit?: number }): Promise<DeadLetter[]>
  get(id: string): Promise<DeadLetter | undefined>
  /** Returns whether there was such an entry. */
  remove(id: string): Promise<boolean>
  usage(): { events: number; bytes: number; bytesMax: number }
}

export interface NewDeadLetter {
  /** As the subscriber would have got it, without error extensions. */
  event: Event
  /** The trigger, `namespace/name`. */
  trigger: string
  /** The trigger's uid. */
  triggerId: string
  /** `undeliverable`: out of tries or refused. `sink`: so did the dead-letter sink. `loop`: a reply without hops left. */
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

export interface DeadLetter extends NewDeadLetter {
  readonly id: string
  /** Wall-clock ms. */
  readonly time: number
}
