// Whether what is coming has room where it goes, before its body is read. From: ingress.ts and webhooks.ts.

import { SluiceError } from '@sluice/event'

/** What takes events, or stands in for it. */
export interface Roomy {
  /** Milliseconds until it makes sense to send so many bytes; 0: now. */
  room(bytes: number): number
  /** For more there is never room. Infinity: no bound is known. */
  readonly roomMax: number
}

/** Whose room it is, in words for senders. */
export interface Whose {
  readonly kind: 'Broker' | 'Channel' | 'source'
  readonly namespace: string
  readonly name: string
}

/** Throws where there is none: 429, and 413 where there wouldn't be even while the channel is empty. */
export function requireRoom(of: Roomy, bytes: number, whose: Whose): void {
  const retryAfterMs = of.room(bytes)
  if (retryAfterMs > 0) throw bytes > of.roomMax ? neverRoom(bytes, of.roomMax) : noRoom(whose, retryAfterMs)
}

/** To come again is of no use. */
function neverRoom(bytes: number, bytesMax: number): SluiceError {
  const message = `The body has ${bytes} bytes; the channel has ${Math.floor(bytesMax)} for events from outside. Nothing was stored.`
  return new SluiceError('SLUICE_EVENT_TOO_LARGE', message, { status: 413 })
}

const FULL = {
  Broker: (path: string) => `The channel of Broker ${path} is full: its subscribers are`,
  Channel: (path: string) => `Channel ${path} is full: its subscribers are`,
  source: (path: string) => `The sink of source ${path} is full: its triggers' subscribers are`,
} as const

function noRoom({ kind, namespace, name }: Whose, retryAfterMs: number): SluiceError {
  const message = `${FULL[kind](`${namespace}/${name}`)} slower than its senders. Nothing was stored.`
  return new SluiceError('SLUICE_CHANNEL_FULL', message, { status: 429, retryable: true, retryAfterMs })
}
