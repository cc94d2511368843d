// Whether subscribers have consented to be sent events: the CloudEvents WebHook handshake, as the sender (WEBHOOKS 3). Each
// is asked before its first delivery, and again from time to time; what it allows a minute bounds what it gets.
//
// From: plans.ts, with what each trigger wishes. Next: trigger.ts, where a plan says what has come of it.

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Clock, Timer } from '@sluice/clock'
import type { Deliverer, Exchanged, Receiver } from '@sluice/delivery'
import { inWords } from './retry.ts'
import type { AccessSpec } from './access.ts'

/** What a trigger asks its subscriber for. */
export interface Wish {
  /** Of the subscriber, and how it is spoken to: the name it is asked by is `access.webhookOrigin`. */
  readonly receiver: Receiver
  /** Equal ones are one receiver. */
  readonly spec: AccessSpec
  /** Requests a minute that are asked for; absent: any. */
  readonly perMinute: number | undefined
  /** Without consent nothing is sent. */
  readonly isRequired: boolean
}

/** What has come of it. `perMinute` absent: no limit. */
export type Consent =
  | { readonly state: 'granted'; readonly perMinute: number | undefined }
  | { readonly state: 'asking' | 'refused'; readonly why: string }

/** What takes the path of callbacks: with `id` and `key`, by GET or POST (CloudEvents WebHook 4.1.3). */
export const CONSENT_PATH = '/.well-known/sluice/consent'
/** So long a subscriber may take to answer. */
const ANSWER_MS = 10_000
/** A consent is asked for anew so much later. */
const RENEW_MS = 3_600_000
/** One that was given by a callback ends so much later, unless it is given again. */
const CALLBACK_MS = 24 * 3_600_000
/** A subscriber that did not answer is asked again after the first of these, doubled up to the second. */
const NO_ANSWER_MS = [1000, 60_000] as const
/** And one that answered without consent: it may not expect us at all. */
const REFUSED_MS = [10_000, 600_000] as const

interface Asked {
  readonly wish: Wish
  /** Of the callback. */
  readonly key: string
  consent: Consent
  /** By a callback: monotonic ms at which it ends. */
  calledBackUntilMs: number | undefined
  timer: Timer | undefined
  delayMs: number
}

/** Of {@link Consents}. */
export interface ConsentsOptions {
  readonly clock: Clock
  readonly deliverer: Pick<Deliverer, 'exchange'>
  /** Where this process is reached from outside. */
  readonly base: () => string
  /** What came of the wish of the trigger with this uid is another than before. */
  readonly changed: (uid: string) => void
}

const ASKING: Consent = { state: 'asking', why: 'It is being asked for its consent (OPTIONS)' }

export class Consents {
  readonly #options: ConsentsOptions
  /** By the uid of the trigger. */
  readonly #asked = new Map<string, Asked>()

  constructor(options: ConsentsOptions) {
    this.#options = options
  }

  /** What came of this wish so far. */
  of(uid: string, wish: Wish): Consent {
    const asked = this.#asked.get(uid)
    return asked !== undefined && isSame(asked.wish, wish) ? asked.consent : ASKING
  }

  /** Asks, where that is another wish than before. `undefined`: it has none any more. */
  want(uid: string, wish: Wish | undefined): void {
    const before = this.#asked.get(uid)
    if (before !== undefined && wish !== undefined && isSame(before.wish, wish)) return
    before?.timer?.cancel()
    this.#asked.delete(uid)
    if (wish === undefined) return
    const key = randomBytes(16).toString('base64url')
    const asked: Asked = { wish, key, consent: ASKING, calledBackUntilMs: undefined, timer: undefined, delayMs: 0 }
    this.#asked.set(uid, asked)
    void this.#ask(uid, asked)
  }

  /** By the receiver, at {@link CONSENT_PATH}. `rate`: the header WebHook-Allowed-Rate. Returns whether there was such a wish. */
  callBack(uid: string, key: string, rate: string | undefined): boolean {
    const asked = this.#asked.get(uid)
    const given = Buffer.from(key)
    const expected = Buffer.from(asked?.key ?? '')
    if (asked === undefined || given.length !== expected.length || !timingSafeEqual(given, expected)) return false
    const consent = consentOf(rate, asked.wish)
    if (consent.state === 'granted') asked.calledBackUntilMs = this.#options.clock.monotonic() + CALLBACK_MS
    this.#become(uid, asked, consent, RENEW_MS)
    return true
  }

