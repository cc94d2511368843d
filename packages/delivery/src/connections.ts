// Hot path (bench/attempt.ts). The connections to one origin, and the attempts that wait for one.
//
// A new connection costs several times what an attempt does, so a burst that made one for each of its events would hold
// up the event loop for longer than the connections that are there need for it. The one that was used last goes next,
// and while attempts wait, a few are added now and then: a subscriber that takes its time gets as many as it needs
// within a fraction of a second.

import type { Clock, Timer } from '@sluice/clock'
import type { Connection, Rider } from './connection.ts'

/** So many connections are made at once ... */
export const CONNECTIONS_AT_ONCE = 8
/** ... and the next ones not before so many ms. */
export const CONNECTIONS_PACE_MS = 5

/** What is kept for one origin and TLS identity, shared by all triggers that send there so (threat 21). */
export interface Pool {
  readonly shared: Connections
  /** For the second sending of attempts that met a stale connection: one connection for each. */
  unshared: Connections | undefined
  readonly open: (reuse: boolean) => Connections
  inFlight: number
  /** Monotonic. */
  idleSinceMs: number
}

export class Connections {
  readonly #clock: Clock
  readonly #make: () => Connection
  readonly #max: number
  readonly #all: Connection[] = []
  /** The one used last is at the end. */
  readonly #free: Connection[] = []
  /** Attempts that wait, linked in the order they came. */
  #first: Rider | undefined
  #last: Rider | undefined
  /** Connections that may be made before the timer is over. */
  #allowed = CONNECTIONS_AT_ONCE
  #timer: Timer | undefined

  /** @param max connections at once: 1 or more */
  constructor(clock: Clock, make: () => Connection, max: number) {
    this.#clock = clock
    this.#make = make
    this.#max = max
  }

  /** Sends the attempt as soon as there is a connection for it. One that is over when its turn comes is left out. */
  send(attempt: Rider): void {
    const connection = this.#free.pop() ?? this.#add()
    if (connection !== undefined) return this.#sendOn(connection, attempt)
    if (this.#last === undefined) this.#first = attempt
    else this.#last.next = attempt
    this.#last = attempt
  }

  async destroy(): Promise<void> {
    this.#timer?.cancel()
    await Promise.all(this.#all.map((connection) => connection.destroy()))
  }

  /** `undefined`: there are as many as may be, for now. */
  #add(): Connection | undefined {
    if (this.#allowed === 0 || this.#all.length >= this.#max) return undefined
    this.#allowed--
    this.#timer ??= this.#clock.setTimer(CONNECTIONS_PACE_MS, () => this.#addMore())
    const connection = this.#make()
    connection.on('drain', () => {
      if (!connection.isTaken) this.#isFree(connection) // else it speaks of a request before this one
    })
    this.#all.push(connection)
    return connection
  }

  #addMore(): void {
    this.#timer = undefined
    this.#allowed = CONNECTIONS_AT_ONCE
    while (this.#first !== undefined) {
      const connection = this.#add()
      if (connection === undefined) return
      this.#isFree(connection)
    }
  }

  #sendOn(connection: Connection, attempt: Rider): void {
    connection.rider = attempt
    connection.dispatch(attempt, attempt)
    // What undici refuses at once has had its outcome; no drain follows.
    if (attempt.isOver) this.#isFree(connection)
  }

  #isFree(connection: Connection): void {
    connection.rider = undefined
    const attempt = this.#shift()
    if (attempt === undefined) this.#free.push(connection)
    else this.#sendOn(connection, attempt)
  }

  /** The next attempt that is not over. */
  #shift(): Rider | undefined {
    for (let attempt = this.#first; attempt !== undefined; attempt = this.#first) {
      this.#first = attempt.next
      if (this.#first === undefined) this.#last = undefined
      attempt.next = undefined
      if (!attempt.isOver) return attempt
    }
    return undefined
  }
}
