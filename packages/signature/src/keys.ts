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

/** Of each secret, by the form that it was read in: sources share a secret, and may write it differently. */
type Keys = WeakMap<Buffer, Map<string, KeyObject>>
const secretKeys: Keys = new WeakMap()
const publicKeys: Keys = new WeakMap()

/**
 * The key of an HMAC. To make one costs five times what an HMAC of 1 KiB does.
 *
 * @throws SluiceError `SLUICE_SECRET_UNAVAILABLE`, 503: it has another form
 */
export function hmacKey(secret: Buffer, form: KeyForm): KeyObject {
  return known(secretKeys, secret, form, () => createSecretKey(keyBytes(secret, form)))
}

function known(keys: Keys, secret: Buffer, { keyEncoding, keyPrefix = '' }: KeyForm, make: () => KeyObject): KeyObject {
  let ofSecret = keys.get(secret)
  if (ofSecret === undefined) keys.set(secret, (ofSecret = new Map()))
  const form = `${keyEncoding} ${keyPrefix}`
  let key = ofSecret.get(form)
  if (key === undefined) ofSecret.set(form, (key = make()))
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
  return known(publicKeys, secret, form, () => {
    const bytes = keyBytes(secret, form)
    if (bytes.length !== 32) throw badKey(`an Ed25519 public key: ${form.keyPrefix ?? ''} and 32 bytes`)
    return publicKeyOf(bytes)
  })
}

export function publicKeyOf(bytes: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([ED25519_SPKI, bytes]), format: 'der', type: 'spki' })
}

export function badKey(form: string): SluiceError {
  return new SluiceError('SLUICE_SECRET_UNAVAILABLE', `A secret is not of the form ${form}.`, { status: 503 })
}
