// An event on its way through one subscription.

import type { Event } from '@sluice/event'
import type { Message } from './connection.ts'

/** An event that the server has handed out here, and that is not settled. */
export interface Taken {
  readonly seq: number
  readonly reply: string
  readonly time: number
  readonly bytes: number
  /** Until it is decoded. */
  message: Message | undefined
  /** `undefined`: it has to be fetched again. */
  event: Event | undefined
  /** Parked, and counted among what stays in memory. */
  isKept: boolean
  /** Out, or about to be. */
  isOut: boolean
  /** `clock.monotonic()` at which the server would hand it out again. */
  leaseUntil: number
}
