// What is wrong with the disk of a log, as its state says. Several things may be; each is told apart, so that the end of
// one does not hide the others.

import type { ChannelState } from '@sluice/channel'

/** Storing events, storing progress, and reading either. */
export type Concern = 'events' | 'progress' | 'reading'

export class Health {
  readonly #reasons = new Map<Concern, string>()
  readonly #listeners = new Set<(state: ChannelState) => void>()

  /** `undefined`: it works. */
  set(concern: Concern, reason: string | undefined): void {
    const before = this.#reason
    if (reason === undefined) this.#reasons.delete(concern)
    else this.#reasons.set(concern, reason)
    if (this.#reason !== before) for (const listener of this.#listeners) listener(this.#state)
  }

  onState(listener: (state: ChannelState) => void): () => void {
    this.#listeners.add(listener)
    listener(this.#state)
    return () => this.#listeners.delete(listener)
  }

  get #reason(): string | undefined {
    return this.#reasons.get('events') ?? this.#reasons.get('progress') ?? this.#reasons.get('reading')
  }

  get #state(): ChannelState {
    const reason = this.#reason
    return reason === undefined ? { state: 'ready' } : { state: 'degraded', reason }
  }
}