  /** Asks nobody any more. */
  close(): void {
    for (const uid of [...this.#asked.keys()]) this.want(uid, undefined)
  }

  async #ask(uid: string, asked: Asked): Promise<void> {
    const { deliverer, base } = this.#options
    const { receiver, perMinute } = asked.wish
    const callback = `${base()}${CONSENT_PATH}?id=${encodeURIComponent(uid)}&key=${asked.key}`
    const headers = ['webhook-request-callback', callback]
    if (perMinute !== undefined) headers.push('webhook-request-rate', String(perMinute))
    let consent: Consent
    let between: readonly [number, number] = REFUSED_MS
    try {
      const answer = await deliverer.exchange({ method: 'OPTIONS', target: receiver, headers, timeoutMs: ANSWER_MS })
      consent = this.#read(answer, asked)
    } catch (error) {
      // Who has consented, and can't be asked now, has not taken it back.
      consent = this.#held(asked) ?? {
        state: 'refused',
        why: `It could not be asked for its consent: ${inWords(error)}`,
      }
      between = NO_ANSWER_MS
    }
    if (this.#asked.get(uid) !== asked) return
    const [first, max] = between
    asked.delayMs = Math.min(max, Math.max(first, asked.delayMs * 2))
    this.#become(uid, asked, consent, consent.state === 'granted' && between === REFUSED_MS ? RENEW_MS : asked.delayMs)
  }

  #become(uid: string, asked: Asked, consent: Consent, againMs: number): void {
    const { clock, changed } = this.#options
    asked.timer?.cancel()
    asked.timer = clock.setTimer(againMs, () => void this.#ask(uid, asked))
    if (consent.state === 'granted') asked.delayMs = 0
    if (isDeepStrictEqual(asked.consent, consent)) return
    asked.consent = consent
    changed(uid)
  }

  /** The header is what counts, and no status (4.2). */
  #read({ status, headers }: Exchanged, asked: Asked): Consent {
    const origin = asked.wish.spec.webhookOrigin!
    const allowed = headers['webhook-allowed-origin']
    const rate = headers['webhook-allowed-rate']
    if (typeof allowed === 'string' && (allowed === '*' || allowed.toLowerCase() === origin)) {
      asked.calledBackUntilMs = undefined
      return consentOf(typeof rate === 'object' ? rate.join() : rate, asked.wish)
    }
    // One that consents by callback keeps the headers back, each time (4.2).
    if (allowed === undefined && asked.calledBackUntilMs !== undefined) {
      const held = this.#held(asked)
      if (held !== undefined) return held
    }
    const instead = typeof allowed === 'string' ? 'for another origin' : 'without that header'
    const why =
      `It has not consented: OPTIONS has to be answered with WebHook-Allowed-Origin: ${origin} (or *), ` +
      `and was answered ${status} ${instead}`
    return { state: 'refused', why }
  }

  #held({ consent, calledBackUntilMs = Infinity }: Asked): Consent | undefined {
    const isHeld = consent.state === 'granted' && this.#options.clock.monotonic() < calledBackUntilMs
    return isHeld ? consent : undefined
  }
}

/** Without a rate, that which was asked for (4.1.3). */
function consentOf(rate: string | undefined, { perMinute }: Wish): Consent {
  if (rate === undefined) return { state: 'granted', perMinute }
  if (rate === '*') return { state: 'granted', perMinute: undefined }
  if (/^[1-9]\d{0,8}$/.test(rate)) return { state: 'granted', perMinute: Number(rate) }
  return { state: 'refused', why: 'Its WebHook-Allowed-Rate is neither * nor a whole number of requests a minute' }
}

function isSame(a: Wish, b: Wish): boolean {
  return (
    a.receiver.url === b.receiver.url &&
    a.perMinute === b.perMinute &&
    a.isRequired === b.isRequired &&
    isDeepStrictEqual(a.spec, b.spec)
  )
}
