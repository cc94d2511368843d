// The queue before one target: as many attempts at once as its congestion allows, the rest waits inside the window.
// Hot path.

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

export class Lane<T> {
  readonly congestion: Congestion
  readonly #options: LaneOptions<T>
  readonly #queue = new Fifo<T>()
  #probeTimer: Timer | undefined
  #state: TargetState = 'Healthy'
  #stopped = false

  constructor(options: LaneOptions<T>) {
    this.#options = options
    this.congestion = new Congestion(options.concurrency)
  }

  get queued(): number {
    return this.#queue.length
  }

  get state(): TargetState {
    return this.congestion.state
  }

  /** Whether it still gets anywhere: an attempt is under way, or one may start. */
  get busy(): boolean {
    return this.congestion.active > 0 || (this.#queue.length > 0 && this.state !== 'Down')
  }

  push(task: T): void {
    this.#queue.push(task)
    this.run()
  }

  setConcurrency(concurrency: number): void {
    this.congestion.setMax(concurrency)
    this.run()
  }

  /** Takes everything that is not under way. */
  takeQueued(): T[] {
    return this.#queue.takeAll()
  }

  /** Starts nothing more. */
  stop(): void {
    this.#stopped = true
    this.#probeTimer?.cancel()
  }

  run(): void {
    const { congestion } = this
    while (!this.#stopped && this.#queue.length > 0 && congestion.mayStart(this.#now())) {
      this.#start(this.#queue.shift() as T)
    }
    if (congestion.state === 'Down' && this.#queue.length > 0) this.#probeLater()
  }

  #start(task: T): void {
    const round = this.congestion.start()
    this.#options.attempt(task, (outcome) => this.#finish(task, round, outcome))
  }

  #finish(task: T, round: number, outcome: Outcome): void {
    if (outcome.verdict === 'delivered') this.congestion.succeeded()
    else if (outcome.pressure) this.congestion.pressed(round, this.#options.clock.monotonic())
    else this.congestion.answered()
    if (this.congestion.state !== this.#state) {
      this.#state = this.congestion.state
      this.#options.changed(this.#state)
    }
    this.#options.finished(task, outcome)
    this.run()
  }

  /** Only a target that is down asks for the time. */
  #now(): number {
    return this.congestion.state === 'Down' ? this.#options.clock.monotonic() : 0
  }

  #probeLater(): void {
    const delayMs = this.congestion.probeAtMs - this.#options.clock.monotonic()
    if (this.#probeTimer !== undefined || this.#stopped || delayMs <= 0) return
    this.#probeTimer = this.#options.clock.setTimer(delayMs, () => {
      this.#probeTimer = undefined
      this.run()
    })
  }
}
