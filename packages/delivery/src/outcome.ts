// What one attempt came to, and what an attempt needs to know. Shared words of delivery and broker.

import type { Event } from '@sluice/event'
import type { Receiver } from './access.ts'

/** One POST of one event to one subscriber. */
export interface AttemptRequest {
  readonly target: Receiver
  readonly event: Event
  /** How long the whole attempt may take, connecting and reading the answer included. */
  readonly timeoutMs: number
  /** `binary` (default of CloudEvents HTTP 3.1) or structured JSON. */
  readonly format: 'binary' | 'json'
  /** Headers of this hop beside the event's own: name, value, name, value. Such as `Prefer: reply`. */
  readonly headers: readonly string[]
  /** Whether the answer may carry a reply event (spec 135). Otherwise a 2xx is delivered, whatever its body. */
  readonly reply: boolean
}

/**
 * What an attempt came to. `delivered`: the subscriber has it. `retry`: try again later. `dead`: trying again is
 * of no use (KNATIVE.md 2, DP retry table).
 */
export interface Outcome {
  readonly verdict: 'delivered' | 'retry' | 'dead'
  /** HTTP status; 0 when there was no answer; 502 for a malformed reply, whatever the status was. */
  readonly status: number
  /** The event in a 200 answer. */
  readonly reply: Event | undefined
  /** In words, for people and `knativeerrordata`; empty when delivered. */
  readonly error: string
  /** Up to 1 KiB of the body of an answer that was no success. */
  readonly response: Buffer | undefined
  /** From `Retry-After` on 429 or 503, else 0. Uncapped. */
  readonly retryAfterMs: number
  /** Whether this says that the target is down or overloaded: no connection, timeout, 429, 503. */
  readonly pressure: boolean
  /** How long the attempt took. */
  readonly durationMs: number
}

/** How a trigger's events are delivered. All waits in milliseconds. Made by `deliveryPolicy()` from a DeliverySpec. */
export interface DeliveryPolicy {
  /** Tries after the first one. */
  readonly retry: number
  readonly backoffPolicy: 'linear' | 'exponential'
  readonly backoffDelayMs: number
  /** Of one attempt. */
  readonly timeoutMs: number
  /** The most that a `Retry-After` is honoured. */
  readonly retryAfterMaxMs: number
  readonly format: 'binary' | 'json'
}

export const SHUTTING_DOWN = 'Sluice is shutting down'

/** Of an attempt for which no request was written. */
export function notSent(verdict: 'retry' | 'dead', error: string, pressure = false): Outcome {
  const nothing = { reply: undefined, response: undefined, retryAfterMs: 0, durationMs: 0 }
  return { verdict, status: 0, error, pressure, ...nothing }
}

/** Not before the one who sends has had its turn. */
export function later(done: (outcome: Outcome) => void, outcome: Outcome): void {
  queueMicrotask(() => done(outcome))
}

/** What the callback throws is a fault of its own: it must come out, and not end up as an error of the answer. */
export function call(done: (outcome: Outcome) => void, outcome: Outcome): void {
  try {
    done(outcome)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
