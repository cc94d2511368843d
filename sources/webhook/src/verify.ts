// Who sent a request: the ways of WEBHOOKS, which presets and specs name as data, one function each.
//
// From: webhook.ts, with the raw body. What proves nothing is thrown as a SluiceError 401. Secrets are compared in
// constant time and stand in no message (threats 6, 7).

import { bearerToken, isOneOf, parseTemplate } from '@sluice/source'
import { unverified } from './errors.ts'
import { ROOTS, type Check, type Scope } from './scope.ts'
import { signatureCheck } from './signature.ts'
import { snsCheck, type FetchText } from './sns.ts'
import type { TokenVerify, Verify } from './spec.ts'

/** One check of several ways, each with the secrets that are for it: one has to hold. */
export function checkOf(ways: readonly Verify[], fetchText: FetchText): Check {
  const checks = ways.map((way) => ({ way, check: oneCheck(way, fetchText) }))
  const [only] = checks
  if (checks.length === 1) return only!.check
  return (scope, secrets, nowMs) => {
    let nearest: unknown
    for (const { way, check } of checks) {
      const own = secrets.filter((secret) => isFor(secret, way, ways))
      if (own.length === 0) continue
      try {
        return check(scope, own, nowMs)
      } catch (error) {
        if (nearest === undefined || isMissing(nearest)) nearest = error
      }
    }
    throw nearest ?? unverified('SIGNATURE_MISSING', 'The request is not signed.')
  }
}

function isMissing(error: unknown): boolean {
  return (error as { code?: string }).code?.endsWith('_MISSING') === true
}

/**
 * A secret that begins with the key prefix of one way is for that way alone. Else a public key, which everybody knows,
 * would be taken as the secret of an HMAC.
 */
export function isFor(secret: Buffer, way: Verify, ways: readonly Verify[]): boolean {
  const prefixOf = (each: Verify): string | undefined => ('keyPrefix' in each ? each.keyPrefix : undefined)
  const text = secret.toString('latin1')
  const claimed = ways.some((each) => prefixOf(each) !== undefined && text.startsWith(prefixOf(each)!))
  const own = prefixOf(way)
  if (claimed) return own !== undefined && text.startsWith(own)
  return way.scheme !== 'ed25519'
}

function oneCheck(way: Verify, fetchText: FetchText): Check {
  switch (way.scheme) {
    case 'hmac':
    case 'ed25519':
      return signatureCheck(way, parseTemplate(way.content, ROOTS))
    case 'token':
      return tokenCheck(way)
    case 'basic':
      return basicCheck
    case 'bearer':
      return bearerCheck
    case 'sns':
      return snsCheck(way, fetchText)
    case 'none':
      return () => {}
  }
}

function tokenCheck({ header, query }: TokenVerify): Check {
  const where = header === undefined ? `parameter ${query}` : `header ${header}`
  return ({ request }, secrets) => {
    const token = header === undefined ? request.query(query!) : request.header(header)
    if (token === undefined || token === '') throw unverified('SIGNATURE_MISSING', `The token is missing, ${where}.`)
    requireOneOf(token, secrets)
  }
}

/** RFC 7617; the secret is `user:password`. */
function basicCheck({ request }: Scope, secrets: readonly Buffer[]): void {
  const credentials = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(request.header('authorization') ?? '')
  if (credentials === null) throw unverified('SIGNATURE_MISSING', 'Header authorization has no user and password.')
  requireOneOf(Buffer.from(credentials[1]!, 'base64'), secrets)
}

/** RFC 6750; CloudEvents WebHook 3.1 and 3.2 ask for both places. */
function bearerCheck({ request }: Scope, secrets: readonly Buffer[]): void {
  const token = bearerToken(request.header('authorization')) ?? request.query('access_token')
  if (token === undefined || token === '') {
    throw unverified('SIGNATURE_MISSING', 'The token is missing: header authorization, or parameter access_token.')
  }
  requireOneOf(token, secrets)
}

function requireOneOf(given: string | Buffer, secrets: readonly Buffer[]): void {
  if (!isOneOf(given, secrets)) throw unverified('SIGNATURE_MISMATCH', 'The token is another.')
}
