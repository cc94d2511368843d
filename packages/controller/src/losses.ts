// Accepted events that were lost, trigger by trigger: for their statuses.

import type { Observer } from '@sluice/broker'
import type { Clock } from '@sluice/clock'

interface Lost {
  events: number
  /** Of the last one. */
  cause: string
  timeMs: number
}

export class Losses {
  readonly #clock: Clock
  readonly #lost = new Map<string, Lost>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `observer`, and here it is kept what was lost. */
  noting(observer: Observer): Observer {
    return {
      ...observer,
      lost: (trigger, loss) => {
        const before = this.#lost.get(trigger.id)?.events ?? 0
        this.#lost.set(trigger.id, { events: before + loss.events, cause: loss.cause, timeMs: this.#clock.now() })
        observer.lost(trigger, loss)
      },
    }
  }

  /** What a trigger has lost since the start of this process, in words; `undefined`: nothing. */
  of(id: string): string | undefined {
    const lost = this.#lost.get(id)
    if (lost === undefined) return undefined
    const { events, cause, timeMs } = lost
    const when = new Date(timeMs).toISOString()
    return `Up to ${events} events were lost and will not be delivered; the last at ${when}, cause: ${cause}.`
  }

  /** Forgets all but these triggers. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#lost.keys()) if (!ids.has(id)) this.#lost.delete(id)
  }
}
