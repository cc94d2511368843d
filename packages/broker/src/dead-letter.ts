// The event as a dead-letter sink gets it (KNATIVE.md 3.5).

import type { Event } from '@sluice/event'
import type { Outcome } from '@sluice/delivery'

/** Why an event is undeliverable, kept while it waits for its dead-letter sink. */
export interface Failure {
  /** HTTP status of the last try; 500 where there was no answer. */
  readonly code: number
  /** In words. */
  readonly error: string
  /** Up to 1 KiB of the last answer. */
  readonly response: Buffer | undefined
  /** Tries at the subscriber. */
  readonly attempts: number
  /** Tries at the dead-letter sink. */
  sinkAttempts: number
}

export function failure(outcome: Outcome, attempts: number): Failure {
  return {
    code: outcome.status === 0 ? NO_ANSWER : outcome.status,
    error: outcome.error,
    response: outcome.response,
    attempts,
    sinkAttempts: 0,
  }
}

/**
 * The event with what a dead letter tells: `knativeerrordest`, `knativeerrorcode`, `knativeerrordata` (base64 of the
 * answer, or of what went wrong), and our `sluicetrigger`, `sluiceattempts`.
 */
export function deadLetter(event: Event, failed: Failure, destination: string, trigger: string): Event {
  const data = failed.response ?? Buffer.from(failed.error)
  return event.with({
    knativeerrordest: destination,
    knativeerrorcode: failed.code,
    knativeerrordata: data.length === 0 ? undefined : data.subarray(0, ERROR_DATA_BYTES_MAX).toString('base64'),
    sluicetrigger: trigger,
    sluiceattempts: failed.attempts,
  })
}

const NO_ANSWER = 500
const ERROR_DATA_BYTES_MAX = 1024
