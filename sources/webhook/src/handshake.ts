// CloudEvents WebHook, as the receiver (WEBHOOKS 3): who may send is asked by OPTIONS, and how much is held to.

import type { Clock } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import type { SourceRequest, SourceResponse } from '@sluice/source'
import type { WebhookSpec } from './spec.ts'

const MINUTE_MS = 60_000

export class Handshake {
  readonly #origins: readonly string[] | undefined
  readonly #rate: number | undefined
  readonly #clock: Clock
  /** By entry of the allow-list: what may still come, and when that was so. */
  readonly #left = new Map<string, { requests: number; atMs: number }>()

  constructor({ allowedOrigins, allowedRate }: WebhookSpec, clock: Clock) {
    this.#origins = allowedOrigins?.map((origin) => origin.toLowerCase())
    this.#rate = allowedRate
    this.#clock = clock
  }

  /** Consent is the header alone, whatever the status. */
  answer(request: SourceRequest): SourceResponse {
    const origin = request.header('webhook-request-origin')
    if (this.#origins === undefined || origin === undefined) return { status: 405, headers: ['Allow', 'POST'] }
    const entry = this.#entryOf(origin)
    if (entry === undefined) return { status: 200, headers: ['Allow', 'POST'] }
    const asked = request.header('webhook-request-rate')
    const rate = this.#rate === undefined ? '*' : String(this.#rate)
    const isLess = asked !== undefined && /^[1-9]\d{0,8}$/.test(asked) && Number(asked) < (this.#rate ?? 0)
    return {
      status: 200,
      headers: [
        ...['Allow', 'POST'],
        ...['WebHook-Allowed-Origin', entry === '*' ? '*' : origin],
        ...['WebHook-Allowed-Rate', isLess ? asked : rate],
      ],
    }
  }

  /** Throws a SluiceError: 403 for an origin that has no consent, 429 beyond the rate. */
  admit(request: SourceRequest): void {
    const origin = request.header('webhook-request-origin')
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
