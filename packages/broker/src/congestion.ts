// How many POSTs at once a target gets (spec 131, 132; DESIGN "A target that is down costs no tries"). A state
// machine without I/O: outcomes and times go in, what may start comes out. Hot path.
//
//              pressure                 3 in a row
//   Healthy ─────────────▶ Throttled ─────────────▶ Down
//      ▲    successes, one    │  ▲   first success,   │
//      └──────── by one ──────┘  └── or any answer ───┘
//
// A poison event, at which the subscriber breaks off or answers 503, looks like overload too, with every try. So one that
// fails again says nothing of the target while first tries are answered; and a target that answers most of what it gets is
// not down because it failed three in a row.

/** `Throttled`: fewer than the maximum at once. `Down`: one probe at a time, ever more rarely. */
export type TargetState = 'Healthy' | 'Throttled' | 'Down'

/** From the last sign of overload to the first probe, in ms. */
export const PROBE_FIRST_MS = 200
/** The longest wait between two probes, in ms. */
export const PROBE_MAX_MS = 10_000
/** Signs of overload in a row, without a success, after which a target counts as down: if it answers less than half. */
export const PRESSURE_ROW = 3
/** How many attempts that share is about: each moves it by this part of the way. */
const SHARE_OF_LATE = 1 / 16
/** So many repeated tries that fail since a first try was answered say nothing yet. */
export const REPEATS_IGNORED = 32

/** The congestion control of one target of one trigger. */
export class Congestion {
  state: TargetState = 'Healthy'
  /** Attempts under way. */
  active = 0
  /** Attempts that may be under way at once: from 1 to the maximum; while Down, 1. */
  limit: number
  /** Monotonic ms before which no probe starts. Means something only while Down. */
  probeAtMs = 0
  /** Whether a probe is under way: then nothing else starts. */
  probing = false
  #max: number
  /** Counts the halvings: an attempt that began before the last one says nothing new. */
  #round = 0
  #pressureInRow = 0
  /** The share of attempts that were answered without a sign of overload, of late: 0 to 1. */
  #answeredOfLate = 0
  /** Signs of overload to repeated tries since a first try was answered. */
  #repeatsPressed = REPEATS_IGNORED
  #probeDelayMs = 0
  /** Since the target was down, until its first success: the limit that this success restores. Otherwise 0. */
  #restored = 0

  /** @param max attempts at once, at most: 1 or more */
  constructor(max: number) {
    this.#max = max
    this.limit = max
  }

  setMax(max: number): void {
    this.#max = max
    this.limit = this.state === 'Healthy' ? max : Math.min(this.limit, max)
  }

  mayStart(nowMs: number): boolean {
    if (this.state === 'Down') return !this.probing && nowMs >= this.probeAtMs
    return this.active < this.limit
  }

  /** An attempt starts; give what this returns back with its outcome. */
  start(): number {
    this.active++
    if (this.state === 'Down') this.probing = true
    return this.#round
  }

  /** The target took the event. `isRepeat`: it was not its first try. */
  succeeded(isRepeat: boolean): void {
    this.#answered(isRepeat)
    if (this.state === 'Healthy') return
    if (this.#restored > 0) this.#restore()
    else this.#raise(this.limit + 1)
  }

  /** The target answered, but it was no success: it is there, and not overloaded. */
  answered(isRepeat: boolean): void {
    this.#answered(isRepeat)
    if (this.state === 'Down') this.#leaveDown()
  }

  #answered(isRepeat: boolean): void {
    this.active--
    this.#pressureInRow = 0
    this.#answeredOfLate += (1 - this.#answeredOfLate) * SHARE_OF_LATE
    if (!isRepeat) this.#repeatsPressed = 0
  }

  /** No connection, a timeout, 429 or 503. */
  pressed(round: number, nowMs: number, isRepeat: boolean): void {
    this.active--
    if (this.state === 'Down') return this.#probeFailed(round, nowMs)
    if (isRepeat && this.#repeatsPressed++ < REPEATS_IGNORED) return
    this.#pressureInRow++
    this.#answeredOfLate -= this.#answeredOfLate * SHARE_OF_LATE
    if (round === this.#round) {
      this.#round++
      this.limit = Math.max(1, Math.floor(this.limit / 2))
      this.state = 'Throttled'
    }
    if (this.#pressureInRow >= PRESSURE_ROW && this.#answeredOfLate < 0.5) this.#goDown(nowMs)
  }

  #raise(limit: number): void {
    this.limit = Math.min(this.#max, limit)
    this.state = this.limit === this.#max ? 'Healthy' : 'Throttled'
  }

  /** `limit` has been halved on the way here: it is what the first success restores. */
  #goDown(nowMs: number): void {
    this.state = 'Down'
    this.#round++
    this.#repeatsPressed = REPEATS_IGNORED
    this.#restored = Math.max(this.#restored, this.limit)
    this.limit = 1
    this.probing = false
    this.#probeDelayMs = PROBE_FIRST_MS
    this.probeAtMs = nowMs + PROBE_FIRST_MS
  }

  /** Attempts that were under way when it went down end here too; only a probe moves the next one. */
  #probeFailed(round: number, nowMs: number): void {
    if (round !== this.#round) return
    this.probing = false
    this.#probeDelayMs = Math.min(PROBE_MAX_MS, this.#probeDelayMs * 2)
    this.probeAtMs = nowMs + this.#probeDelayMs
  }

  /** One at a time until it succeeds: it answers, but nobody knows yet how much it can take. */
  #leaveDown(): void {
    this.state = 'Throttled'
    this.#round++
    this.probing = false
    this.#pressureInRow = 0
  }

  #restore(): void {
    this.#leaveDown()
    this.#raise(this.#restored)
    this.#restored = 0
  }
}
