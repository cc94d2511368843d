// What an attempt at a receiver with an access is made with: read at each attempt, so that another secret counts from the
// next one on. From: delivery.ts. A token may have to be waited for; all else is there at once.

import type { Clock } from '@sluice/clock'
import { messageId, signed, signingKey, type SigningKey } from '@sluice/signature'
import type { Event } from '@sluice/event'
import type { Access, OAuthClient, Receiver } from './access.ts'
import type { Exchanged, ExchangeRequest } from './exchange.ts'
import { call, later, notSent, SHUTTING_DOWN, type AttemptRequest, type Outcome } from './outcome.ts'
import { tlsIdentity, type TlsIdentity } from './tls.ts'
import { Tokens } from './tokens.ts'

/** What one attempt is made with. */
export interface Proof {
  readonly tls: TlsIdentity | undefined
  /** Name, value, name, value. */
  readonly headers: readonly string[]
  readonly signing: readonly SigningKey[]
  /** CloudEvents WebHook 2.1: no delivery without a payload. */
  readonly needsBody: boolean
  /** Among the headers. */
  readonly token: Token | undefined
}

interface Token {
  readonly client: OAuthClient
  readonly origin: string
  readonly text: string
  /** It was given for this attempt. */
  readonly isFresh: boolean
}

/** What an {@link Authorizer} needs of its deliverer. */
export interface AuthorizerOptions {
  clock: Clock
  exchange: (request: ExchangeRequest, tls: TlsIdentity | undefined) => Promise<Exchanged>
  send: (request: AttemptRequest, proof: Proof, done: (outcome: Outcome) => void) => void
  /** So many attempts more, or fewer, wait for a token. */
  waits: (attempts: 1 | -1) => void
}

const NONE: readonly never[] = []

export class Authorizer {
  readonly #options: AuthorizerOptions
  readonly #tokens: Tokens
  /** What ends the wait for a token, of each attempt that waits. */
  readonly #waiting = new Set<() => void>()

  constructor(options: AuthorizerOptions) {
    this.#options = options
    this.#tokens = new Tokens(options.clock, (request) => {
      const { access } = request.target
      return options.exchange(request, access && tlsIdentity(access, NONE))
    })
  }

  /** As {@link Deliverer.send}, at a receiver with an access. */
  send(request: AttemptRequest, access: Access, done: (outcome: Outcome) => void): void {
    this.#send(request, access, done, false)
  }

  #send(request: AttemptRequest, access: Access, done: (outcome: Outcome) => void, isSecond: boolean): void {
    const { clock, send } = this.#options
    const startedMs = clock.monotonic()
    const leftMs = (): number => request.timeoutMs - (clock.monotonic() - startedMs)
    const sendNow = (proof: Proof): void => {
      if (proof.token === undefined) return send(request, proof, (outcome) => done(scrubbed(outcome, proof)))
      send({ ...request, timeoutMs: Math.max(1, leftMs()) }, proof, (outcome) => {
        // Once: a token that was given a moment ago is not refused for its age (fault 22).
        const isAgain = outcome.status === 401 && this.#mayHelp(proof.token!) && !isSecond && leftMs() > 0
        if (isAgain) this.#send({ ...request, timeoutMs: leftMs() }, access, done, true)
        else done({ ...scrubbed(outcome, proof), durationMs: clock.monotonic() - startedMs })
      })
    }
    let proof: Proof | Promise<Proof>
    try {
      proof = this.#prove(request.target, access)
    } catch (error) {
      return later(done, unproven(request.target, error))
    }
    if (proof instanceof Promise) this.#wait(proof, request, sendNow, done)
    else sendNow(proof)
  }

  /** For a token, no longer than the attempt may take. */
  #wait(
    proof: Promise<Proof>,
    { target, timeoutMs }: AttemptRequest,
    sendNow: (proof: Proof) => void,
    done: (outcome: Outcome) => void,
  ): void {
    const { clock, waits } = this.#options
    let isOver = false
    const end = (next: () => void): void => {
      if (isOver) return
      isOver = true
      timer.cancel()
      this.#waiting.delete(giveUp)
      next()
      waits(-1)
    }
    const late = `${target.origin}: there was no token for it within ${timeoutMs} ms`
    const timer = clock.setTimer(timeoutMs, () => end(() => call(done, notSent('retry', late, true))))
    const giveUp = (): void => end(() => call(done, notSent('retry', SHUTTING_DOWN)))
    this.#waiting.add(giveUp)
    waits(1)
    proof.then(
      (given) => end(() => sendNow(given)),
      (error: unknown) => end(() => call(done, unproven(target, error))),
    )
  }

  /** As {@link Deliverer.exchange}. */
  async exchange(request: ExchangeRequest): Promise<Exchanged> {
    const { target, headers } = request
    if (target.access === undefined) return await this.#options.exchange(request, undefined)
    const proof = await this.#prove(target, target.access)
    return await this.#options.exchange({ ...request, headers: [...headers, ...proof.headers] }, proof.tls)
  }

  /** Ends what waits for a token, outcome `retry`. */
  close(): void {
    for (const giveUp of this.#waiting) giveUp()
  }

  /** Throws, or rejects with, a SluiceError that says what can't be had; nothing of a secret. */
  #prove({ origin }: Receiver, access: Access): Proof | Promise<Proof> {
    const credentials = access.credentials?.() ?? NONE
    const { webhookOrigin } = access
    const headers: string[] = webhookOrigin === undefined ? [] : ['webhook-request-origin', webhookOrigin]
    let client: OAuthClient | undefined
    for (const credential of credentials) {
      if (credential.kind === 'header') headers.push(credential.name, credential.value)
      else if (credential.kind === 'oauth2') client = credential.client
    }
    const proof: Proof = {
      tls: tlsIdentity(access, credentials),
      headers,
      signing: access.signing?.().map(signingKey) ?? NONE,
      needsBody: webhookOrigin !== undefined,
      token: undefined,
    }
    if (client === undefined) return proof
    const token = this.#tokens.get(client, origin)
    if (typeof token === 'string') return withToken(proof, { client, origin, text: token, isFresh: false })
    const asked = client
    return token.then((text) => withToken(proof, { client: asked, origin, text, isFresh: true }))
  }

  /** The receiver answered 401. Whether another token may help: this one was given before, and is not used again. */
  #mayHelp({ client, origin, text, isFresh }: Token): boolean {
    this.#tokens.refused(client, origin, text)
    return !isFresh
  }
}

