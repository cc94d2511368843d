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
export type { Backlog, HandoverOptions } from './backlog.ts'
export { Handover } from './handover.ts'
export { Kept } from './kept.ts'
export { HELD_MAX } from './keys.ts'
export { Lanes, PUBLISH_MS, type LanesParts, type Placed, type Waiting } from './lanes.ts'
export { repeatsMax } from './occupancy.ts'
export { ParkingLot, type ParkingOwner } from './parking.ts'
export { Trouble } from './trouble.ts'
export { within } from './within.ts'
