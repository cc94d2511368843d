// One trigger at work: attempt, park, reply, dead-letter, settle. Hot path (bench: test/bench, G1).
//
// From: the channel hands over what matched (channel/src/handover.ts), and redrive.ts what comes out of the box once
// more. Next: one attempt (delivery/src/delivery.ts), then whatever follows from its outcome; what no try could deliver
// goes on to dead-letters.ts and comes back when it is stored there. This is the only file that settles: each `settle()`
// below stands after the event has reached its end, which proves at-least-once; of what is redriven, that its entry
// leaves the box no sooner.

import type { DeadLetterBox, Delivery, PublishResult } from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import { nextDelayMs, type Deliverer, type DeliveryPolicy, type Outcome, type Receiver } from '@sluice/delivery'
import type { Event } from '@sluice/event'
import type { TargetState } from './congestion.ts'
import { failure, fullFailure, loopFailure, replyFailure, type Failure } from './dead-letter.ts'
import { DeadLetters } from './dead-letters.ts'
import { Lane } from './lane.ts'
import { REFUSED_BY_SCHEMA } from './judgement.ts'
import type { Observer, TriggerName } from './observer.ts'
import { Redriven } from './redrive.ts'

/** Where and how a trigger's events go; changes with the trigger, and counts from the next attempt on. */
export interface Route {
  readonly subscriber: Receiver
  readonly deadLetterSink: Receiver | undefined
  /** Where replies go. Absent: they are stored by the broker itself, as a Trigger's are. */
  readonly replyTo?: Receiver | 'nobody'
  readonly policy: DeliveryPolicy
  /** POSTs at once, at most: 1 or more. What is more than the window is of no use. */
  readonly concurrency: number
  /** Attempts a second at the subscriber, at most; what waits for that uses no tries. Absent: no limit. */
  readonly ratePerSecond?: number | undefined
}

export interface DispatchContext {
  trigger: TriggerName
  deliverer: Pick<Deliverer, 'send'>
  box: DeadLetterBox
  observer: Observer
  clock: Clock
  /** Uniform in [0, 1). */
  random: () => number
  /** Stores a reply of this trigger; `undefined` = its hops are used up. */
  reply: (reply: Event, to: Event) => Promise<PublishResult> | undefined
  /** Stores a reply that comes out of the box, with new hops. */
  route: (reply: Event) => Promise<PublishResult>
  /** {@link Dispatch.boxFull} has changed. */
  boxChanged: () => void
}

/**
 * `closing`: what is under way finishes, the rest stays in the channel. `removed`: the rest is discarded. `closed`: so
 * is the channel, and what comes of attempts that are still under way can't be kept any more.
 */
type Phase = 'running' | 'closing' | 'removed' | 'closed'

/** Where a channel that took no reply doesn't say when to ask again, in ms. */
const ROUTE_RETRY_MS = 1000

/** Headers of a delivery to a subscriber beside the event's own: name, value, name, value (spec 135). */
export function subscriberHeaders(namespace: string): readonly string[] {
  return ['prefer', 'reply', 'kn-namespace', namespace]
}

export class Dispatch {
  /** The last failure in words, for status. */
  lastFailure: string | undefined
  readonly #context: DispatchContext
  #route: Route
  #phase: Phase = 'running'
  #paused = false
  #lane: Lane<Delivery>
  /** So many are dead letters untried; and until {@link keep}, what fails is one too. */
  #toGiveUp = 0
  #isRelieving = false
  /** What the channel handed over, while {@link hold} keeps it from the lane. */
  #held: Delivery[] | undefined
  readonly #deadLetters: DeadLetters
  /** What failed between {@link stop} and {@link giveBack}. */
  #failed: Delivery[] | undefined
  readonly #headers: readonly string[]
  readonly #replyHeaders: readonly string[]

