// Log lines about what a stranger can cause as often as they like: of one subject at most one in 5 s, which says how many
// it stands for.

import type { Clock } from '@sluice/clock'

const SILENT_MS = 5000

/** How many happenings a line of the log stands for. */
export class Sparsely<Subject extends object> {
  readonly #clock: Clock
  readonly #silent = new WeakMap<Subject, { untilMs: number; happened: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Something has happened to this subject. Returns how many a line now stands for, or 0: not now. */
  count(subject: Subject): number {
    const nowMs = this.#clock.monotonic()
    const since = this.#silent.get(subject)
    if (since !== undefined && nowMs < since.untilMs) {
      since.happened++
      return 0
    }
    this.#silent.set(subject, { untilMs: nowMs + SILENT_MS, happened: 0 })
    return 1 + (since?.happened ?? 0)
  }
}
