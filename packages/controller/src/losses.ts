// Accepted events that were lost, for statuses: trigger by trigger while it runs, and what an open has found of a Broker.

import type { Observer } from '@sluice/broker'
import type { Clock } from '@sluice/clock'
import type { StorageProblem, StorageRecovery } from './drivers.ts'

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

  /** The trigger is gone. */
  forget(id: string): void {
    this.#lost.delete(id)
  }
}

/** Whether there is anything to tell of an open. */
export function foundSomething({ events, deadLetters, tornBytes, isRewound, problems }: StorageRecovery): boolean {
  return events + deadLetters > 0 || tornBytes > 0 || isRewound || problems.length > 0
}

/** What of a Broker's storage is lost: found when it was opened, or since then. */
export class DamageNoted {
  #first: StorageProblem | undefined
  #problems = 0
  #events = 0

  add(problem: StorageProblem): void {
    if (problem.events === 0) return
    this.#first ??= problem
    this.#problems++
    this.#events += problem.events
  }

  /** In words; `undefined`: nothing. */
  get words(): string | undefined {
    if (this.#first === undefined) return undefined
    const { path, what } = this.#first
    const more = this.#problems === 1 ? '' : `, and ${this.#problems - 1} more`
    return `Up to ${this.#events} stored events can't be read any more (${path}: ${what}${more}). What follows them is delivered.`
  }
}
