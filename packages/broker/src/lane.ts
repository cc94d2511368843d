// The queue before one target: as many attempts at once as its congestion allows, no more a second than its rate, the rest
// waits inside the window and uses no tries.
// Hot path (bench: test/bench, G1).

import type { Clock, Timer } from '@sluice/clock'
import type { Outcome } from '@sluice/delivery'
import { Congestion, type TargetState } from './congestion.ts'
import { Rate } from './rate.ts'
import { Tries } from './tries.ts'

export interface LaneOptions<T> {
  clock: Clock
  concurrency: number
  /** Attempts a second, at most. Default: no limit. */
  ratePerSecond?: number | undefined
  /** Whether it was tried before. */
  isRepeat: (task: T) => boolean
  /** Makes one attempt and calls `done` with its outcome, once. */
  attempt: (task: T, done: (outcome: Outcome) => void) => void
  /** What follows from an outcome; called after the lane has taken note of it. */
  finished: (task: T, outcome: Outcome) => void
  changed: (state: TargetState) => void
}

/** What waits for one target, and how fast it goes there. It has no bound of its own: the trigger's window is one. */
export class Lane<T> {
  readonly #congestion: Congestion
  readonly #options: LaneOptions<T>
  readonly #queue = new Tries<T>()
  /** For the next probe, or until the next attempt is allowed. */
  #timer: Timer | undefined
  #rate: Rate | undefined
  /** Monotonic ms before which nothing starts; 0: now. */
  #heldUntilMs = 0
  #paused = false

  constructor(options: LaneOptions<T>) {
    this.#options = options
    this.#congestion = new Congestion(options.concurrency)
    this.setRate(options.ratePerSecond)
  }

  get queued(): number {
    return this.#queue.length
  }

  /** Attempts under way. */
  get active(): number {
    return this.#congestion.active
  }

  get state(): TargetState {
    return this.#congestion.state
  }

  push(task: T): void {
    this.#queue.push(task, this.#options.isRepeat(task))
    this.#run()
  }

  setConcurrency(concurrency: number): void {
    this.#congestion.setMax(concurrency)
    this.#run()
  }

  setRate(perSecond: number | undefined): void {
    if (perSecond === this.#rate?.perSecond) return
    const nowMs = this.#options.clock.monotonic()
    this.#rate =
      perSecond === undefined ? undefined : (this.#rate?.changed(perSecond, nowMs) ?? new Rate(perSecond, nowMs))
    this.#forgetTimer()
    this.#run()
  }

  /** Starts nothing more for so long, whatever waits. */
  hold(delayMs: number): void {
    this.#heldUntilMs = Math.max(this.#heldUntilMs, this.#options.clock.monotonic() + delayMs)
  }

  /** Takes everything that is not under way. */
  takeQueued(): T[] {
    return this.#queue.takeAll()
  }

  /** Starts nothing more until {@link resume}. What is under way goes on. */
  pause(): void {
    this.#paused = true
    this.#forgetTimer()
  }

  resume(): void {
    this.#paused = false
    this.#run()
  }

  #run(): void {
    if (this.#heldUntilMs > 0 && this.#isHeld()) return
    if (this.#rate !== undefined) return this.#runAtRate(this.#rate)
    const congestion = this.#congestion
    while (!this.#paused && this.#queue.length > 0 && congestion.mayStart(this.#now())) {
      const task = this.#next()
      if (task === undefined) break
      this.#start(task)
    }
    if (congestion.state === 'Down') this.#probeLater()
  }

  #isHeld(): boolean {
    const leftMs = this.#heldUntilMs - this.#options.clock.monotonic()
    if (leftMs <= 0) this.#heldUntilMs = 0
    else if (!this.#paused && this.#queue.length > 0) this.#runLater(leftMs)
    return leftMs > 0
  }

  /** A probe counts as well. What the timer is set for, it finds out when it rings: the target may be down by then. */
  #runAtRate(rate: Rate): void {
    const { clock } = this.#options
    const congestion = this.#congestion
    while (!this.#paused && this.#queue.length > 0) {
      const nowMs = clock.monotonic()
      if (!congestion.mayStart(nowMs)) break
      const waitMs = rate.waitMs(nowMs)
      if (waitMs > 0) return this.#runLater(waitMs)
      const task = this.#next()
      if (task === undefined) break
      rate.take()
      this.#start(task)
    }
    if (congestion.state === 'Down') this.#probeLater()
  }

  /** `undefined`: only repeats wait, and enough of these are under way. */
  #next(): T | undefined {
    const { state, limit } = this.#congestion
    return state === 'Down' ? this.#queue.shiftFirst() : this.#queue.shift(limit)
  }

  #start(task: T): void {
    const isRepeat = this.#options.isRepeat(task)
    const round = this.#congestion.start()
    if (isRepeat) this.#queue.repeating++
    this.#options.attempt(task, (outcome) => {
      if (isRepeat) this.#queue.repeating--
      this.#finish(task, round, isRepeat, outcome)
    })
  }

  #finish(task: T, round: number, isRepeat: boolean, outcome: Outcome): void {
    const congestion = this.#congestion
    const before = congestion.state
    if (outcome.verdict === 'delivered') congestion.succeeded(isRepeat)
    else if (outcome.pressure) congestion.pressed(round, this.#options.clock.monotonic(), isRepeat)
    else congestion.answered(isRepeat)
    if (congestion.state !== before) {
      this.#forgetTimer()
      this.#options.changed(congestion.state)
    }
    this.#options.finished(task, outcome)
    this.#run()
  }

  /** Only a target that is down asks for the time. */
  #now(): number {
    return this.#congestion.state === 'Down' ? this.#options.clock.monotonic() : 0
  }

  /** Also where the probe has become due since {@link Congestion.mayStart} was asked: else nobody would start it. */
  #probeLater(): void {
    if (this.#paused || this.#queue.length === 0 || this.#congestion.probing) return
    this.#runLater(Math.max(0, this.#congestion.probeAtMs - this.#options.clock.monotonic()))
  }

  #runLater(delayMs: number): void {
    this.#timer ??= this.#options.clock.setTimer(delayMs, () => {
      this.#timer = undefined
      this.#run()
    })
  }

  #forgetTimer(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
