// Why the log takes no event now, in words for its sender.

import { channelFull, channelUnavailable } from '@sluice/channel'
import type { SluiceError } from '@sluice/event'

/** Nobody knows when a subscriber takes its events, or a disk works again: senders ask again in a second. */
export const RETRY_AFTER_MS = 1000

export function closed(): SluiceError {
  return channelUnavailable('The channel is closed.', RETRY_AFTER_MS)
}

export function tooSlow(bytes: number): SluiceError {
  return channelUnavailable(`The disk is slow: ${bytes} bytes wait to be written. Nothing was stored.`, RETRY_AFTER_MS)
}

/** What was stored now could have a number that progress gives another meaning. */
export function unstated(): SluiceError {
  return channelUnavailable("The progress of subscriptions can't be saved. Nothing was stored.", RETRY_AFTER_MS)
}

/** `owed`: bytes that are not delivered to every trigger. */
export function full(owed: number, limit: number): SluiceError {
  return channelFull(
    `The log holds ${owed} bytes that are not delivered to every trigger, of the ${limit} it may hold. ` +
      'It empties as its triggers’ subscribers take their events. Nothing was stored.',
    RETRY_AFTER_MS,
  )
}
