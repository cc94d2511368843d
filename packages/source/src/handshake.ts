// CloudEvents WebHook, as the receiver (WEBHOOKS 3): who may send is asked by OPTIONS, and how much is held to.
//
// From: sources/webhook for a source of its own, controller/src/gate.ts for a Broker or channel.

import type { Clock } from '@sluice/clock'
import { SluiceError } from '@sluice/event'

/** Whom it lets in. */
export interface HandshakeRules {
  /** Who may send, as `WebHook-Request-Origin` names them; `*` = anybody. Absent: nobody is told that they may. */
  readonly allowedOrigins?: readonly string[]
  /** Requests a minute of one origin, and of all that name none. Absent: as many as come. */
  readonly allowedRate?: number
}

const MINUTE_MS = 60_000

/** The handshake of one address. */
export class Handshake {
  readonly #origins: readonly string[] | undefined
  readonly #rate: number | undefined
  readonly #clock: Clock
  /** By entry of the allow-list: what may still come, and when that was so. */
  readonly #left = new Map<string, { requests: number; atMs: number }>()

  constructor({ allowedOrigins, allowedRate }: HandshakeRules, clock: Clock) {
    this.#origins = allowedOrigins?.map((origin) => origin.toLowerCase())
    this.#rate = allowedRate
    this.#clock = clock
  }

  /**
   * The headers that say yes to this origin, and to how many requests a minute; empty: no. Consent is these headers
   * alone, whatever the status.
   */
  consent(origin: string | undefined, rateAsked: string | undefined): string[] {
    const entry = origin === undefined ? undefined : this.#entryOf(origin)
    if (origin === undefined || entry === undefined) return []
    const rate = this.#rate === undefined ? '*' : String(this.#rate)
    const isLess = rateAsked !== undefined && /^[1-9]\d{0,8}$/.test(rateAsked) && Number(rateAsked) < (this.#rate ?? 0)
    return [
      ...['WebHook-Allowed-Origin', entry === '*' ? '*' : origin],
      ...['WebHook-Allowed-Rate', isLess ? rateAsked : rate],
    ]
  }

  /** Of a request for delivery. Throws a SluiceError: 403 for an origin that has no consent, 429 beyond the rate. */
  admit(origin: string | undefined): void {
    let entry = ''
    if (this.#origins !== undefined && origin !== undefined) {
      const found = this.#entryOf(origin)
      if (found === undefined) throw notAllowed()
      entry = found
    }
    if (this.#rate !== undefined) this.#count(entry, this.#rate)
  }

  #entryOf(origin: string): string | undefined {
    const wanted = origin.toLowerCase()
    return this.#origins?.find((each) => each === wanted) ?? this.#origins?.find((each) => each === '*')
  }

  /** A bucket that fills up within a minute. */
  #count(entry: string, rate: number): void {
    const nowMs = this.#clock.monotonic()
    const before = this.#left.get(entry) ?? { requests: rate, atMs: nowMs }
    const requests = Math.min(rate, before.requests + ((nowMs - before.atMs) * rate) / MINUTE_MS)
    if (requests < 1) {
      this.#left.set(entry, { requests, atMs: nowMs })
      throw tooMany(rate, ((1 - requests) * MINUTE_MS) / rate)
    }
    this.#left.set(entry, { requests: requests - 1, atMs: nowMs })
  }
}

function notAllowed(): SluiceError {
  return new SluiceError(
    'SLUICE_WEBHOOK_ORIGIN_FORBIDDEN',
    'This WebHook-Request-Origin has no consent to send here. Nothing was stored.',
    { status: 403 },
  )
}

function tooMany(rate: number, retryAfterMs: number): SluiceError {
  return new SluiceError(
    'SLUICE_WEBHOOK_RATE',
    `More than the ${rate} requests a minute that are allowed here. Nothing was stored.`,
    { status: 429, retryable: true, retryAfterMs },
  )
}