/**
 * Some receivers write back what they were shown. The body of a failure is kept for people and in dead letters, so what we
 * know to be secret is taken out of it (threats 7, 23).
 */
function scrubbed(outcome: Outcome, { headers }: Proof): Outcome {
  if (outcome.response === undefined) return outcome
  let text = outcome.response.toString('latin1')
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] === 'webhook-request-origin') continue
    for (const secret of secretsIn(headers[i + 1]!)) text = without(secret, text)
  }
  return { ...outcome, response: Buffer.from(text, 'latin1') }
}

const HIDDEN = '(hidden)'
/** What is shorter stands in other texts by chance. */
const SECRET_CHARACTERS_MIN = 4

/** Where the text ends within the secret, for no more of it is kept, its beginning goes too. */
function without(secret: string, text: string): string {
  const rest = text.replaceAll(secret, HIDDEN)
  for (let length = secret.length - 1; length >= SECRET_CHARACTERS_MIN; length--) {
    if (rest.endsWith(secret.slice(0, length))) return rest.slice(0, -length) + HIDDEN
  }
  return rest
}

/** A header's value, what stands behind its scheme, and the password in that; as they are, and as URLs have them. */
function secretsIn(value: string): string[] {
  const [scheme, credential = ''] = value.split(' ', 2)
  const decoded = scheme === 'Basic' ? Buffer.from(credential, 'base64').toString('latin1') : ''
  const all = [value, credential, decoded, decoded.slice(decoded.indexOf(':') + 1)]
  const forms = all.flatMap((secret) => [secret, encodeURIComponent(secret)])
  return forms.filter((secret) => secret.length >= SECRET_CHARACTERS_MIN)
}

/** What the receiver is to be shown can't be had: as where there is no connection, so that few tries are used up. */
function unproven({ origin }: Receiver, error: unknown): Outcome {
  const words = error instanceof Error ? error.message : String(error)
  return notSent('retry', `${origin} was not sent to: ${words}`, true)
}

/** Why what a receiver is shown can't be had or used now, in words; `undefined`: it can. No token is asked for. */
export function accessProblem(access: Access): string | undefined {
  try {
    tlsIdentity(access, access.credentials?.() ?? NONE)
    access.signing?.().forEach(signingKey)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function withToken(proof: Proof, token: Token): Proof {
  return { ...proof, headers: [...proof.headers, 'authorization', `Bearer ${token.text}`], token }
}

/** The headers that prove these bytes: name, value, name, value. */
export function proofHeaders({ headers, signing }: Proof, event: Event, nowMs: number, body: Buffer | null): string[] {
  if (signing.length === 0) return [...headers]
  return [...headers, ...signed(signing, messageId(event.source, event.id), nowMs, body ?? EMPTY)]
}

const EMPTY: Buffer = Buffer.alloc(0)