  constructor(context: DispatchContext, route: Route) {
    this.#context = context
    this.#route = route
    this.#headers = subscriberHeaders(context.trigger.namespace)
    this.#replyHeaders = ['kn-namespace', context.trigger.namespace]
    this.#lane = this.#openLane()
    this.#deadLetters = new DeadLetters(context, route, {
      failed: (words) => (this.lastFailure = words),
      kept: (delivery) => this.#kept(delivery),
      answerKept: (delivery) => this.#settle(delivery),
      givenUp: (delivery) => this.#giveUp(delivery),
    })
  }

  get state(): TargetState {
    return this.#lane.state
  }

  /** Events that wait for the rate, or for an attempt to end. */
  get queued(): number {
    return this.#lane.queued
  }

  get boxFull(): boolean {
    return this.#deadLetters.boxFull
  }

  get boxFailure(): string | undefined {
    return this.#deadLetters.boxFailure
  }

  /** From the channel: one event that matched. */
  deliver(delivery: Delivery): void {
    if (this.#deadLetters.parked > 0 && this.#deadLetters.takeBack(delivery)) return
    if (delivery.attempt === 1) this.#context.observer.matched(this.#context.trigger, delivery.event)
    if (this.#toGiveUp > 0) this.#makeRoom(delivery)
    else this.#lane.push(delivery)
  }

  /** The next so many that come from the channel are dead letters, those that wait here first: see relief.ts. */
  giveUp(events: number): void {
    if (this.#phase !== 'running' || this.#held !== undefined) return
    this.#toGiveUp = events
    this.#isRelieving = true
    this.#deadLetters.isRelieving = true
    this.#lane.pause() // or the next oldest one would be under way
    if (events === 0) return
    for (const delivery of this.#lane.takeQueued()) {
      if (!this.#isRelieving || delivery instanceof Redriven) this.#lane.push(delivery)
      else this.#makeRoom(delivery)
    }
  }

  #makeRoom(delivery: Delivery): void {
    this.#toGiveUp--
    this.#undeliverable(delivery, fullFailure(this.#route.subscriber.url, delivery.attempt - 1))
  }

  /** Whether an attempt is under way at the subscriber. */
  get isTrying(): boolean {
    return this.#lane.active > 0
  }

  /** The end of {@link giveUp}. */
  keep(): void {
    this.#toGiveUp = 0
    this.#isRelieving = false
    this.#deadLetters.isRelieving = false
    if (!this.#paused) this.#lane.resume()
  }

  /** From the box: one entry once more. A reply that was not routed, for its hops were used up, is routed now. */
  redeliver(redriven: Redriven): void {
    if (redriven.entry.reason !== 'loop') return this.#lane.push(redriven)
    void this.#context.route(redriven.event).then((result) => {
      if (result.stored) return this.#kept(redriven)
      this.lastFailure = `A reply out of the dead-letter box could not be stored: ${result.error.message}`
      redriven.release(result.error.retryAfterMs ?? ROUTE_RETRY_MS, 'unused')
    })
  }

  #attempt(delivery: Delivery, done: (outcome: Outcome) => void): void {
    const { subscriber, policy, replyTo } = this.#route
    this.#context.deliverer.send(
      {
        target: subscriber,
        event: delivery.event,
        timeoutMs: policy.timeoutMs,
        format: policy.format,
        headers: this.#headers,
        reply: replyTo !== 'nobody', // spec 36
      },
      done,
    )
  }

  /** `destination`: the address that was tried; a change of the route may have overtaken the attempt. */
  #finished(delivery: Delivery, outcome: Outcome, destination: string): void {
    if (this.#phase === 'closed') return
    const { observer, trigger } = this.#context
    observer.attempted(trigger, delivery.event, outcome, 'subscriber', delivery.attempt)
    if (outcome.verdict === 'delivered') {
      if (outcome.reply === undefined || this.#route.replyTo === 'nobody') this.#settle(delivery) // spec 36, 71, 73
      else this.#storeReply(delivery, outcome.reply, destination)
      return
    }
    this.lastFailure = outcome.error
    const { subscriber, policy } = this.#route
    // CloudEvents WebHook 2.2: who wants no request for a while gets none, whichever event it was that it refused.
    if (outcome.status === 429 && subscriber.access?.webhookOrigin !== undefined) {
      this.#lane.hold(Math.min(outcome.retryAfterMs, policy.retryAfterMaxMs))
    }
    if (outcome.verdict === 'retry' && this.#hasTriesLeft(delivery)) this.#retry(delivery, outcome.retryAfterMs)
    else this.#undeliverable(delivery, failure(outcome, destination, delivery.attempt))
  }

  /** The original settles only once its reply is stored, here or at its destination (spec 56, 58, 59, 72, 74). */
  #storeReply(delivery: Delivery, reply: Event, destination: string): void {
    const { replyTo } = this.#route
    if (typeof replyTo === 'object') return this.#sendReply(delivery, reply, replyTo)
    const stored = this.#context.reply(reply, delivery.event)
    if (stored === undefined) {
      return this.#deadLetters.keepAnswer(delivery, reply, loopFailure(destination, delivery.attempt))
    }
    void stored.then((result) => {
      if (result.stored) return this.#settle(delivery)
      const { message, retryAfterMs = 0, code, status } = result.error
      this.lastFailure = `The reply of the subscriber could not be stored: ${message}`
      const isRefused = code === REFUSED_BY_SCHEMA // what the subscriber says to the same event next is no better (FL-26)
      if (!isRefused && this.#hasTriesLeft(delivery)) return this.#retry(delivery, retryAfterMs)
      const failed = replyFailure(this.lastFailure, destination, delivery.attempt, isRefused ? status : undefined)
      this.#undeliverable(delivery, failed)
    })
  }

  /** One attempt; where it fails, the whole delivery does, so that it is made again with it (spec 74). */
  #sendReply(delivery: Delivery, reply: Event, target: Receiver): void {
    const { deliverer, observer, trigger } = this.#context
    const { policy } = this.#route
    if (reply.headers.length === 0) reply.headers = delivery.event.headers
    const { timeoutMs, format } = policy
    deliverer.send(
      { target, event: reply, timeoutMs, format, headers: this.#replyHeaders, reply: false },
      (outcome) => {
        if (this.#phase === 'closed') return
        observer.attempted(trigger, reply, outcome, 'reply', delivery.attempt)
        if (outcome.verdict === 'delivered') return this.#settle(delivery)
        this.lastFailure = `The reply of the subscriber was not taken: ${outcome.error}`
        if (outcome.verdict === 'retry' && this.#hasTriesLeft(delivery)) this.#retry(delivery, outcome.retryAfterMs)
        else this.#undeliverable(delivery, failure(outcome, target.url, delivery.attempt)) // spec 75
      },
    )
  }

  #hasTriesLeft(delivery: Delivery): boolean {
    // While room has to be made nothing is parked that is tried already: it may be the oldest of all.
    return delivery.attempt <= this.#route.policy.retry && (this.#toGiveUp === 0 || delivery instanceof Redriven)
  }

  #retry(delivery: Delivery, retryAfterMs: number): void {
    if (this.#phase === 'closed' || this.#phase === 'removed') return this.#giveUp(delivery)
    const { observer, trigger, random } = this.#context
    const delayMs = nextDelayMs(this.#route.policy, delivery.attempt, retryAfterMs, random)
    observer.parked(trigger, delivery.event, delayMs)
    delivery.release(delayMs)
  }

  #undeliverable(delivery: Delivery, failed: Failure): void {
    if (this.#phase === 'running') this.#deadLetters.push({ delivery, failed })
    else this.#giveUp(delivery)
  }

  /** The subscriber has it, and its reply, if any, is stored or in the box. */
  #settle(delivery: Delivery): void {
    if (this.#phase === 'closed') return
    this.#context.observer.settled(this.#context.trigger, delivery.event)
    delivery.settle()
  }

  /** The dead-letter sink or the box has it; of a reply that is redriven, the channel. */
  #kept(delivery: Delivery): void {
    if (this.#phase !== 'closed') delivery.settle()
  }

  /** After {@link stop} nothing is tried again: a closing channel keeps the event, a removed trigger discards it. */
  #giveUp(delivery: Delivery): void {
    if (this.#phase === 'closed') return
    if (this.#failed !== undefined) return void this.#failed.push(delivery)
    delivery.release(0, 'unused')
    const isDiscarded = this.#phase === 'removed' && !(delivery instanceof Redriven)
    if (isDiscarded) this.#context.observer.discarded(this.#context.trigger, 1, 'deleted')
  }

  // --- Control: the trigger is changed, paused, removed, closed ---

  /** The next attempt goes by the new route. A new address starts with a clean record. */
  update(route: Route): void {
    const before = this.#route
    this.#route = route
    if (route.subscriber.url === before.subscriber.url) {
      this.#lane.setConcurrency(route.concurrency)
      this.#lane.setRate(route.ratePerSecond)
    } else this.#changeLane()
    this.#deadLetters.update(route)
  }

  /** What is under way at the old address finishes there, and says nothing of the new one. */
  #changeLane(): void {
    const old = this.#lane
    this.#lane = this.#openLane()
    old.pause()
    if (old.state !== 'Healthy') this.#context.observer.targetChanged(this.#context.trigger, 'Healthy')
    for (const delivery of old.takeQueued()) this.#lane.push(delivery)
  }

  #openLane(): Lane<Delivery> {
    const { subscriber, concurrency, ratePerSecond } = this.#route
    const { url } = subscriber
    const lane: Lane<Delivery> = new Lane<Delivery>({
      clock: this.#context.clock,
      concurrency,
      ratePerSecond,
      isRepeat: (delivery) => delivery.attempt > 1,
      attempt: (delivery, done) => this.#attempt(delivery, done),
      finished: (delivery, outcome) => this.#finished(delivery, outcome, url),
      changed: (state) => {
        if (lane === this.#lane) this.#context.observer.targetChanged(this.#context.trigger, state)
      },
    })
    if (this.#paused || this.#isRelieving) lane.pause()
    return lane
  }

  /** The channel has set the trigger to another place. */
  sought(): void {
    this.#deadLetters.forgetParked()
  }

  /** The box takes no more: what came from the channel waits. What is redriven goes on, for that makes room. */
  hold(): void {
    if (this.#held !== undefined) return
    this.#held = []
    for (const delivery of this.#lane.takeQueued()) {
      if (delivery instanceof Redriven) this.#lane.push(delivery)
      else this.#held.push(delivery)
    }
    this.#deadLetters.pause()
  }

  /** The end of {@link hold}. */
  go(): void {
    if (this.#held === undefined) return
    for (const delivery of this.#held) this.#lane.push(delivery)
    this.#held = undefined
    if (!this.#paused) this.#deadLetters.resume()
  }

  /** Starts no attempt until {@link resume}. What is under way finishes, and settles. */
  pause(): void {
    this.#paused = true
    this.#lane.pause()
    this.#deadLetters.pause()
  }

  resume(): void {
    if (this.#phase !== 'running') return
    this.#paused = false
    if (!this.#isRelieving) this.#lane.resume()
    if (this.#held === undefined) this.#deadLetters.resume()
  }

  /** Starts no attempt any more. What is under way finishes, and settles. {@link giveBack} follows. */
  stop(phase: 'closing' | 'removed'): void {
    if (this.#phase !== 'running') return
    this.#phase = phase
    this.#failed = []
    this.pause()
    this.#deadLetters.stop()
  }

  /** After {@link stop}: releases what was handed over and is not under way. Returns how much of the channel's that was. */
  giveBack(): number {
    const idle = [...(this.#failed ?? []), ...this.#lane.takeQueued(), ...this.#deadLetters.takeQueued()]
    idle.push(...(this.#held ?? []))
    this.#failed = undefined
    this.#held = undefined
    for (const delivery of idle) delivery.release(0, 'unused')
    return idle.filter((delivery) => !(delivery instanceof Redriven)).length
  }

  /** The channel is closed. */
  close(): void {
    this.#phase = 'closed'
  }

  /** Whether any of `events` unsettled ones may still end by itself: not those that wait for a target that is down. */
  mayEnd(events: () => number): boolean {
    const dead = this.#deadLetters
    return this.#lane.active > 0 || dead.mayEnd || (this.#lane.state !== 'Down' && events() > dead.waiting)
  }
}
