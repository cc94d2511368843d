// The events of one `publish` on their way to the disk. Hot path (bench/log.ts).

import type { Position, PublishResult } from '@sluice/channel'
import type { Event, SluiceError } from '@sluice/event'
import type { LogSubscription } from './subscription.ts'

/** Resolves with a result per event once each is stored or refused. */
export class Publication {
  readonly results: PublishResult[]
  readonly done: Promise<PublishResult[]>
  #left: number
  #resolve!: (results: PublishResult[]) => void

  constructor(events: number) {
    this.#left = events
    this.results = Array.from<PublishResult>({ length: events })
    this.done = new Promise((resolve) => (this.#resolve = resolve))
    if (events === 0) this.#resolve(this.results)
  }

  stored(place: number, seq: number): void {
    this.#set(place, new StoredResult(seq))
  }

  refused(place: number, error: SluiceError): void {
    this.#set(place, { stored: false, error })
  }

  #set(place: number, result: PublishResult): void {
    this.results[place] = result
    if (--this.#left === 0) this.#resolve(this.results)
  }
}

/** One of its events, appended and not durable yet. */
export interface Appended {
  readonly publication: Publication
  readonly place: number
  readonly event: Event
  readonly time: number
  readonly takers: readonly LogSubscription[]
  /** The same as a key of `takersKey`. */
  readonly takersKey: string
}

/** The text of its position only for who asks. */
class StoredResult {
  readonly stored = true
  readonly #seq: number
  constructor(seq: number) {
    this.#seq = seq
  }
  get position(): Position {
    return String(this.#seq)
  }
}
