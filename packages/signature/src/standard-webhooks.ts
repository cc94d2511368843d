// Standard Webhooks, as the sender (WEBHOOKS 1, threat 5): what proves to a receiver who sent these bytes, and when.
//
//     webhook-id: msg_…           the same for every try of one event
//     webhook-timestamp: 1767225600
//     webhook-signature: v1,… v1a,…     one for each secret, over `id.timestamp.body`

import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  sign,
  type KeyObject,
} from 'node:crypto'
import { badKey, decode } from './keys.ts'

export const ID_HEADER = 'webhook-id'
export const TIMESTAMP_HEADER = 'webhook-timestamp'
export const SIGNATURE_HEADER = 'webhook-signature'

/** A secret that deliveries are signed with. */
export interface SigningKey {
  readonly version: 'v1' | 'v1a'
  readonly key: KeyObject
}

const HMAC_PREFIX = 'whsec_'
const ED25519_PREFIX = 'whsk_'
/** Of an HMAC secret, in bytes. */
const SECRET_BYTES = { min: 24, max: 64 }
/** RFC 8410: what stands before the 32 bytes of a private key. */
const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

const signingKeys = new WeakMap<Buffer, SigningKey>()

/**
 * The key that a secret holds. `whsec_` and 24 to 64 bytes in base64: HMAC-SHA256, `v1`. `whsk_` and an Ed25519 private key
 * in base64, 32 bytes or those with its public key behind them: `v1a`.
 *
 * @throws SluiceError `SLUICE_SECRET_UNAVAILABLE`, 503: it is neither
 */
export function signingKey(secret: Buffer): SigningKey {
  let key = signingKeys.get(secret)
  if (key === undefined) signingKeys.set(secret, (key = readKey(secret.toString('utf8'))))
  return key
}

function readKey(text: string): SigningKey {
  if (text.startsWith(ED25519_PREFIX)) return { version: 'v1a', key: ed25519PrivateKey(text) }
  const { min, max } = SECRET_BYTES
  const bytes = text.startsWith(HMAC_PREFIX) ? decode(text.slice(HMAC_PREFIX.length), 'base64') : undefined
  if (bytes === undefined || bytes.length < min || bytes.length > max) {
    throw badKey(`${HMAC_PREFIX} and ${min} to ${max} bytes in base64, or ${ED25519_PREFIX} and an Ed25519 private key`)
  }
  return { version: 'v1', key: createSecretKey(bytes) }
}

function ed25519PrivateKey(text: string): KeyObject {
  const bytes = decode(text.slice(ED25519_PREFIX.length), 'base64')
  if (bytes?.length !== 32 && bytes?.length !== 64) {
    throw badKey(`${ED25519_PREFIX} and an Ed25519 private key of 32 bytes in base64, or 64 with its public key`)
  }
  const key = createPrivateKey({
    key: Buffer.concat([ED25519_PKCS8, bytes.subarray(0, 32)]),
    format: 'der',
    type: 'pkcs8',
  })
  const publicBytes = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)
  if (bytes.length === 64 && !publicBytes.equals(bytes.subarray(32))) {
    throw badKey(`${ED25519_PREFIX}, a private key and its public key: the second half is another's`)
  }
  return key
}

/**
 * Of an event, which its source and id tell from all others: the same in every process, for every try. 32 of
 * base64url's characters, so that no dot of an id is taken for the one that ends it.
 */
export function messageId(source: string, id: string): string {
  return `msg_${createHash('sha256').update(source).update('\0').update(id).digest('base64url').slice(0, 32)}`
}

/**
 * The headers that sign these bytes: name, value, name, value. A signature for each key, so that a receiver which knows one
 * of two takes it.
 *
 * @param nowMs wall-clock time
 */
export function signed(keys: readonly SigningKey[], id: string, nowMs: number, body: Buffer): string[] {
  const timestamp = String(Math.floor(nowMs / 1000))
  const head = `${id}.${timestamp}.`
  const signatures = keys.map((each) => `${each.version},${signature(each, head, body)}`)
  return [ID_HEADER, id, TIMESTAMP_HEADER, timestamp, SIGNATURE_HEADER, signatures.join(' ')]
}

function signature({ version, key }: SigningKey, head: string, body: Buffer): string {
  if (version === 'v1') return createHmac('sha256', key).update(head).update(body).digest('base64')
  return sign(null, Buffer.concat([Buffer.from(head), body]), key).toString('base64')
}
