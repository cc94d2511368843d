// Whom the ingress of one Broker or channel lets in: what its annotations ask for.
//
// From: server/src/ingress.ts, for each request, ahead of its body. Next: the body is read, or what is thrown here is the
// answer. Who asks for nothing has no gate, so that this costs nothing there.

import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import {
  identityOf,
  ingressSettings,
  nameOf,
  TOKEN_SECRET,
  type ApplyOptions,
  type Declared,
  type IngressSettings,
  type Problem,
} from '@sluice/resource'
import { bearerToken, digestOf, Handshake, isOneOfDigests } from '@sluice/source'
import { isHub, type Hub } from './addresses.ts'
import type { Secrets } from './secrets.ts'

/** What a request says of who sends it. */
export interface Credentials {
  readonly authorization?: string | undefined
  readonly 'webhook-request-origin'?: string | string[] | undefined
}

/** Whom a Broker or channel lets in. */
export interface Gate {
  /**
   * Lets a request in. `url`: its path and query, for a token in the parameter `access_token` (CloudEvents WebHook 3.2).
   *
   * @throws SluiceError 401 without one of the tokens, 403 for an origin without consent, 429 beyond the rate, 503 while
   *   the tokens can't be had
   */
  admit(headers: Credentials, url: string): void
  /** The headers that answer the question of OPTIONS who may send, and how much. */
  consent(origin: string | undefined, rateAsked: string | undefined): string[]
}

/** What gates are made with. */
export interface GateOptions {
  readonly secrets: Secrets
  readonly clock: Clock
}

/** The gate of this hub; `before`, with its counts, where nothing has changed. */
export function gateOf(hub: Hub, before: HubGate | undefined, options: GateOptions): HubGate | undefined {
  const settings = ingressSettings(hub)
  if (Object.keys(settings).length === 0) return undefined
  if (isDeepStrictEqual(before?.settings, settings)) return before
  return new HubGate(hub, settings, options)
}

/** Made by {@link gateOf}. */
export class HubGate implements Gate {
  readonly settings: IngressSettings
  readonly #title: string
  readonly #namespace: string
  readonly #secrets: Secrets
  readonly #clock: Clock
  readonly #handshake: Handshake | undefined
  /** Digests of the tokens, of this version of their Secret, until they are read again. */
  #held: { readonly version: unknown; readonly untilMs: number; readonly digests: readonly Buffer[] } | undefined

  constructor(hub: Hub, settings: IngressSettings, { secrets, clock }: GateOptions) {
    this.settings = settings
    this.#title = nameOf(identityOf(hub))
    this.#namespace = hub.metadata.namespace
    this.#secrets = secrets
    this.#clock = clock
    const { allowedOrigins = ANY_ORIGIN, allowedRate } = settings
    const isAsked = settings.allowedOrigins !== undefined || allowedRate !== undefined
    this.#handshake = isAsked
      ? new Handshake({ allowedOrigins, ...(allowedRate !== undefined && { allowedRate }) }, clock)
      : undefined
  }

  admit(headers: Credentials, url: string): void {
    if (this.settings.tokenSecret !== undefined) this.#requireToken(headers.authorization, url)
    const origin = headers['webhook-request-origin']
    this.#handshake?.admit(typeof origin === 'object' ? origin[0] : origin)
  }

