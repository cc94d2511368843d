// How many POSTs at once a target gets (spec 131, 132; DESIGN "A target that is down costs no tries"). A state
// machine without I/O: outcomes and times go in, what may start comes out. Hot path.

/** `Throttled`: fewer than the maximum at once. `Down`: one probe at a time, ever more rarely. */
export type TargetState = 'Healthy' | 'Throttled' | 'Down'

export const PROBE_FIRST_MS = 200
export const PROBE_MAX_MS = 10_000
/** Signs of overload in a row, without a success, after which a target counts as down. */
export const PRESSURE_ROW = 3

export class Congestion {
  state: TargetState = 'Healthy'
  /** Attempts under way. */
  active = 0
  /** Attempts that may be under way at once, when not Down. */
  limit: number
  /** Monotonic ms before which no probe starts. Means something only while Down. */
  probeAtMs = 0
  #max: number
  /** Counts the halvings: an attempt that began before the last one says nothing new. */
  #round = 0
  #pressureInRow = 0
  #probing = false
  #probeDelayMs = 0

  constructor(max: number) {
    this.#max = max
    this.limit = max
  }

  setMax(max: number): void {
    this.#max = max
    this.limit = Math.min(this.limit, max)
    if (this.state === 'Healthy') this.limit = max
  }

  mayStart(nowMs: number): boolean {
    if (this.state === 'Down') return !this.#probing && nowMs >= this.probeAtMs
    return this.active < this.limit
  }

  /** An attempt starts; give what this returns back with its outcome. */
  start(): number {
    this.active++
    if (this.state === 'Down') this.#probing = true
    return this.#round
  }

  /** The target took the event. */
  succeeded(): void {
    this.active--
    this.#pressureInRow = 0
    if (this.state === 'Healthy') return
    if (this.state === 'Down') this.#recover(this.limit)
    else this.#raise()
  }

  /** The target answered, but it was no success: it is there, and not overloaded. */
  answered(): void {
    this.active--
    this.#pressureInRow = 0
    if (this.state === 'Down') this.#recover(1)
  }

  /** No connection, a timeout, 429 or 503. */
  pressed(round: number, nowMs: number): void {
    this.active--
    if (this.state === 'Down') return this.#probeFailed(round, nowMs)
    this.#pressureInRow++
    if (round === this.#round) {
      this.#round++
      this.limit = Math.max(1, Math.floor(this.limit / 2))
      this.state = 'Throttled'
    }
    if (this.#pressureInRow >= PRESSURE_ROW) this.#goDown(nowMs)
  }

  /** An attempt was given up by us: it says nothing of the target. */
  abandoned(): void {
    this.active--
    this.#probing = false
  }

  #raise(): void {
    this.limit = Math.min(this.#max, this.limit + 1)
    if (this.limit === this.#max) this.state = 'Healthy'
  }

  /** `limit` stays: it is half of what stood before, and what the first success restores. */
  #goDown(nowMs: number): void {
    this.state = 'Down'
    this.#round++
    this.#probing = false
    this.#probeDelayMs = PROBE_FIRST_MS
    this.probeAtMs = nowMs + PROBE_FIRST_MS
  }

  /** Attempts that were under way when it went down end here too; only a probe moves the next one. */
  #probeFailed(round: number, nowMs: number): void {
    if (round !== this.#round || !this.#probing) return
    this.#probing = false
    this.#probeDelayMs = Math.min(PROBE_MAX_MS, this.#probeDelayMs * 2)
    this.probeAtMs = nowMs + this.#probeDelayMs
  }

  #recover(limit: number): void {
    this.#probing = false
    this.#round++
    this.limit = Math.min(limit, this.#max)
    this.state = this.limit === this.#max ? 'Healthy' : 'Throttled'
  }
}
