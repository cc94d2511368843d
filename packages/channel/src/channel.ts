// The channel contract: a channel stores events and hands them to named subscriptions. Every driver under
// channels/ implements this, and proves it with the suite in ./conformance.ts.
//
// From: broker/src/broker.ts publishes. Next: broker/src/dispatch.ts receives what is handed over.

import type { Event, SluiceError } from '@sluice/event'
import type { Filter } from '@sluice/filter'

/** Stores events, hands them to subscriptions, and forgets them only when every one of those has settled. */
export interface Channel {
  /** What this channel can do and what it can't. Constant while the channel is open. */
  readonly capabilities: Capabilities

  /**
   * Whether an ingress event of about `bytes` bytes would be stored now: `0` = yes, otherwise the milliseconds
   * after which to ask again. Synchronous, so that ingress refuses before it reads a body. It speaks
   * of bytes alone (429): a channel that can't store for another reason says 0 here, and why in `publish`, which decides.
   */
  room(bytes: number): number

  /**
   * Stores events, each for itself. Resolves once every event is stored as durably as this channel ever stores,
   * or refused; a result per event, in their order. It rejects only by a bug of ours: a server that is gone, a
   * full disk and a full channel are results. The channel owns the events from here on and never changes them.
   *
   * The `ingress` lane is refused at 80 % of the channel's bytes; the rest is for the `reply` lane, without which
   * nothing could settle and nothing would become free.
   */
  publish(events: readonly Event[], options: PublishOptions): Promise<PublishResult[]>

