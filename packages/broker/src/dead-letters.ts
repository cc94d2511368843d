// What no try could deliver: to the dead-letter sink, and what that doesn't take into the broker's dead-letter box
// (spec 75 to 77; DESIGN "The life of an event" 7). Nothing is dropped on the way.
//
// From: dispatch.ts, out of tries or refused. Next: back to dispatch.ts, which settles what is kept.

import type { Delivery, NewDeadLetter } from '@sluice/channel'
import { nextDelayMs, type Outcome } from '@sluice/delivery'
import type { Event } from '@sluice/event'
import { Boxing } from './boxing.ts'
import { deadLetter, type Failure, type Undelivered } from './dead-letter.ts'
import type { DispatchContext, Route } from './dispatch.ts'
import { Failures } from './failures.ts'
import { Lane } from './lane.ts'
import { Redriven } from './redrive.ts'

/** While a dead-letter sink is down its events come back this often to ask, in ms, or up to half as much later. */
export const SINK_DOWN_PARK_MS = 10_000
const SINK_DOWN_JITTER = 0.5

/** What becomes of the events. */
export interface DeadLetterEnds {
  failed: (words: string) => void
  /** The sink or the box has the event. */
  kept: (delivery: Delivery) => void
  /** The box has the answer that the subscriber gave to this event. */
  answerKept: (delivery: Delivery) => void
  /** Not kept, and after {@link DeadLetters.stop} not tried again. */
  givenUp: (delivery: Delivery) => void
}

/** The dead letters of one trigger. */
export class DeadLetters {
  readonly #context: DispatchContext
  readonly #ends: DeadLetterEnds
  #route: Route
  #lane: Lane<Undelivered>
  /** Why the events that are parked for the sink are undeliverable. */
  readonly #failures = new Failures()
  readonly #boxing: Boxing
  /** Until the channel has room, what a sink that is down does not take goes into the box. */
  isRelieving = false
  #paused = false
  #stopped = false
  readonly #headers: readonly string[]

