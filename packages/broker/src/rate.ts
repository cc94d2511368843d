// How many attempts a second a target gets. A token bucket without I/O: times go in, what may start comes out. Hot path
// for triggers that have a rate; all others ask for no time.

/** Of a second's attempts, so much may come at once after a pause: 0.1, and at least one attempt. */
export const BURST_SECONDS = 0.1

/**
 * A bucket that fills up by `perSecond` and holds {@link BURST_SECONDS} of that. So in any second at most `perSecond` and
 * the burst start, and where a timer is late, what it missed is made up for.
 */
export class Rate {
  readonly perSecond: number
  readonly #burst: number
  #tokens: number
  /** Monotonic ms at which so many tokens were there. */
  #atMs: number

  /** @param nowMs monotonic; the bucket is full then */
  constructor(perSecond: number, nowMs: number) {
    this.perSecond = perSecond
    this.#burst = Math.max(1, perSecond * BURST_SECONDS)
    this.#tokens = this.#burst
    this.#atMs = nowMs
  }

  /** Milliseconds until an attempt may start; 0: now. */
  waitMs(nowMs: number): number {
    this.#fill(nowMs)
    return this.#tokens >= 1 ? 0 : ((1 - this.#tokens) * 1000) / this.perSecond
  }

  /** An attempt starts; {@link waitMs} was 0. */
  take(): void {
    this.#tokens--
  }

  /** Another rate from now on. What is left counts on, so that no change gives more than a burst. */
  changed(perSecond: number, nowMs: number): Rate {
    this.#fill(nowMs)
    const next = new Rate(perSecond, nowMs)
    next.#tokens = Math.min(this.#tokens, next.#burst)
    return next
  }

  #fill(nowMs: number): void {
    const tokens = this.#tokens + ((nowMs - this.#atMs) * this.perSecond) / 1000
    // What is a hair below a whole one, from rounding, is that: else its timer would be set again for nothing.
    this.#tokens = Math.min(this.#burst, tokens > 1 - ROUNDING && tokens < 1 ? 1 : tokens)
    this.#atMs = nowMs
  }
}

const ROUNDING = 1e-6
