// The event as a dead-letter sink gets it, and why it goes there (KNATIVE.md 3.5).

import type { Delivery } from '@sluice/channel'
import type { Outcome } from '@sluice/delivery'
import type { Event } from '@sluice/event'

/** Why an event is undeliverable, kept while it waits for its dead-letter sink. */
export interface Failure {
  /** The address that did not take it. */
  readonly destination: string
  /** HTTP status of the last try; 500 where there was no answer. */
  readonly code: number
  /** In words. */
  readonly error: string
  /** Up to 1 KiB of the last answer. */
  readonly response: Buffer | undefined
  /** Tries at the subscriber. */
  readonly attempts: number
  /** Tries at the dead-letter sink. */
  readonly sinkAttempts: number
}

/** An event out of tries, on its way to its dead-letter sink. */
export interface Undelivered {
  readonly delivery: Delivery
  readonly failed: Failure
}

/** @param attempts tries at the subscriber, of which `outcome` is the last */
export function failure(outcome: Outcome, destination: string, attempts: number): Failure {
  return {
    destination,
    code: outcome.status === 0 ? NO_ANSWER : outcome.status,
    error: outcome.error,
    response: outcome.response,
    attempts,
    sinkAttempts: 0,
  }
}

/** Its reply could not be stored, though it was tried often enough (spec 58, 59); or was refused for good, with this code. */
export function replyFailure(
  error: string,
  destination: string,
  attempts: number,
  code: number = REPLY_NOT_STORED,
): Failure {
  return { destination, code, error, response: undefined, attempts, sinkAttempts: 0 }
}

/** It makes room: see relief.ts. */
export function fullFailure(destination: string, attempts: number): Failure {
  const error =
    'The channel was full, and its Broker is told to let new events in (when-full: deadLetter); this was among the oldest.'
  return { destination, code: NO_ANSWER, error, response: undefined, attempts, sinkAttempts: 0 }
}

/** Its reply has no hops left; this tells of the reply, not of the event. */
export function loopFailure(destination: string, attempts: number): Failure {
  const error =
    'The reply was not routed: its hops are used up. Two triggers answer each other for ever, or --hops is too low.'
  return { destination, code: 400, error, response: undefined, attempts, sinkAttempts: 0 }
}

/**
 * The event with what a dead letter tells: `knativeerrordest`, `knativeerrorcode`, `knativeerrordata` (base64 of the
 * answer, or of what went wrong), and our `sluicetrigger`, `sluiceattempts`.
 *
 * @param trigger `namespace/name`
 */
export function deadLetter(event: Event, failed: Failure, trigger: string): Event {
  const data = failed.response ?? Buffer.from(failed.error)
  return event.with({
    knativeerrordest: failed.destination,
    knativeerrorcode: failed.code,
    knativeerrordata: data.length === 0 ? undefined : data.subarray(0, ERROR_DATA_BYTES_MAX).toString('base64'),
    sluicetrigger: trigger,
    sluiceattempts: failed.attempts,
  })
}

const NO_ANSWER = 500
/** As for a reply that is malformed (KNATIVE.md 3.3). */
const REPLY_NOT_STORED = 502
const ERROR_DATA_BYTES_MAX = 1024
