// Whether a channel's server answers, and who wants to know.

import type { SluiceError } from '@sluice/event'
import type { ChannelState } from './channel.ts'

export class Trouble {
  #why: SluiceError | undefined
  readonly #listeners = new Set<(state: ChannelState) => void>()

  /** Why nothing can be stored now; `undefined`: it can. */
  get why(): SluiceError | undefined {
    return this.#why
  }

  /** Tells those who listen, where it is another than before. */
  set(why: SluiceError | undefined): void {
    const isSame = why?.message === this.#why?.message
    this.#why = why
    if (!isSame) for (const listener of this.#listeners) listener(this.#state)
  }

  get #state(): ChannelState {
    return this.#why === undefined ? { state: 'ready' } : { state: 'degraded', reason: this.#why.message }
  }

  /** As {@link Channel.onState}. */
  onState(listener: (state: ChannelState) => void): () => void {
    this.#listeners.add(listener)
    listener(this.#state)
    return () => this.#listeners.delete(listener)
  }
}
