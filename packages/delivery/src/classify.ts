// What an answer means (KNATIVE.md 2, DP retry table), and in words. Pure.

import { STATUS_CODES } from 'node:http'
import type { Access, Receiver } from './access.ts'
import type { Outcome } from './outcome.ts'

/**
 * `delivered`: 2xx. `retry`: 404, 408, 409, 429, 5xx, and what no specification lists, 600 and above (spec 125).
 * `dead`: every other 4xx, 3xx, which is never followed (fault 24), and a final 1xx.
 */
export function verdictOf(status: number): Outcome['verdict'] {
  if (status >= 200 && status < 300) return 'delivered'
  return status >= 500 || RETRIED_4XX.has(status) ? 'retry' : 'dead'
}

const RETRIED_4XX = new Set([404, 408, 409, 429])

/** Whether a status says that the target is overloaded, and so may carry a `Retry-After` that is honoured. */
export function isPressure(status: number): boolean {
  return status === 429 || status === 503
}

/**
 * Milliseconds from a `Retry-After` header (RFC 9110, 10.2.3): whole seconds, or an HTTP date, which may be past. 0
 * for anything else, such as a negative number, or when the header was sent more than once (fault 21).
 *
 * @param nowMs wall-clock time
 */
export function retryAfterMs(value: string | string[] | undefined, nowMs: number): number {
  if (typeof value !== 'string') return 0
  const text = value.trim()
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, Number.MAX_SAFE_INTEGER)
  // Date.parse takes numbers and half sentences too: only what has one of the three HTTP forms gets there.
  if (!HTTP_DATES.some((form) => form.test(text))) return 0
  const atMs = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(atMs) ? 0 : Math.max(atMs - nowMs, 0)
}

/** IMF-fixdate, RFC 850 and asctime (RFC 9110, 5.6.7). */
const HTTP_DATES = [
  /^\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^\w{6,9}, \d{2}-\w{3}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^\w{3} \w{3} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
]

/** Why an answer was no success, for people. The origin stands for the URL, whose path may hold a secret. */
export function answerInWords({ origin, access }: Receiver, status: number, location: unknown): string {
  const reason = STATUS_CODES[status]
  const answered = `${origin} answered ${status}${reason === undefined ? '' : ` ${reason}`}`
  if (status >= 300 && status < 400) {
    const to = typeof location === 'string' ? ` to ${shownLocation(location, access)}` : ''
    return `${answered}${to}: redirects are never followed; give the subscriber its final address`
  }
  if (status === 401 || status === 403) {
    const isKnown = access?.credentials !== undefined || access?.signing !== undefined
    return isKnown
      ? `${answered}: the subscriber does not take the credentials or the signature that it was given`
      : `${answered}: the subscriber wants credentials that it was not given`
  }
  if (status === 404) return `${answered}: check the path of the subscriber's address`
  if (status === 413) return `${answered}: the event is larger than the subscriber takes`
  return answered
}

const LOCATION_CHARACTERS_MAX = 200

/** Of who was shown credentials, no more than the origin: it may have written them into the rest (threat 23). */
function shownLocation(location: string, access: Access | undefined): string {
  if (access?.credentials === undefined) return location.slice(0, LOCATION_CHARACTERS_MAX)
  return URL.canParse(location) ? new URL(location).origin : 'another path'
}
