// Who sends a request, by a token that comes with it (RFC 6750), and whether that is one of those that are taken.

import { hash, timingSafeEqual } from 'node:crypto'

/** The token of a header Authorization of the scheme Bearer. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1]
}

/** Takes as long whatever is given: digests have equal lengths, and all secrets are looked at (threat 6). */
export function isOneOf(given: string | Uint8Array, secrets: readonly Uint8Array[]): boolean {
  const digest = hash('sha256', given, 'buffer')
  let isEqual = false
  for (const secret of secrets) if (timingSafeEqual(digest, hash('sha256', secret, 'buffer'))) isEqual = true
  return isEqual
}
