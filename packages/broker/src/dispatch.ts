// One trigger at work: attempt, park, reply, dead-letter, settle. Hot path (bench: test/bench, G1).
//
// From: the channel hands over what matched (channel/src/handover.ts). Next: one attempt (delivery/src/delivery.ts),
// then whatever follows from its outcome. This is the only file that settles: each `settle()` below stands after the
// event has reached its end, which proves at-least-once.

import type { DeadLetterBox, Delivery, NewDeadLetter, PublishResult } from '@sluice/channel'
import type { Clock, Timer } from '@sluice/clock'
import { nextDelayMs, type Deliverer, type DeliveryPolicy, type Outcome, type Target } from '@sluice/delivery'
import type { Event } from '@sluice/event'
import type { TargetState } from './congestion.ts'
import { deadLetter, failure, type Failure } from './dead-letter.ts'
import { Lane } from './lane.ts'
import type { Observer, TriggerName } from './observer.ts'

/** Where and how a trigger's events go; changes with the trigger, and counts from the next attempt on. */
export interface Route {
  readonly subscriber: Target
  readonly deadLetterSink: Target | undefined
  readonly policy: DeliveryPolicy
  /** POSTs at once, at most. */
  readonly concurrency: number
}

export interface DispatchContext {
  trigger: TriggerName
  deliverer: Deliverer
  box: DeadLetterBox
  observer: Observer
  clock: Clock
  /** Uniform in [0, 1). */
  random: () => number
  /** Stores a reply of this trigger; `undefined` = its hops are used up. */
  reply: (reply: Event, to: Event) => Promise<PublishResult> | undefined
  /** Stops and starts the hand-over, while the box is full. */
  hold: (held: boolean) => void
}

/** While a dead-letter sink is down its events come back this often to ask. */
const SINK_DOWN_PARK_MS = 10_000
/** A full box is asked again after so long. */
const BOX_RETRY_MS = 1000
/** Responses of events that wait for their sink, at most; beyond, only code and words are kept. */
const FAILURE_BYTES_MAX = 16 * 1024 * 1024
const REPLY_NOT_STORED = 502

export class Dispatch {
  /** The last failure in words, for status. */
  lastFailure: string | undefined
  readonly #context: DispatchContext
  #route: Route
  #subscriber: Lane<Delivery>
  #sink: Lane<Delivery>
  /** Events out of tries that wait for their dead-letter sink, by position. */
  readonly #failures = new Map<string, Failure>()
  #failureBytes = 0
  /** Events that the full box did not take; still out. */
  #unboxed: Unboxed[] = []
  #boxTimer: Timer | undefined
  readonly #headers: readonly string[]
  readonly #sinkHeaders: readonly string[]

  constructor(context: DispatchContext, route: Route) {
    this.#context = context
    this.#route = route
    this.#sinkHeaders = ['kn-namespace', context.trigger.namespace]
    this.#headers = ['prefer', 'reply', ...this.#sinkHeaders] // spec 135
    this.#subscriber = this.#lane('subscriber')
    this.#sink = this.#lane('sink')
  }

  get state(): TargetState {
    return this.#subscriber.state
  }

  get boxFull(): boolean {
    return this.#unboxed.length > 0
  }

  /** Whether something is under way or can start. */
  get busy(): boolean {
    return this.#subscriber.busy || this.#sink.busy
  }

