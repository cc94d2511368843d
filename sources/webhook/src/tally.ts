// What became of the requests of a source, for its status. Bounded: a count for each code, and the last of each kind.

import type { Clock } from '@sluice/clock'
import { SluiceError, type Event } from '@sluice/event'

const CODES_MAX = 32
const CHARACTERS_MAX = 300

export class Tally {
  readonly #clock: Clock
  #accepted = 0
  #replays = 0
  #handshakes = 0
  readonly #refused = new Map<string, number>()
  #lastAccepted: object | undefined
  #lastRefused: object | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  accepted({ type, source, id }: Event): void {
    this.#accepted++
    this.#lastAccepted = { time: this.#now(), type, source, id }
  }

  replayed(): void {
    this.#replays++
  }

  shookHands(): void {
    this.#handshakes++
  }

  refused(error: unknown): void {
    const known = error instanceof SluiceError
    const code = known ? error.code : 'SLUICE_INTERNAL'
    const status = known ? error.status : 500
    if (this.#refused.has(code) || this.#refused.size < CODES_MAX) {
      this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1)
    }
    const message = known ? error.message.slice(0, CHARACTERS_MAX) : 'A bug in Sluice; its log has the details.'
    this.#lastRefused = { time: this.#now(), status, reason: code, message }
  }

  fields(): Readonly<Record<string, unknown>> {
    return {
      accepted: this.#accepted,
      replays: this.#replays,
      handshakes: this.#handshakes,
      refused: Object.fromEntries(this.#refused),
      ...(this.#lastAccepted !== undefined && { lastAccepted: this.#lastAccepted }),
      ...(this.#lastRefused !== undefined && { lastRefused: this.#lastRefused }),
    }
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString()
  }
}
