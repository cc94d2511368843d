export {
  INGRESS_SHARE,
  WINDOW_DEFAULT,
  orderingKey,
  type Capabilities,
  type Channel,
  type ChannelState,
  type ChannelUsage,
  type Delivery,
  type Lag,
  type Loss,
  type Position,
  type PublishOptions,
  type PublishResult,
  type ReadRange,
  type Start,
  type StartKind,
  type StoredEvent,
  type Subscription,
  type SubscriptionSpec,
  type Window,
} from './channel.ts'
export type { BoxUsage, DeadLetter, DeadLetterBox, NewDeadLetter } from './dead-letters.ts'
export { alreadySubscribed, channelFull, channelUnavailable, eventTooLarge, unsupported } from './errors.ts'
export { Fifo } from './fifo.ts'
export { Handover, type Backlog, type HandoverOptions } from './handover.ts'
export { HELD_MAX } from './keys.ts'
export { repeatsMax } from './occupancy.ts'
export { ParkingLot, type ParkingOwner } from './parking.ts'
export { within } from './within.ts'