  /** From the channel: one event that matched. */
  deliver(delivery: Delivery): void {
    if (this.#failures.size > 0 && this.#failures.has(delivery.position)) return this.#toSink(delivery)
    if (delivery.attempt === 1) this.#context.observer.matched(this.#context.trigger, delivery.event)
    this.#subscriber.push(delivery)
  }

  /** The next attempt goes by the new route. A new address starts with a clean record. */
  update(route: Route): void {
    const before = this.#route
    this.#route = route
    if (route.subscriber.url !== before.subscriber.url) {
      const waiting = this.#subscriber.takeQueued()
      this.#subscriber = this.#lane('subscriber')
      for (const delivery of waiting) this.#subscriber.push(delivery)
    }
    if (route.deadLetterSink?.url !== before.deadLetterSink?.url) {
      const waiting = this.#sink.takeQueued()
      this.#sink = this.#lane('sink')
      for (const delivery of waiting) this.#toSink(delivery)
    }
    this.#subscriber.setConcurrency(route.concurrency)
    this.#sink.setConcurrency(route.concurrency)
  }

  /** Starts no further attempt. What is under way finishes, and settles. */
  stop(): void {
    this.#subscriber.stop()
    this.#sink.stop()
    this.#boxTimer?.cancel()
  }

  /** After {@link stop}: releases what was handed over and is not under way. Returns how much that was. */
  giveBack(): number {
    const idle = [...this.#subscriber.takeQueued(), ...this.#sink.takeQueued()]
    for (const { delivery } of this.#unboxed) idle.push(delivery)
    this.#unboxed = []
    for (const delivery of idle) delivery.release(0, 'unused')
    return idle.length
  }

  #lane(at: 'subscriber' | 'sink'): Lane<Delivery> {
    return new Lane<Delivery>({
      clock: this.#context.clock,
      concurrency: this.#route.concurrency,
      attempt: at === 'subscriber' ? (d, done) => this.#attempt(d, done) : (d, done) => this.#attemptSink(d, done),
      finished: at === 'subscriber' ? (d, outcome) => this.#finished(d, outcome) : (d, o) => this.#finishedSink(d, o),
      changed: (state) => {
        if (at === 'subscriber') this.#context.observer.targetChanged(this.#context.trigger, state)
        else if (state === 'Down') this.#parkQueuedForSink()
      },
    })
  }

  // --- The subscriber ---

  #attempt(delivery: Delivery, done: (outcome: Outcome) => void): void {
    const { subscriber, policy } = this.#route
    this.#context.deliverer.send(
      {
        target: subscriber,
        event: delivery.event,
        timeoutMs: policy.timeoutMs,
        format: policy.format,
        headers: this.#headers,
        reply: true,
      },
      done,
    )
  }

