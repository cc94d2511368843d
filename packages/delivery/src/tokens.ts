// OAuth 2 tokens by client credentials (RFC 6749, 4.4): asked for once, kept until they expire, and shared by all attempts
// of one client at one origin. Whoever comes while one is asked for waits for that.

import { createHash } from 'node:crypto'
import type { Clock } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import type { OAuthClient } from './access.ts'
import type { Exchanged, ExchangeRequest } from './exchange.ts'

/** How long an answer of an authorization server is waited for. */
export const TOKEN_TIMEOUT_MS = 10_000
/** A token is asked for anew so long before it expires, or when a tenth of its time is left, whichever is later. */
const EARLY_MS = 30_000
const EARLY_SHARE = 0.1
/** Of a token whose server doesn't say. */
const LIFETIME_MS = 300_000
/** Beyond this, what was not used for longest is forgotten. */
const TOKENS_MAX = 1000

interface Held {
  /** There once it is. */
  token: string | undefined
  /** Monotonic. */
  expiresMs: number
  asking: Promise<string> | undefined
}

export class Tokens {
  readonly #clock: Clock
  readonly #exchange: (request: ExchangeRequest) => Promise<Exchanged>
  /** What was used last is at the end. */
  readonly #held = new Map<string, Held>()

  constructor(clock: Clock, exchange: (request: ExchangeRequest) => Promise<Exchanged>) {
    this.#clock = clock
    this.#exchange = exchange
  }

  /**
   * A token for requests to that origin: at once, where there is one. Rejects with a SluiceError that says what is wrong with
   * the server or the client, and nothing of a secret.
   */
  get(client: OAuthClient, origin: string): string | Promise<string> {
    const key = keyOf(client, origin)
    const held: Held = this.#held.get(key) ?? { token: undefined, expiresMs: 0, asking: undefined }
    this.#held.delete(key)
    this.#held.set(key, held)
    if (this.#held.size > TOKENS_MAX) this.#held.delete(this.#held.keys().next().value!)
    if (held.token !== undefined && this.#clock.monotonic() < held.expiresMs) return held.token
    held.asking ??= this.#ask(held, client).finally(() => (held.asking = undefined))
    return held.asking
  }

  /** The receiver did not take this token: it is not used again. */
  refused(client: OAuthClient, origin: string, token: string): void {
    const held = this.#held.get(keyOf(client, origin))
    if (held?.token === token) held.token = undefined
  }

  async #ask(held: Held, client: OAuthClient): Promise<string> {
    const { token, lifetimeMs } = readAnswer(client, await this.#exchange(requestOf(client)))
    held.token = token
    held.expiresMs = this.#clock.monotonic() + lifetimeMs - Math.min(EARLY_MS, lifetimeMs * EARLY_SHARE)
    return token
  }
}

/** A client of another secret, scope or origin is another one: nothing of the one is used for the other. */
function keyOf({ endpoint, id, secret, scope = '', audience = '', authMethod }: OAuthClient, origin: string): string {
  return createHash('sha256')
    .update(JSON.stringify([origin, endpoint.url, id, secret, scope, audience, authMethod]))
    .digest('base64')
}

function requestOf({ endpoint, id, secret, scope, audience, authMethod }: OAuthClient): ExchangeRequest {
  const form = new URLSearchParams({ grant_type: 'client_credentials' })
  if (scope !== undefined) form.set('scope', scope)
  if (audience !== undefined) form.set('audience', audience)
  const headers = ['content-type', 'application/x-www-form-urlencoded', 'accept', 'application/json']
  if (authMethod === 'client_secret_post') {
    form.set('client_id', id)
    form.set('client_secret', secret)
  } else {
    const basic = Buffer.from(`${formEncoded(id)}:${formEncoded(secret)}`).toString('base64')
    headers.push('authorization', `Basic ${basic}`)
  }
  return { method: 'POST', target: endpoint, headers, body: form.toString(), timeoutMs: TOKEN_TIMEOUT_MS }
}

/** RFC 6749, 2.3.1: id and secret are form-encoded before they become user and password. */
function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}

function readAnswer({ endpoint }: OAuthClient, { status, body }: Exchanged): { token: string; lifetimeMs: number } {
  const answer = jsonOf(body)
  if (status !== 200) {
    // RFC 6749, 5.2. Only a word of that form: a server may write back what it was sent.
    const code = typeof answer['error'] === 'string' && /^[a-z_]{1,40}$/.test(answer['error']) ? answer['error'] : ''
    const words = `${endpoint.origin} answered ${status}${code === '' ? '' : ` (${code})`} when it was asked for a token`
    throw noToken(`${words}: check tokenUrl, clientId, clientSecret and scope in the Secret`)
  }
  const { access_token: token, token_type: type, expires_in: seconds } = answer
  if (typeof token !== 'string' || !/^[\x21-\x7e]{1,8000}$/.test(token)) {
    throw noToken(`${endpoint.origin} gave no access_token that a header can carry; check tokenUrl in the Secret`)
  }
  if (typeof type === 'string' && type.toLowerCase() !== 'bearer') {
    throw noToken(`${endpoint.origin} gave a token that is no bearer token, which is what can be used here`)
  }
  // Some write the number as text.
  const lifetimeMs = Number(seconds) * 1000
  return { token, lifetimeMs: lifetimeMs > 0 ? Math.min(lifetimeMs, Number.MAX_SAFE_INTEGER) : LIFETIME_MS }
}

function jsonOf(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function noToken(words: string): SluiceError {
  return new SluiceError('SLUICE_DELIVERY_NO_TOKEN', words, { status: 503, retryable: true })
}
