// The queue before one target: as many attempts at once as its congestion allows, the rest waits inside the window.
// Hot path (bench: test/bench, G1).

import { Fifo } from '@sluice/channel'
import type { Clock, Timer } from '@sluice/clock'
import type { Outcome } from '@sluice/delivery'
import { Congestion, type TargetState } from './congestion.ts'

export interface LaneOptions<T> {
  clock: Clock
  concurrency: number
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
  readonly #queue = new Fifo<T>()
  #probeTimer: Timer | undefined
  #paused = false

  constructor(options: LaneOptions<T>) {
    this.#options = options
    this.#congestion = new Congestion(options.concurrency)
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
    this.#queue.push(task)
    this.#run()
  }

  setConcurrency(concurrency: number): void {
    this.#congestion.setMax(concurrency)
    this.#run()
  }

  /** Takes everything that is not under way. */
  takeQueued(): T[] {
    return this.#queue.takeAll()
  }

  /** Starts nothing more until {@link resume}. What is under way goes on. */
  pause(): void {
    this.#paused = true
    this.#forgetProbe()
  }

  resume(): void {
    this.#paused = false
    this.#run()
  }

  #run(): void {
    const congestion = this.#congestion
    while (!this.#paused && this.#queue.length > 0 && congestion.mayStart(this.#now())) {
      this.#start(this.#queue.shift()!)
    }
    if (congestion.state === 'Down') this.#probeLater()
  }

  #start(task: T): void {
    const round = this.#congestion.start()
    this.#options.attempt(task, (outcome) => this.#finish(task, round, outcome))
  }

  #finish(task: T, round: number, outcome: Outcome): void {
    const congestion = this.#congestion
    const before = congestion.state
    if (outcome.verdict === 'delivered') congestion.succeeded()
    else if (outcome.pressure) congestion.pressed(round, this.#options.clock.monotonic())
    else congestion.answered()
    if (congestion.state !== before) {
      this.#forgetProbe()
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
    if (this.#probeTimer !== undefined || this.#paused || this.#queue.length === 0 || this.#congestion.probing) return
    const delayMs = Math.max(0, this.#congestion.probeAtMs - this.#options.clock.monotonic())
    this.#probeTimer = this.#options.clock.setTimer(delayMs, () => {
      this.#probeTimer = undefined
      this.#run()
    })
  }

  #forgetProbe(): void {
    this.#probeTimer?.cancel()
    this.#probeTimer = undefined
  }
}