  #finished(delivery: Delivery, outcome: Outcome): void {
    const { observer, trigger } = this.#context
    observer.attempted(trigger, delivery.event, outcome, 'subscriber', delivery.attempt)
    if (outcome.verdict === 'delivered') {
      if (outcome.reply === undefined) this.#settle(delivery)
      else this.#storeReply(delivery, outcome.reply)
      return
    }
    this.lastFailure = outcome.error
    if (outcome.verdict === 'retry' && delivery.attempt <= this.#route.policy.retry) {
      this.#retry(delivery, outcome.retryAfterMs)
    } else {
      this.#undeliverable(delivery, failure(outcome, delivery.attempt))
    }
  }

  /** The original settles only once its reply is stored (spec 56, 58, 59). */
  #storeReply(delivery: Delivery, reply: Event): void {
    const stored = this.#context.reply(reply, delivery.event)
    if (stored === undefined) return this.#boxLoop(delivery, reply)
    void stored.then((result) => {
      if (result.stored) this.#settle(delivery)
      else this.#replyFailed(delivery, result.error.message, result.error.retryAfterMs ?? 0)
    })
  }

  #replyFailed(delivery: Delivery, why: string, retryAfterMs: number): void {
    this.lastFailure = `The reply of the subscriber could not be stored: ${why}`
    if (delivery.attempt <= this.#route.policy.retry) return this.#retry(delivery, retryAfterMs)
    this.#undeliverable(delivery, {
      code: REPLY_NOT_STORED,
      error: this.lastFailure,
      response: undefined,
      attempts: delivery.attempt,
      sinkAttempts: 0,
    })
  }

  #retry(delivery: Delivery, retryAfterMs: number): void {
    const { observer, trigger, random } = this.#context
    const delayMs = nextDelayMs(this.#route.policy, delivery.attempt, retryAfterMs, random)
    observer.parked(trigger, delivery.event, delayMs)
    delivery.release(delayMs)
  }

  #settle(delivery: Delivery): void {
    this.#context.observer.settled(this.#context.trigger, delivery.event)
    delivery.settle()
  }

  // --- The dead-letter sink ---

  #undeliverable(delivery: Delivery, failed: Failure): void {
    if (this.#route.deadLetterSink === undefined) return this.#toBox(delivery, failed, 'undeliverable')
    this.#remember(delivery.position, failed)
    this.#toSink(delivery)
  }

  /** While the sink is down its events stay parked and use no tries; one waits here to be the next probe. */
  #toSink(delivery: Delivery): void {
    if (this.#route.deadLetterSink === undefined) {
      this.#toBox(delivery, this.#forget(delivery.position), 'undeliverable') // the sink was taken away meanwhile
    } else if (this.#sink.state === 'Down' && this.#sink.queued > 0) {
      delivery.release(SINK_DOWN_PARK_MS, 'unused')
    } else {
      this.#sink.push(delivery)
    }
  }

  #attemptSink(delivery: Delivery, done: (outcome: Outcome) => void): void {
    const { deadLetterSink, subscriber, policy } = this.#route
    const failed = this.#failures.get(delivery.position) as Failure
    failed.sinkAttempts++
    const { namespace, name } = this.#context.trigger
    this.#context.deliverer.send(
      {
        target: deadLetterSink as Target,
        event: deadLetter(delivery.event, failed, subscriber.url, `${namespace}/${name}`),
        timeoutMs: policy.timeoutMs,
        format: policy.format,
        headers: this.#sinkHeaders,
        reply: false,
      },
      done,
    )
  }

  /** The sink is retried with the same parameters (spec 77). */
  #finishedSink(delivery: Delivery, outcome: Outcome): void {
    const { observer, trigger, random } = this.#context
    const failed = this.#failures.get(delivery.position) as Failure
    observer.attempted(trigger, delivery.event, outcome, 'sink', failed.sinkAttempts)
    if (outcome.verdict === 'delivered') {
      this.#forget(delivery.position)
      observer.deadLettered(trigger, delivery.event, 'sink', failed.error)
      delivery.settle()
    } else if (outcome.verdict === 'retry' && failed.sinkAttempts <= this.#route.policy.retry) {
      this.lastFailure = `The dead-letter sink: ${outcome.error}`
      const delayMs = nextDelayMs(this.#route.policy, failed.sinkAttempts, outcome.retryAfterMs, random)
      delivery.release(delayMs, 'unused')
    } else {
      this.lastFailure = `The dead-letter sink: ${outcome.error}`
      this.#toBox(delivery, this.#forget(delivery.position), 'sink')
    }
  }

  #parkQueuedForSink(): void {
    const [probe, ...others] = this.#sink.takeQueued()
    if (probe !== undefined) this.#sink.push(probe)
    for (const delivery of others) delivery.release(SINK_DOWN_PARK_MS, 'unused')
  }

  #remember(position: string, failed: Failure): void {
    const bytes = failed.response?.length ?? 0
    const fits = this.#failureBytes + bytes <= FAILURE_BYTES_MAX
    this.#failures.set(position, fits ? failed : { ...failed, response: undefined })
    if (fits) this.#failureBytes += bytes
  }

  #forget(position: string): Failure {
    const failed = this.#failures.get(position) as Failure
    this.#failures.delete(position)
    this.#failureBytes -= failed.response?.length ?? 0
    return failed
  }

  // --- The box ---

  #toBox(delivery: Delivery, failed: Failure, reason: NewDeadLetter['reason']): void {
    this.#box(delivery, this.#entry(delivery.event, failed, reason))
  }

  /** A reply whose hops are used up ends in the box, and the original is done (DESIGN "The life of an event" 2). */
  #boxLoop(delivery: Delivery, reply: Event): void {
    const error =
      'The reply was not routed: its hops are used up. Two triggers answer each other for ever, or --hops is too low.'
    const failed: Failure = { code: 400, error, response: undefined, attempts: delivery.attempt, sinkAttempts: 0 }
    this.#box(delivery, this.#entry(reply, failed, 'loop'))
  }

  #entry(event: Event, failed: Failure, reason: NewDeadLetter['reason']): NewDeadLetter {
    const { trigger } = this.#context
    return {
      event,
      trigger: `${trigger.namespace}/${trigger.name}`,
      triggerId: trigger.id,
      reason,
      attempts: failed.attempts,
      code: failed.code,
      error: failed.error,
      response: failed.response,
    }
  }

  #box(delivery: Delivery, entry: NewDeadLetter): void {
    void this.#context.box.append(entry).then((appended) => {
      if (appended.stored) {
        this.#context.observer.deadLettered(this.#context.trigger, entry.event, 'box', entry.reason)
        delivery.settle()
      } else {
        this.#boxIsFull({ delivery, entry })
      }
    })
  }

  /** Nothing is dropped: the event stays out, the trigger takes no more, and the box is asked again. */
  #boxIsFull(unboxed: Unboxed): void {
    if (this.#unboxed.length === 0) this.#context.hold(true)
    this.#unboxed.push(unboxed)
    this.#boxTimer ??= this.#context.clock.setTimer(BOX_RETRY_MS, () => {
      this.#boxTimer = undefined
      const again = this.#unboxed
      this.#unboxed = []
      this.#context.hold(false)
      for (const { delivery, entry } of again) this.#box(delivery, entry)
    })
  }
}

interface Unboxed {
  readonly delivery: Delivery
  readonly entry: NewDeadLetter
}
