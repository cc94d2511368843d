// What a driver brings to a hand-over.

import type { Event } from '@sluice/event'
import type { Delivery, Position, Window } from './channel.ts'
import type { ParkingLot } from './parking.ts'

/** What a driver provides for one subscription. `Ref` is how the driver names a stored event. */
export interface Backlog<Ref> {
  /** Takes the next event that was never handed out, oldest first; `undefined`: none now, {@link Handover.wake} follows. */
  next(): Ref | undefined
  /** The event if it is in memory; otherwise `undefined`, and {@link Handover.loaded} follows, in any order. */
  load(ref: Ref): Event | undefined
  /** Tries made with an event of {@link next} before, by a process that is gone. Default 0. */
  tries?(ref: Ref): number
  /** The event's size, as it counts for the window. */
  bytes(ref: Ref): number
  position(ref: Ref): Position
  /** The subscription is done with it. */
  settled(ref: Ref): void
  /** It leaves the window and is due again after `delayMs`; from here on only `ref` is kept. */
  parked(ref: Ref, event: Event, tries: number, delayMs: number): void
}

export interface HandoverOptions<Ref> {
  backlog: Backlog<Ref>
  parking: ParkingLot<Ref>
  deliver: (delivery: Delivery) => void
  order: 'none' | 'key'
  window?: Window
  maxDelayMs: number
  maxParked: number
  /** Hands out nothing until {@link Handover.resume}. Default false. */
  paused?: boolean
}