  constructor(context: DispatchContext, route: Route, ends: DeadLetterEnds) {
    this.#context = context
    this.#route = route
    this.#ends = ends
    this.#headers = ['kn-namespace', context.trigger.namespace]
    this.#lane = this.#openLane()
    this.#boxing = new Boxing({
      box: context.box,
      clock: context.clock,
      stored: ({ delivery, entry }) => {
        context.observer.deadLettered(context.trigger, entry.event, 'box', entry.reason, entry.error)
        if (entry.reason === 'loop') ends.answerKept(delivery)
        else ends.kept(delivery)
      },
      refused: ({ delivery }) => ends.givenUp(delivery),
      changed: () => context.boxChanged(),
    })
  }

  get boxFull(): boolean {
    return this.#boxing.full
  }

  /** Why the box can't be written, where that is what {@link boxFull} is for. */
  get boxFailure(): string | undefined {
    return this.#boxing.failure
  }

  /** Events parked for the sink. */
  get parked(): number {
    return this.#failures.size
  }

  /** Events that wait for the sink, here or parked. */
  get waiting(): number {
    return this.#failures.size + this.#lane.queued
  }

  /** Whether what waits for the sink gets on. */
  get mayEnd(): boolean {
    return this.#lane.active > 0 || (!this.#paused && this.waiting > 0 && this.#lane.state !== 'Down')
  }

  /** An event is handed over again: if it is parked for the sink, takes it back and returns true. */
  takeBack(delivery: Delivery): boolean {
    const failed = this.#failures.take(delivery)
    if (failed !== undefined) this.push({ delivery, failed })
    return failed !== undefined
  }

  /** The channel has set the trigger to another place: what was parked is not, and what comes again begins anew. */
  forgetParked(): void {
    this.#failures.clear()
  }

  /**
   * While the sink is down its events stay parked and use no tries (fault 31); one waits here to be the next probe. What
   * is redriven goes back into the box, where the person who did that looks for it.
   */
  push(undelivered: Undelivered): void {
    const hasSink = this.#route.deadLetterSink !== undefined && !(undelivered.delivery instanceof Redriven)
    if (!hasSink) this.#toBox(undelivered, 'undeliverable')
    else if (this.#lane.state === 'Down' && this.isRelieving) this.#toBox(undelivered, 'sink')
    else if (this.#lane.state === 'Down' && this.#lane.queued > 0) this.#parkWhileDown(undelivered)
    else this.#lane.push(undelivered)
  }

  /** A reply whose hops are used up ends in the box, and the original is done (DESIGN "The life of an event" 2). */
  keepAnswer(delivery: Delivery, answer: Event, failed: Failure): void {
    this.#boxing.push({ delivery, entry: this.#entry(answer, failed, 'loop') })
  }

  #park({ delivery, failed }: Undelivered, delayMs: number): void {
    this.#failures.keep(delivery.position, failed)
    delivery.release(delayMs, 'unused')
  }

  /** No try is used, so those that come back have to take turns: hence the wide jitter. The next probe is another one's. */
  #parkWhileDown(undelivered: Undelivered): void {
    this.#park(undelivered, SINK_DOWN_PARK_MS * (1 + SINK_DOWN_JITTER * this.#context.random()))
  }

  #attempt({ delivery, failed }: Undelivered, done: (outcome: Outcome) => void): void {
    const { deadLetterSink, policy } = this.#route
    const { namespace, name } = this.#context.trigger
    this.#context.deliverer.send(
      {
        target: deadLetterSink!,
        event: deadLetter(delivery.event, failed, `${namespace}/${name}`),
        timeoutMs: policy.timeoutMs,
        format: policy.format,
        headers: this.#headers,
        reply: false,
      },
      done,
    )
  }

  /** The sink is retried with the same parameters (spec 77). */
  #finished(undelivered: Undelivered, outcome: Outcome): void {
    const { observer, trigger, random } = this.#context
    const { policy } = this.#route
    const { delivery } = undelivered
    const failed = { ...undelivered.failed, sinkAttempts: undelivered.failed.sinkAttempts + 1 }
    observer.attempted(trigger, delivery.event, outcome, 'sink', failed.sinkAttempts)
    if (outcome.verdict === 'delivered') {
      observer.deadLettered(trigger, delivery.event, 'sink', failed.error, failed.error)
      return this.#ends.kept(delivery)
    }
    this.#ends.failed(`The dead-letter sink: ${outcome.error}`)
    if (this.#stopped) {
      this.#ends.givenUp(delivery)
    } else if (outcome.pressure && this.#lane.state === 'Down') {
      this.#parkWhileDown(undelivered)
    } else if (outcome.verdict === 'retry' && failed.sinkAttempts <= policy.retry) {
      this.#park({ delivery, failed }, nextDelayMs(policy, failed.sinkAttempts, outcome.retryAfterMs, random))
    } else {
      this.#toBox({ delivery, failed }, 'sink')
    }
  }

  #toBox({ delivery, failed }: Undelivered, reason: NewDeadLetter['reason']): void {
    this.#boxing.push({ delivery, entry: this.#entry(delivery.event, failed, reason) })
  }

  #entry(event: Event, failed: Failure, reason: NewDeadLetter['reason']): NewDeadLetter {
    const { id, namespace, name } = this.#context.trigger
    const { attempts, code, error, response } = failed
    return { event, trigger: `${namespace}/${name}`, triggerId: id, reason, attempts, code, error, response }
  }

  // --- Control ---

  update(route: Route): void {
    const before = this.#route
    this.#route = route
    if (route.deadLetterSink?.url === before.deadLetterSink?.url) return this.#lane.setConcurrency(route.concurrency)
    const old = this.#lane
    this.#lane = this.#openLane()
    old.pause()
    for (const undelivered of old.takeQueued()) this.push(undelivered)
  }

  #openLane(): Lane<Undelivered> {
    const lane: Lane<Undelivered> = new Lane<Undelivered>({
      clock: this.#context.clock,
      concurrency: this.#route.concurrency,
      isRepeat: ({ failed }) => failed.sinkAttempts > 0,
      attempt: (undelivered, done) => this.#attempt(undelivered, done),
      finished: (undelivered, outcome) => this.#finished(undelivered, outcome),
      changed: (state) => {
        if (lane === this.#lane && state === 'Down') this.#parkQueued()
      },
    })
    if (this.#paused) lane.pause()
    return lane
  }

  /** The first one stays, to be the next probe. */
  #parkQueued(): void {
    for (const undelivered of this.#lane.takeQueued()) this.push(undelivered)
  }

  pause(): void {
    this.#paused = true
    this.#lane.pause()
  }

  resume(): void {
    this.#paused = false
    this.#lane.resume()
  }

  /** Tries nothing any more. */
  stop(): void {
    this.#stopped = true
    for (const { delivery } of this.#boxing.stop()) this.#ends.givenUp(delivery)
  }

  /** After {@link stop}: takes what waits for the sink and is not under way. */
  takeQueued(): Delivery[] {
    return this.#lane.takeQueued().map(({ delivery }) => delivery)
  }
}
