// An event on its way through one subscription.

import type { Message } from '@google-cloud/pubsub'
import type { Event } from '@sluice/event'

/** An event that the server has handed out here, and that is not settled. */
export interface Taken {
  /** The service's own. */
  readonly id: string
  readonly time: number
  readonly bytes: number
  /** As it came, and came again: the server wants the word on each of them. The library keeps their leases. */
  readonly messages: Message[]
  /** `undefined`: not decoded yet. */
  event: Event | undefined
}
