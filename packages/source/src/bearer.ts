// Who sends a request, by a token that comes with it (RFC 6750), and whether that is one of those that are taken.

import { hash, timingSafeEqual } from 'node:crypto'

/** The token of a header Authorization of the scheme Bearer. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1]
}

/** Whether it is one of these secrets, as {@link isOneOfDigests}. */
export function isOneOf(given: string | Uint8Array, secrets: readonly Uint8Array[]): boolean {
  return isOneOfDigests(given, secrets.map(digestOf))
}

/** As {@link isOneOf}, of secrets whose digests were made before. It takes as long whatever is given (threat 6). */
export function isOneOfDigests(given: string | Uint8Array, digests: readonly Uint8Array[]): boolean {
  const digest = digestOf(given)
  let isEqual = false
  for (const each of digests) if (timingSafeEqual(digest, each)) isEqual = true
  return isEqual
}

/** Digests have equal lengths, so that comparing them tells nothing of a secret's. */
export function digestOf(secret: string | Uint8Array): Buffer {
  return hash('sha256', secret, 'buffer')
}
