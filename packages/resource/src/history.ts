// The last changes of a store, for those who watch it and were away for a moment.

import type { Resource } from './resource.ts'

/** What happened to one resource. */
export interface ResourceEvent {
  readonly type: 'added' | 'updated' | 'removed'
  /** The number of this change; the resource has the same, a removed one too. */
  readonly version: number
  readonly resource: Resource
  /** What stood there before; absent where it was added. */
  readonly before?: Resource
}

/** A ring of at most `max` changes. */
export class History {
  readonly #events: ResourceEvent[] = []
  readonly #max: number
  /** Where the oldest is, once the ring is full. */
  #start = 0
  /** The changes after this one are all there. */
  #since: number

  constructor(max: number, since: number) {
    this.#max = max
    this.#since = since
  }

  add(event: ResourceEvent): void {
    if (this.#events.length < this.#max) {
      this.#events.push(event)
      return
    }
    if (this.#max === 0) return void (this.#since = event.version)
    this.#since = this.#events[this.#start]!.version
    this.#events[this.#start] = event
    this.#start = (this.#start + 1) % this.#max
  }

  /** Those after `version`, in their order; `undefined` where some of them are gone already. */
  after(version: number): ResourceEvent[] | undefined {
    if (version < this.#since) return undefined
    const ordered = [...this.#events.slice(this.#start), ...this.#events.slice(0, this.#start)]
    const first = ordered.findIndex((event) => event.version > version)
    return first === -1 ? [] : ordered.slice(first)
  }
}
