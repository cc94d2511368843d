// Why each event that is parked for its dead-letter sink is undeliverable. Beside the event, for the channel stores
// events only; bounded, and what it forgets costs one more try at the subscriber and loses nothing.

import type { Delivery } from '@sluice/channel'
import type { Failure } from './dead-letter.ts'

/** Most failures kept for one trigger: as many as a channel parks (DESIGN "Delivery is per trigger"). */
export const FAILURES_MAX = 100_000
/** Most bytes of answers and words kept for one trigger; beyond, a failure is kept without them. */
export const FAILURE_BYTES_MAX: number = 16 * 1024 * 1024

/** The failures of one trigger's parked events, by position. */
export class Failures {
  readonly #byPosition = new Map<string, Failure>()
  readonly #countMax: number
  readonly #bytesMax: number
  #bytes = 0

  constructor(countMax: number = FAILURES_MAX, bytesMax: number = FAILURE_BYTES_MAX) {
    this.#countMax = countMax
    this.#bytesMax = bytesMax
  }

  get size(): number {
    return this.#byPosition.size
  }

  /** Keeps it until the event is handed over again. At the bound the oldest is forgotten. */
  keep(position: string, failed: Failure): void {
    const size = bytesOf(failed)
    const fits = this.#bytes + size <= this.#bytesMax
    this.#byPosition.set(position, fits ? failed : { ...failed, error: NOT_KEPT, response: undefined })
    if (fits) this.#bytes += size
    if (this.#byPosition.size > this.#countMax) this.#forget(this.#byPosition.keys().next().value!)
  }

  /** The failure of an event that is handed over again; `undefined` where it has none, and goes to its subscriber. */
  take(delivery: Delivery): Failure | undefined {
    const failed = this.#forget(delivery.position)
    // Fewer tries than when it failed: the channel has begun anew with it.
    return failed !== undefined && delivery.attempt >= failed.attempts ? failed : undefined
  }

  /** The subscription was set to another place: none of these events is parked any more. */
  clear(): void {
    this.#byPosition.clear()
    this.#bytes = 0
  }

  #forget(position: string): Failure | undefined {
    const failed = this.#byPosition.get(position)
    if (failed === undefined) return undefined
    this.#byPosition.delete(position)
    this.#bytes -= bytesOf(failed)
    return failed
  }
}

const NOT_KEPT = 'What went wrong is not known any more: too many events wait for the dead-letter sink.'

/** One that is kept without its words counts nothing, also when it is kept once more after another try at the sink. */
function bytesOf(failed: Failure): number {
  if (failed.error === NOT_KEPT) return 0
  return failed.error.length * 2 + (failed.response?.length ?? 0)
}
