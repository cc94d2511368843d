// Why a broker takes no events now, in words for their sender. What the channel refuses by itself it says itself.

import { channelFull } from '@sluice/channel'
import { SluiceError } from '@sluice/event'
import type { BrokerName } from './observer.ts'

/** While a broker shuts down. */
export const DRAINING_RETRY_MS = 1000

export function draining(): SluiceError {
  return new SluiceError('SLUICE_DRAINING', 'Sluice is shutting down and takes no new events. Nothing was stored.', {
    status: 503,
    retryable: true,
    retryAfterMs: DRAINING_RETRY_MS,
  })
}

/** Not even while the channel is empty: to come again is of no use. */
export function neverRoom(what: 'batch' | 'event', bytes: number, bytesMax: number): SluiceError {
  const message = `The ${what} takes ${bytes} bytes of its channel, which has ${Math.floor(bytesMax)} for events from outside; send smaller ones. Nothing was stored.`
  return new SluiceError('SLUICE_EVENT_TOO_LARGE', message, { status: 413 })
}

export function noRoomForAll({ kind, namespace, name }: BrokerName, events: number, retryAfterMs: number): SluiceError {
  const whose = kind === 'Broker' ? `The channel of Broker ${namespace}/${name}` : `Channel ${namespace}/${name}`
  return channelFull(`${whose} has no room for all ${events} events of this batch. Nothing was stored.`, retryAfterMs)
}

/** @param error why the others are not */
export function storedInPart(error: SluiceError, stored: number, events: number): SluiceError {
  const { code, message, status, retryable, retryAfterMs } = error
  const words = `${stored} of the ${events} events of this batch are stored. Of the others: ${message}`
  return new SluiceError(code, words, { status, retryable, ...(retryAfterMs !== undefined && { retryAfterMs }) })
}
