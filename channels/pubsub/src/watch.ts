// Whether the server answers, and whether the topic is there. Makes the topic anew where it is gone.
//
// From: channel.ts, by itself every few seconds, and whenever something fails. Next: the server.

import { Trouble, type ChannelState } from '@sluice/channel'
import type { Clock, Timer } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import { reasonOf, unavailable, type Clients, type PubsubConnection } from './client.ts'
import { ensureTopic, hasTopic, type TopicSettings } from './topic.ts'

/** How often it is looked, and how often while something is wrong. */
const LOOK_MS = 5000
const PROBE_MS = 500

export interface WatchParts {
  readonly clients: Clients
  readonly connection: PubsubConnection
  readonly topic: string
  readonly settings: TopicSettings
  readonly clock: Clock
  /** The topic was gone and is there again, without the subscriptions to it. */
  readonly madeAnew: () => void
}

export class Watch {
  readonly #parts: WatchParts
  readonly #trouble = new Trouble()
  #timer: Timer | undefined
  #isClosed = false

  constructor(parts: WatchParts) {
    this.#parts = parts
    this.#later()
  }

  /** Why nothing can be stored, or handed out, now. */
  get trouble(): SluiceError | undefined {
    return this.#trouble.why
  }

  #later(): void {
    this.#timer?.cancel()
    if (this.#isClosed) return
    const ms = this.trouble === undefined ? LOOK_MS : PROBE_MS
    this.#timer = this.#parts.clock.setTimer(ms, () => {
      this.#timer = undefined
      void this.#look().finally(() => this.#later())
    })
  }

  async #look(): Promise<void> {
    const { clients, topic, settings, madeAnew } = this.#parts
    try {
      const isThere = await hasTopic(clients, topic)
      if (!isThere) await ensureTopic(clients, topic, settings)
      this.#trouble.set(undefined)
      if (!isThere) madeAnew()
    } catch (error) {
      if (!this.#isClosed) this.#trouble.set(this.inWords(error))
    }
  }

  /** The server does not answer, or not as it should: `why`, a clause. It is asked until it does. */
  troubled(why: string, error?: unknown): SluiceError {
    const trouble = unavailable(this.#parts.connection, why, error)
    const isNew = this.trouble === undefined
    this.#trouble.set(trouble)
    if (isNew && this.#timer !== undefined) this.#later()
    return trouble
  }

  onState(listener: (state: ChannelState) => void): () => void {
    return this.#trouble.onState(listener)
  }

  inWords(error: unknown): SluiceError {
    return error instanceof SluiceError ? error : unavailable(this.#parts.connection, reasonOf(error), error)
  }

  /** Looks no more. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }
}
