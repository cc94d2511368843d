// Signatures over a request: HMAC and Ed25519. Every provider's is this, with other names (WEBHOOKS 1); run backwards it
// signs.

import { createHmac, hash, timingSafeEqual, verify } from 'node:crypto'
import { decode, ed25519PublicKey, hmacKey } from '@sluice/signature'
import type { Template } from '@sluice/source'
import { unverified } from './errors.ts'
import type { Check, Scope } from './scope.ts'
import type { Ed25519Verify, HmacVerify, TimestampRule } from './spec.ts'

/** More than a rotation needs, and few enough to compare (threat 6). */
const SIGNATURES_MAX = 16

type Way = HmacVerify | Ed25519Verify

/** Throws a SluiceError 401 unless one of the signatures is made by one of the secrets, over this request, now. */
export function signatureCheck(way: Way, content: Template): Check {
  const namesUrl = content.names.some(([root]) => root === 'url')
  return (scope, secrets, nowMs) => {
    const written = scope.request.header(way.header)
    if (written === undefined || written === '') {
      throw unverified('SIGNATURE_MISSING', `The signature is missing, header ${way.header}.`)
    }
    const signatures = signaturesIn(written, way)
    if (way.timestamp !== undefined) scope.timestamp = timestampOf(scope, written, way, way.timestamp)
    for (const url of namesUrl ? spellings(scope.request.url) : [scope.url]) {
      scope.url = url
      const pieces = content.pieces(scope.lookup)
      if (pieces === undefined)
        throw unverified('SIGNATURE_MALFORMED', 'A header that the signature covers is missing.')
      if (secrets.some((secret) => isSigned(pieces, secret, signatures, way))) {
        if (way.scheme === 'hmac' && way.bodyDigest !== undefined) checkBodyDigest(scope, way.bodyDigest)
        if (way.timestamp !== undefined) checkAge(scope.timestamp!, way.timestamp, nowMs)
        return
      }
    }
    throw unverified('SIGNATURE_MISMATCH', `The signature is another, header ${way.header}.`)
  }
}

/** As bytes. What has another form is none; where none has it, 401. */
function signaturesIn(written: string, way: Way): Buffer[] {
  const texts = way.parse === undefined ? [written] : pairsIn(written, way.parse, way.parse.take)
  if (texts.length > SIGNATURES_MAX) {
    throw unverified('SIGNATURE_MALFORMED', `There are more than ${SIGNATURES_MAX} signatures.`)
  }
  const { prefix = '', encoding } = way
  const found = texts
    .filter((text) => text.startsWith(prefix))
    .map((text) => decode(text.slice(prefix.length), encoding))
    .filter((bytes) => bytes !== undefined)
  if (found.length === 0) {
    const form = `${prefix}… in ${encoding}`
    throw unverified('SIGNATURE_MALFORMED', `Header ${way.header} has no signature of the form ${form}.`)
  }
  return found
}

/** The values of the pairs of this name. */
function pairsIn(written: string, { separator, pair }: { separator: string; pair: string }, name: string): string[] {
  return written
    .split(separator)
    .map((each) => each.trim())
    .filter((each) => each.startsWith(name + pair))
    .map((each) => each.slice(name.length + pair.length))
}

function isSigned(
  pieces: readonly (string | Buffer)[],
  secret: Buffer,
  signatures: readonly Buffer[],
  way: Way,
): boolean {
  if (way.scheme === 'ed25519') {
    const key = ed25519PublicKey(secret, way)
    const signed = Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)))
    return signatures.some((signature) => signature.length === 64 && verify(null, signed, key, signature))
  }
  const expected = hmac(pieces, secret, way)
  let isEqual = false
  for (const signature of signatures) {
    if (signature.length === expected.length && timingSafeEqual(signature, expected)) isEqual = true
  }
  return isEqual
}

/** The HMAC of the pieces, one after another. */
export function hmac(pieces: readonly (string | Buffer)[], secret: Buffer, way: HmacVerify): Buffer {
  const sum = createHmac(way.algorithm, hmacKey(secret, way))
  for (const piece of pieces) sum.update(piece)
  return sum.digest()
}

/** Throws where a secret is no key for this way. */
export function checkKey(secret: Buffer, way: Way): void {
  if (way.scheme === 'hmac') hmacKey(secret, way)
  else ed25519PublicKey(secret, way)
}

function timestampOf(scope: Scope, written: string, way: Way, { header, take }: TimestampRule): string {
  const text =
    take !== undefined && way.parse !== undefined ? pairsIn(written, way.parse, take)[0] : scope.request.header(header)
  if (text === undefined || text === '') {
    throw unverified('TIMESTAMP_MISSING', `The time of the signature is missing, header ${header}.`)
  }
  if (!/^\d{1,15}$/.test(text)) {
    throw unverified('TIMESTAMP_MALFORMED', `The time of the signature is no whole number, header ${header}.`)
  }
  return text
}

/** Judged after the signature: what nobody signed says nothing. */
function checkAge(text: string, { unit, toleranceMs }: TimestampRule, nowMs: number): void {
  const ageMs = nowMs - Number(text) * (unit === 's' ? 1000 : 1)
  if (Math.abs(ageMs) <= toleranceMs) return
  const allowed = `; ${toleranceMs / 1000} s are allowed.`
  if (ageMs > 0) throw unverified('TIMESTAMP_OLD', `The signature is ${Math.round(ageMs / 1000)} s old${allowed}`)
  throw unverified('TIMESTAMP_AHEAD', `The signature is ${Math.round(-ageMs / 1000)} s ahead of this clock${allowed}`)
}

/** Twilio signs the address, with the digest of a JSON body in it. */
function checkBodyDigest(scope: Scope, parameter: string): void {
  const { request } = scope
  const given = decode(request.query(parameter) ?? '', 'hex')
  if (given === undefined) {
    if (scope.form() !== undefined || request.body.length === 0) return // covered by {sortedForm}
    throw unverified('SIGNATURE_MISSING', `The digest of the body is missing, parameter ${parameter}.`)
  }
  const digest = hash('sha256', request.body, 'buffer')
  if (given.length !== digest.length || !timingSafeEqual(given, digest)) {
    throw unverified('SIGNATURE_MISMATCH', `The body has another digest, parameter ${parameter}.`)
  }
}

/** The address as it came, and with and without the port that its scheme has anyway: some sign the one, some the other. */
function spellings(url: string): string[] {
  const parts = /^(https?):\/\/([^/?#:]+|\[[^\]]*\])(:\d+)?(.*)$/is.exec(url)
  if (parts === null) return [url]
  const [, scheme, host, port, rest] = parts
  const usual = scheme!.toLowerCase() === 'https' ? ':443' : ':80'
  if (port === undefined) return [url, `${scheme}://${host}${usual}${rest}`]
  return port === usual ? [url, `${scheme}://${host}${rest}`] : [url]
}
