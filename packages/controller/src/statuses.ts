// Which statuses have to be looked at again, and when. Whatever changes what a status says marks it; nothing is looked at
// that nothing marked, so that ten thousand triggers in peace cost nothing.

import { setImmediate } from 'node:timers/promises'
import type { Observer } from '@sluice/broker'
import type { Clock, Timer } from '@sluice/clock'

/** Statuses written before others on the event loop have their turn. */
const AT_ONCE = 500
/** What deliveries change in a status is written so much later: a thousand failures a second are one change. */
const LATER_MS = 1000

/** What writes a status. */
export interface StatusWriter {
  /** Writes that of a Broker, by its path. Returns whether it has to be looked at again though nothing marks it. */
  broker(path: string): boolean
  /** Writes that of a Trigger, by its resource key. As {@link broker}. */
  trigger(key: string): boolean
  /** The resource key of the trigger with this uid. */
  keyOf(uid: string): string | undefined
}

export class Statuses {
  readonly #clock: Clock
  readonly #write: StatusWriter
  readonly #brokers = new Set<string>()
  readonly #triggers = new Set<string>()
  #timer: Timer | undefined
  #flushing: Promise<void> | undefined
  #isClosed = false

  constructor(clock: Clock, write: StatusWriter) {
    this.#clock = clock
    this.#write = write
  }

  markBroker(path: string): void {
    this.#brokers.add(path)
    this.#later()
  }

  markTrigger(key: string): void {
    this.#triggers.add(key)
    this.#later()
  }

  /** `observer`, and what it is told marks the statuses that say so. */
  marking(observer: Observer): Observer {
    const mark = (uid: string): void => {
      const key = this.#write.keyOf(uid)
      if (key !== undefined) this.markTrigger(key)
    }
    return {
      ...observer,
      attempted: (trigger, event, outcome, at, attempt) => {
        if (outcome.error !== '') mark(trigger.id)
        observer.attempted(trigger, event, outcome, at, attempt)
      },
      deadLettered: (trigger, event, into, reason, error) => {
        mark(trigger.id)
        observer.deadLettered(trigger, event, into, reason, error)
      },
      targetChanged: (trigger, state) => {
        mark(trigger.id)
        observer.targetChanged(trigger, state)
      },
      lost: (trigger, loss) => {
        mark(trigger.id)
        observer.lost(trigger, loss)
      },
      refused: (broker, status, events) => {
        if (status === 429) this.markBroker(`${broker.namespace}/${broker.name}`)
        observer.refused(broker, status, events)
      },
    }
  }

  /** Writes all that are marked, now. */
  writeNow(): void {
    for (const path of take(this.#brokers)) if (this.#write.broker(path)) this.markBroker(path)
    for (const key of take(this.#triggers)) if (this.#write.trigger(key)) this.markTrigger(key)
  }

  /** Writes all that are marked, in slices. Brokers first: a trigger says what its broker does. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush()
    return this.#flushing
  }

  async #flush(): Promise<void> {
    await Promise.resolve() // what this turn still marks is among it
    this.#timer?.cancel()
    this.#timer = undefined
    const again = { brokers: [] as string[], triggers: [] as string[] }
    let written = 0
    while (this.#brokers.size + this.#triggers.size > 0 && !this.#isClosed) {
      for (const path of take(this.#brokers)) if (this.#write.broker(path)) again.brokers.push(path)
      for (const key of this.#triggers) {
        this.#triggers.delete(key)
        if (this.#write.trigger(key)) again.triggers.push(key)
        if (++written % AT_ONCE === 0) break
      }
      if (written % AT_ONCE === 0) await setImmediate()
    }
    this.#flushing = undefined
    for (const path of again.brokers) this.markBroker(path)
    for (const key of again.triggers) this.markTrigger(key)
  }

  #later(): void {
    if (this.#timer !== undefined || this.#flushing !== undefined || this.#isClosed) return
    this.#timer = this.#clock.setTimer(LATER_MS, () => {
      this.#timer = undefined
      void this.flush()
    })
  }

  /** Writes nothing any more by itself. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#timer = undefined
  }
}

function take(marked: Set<string>): string[] {
  const all = [...marked]
  marked.clear()
  return all
}
