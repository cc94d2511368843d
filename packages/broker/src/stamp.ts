// What a broker writes on an event before it stores it: its hops, and when it came. Hot path.
//
// From: broker.ts, from outside or as a reply. The event is still the broker's alone.

import type { Clock } from '@sluice/clock'
import { SluiceError, type Event } from '@sluice/event'

/** Hops that an event may take through brokers before it counts as a loop (KNATIVE.md 3.2). */
export const HOPS_MAX = 255

/** Where Knative's brokers count; of ours it is never shown to a subscriber. */
const HOPS_ATTRIBUTE = 'knativebrokerttl'
const WHOLE_NUMBER = /^[+-]?\d+$/

/** @param arrival from {@link arrivalTime} */
export function stamp(event: Event, arrival: string): void {
  event.attributes.delete(HOPS_ATTRIBUTE)
  event.attributes.set('knativearrivaltime', arrival)
}

/** Another broker may have counted already; what is no number doesn't count (KNATIVE.md 3.2). Never more than ours allows. */
export function hopsLeft(event: Event, hopsMax: number): number {
  const carried = event.attributes.get(HOPS_ATTRIBUTE)
  if (carried === undefined) return hopsMax
  return WHOLE_NUMBER.test(String(carried)) ? Math.min(Number(carried) - 1, hopsMax) : hopsMax
}

export function hopsUsedUp(event: Event): SluiceError {
  return new SluiceError(
    'SLUICE_EVENT_HOPS_USED_UP',
    `Attribute "${HOPS_ATTRIBUTE}" is ${String(event.attribute(HOPS_ATTRIBUTE))}: this event has passed through as many ` +
      'brokers as it may, so it probably runs in a circle. Nothing was stored.',
    { status: 400, subject: HOPS_ATTRIBUTE },
  )
}

/** RFC 3339, made once a millisecond. */
export function arrivalTime(clock: Clock): () => string {
  let lastMs = Number.NaN
  let text = ''
  return () => {
    const nowMs = clock.now()
    if (nowMs !== lastMs) {
      lastMs = nowMs
      text = new Date(nowMs).toISOString()
    }
    return text
  }
}
