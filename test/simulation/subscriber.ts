// What the ledger of a simulated channel has noted: events that were sent, subscriptions, and what these are owed of those.

import { WINDOW_DEFAULT, type Delivery, type SubscriptionSpec } from '@sluice/channel'
import type { Event } from '@sluice/event'
import type { Filter } from '@sluice/filter'

/** One event that somebody sent. */
export interface Sent {
  readonly id: string
  readonly event: Event
  readonly key: string
  /** When it was stored, at the earliest. */
  readonly time: number
  /** `open`: nobody was told yet. `unknown`: the process ended before anybody was. */
  status: 'open' | 'stored' | 'refused' | 'unknown'
  /** The life in which it was sent. */
  readonly life: number
  position: number | undefined
  /** It was sent more often, and nobody can tell which of them is which. */
  isManifold: boolean
  /** The power went before it was certain to be durable, where that was asked for: it may be gone. */
  mayBeLost: boolean
}

/** What a subscription is owed of one event. */
export interface Owed {
  readonly sent: Sent
  /** It has to come until it is settled; otherwise it may. */
  must: boolean
  /** It may come. */
  may: boolean
  state: 'waiting' | 'out' | 'parked' | 'settled'
  /** Tries made, and when that became so. */
  readonly tries: { readonly made: number; readonly at: number }[]
  /** When it was settled, or parked. */
  at: number
  /** With `parked`: not before; `undefined` where that may be forgotten. */
  due: number | undefined
  /**
   * The subscription judges it when it reads it, by its filter then: only so, or where it was not judged to be for it when
   * it was stored.
   */
  judged: 'no' | 'only' | 'also'
  /** It ended while a seek was under way: nobody knows whether that counts. */
  isDoubtful: boolean
}

/** One subscription. */
export interface Subscriber {
  readonly id: string
  filter: Filter
  order: 'none' | 'key'
  window: number
  /** When the window became smaller: what is being read by then still comes. */
  narrowedAt: number
  paused: boolean
  /** `absent`: not opened in this life yet. `opening`: for the first time. */
  state: 'absent' | 'opening' | 'open' | 'closed' | 'leaving'
  /** A subscribe that nobody has seen the end of, or a removal: after a restart it may be there or not. */
  isCertain: boolean
  readonly owed: Map<string, Owed>
  /** Out or parked when the order began to be kept, or at a seek: while any is unsettled, order is not looked at. */
  readonly exempt: Set<string>
  /** Of those, the settled ones: where that is forgotten they come again. */
  readonly exemptSettled: Set<string>
  /** When it was opened in this life. */
  openedAt: number
  /** Seeks under way, and starts that are not known to be stored. */
  seeking: number
  /** A seek that the disk may have forgotten. */
  isSeekCertain: boolean
  out: { readonly delivery: Delivery; readonly owed: Owed }[]
}

/** One that is being opened for the first time. */
export function newSubscriber(spec: SubscriptionSpec, now: number): Subscriber {
  const { id, filter, order = 'none', window = WINDOW_DEFAULT, paused = false } = spec
  return {
    id,
    filter,
    order,
    window: window.events,
    narrowedAt: -Infinity,
    paused,
    state: 'opening',
    isCertain: false,
    owed: new Map(),
    exempt: new Set(),
    exemptSettled: new Set(),
    openedAt: now,
    seeking: 0,
    isSeekCertain: true,
    out: [],
  }
}

/** How many events it has still to settle in this life: at least, and at most. */
export function lagOf(subscriber: Subscriber, life: number): { least: number; most: number } {
  let least = 0
  let most = 0
  for (const { state, must, may, sent } of subscriber.owed.values()) {
    if (sent.isManifold) most = Infinity
    if (state === 'settled' || !may || sent.isManifold) continue
    if (state === 'out' || state === 'parked' || (must && sent.status === 'stored')) least++
    if (state !== 'waiting' || sent.status !== 'refused' || sent.life < life) most++
  }
  return { least, most }
}

/** What that is made of, in words. */
export function lagInWords(subscriber: Subscriber): string {
  return [...subscriber.owed.values()]
    .filter(({ state, may, must }) => state === 'out' || state === 'parked' || (state === 'waiting' && may && must))
    .map(({ sent, state, must }) => `${sent.id} (${sent.position}) ${sent.status} ${state}${must ? '' : '?'}`)
    .join(', ')
}

/** What has to come, and has not been settled. */
export function* missingOf(subscriber: Subscriber): Generator<Sent> {
  for (const { state, may, must, sent } of subscriber.owed.values()) {
    if (state !== 'settled' && may && must && sent.status === 'stored') yield sent
  }
}
