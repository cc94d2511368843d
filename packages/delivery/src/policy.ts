// From a Knative DeliverySpec to the plain record that deliveries run by, and the waits between its tries. Pure.

import { SluiceError } from '@sluice/event'
import { parseDuration } from './duration.ts'
import type { DeliveryPolicy } from './outcome.ts'

/** The fields of Knative's DeliverySpec that concern single tries (KNATIVE.md 1.0); others are ignored here. */
export interface DeliverySpec {
  /** Tries after the first one: 0 to 2^31 - 1. */
  readonly retry?: number | undefined
  readonly backoffPolicy?: string | undefined
  /** ISO 8601. */
  readonly backoffDelay?: string | undefined
  /** ISO 8601, more than 0. */
  readonly timeout?: string | undefined
  /** ISO 8601; 0 = `Retry-After` is not honoured. */
  readonly retryAfterMax?: string | undefined
  readonly format?: string | undefined
}

/** The longest wait before another try, before the jitter: PT5M. */
export const RETRY_DELAY_MS_MAX: number = 300_000

/** Where neither trigger nor broker says anything: 10 tries more, exponential from PT0.2S, PT30S for each. */
export const DEFAULT_POLICY: DeliveryPolicy = {
  retry: 10,
  backoffPolicy: 'exponential',
  backoffDelayMs: 200,
  timeoutMs: 30_000,
  retryAfterMaxMs: RETRY_DELAY_MS_MAX,
  format: 'binary',
}

/**
 * The policy that a DeliverySpec stands for. Without a spec: {@link DEFAULT_POLICY}. In a spec, a missing `retry` is
 * 0 (as in Knative), a missing backoff exponential from PT0.2S, a missing timeout PT30S, a missing `retryAfterMax`
 * PT5M, which is also the most.
 *
 * @throws SluiceError `SLUICE_DELIVERY_INVALID_POLICY` or `SLUICE_DELIVERY_INVALID_DURATION`; its `subject` is the field
 */
export function deliveryPolicy(spec: DeliverySpec | undefined): DeliveryPolicy {
  if (spec === undefined) return DEFAULT_POLICY
  const { retry = 0, backoffPolicy = 'exponential', format = 'binary' } = spec
  if (!Number.isInteger(retry) || retry < 0 || retry > RETRY_MAX) {
    throw invalidPolicy('retry', retry, `a whole number from 0 to ${RETRY_MAX}`)
  }
  if (backoffPolicy !== 'linear' && backoffPolicy !== 'exponential') {
    throw invalidPolicy('backoffPolicy', backoffPolicy, 'linear or exponential')
  }
  if (format !== 'binary' && format !== 'json') throw invalidPolicy('format', format, 'binary or json')
  const timeoutMs = durationOr(spec.timeout, 'timeout', DEFAULT_POLICY.timeoutMs)
  if (timeoutMs === 0) throw invalidPolicy('timeout', spec.timeout, 'more than 0, such as PT30S')
  return {
    retry,
    backoffPolicy,
    backoffDelayMs: durationOr(spec.backoffDelay, 'backoffDelay', DEFAULT_POLICY.backoffDelayMs),
    timeoutMs,
    retryAfterMaxMs: Math.min(durationOr(spec.retryAfterMax, 'retryAfterMax', RETRY_DELAY_MS_MAX), RETRY_DELAY_MS_MAX),
    format,
  }
}

/**
 * Milliseconds to wait after the try number `attempt` (1 = the first one) has failed. Exponential: d, 2d, 4d, ...;
 * linear: d, 2d, 3d, ...; at most PT5M, and on top of that up to 20 % at random, so that those that failed together
 * don't come back together. (KNATIVE.md A.6: Knative's exponential, and the linear of its Kafka broker.)
 *
 * @param random from 0 to below 1, such as `Math.random`
 */
export function retryDelayMs(policy: DeliveryPolicy, attempt: number, random: () => number): number {
  const { backoffDelayMs, backoffPolicy } = policy
  // No wait is longer than the doubling of 1 ms 30 times; unbounded doubling would end at 0 * Infinity, not a number.
  const factor = backoffPolicy === 'linear' ? attempt : 2 ** Math.min(attempt - 1, DOUBLINGS_MAX)
  const delayMs = Math.min(backoffDelayMs * factor, RETRY_DELAY_MS_MAX)
  return delayMs * (1 + JITTER * random())
}

/**
 * {@link retryDelayMs}, or the subscriber's `Retry-After` where that is longer; of which no more than
 * `retryAfterMaxMs` is honoured (KNATIVE.md 3.4, fault 21).
 *
 * @param retryAfterMs {@link Outcome.retryAfterMs}
 */
export function nextDelayMs(
  policy: DeliveryPolicy,
  attempt: number,
  retryAfterMs: number,
  random: () => number,
): number {
  return Math.max(retryDelayMs(policy, attempt, random), Math.min(retryAfterMs, policy.retryAfterMaxMs))
}

const JITTER = 0.2
const DOUBLINGS_MAX = 30
const RETRY_MAX = 2 ** 31 - 1

function durationOr(text: string | undefined, field: string, absentMs: number): number {
  return text === undefined ? absentMs : parseDuration(text, field)
}

function invalidPolicy(field: string, value: unknown, allowed: string): SluiceError {
  return new SluiceError(
    'SLUICE_DELIVERY_INVALID_POLICY',
    `${field} is ${JSON.stringify(value)}; it has to be ${allowed}.`,
    { status: 400, subject: field },
  )
}
