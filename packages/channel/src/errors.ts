// The codes of the channel contract.

import { SluiceError } from '@sluice/event'
import type { Capabilities } from './channel.ts'

/** The channel holds as many bytes as it may: 429, retryable. */
export function channelFull(detail: string, retryAfterMs: number): SluiceError {
  return new SluiceError('SLUICE_CHANNEL_FULL', detail, { status: 429, retryable: true, retryAfterMs })
}

/** The channel is closed or closing, or its server can't be reached: 503, retryable. */
export function channelUnavailable(detail: string, retryAfterMs: number, cause?: unknown): SluiceError {
  return new SluiceError('SLUICE_CHANNEL_UNAVAILABLE', detail, { status: 503, retryable: true, retryAfterMs, cause })
}

/** One event is larger than the channel takes: 413. */
export function eventTooLarge(bytes: number, bytesMax: number): SluiceError {
  return new SluiceError(
    'SLUICE_EVENT_TOO_LARGE',
    `The event has ${bytes} bytes; its channel takes at most ${bytesMax}. Nothing was stored.`,
    { status: 413 },
  )
}

/** Asked for something that {@link Capabilities} rule out. `subject` is the capability's name. */
export function unsupported(capability: keyof Capabilities, detail: string): SluiceError {
  return new SluiceError('SLUICE_CHANNEL_UNSUPPORTED', detail, { status: 422, subject: capability })
}

/** The subscription is open already. */
export function alreadySubscribed(id: string): SluiceError {
  return new SluiceError(
    'SLUICE_CHANNEL_SUBSCRIBED',
    `Subscription ${id} is open already; close it before it is opened again.`,
    { status: 409 },
  )
}