  #requireToken(authorization: string | undefined, url: string): void {
    const digests = this.#digests()
    if (digests.length === 0) throw this.#closed()
    const token = authorization === undefined ? tokenInQuery(url) : bearerToken(authorization)
    if (token === undefined) throw this.#missing()
    if (token.length > TOKEN_CHARACTERS_MAX || !isOneOfDigests(token, digests)) throw this.#wrong()
  }

  /** Another value counts from the next request on, what has changed in a file a little later. */
  #digests(): readonly Buffer[] {
    const version = this.#secrets.version(this.#namespace, this.settings.tokenSecret ?? '')
    const nowMs = this.#clock.monotonic()
    if (this.#held === undefined || this.#held.version !== version || nowMs >= this.#held.untilMs) {
      this.#held = { version, untilMs: nowMs + HELD_MS, digests: this.#tokens().tokens.map(digestOf) }
    }
    return this.#held.digests
  }

  #tokens(): { tokens: Buffer[]; problems: string[] } {
    return tokensOf(this.#namespace, this.settings.tokenSecret ?? '', this.#secrets)
  }

  consent(origin: string | undefined, rateAsked: string | undefined): string[] {
    return this.#handshake?.consent(origin, rateAsked) ?? WEBHOOKS_WELCOME
  }

  /** What is wrong with its tokens, in words; `isClosed`: so that nobody gets in. */
  trouble(): { readonly isClosed: boolean; readonly message: string } | undefined {
    if (this.settings.tokenSecret === undefined) return undefined
    const { tokens, problems } = this.#tokens()
    const isClosed = tokens.length === 0
    if (!isClosed && problems.length === 0) return undefined
    return { isClosed, message: problems.join(' ') || this.#empty() }
  }

  #empty(): string {
    return `Secret ${this.#namespace}/${this.settings.tokenSecret} has no values, so that there is no token.`
  }

  /** Why is for operators, in the status: strangers need not know what our Secrets are called (threat 23). */
  #closed(): SluiceError {
    const why = `${this.#title} lets nobody in now: its tokens can't be had, and its status says why. Nothing was stored.`
    return new SluiceError('SLUICE_TOKENS_UNAVAILABLE', why, { status: 503, retryable: true, retryAfterMs: 30_000 })
  }

  #missing(): SluiceError {
    const what = `${this.#title} asks for a token: send it as Authorization: Bearer TOKEN. Nothing was stored.`
    return new SluiceError('SLUICE_TOKEN_MISSING', what, { status: 401 })
  }

  #wrong(): SluiceError {
    const what = `The token is none of those that ${this.#title} takes. Nothing was stored.`
    return new SluiceError('SLUICE_TOKEN_INVALID', what, { status: 401 })
  }
}

/** The tokens that a Secret holds, and what is wrong with those of its values that are none, or can't be had. */
export function tokensOf(namespace: string, name: string, secrets: Secrets): { tokens: Buffer[]; problems: string[] } {
  const { values, problems } = secrets.all(namespace, name)
  const tokens: Buffer[] = []
  const words = problems.map(({ message }) => message)
  for (const [key, value] of values) {
    if (isVisible(value)) tokens.push(value)
    else words.push(`Key ${key} of Secret ${namespace}/${name} is no token: ${NOT_VISIBLE}`)
  }
  return { tokens, problems: words }
}

/** As Knative's ingress has it (KNATIVE.md 3.1). */
export const WEBHOOKS_WELCOME: string[] = ['WebHook-Allowed-Origin', '*', 'WebHook-Allowed-Rate', '*']
/** Secrets look at files once a second by themselves. */
const HELD_MS = 100
const ANY_ORIGIN = ['*']
const TOKEN_CHARACTERS_MAX = 8192
const NOT_VISIBLE = 'it may have no blanks, line breaks or other than ASCII characters.'

function isVisible(value: Buffer): boolean {
  return value.every((byte) => byte > 0x20 && byte < 0x7f)
}

function tokenInQuery(url: string): string | undefined {
  const query = url.indexOf('?')
  if (query === -1 || !url.includes('access_token=', query)) return undefined
  return new URLSearchParams(url.slice(query + 1)).get('access_token') || undefined
}

/** A problem for each that anybody could send to, of an ingress that other machines reach (DESIGN "Safe by default"). */
export function openHubs(declared: readonly Declared[], { locate }: Pick<ApplyOptions, 'locate'> = {}): Problem[] {
  return declared.flatMap((each) => {
    const { resource } = each
    if (!isHub(resource) || ingressSettings(resource).tokenSecret !== undefined) return []
    const place = locate?.(each, []) ?? each.origin ?? { file: 'API', line: 0, column: 0 }
    const { file, line, column } = place
    return [
      {
        severity: 'error' as const,
        code: 'SLUICE_INGRESS_OPEN',
        ...{ file, line, column },
        resource: nameOf(identityOf(resource)),
        message: 'It asks for no token, and other machines reach the ingress (--listen): anybody could send to it.',
        hint:
          `Annotate it with ${TOKEN_SECRET}: NAME, a Secret of its namespace whose values are the tokens; ` +
          'or start with --allow-anonymous, where the network keeps strangers out.',
      },
    ]
  })
}