  /**
   * Opens the subscription `spec.id`, or takes it up where it stood: its progress belongs to the id, and `start`
   * counts only the first time; filter, order and window are the new spec's. Resolves once the start position is
   * stored: every matching event published after that is handed over (spec 20). Rejects with
   * `SLUICE_CHANNEL_UNSUPPORTED` when `spec` asks for what {@link Capabilities} rule out, with
   * `SLUICE_CHANNEL_SUBSCRIBED` while the id is open already, with `SLUICE_CHANNEL_UNAVAILABLE` once the channel is
   * closed; then nothing changed.
   *
   * `deliver` is called synchronously and must not throw; at most `window` deliveries are out at once,
   * of which three quarters at most were released before.
   */
  subscribe(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Promise<Subscription>

  /**
   * Forgets that subscription's progress and whatever it still had to deliver; closes it if it is open.
   * Resolves with the number of undelivered events that were discarded, so that they can be counted: as exact as
   * {@link Lag.bound}. What is out may still settle; released, it is discarded too.
   */
  remove(id: string): Promise<{ discarded: number }>

  /**
   * A place before all that the subscription `id` has still to settle: a new one that starts `{ after }` it gets all of that,
   * and perhaps some of it once more. `undefined` where there is no such subscription, or nobody can start anywhere.
   * Absent where a server keeps the progress of subscriptions that nobody has open.
   */
  place?(id: string): Position | undefined

  /**
   * The ids of all subscriptions whose progress it has: open, closed, or left by a process that is gone. Where the
   * channel is `shared`, as far as this process knows.
   */
  subscriptions(): Iterable<string>

  /**
   * Reads stored events in order, touching no subscription. Rejects with `SLUICE_CHANNEL_UNSUPPORTED`
   * unless `capabilities.browse`, and with `SLUICE_CHANNEL_UNAVAILABLE` where the channel is closed before all of it is
   * read.
   */
  read(range: ReadRange): Promise<StoredEvent[]>

  /** Calls `listener` at every change between ready and degraded, at once with the present state. Returns its removal. */
  onState(listener: (state: ChannelState) => void): () => void

  /** What the channel holds now, for status, metrics and the decision who holds it full. */
  usage(): ChannelUsage

  /**
   * Stops handing over, waits up to `deadlineMs` for deliveries that are out to settle or be released, and closes.
   * What is not settled then is delivered again after the next open, where the channel is durable. From here on
   * `publish` answers `SLUICE_CHANNEL_UNAVAILABLE`, and once it is closed `settle` and `release` do nothing.
   */
  close(options: { deadlineMs: number }): Promise<void>
}

export interface PublishOptions {
  /** `ingress` for events from outside, `reply` for replies and dead letters, which may use the last 20 %. */
  lane: 'ingress' | 'reply'
  /** Gives up waiting for a server; the event may still have been stored (at least once). */
  signal?: AbortSignal
}

/** What became of one published event. */
export type PublishResult =
  | { readonly stored: true; readonly position: Position | undefined }
  | { readonly stored: false; readonly error: SluiceError }

/**
 * An opaque name of one stored event of one channel. Compare only for equality. `undefined` in a
 * {@link PublishResult}: stored, but nobody can ask for it again (no subscription matched and nothing is kept).
 */
export type Position = string

export interface SubscriptionSpec {
  /** Names the subscription and its progress, for good. Sluice uses the trigger's uid. */
  id: string
  /** What people call it, where a server's names hold that: the trigger's name in its namespace. Default the id. */
  name?: string
  /** Which events it wants. When it is judged: `capabilities.filterJudged`. */
  filter: Filter
  /** Where a new subscription starts. Default `latest`: events published from now on. */
  start?: Start
  /** `key`: one event in flight for each {@link orderingKey}, retries included. Default `none`. */
  order?: 'none' | 'key'
  /** Bounds what is handed out and neither settled nor released. Default 256 events, 16 MiB. */
  window?: Window
  /** Opens it paused, so that not even one event goes out before {@link Subscription.resume}. Default false. */
  paused?: boolean
}

/** `earliest`: the oldest event still stored. `after`: may replay more on a partitioned channel, never less. */
export type Start = 'latest' | 'earliest' | { readonly time: number } | { readonly after: Position }

export interface Window {
  readonly events: number
  /** An event larger than this is handed out alone. */
  readonly bytes: number
}

/** One event handed to one subscription, until it is settled or released: exactly one of both, once. */
export interface Delivery {
  readonly event: Event
  readonly position: Position
  /** 1 at the first hand-over; a lower bound unless `capabilities.attempts` is `durable`. */
  readonly attempt: number
  /** Done with this event, for this subscription, for ever. In any order. */
  settle(): void
  /**
   * Not done: hand it over again, not before `delayMs` milliseconds have passed. It leaves the window at once and
   * is parked. `attempt: 'unused'` gives the try back: the next hand-over has the same attempt number.
   */
  release(delayMs: number, attempt?: 'used' | 'unused'): void
}

/** An open subscription. Its methods change nothing that was handed out already. */
export interface Subscription {
  readonly id: string
  /**
   * Replaces filter, window or order; the backlog stays. Rejects, and changes nothing, with a filter where
   * `capabilities.filterUpdate` is `replace`, and with an order that `capabilities.order` rules out. From `none` to
   * `key`, what was handed out before (out or parked) ends first, unordered; nothing new goes out until then.
   */
  update(change: { filter?: Filter; window?: Window; order?: 'none' | 'key' }): Promise<void>
  /** Hands out nothing until {@link resume}; events are stored meanwhile. */
  pause(): void
  resume(): void
  /**
   * What is parked now is handed over as soon as the window has room, whatever its delay. Absent where a server has the
   * delays.
   */
  hurry?(): void
  /**
   * Sets the progress to `start`: what lies before counts as settled, what lies after is handed over, again if
   * need be. What is out when it is called is not handed over twice on that account; what is parked is no longer.
   * Judges what it finds by the filter of now. Rejects with `SLUICE_CHANNEL_UNSUPPORTED` where
   * {@link Capabilities.seek} or `starts` rule it out, and then changes nothing.
   */
  seek(start: Start): Promise<void>
  lag(): Lag
  /** Calls `listener` for events that were lost unsettled: retention, a deleted stream. Returns its removal. */
  onLoss(listener: (loss: Loss) => void): () => void
  /**
   * Stops handing out; the progress stays, a pause does not. Late `settle` calls still count until the channel closes.
   */
  close(): Promise<void>
}

/** What a subscription has still to settle: waiting, out and parked. */
export interface Lag {
  /** At `exact` neither more nor less, at `atMost` never less; at `unknown` only what this process has taken. */
  readonly events: number
  readonly bound: 'exact' | 'atMost' | 'unknown'
  /** Wall-clock ms at which the oldest of them was stored, where known. */
  readonly oldest?: number
  readonly inFlight: number
  readonly parked: number
}

export interface Loss {
  readonly events: number
  /** First and last position lost, where known. */
  readonly range?: readonly [Position, Position]
  /** Such as `retention`. A label of `sluice_events_lost_total`. */
  readonly cause: string
}

export interface ReadRange {
  /** Default `earliest`. */
  from?: Exclude<Start, 'latest'>
  /** Up to and with this position, or up to this wall-clock time in ms. Default: the end. */
  to?: { readonly time: number } | { readonly position: Position }
  filter?: Filter
  /** At most so many events. Default 100. */
  limit?: number
}

export interface StoredEvent {
  readonly position: Position
  /** Wall-clock ms at which it was stored. */
  readonly time: number
  readonly event: Event
}

export type ChannelState = { readonly state: 'ready' } | { readonly state: 'degraded'; readonly reason: string }

export interface ChannelUsage {
  /** Bytes stored now, as far as this process knows. */
  readonly bytes: number
  /** The most that may be, at which `publish` refuses. `Infinity` where nothing does: retention takes the oldest. */
  readonly bytesMax: number
  /** Events stored now. */
  readonly events: number
}

/** What a channel truthfully can do. What it lacks is refused with `SLUICE_CHANNEL_UNSUPPORTED`, by the field's name. */
export interface Capabilities {
  /** Acknowledged events survive the end of the process. */
  readonly durable: boolean
  /** Several processes may share the work of one subscription. */
  readonly shared: boolean
  /** {@link Channel.read} works. */
  readonly browse: boolean
  /** Starts that {@link SubscriptionSpec.start} may name. */
  readonly starts: readonly StartKind[]
  /**
   * `online`: {@link Subscription.seek} at any time. `offline`: it takes this process off the subscription meanwhile,
   * and rejects with `SLUICE_CHANNEL_UNAVAILABLE` while another process has it open.
   */
  readonly seek: 'online' | 'offline' | 'none'
  /** Whether attempt counts outlive the process. */
  readonly attempts: 'durable' | 'process'
  /** The longest `delayMs` of {@link Delivery.release}; a longer one is cut to it. */
  readonly maxDelayMs: number
  /**
   * Parked events a subscription may have. It takes no new event while those that it has parked and those that are
   * out, any of which may be released, are as many.
   */
  readonly maxParked: number
  /** First hand-overs come in the order in which their events were stored, with `order: none` too. */
  readonly inOrder: boolean
  /** `key-one-process`: ordered only while one process has the subscription. */
  readonly order: 'none' | 'key' | 'key-one-process'
  /** `live`: {@link Subscription.update} takes a filter. `replace`: a new subscription is needed. */
  readonly filterUpdate: 'live' | 'replace'
  /** `publish`: judged once, when stored. `handover`: events already waiting are judged by the new filter. */
  readonly filterJudged: 'publish' | 'handover'
  readonly lag: Lag['bound']
  /** Whose retention removes events. `settled`: what every subscription has settled is not kept at all. */
  readonly retention: 'ours' | 'server' | 'settled'
  /** Whether {@link Subscription.onLoss} sees what retention took. */
  readonly lossDetected: boolean
  /** A larger event is refused with 413 before it is acknowledged. */
  readonly maxEventBytes: number
  readonly maxSubscriptions: number
  /**
   * `exact`: an event comes out as it went in. `binding`: without what the server's CloudEvents binding can't say:
   * Boolean and Integer attributes come out as their canonical text, and empty data as none.
   */
  readonly fidelity: 'exact' | 'binding'
}

export type StartKind = 'latest' | 'earliest' | 'time' | 'after'

export const WINDOW_DEFAULT: Window = { events: 256, bytes: 16 * 1024 * 1024 }
/** Of a channel's bytes, the share that ingress may fill. */
export const INGRESS_SHARE = 0.8

/**
 * The key that `order: key` orders by: `partitionkey`, and for an event without one its source and subject
 * (CloudEvents "Partitioning" extension; DESIGN "The channel contract").
 */
export function orderingKey(event: Event): string {
  return event.text('partitionkey') ?? `${event.source}\n${event.text('subject') ?? ''}`
}
