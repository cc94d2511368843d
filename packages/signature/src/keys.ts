// Keys as providers write them: text with a prefix, in an encoding (WEBHOOKS 1). Read once for each secret, for a secret is
// the same Buffer until it changes. What is wrong with a key is told without a character of it (threat 7).

import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { SluiceError } from '@sluice/event'

/** How bytes are written as text. */
export type Encoding = 'hex' | 'base64' | 'base64url'

/** How a key is written. */
export interface KeyForm {
  readonly keyEncoding: 'utf8' | 'base64' | 'hex'
  /** Stands before the key, or not; such as `whsec_`. */
  readonly keyPrefix?: string
}

const FORMS: Readonly<Record<Encoding, RegExp>> = {
  hex: /^(?:[0-9a-f]{2})+$/i,
  base64: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
  base64url: /^[A-Za-z0-9_-]+$/,
}

/** The bytes that a text stands for; `undefined`: it is empty, or has another form. */
export function decode(text: string, encoding: Encoding): Buffer | undefined {
  return text !== '' && FORMS[encoding].test(text) ? Buffer.from(text, encoding) : undefined
}

const secretKeys = new WeakMap<Buffer, KeyObject>()
const publicKeys = new WeakMap<Buffer, KeyObject>()

/**
 * The key of an HMAC. To make one costs five times what an HMAC of 1 KiB does.
 *
 * @throws SluiceError `SLUICE_SECRET_UNAVAILABLE`, 503: it has another form
 */
export function hmacKey(secret: Buffer, form: KeyForm): KeyObject {
  let key = secretKeys.get(secret)
  if (key === undefined) secretKeys.set(secret, (key = createSecretKey(keyBytes(secret, form))))
  return key
}

function keyBytes(secret: Buffer, { keyEncoding, keyPrefix = '' }: KeyForm): Buffer {
  if (keyEncoding === 'utf8' && keyPrefix === '') return secret
  const text = secret.toString('utf8')
  const bare = text.startsWith(keyPrefix) ? text.slice(keyPrefix.length) : text
  const decoded = keyEncoding === 'utf8' ? Buffer.from(bare) : decode(bare, keyEncoding)
  if (decoded === undefined || decoded.length === 0) throw badKey(`${keyPrefix}… in ${keyEncoding}`)
  return decoded
}

/** RFC 8410: what stands before the 32 bytes of a public key. */
const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex')

/** The public key whose 32 bytes the secret holds. Throws as {@link hmacKey}. */
export function ed25519PublicKey(secret: Buffer, form: KeyForm): KeyObject {
  let key = publicKeys.get(secret)
  if (key === undefined) {
    const bytes = keyBytes(secret, form)
    if (bytes.length !== 32) throw badKey(`an Ed25519 public key: ${form.keyPrefix ?? ''} and 32 bytes`)
    publicKeys.set(secret, (key = publicKeyOf(bytes)))
  }
  return key
}

export function publicKeyOf(bytes: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([ED25519_SPKI, bytes]), format: 'der', type: 'spki' })
}

export function badKey(form: string): SluiceError {
  return new SluiceError('SLUICE_SECRET_UNAVAILABLE', `A secret is not of the form ${form}.`, { status: 503 })
}
