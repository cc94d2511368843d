// A broker: accepts events, stores them in its channel, and runs a dispatch for each of its triggers. Hot path.
//
// From: server/src/ingress.ts. Next: the channel stores, judges the filters, and hands over to dispatch.ts.

import {
  within,
  type Channel,
  type DeadLetterBox,
  type Lag,
  type PublishResult,
  type Start,
  type Subscription,
  type Window,
} from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import type { Deliverer } from '@sluice/delivery'
import { SluiceError, type Event } from '@sluice/event'
import type { Filter } from '@sluice/filter'
import type { TargetState } from './congestion.ts'
import { Dispatch, type Route } from './dispatch.ts'
import type { BrokerName, Observer, TriggerName } from './observer.ts'

export interface BrokerOptions {
  namespace: string
  name: string
  channel: Channel
  box: DeadLetterBox
  deliverer: Deliverer
  observer: Observer
  clock: Clock
  /** Uniform in [0, 1). Default Math.random. */
  random?: () => number
  /** Hops of an event that comes without a count. Default 255. */
  hopsMax?: number
}

/** Hops that an event may take through brokers before it counts as a loop (KNATIVE.md 3.2). */
export const HOPS_MAX = 255

export interface TriggerConfig {
  /** Names the subscription and its progress: the trigger's uid. */
  readonly id: string
  readonly namespace: string
  readonly name: string
  readonly filter: Filter
  readonly route: Route
  readonly order: 'none' | 'key'
  readonly window: Window
  readonly paused: boolean
  /** Where a new subscription starts. */
  readonly start: Start
}

export interface TriggerStatus {
  readonly lag: Lag
  readonly state: TargetState
  /** The last failure in words. */
  readonly lastFailure: string | undefined
  /** The trigger stands still because the dead-letter box takes no more of it. */
  readonly boxFull: boolean
}

/** A running broker. */
export interface Broker extends BrokerName {
  readonly channel: Channel
  readonly box: DeadLetterBox
  /** As {@link Channel.room}; while draining, a second. */
  room(bytes: number): number
  /**
   * Takes events from outside, all of one request. Resolves once all are stored: only then may a sender have its 202.
   * Rejects with a SluiceError that carries the HTTP status: 400 hops used up (nothing stored), 413, 429, 503.
   */
  accept(events: readonly Event[]): Promise<void>
  /** Adds a trigger or changes it. Resolves once every matching event published after it is handed over (spec 20). */
  setTrigger(config: TriggerConfig): Promise<void>
  /** No new delivery for it; what is under way finishes. Its backlog is discarded and counted. */
  removeTrigger(id: string): Promise<void>
  status(id: string): TriggerStatus | undefined
  /** Every trigger that is set now, with what it is doing. */
  triggers(): Iterable<{ name: TriggerName; config: TriggerConfig; status: TriggerStatus }>
  /**
   * Takes no more events, lets what is under way finish, and where the channel is volatile what waits go out as far as
   * it gets; closes the channel after that, or after `deadlineMs`.
   */
  close(options: { deadlineMs: number }): Promise<void>
}

export function openBroker(options: BrokerOptions): Broker {
  return new RunningBroker(options)
}

interface RunningTrigger {
  readonly name: TriggerName
  config: TriggerConfig
  readonly dispatch: Dispatch
  readonly subscription: Subscription
}

const INGRESS = { lane: 'ingress' } as const
const REPLY = { lane: 'reply' } as const
const DRAINING_RETRY_MS = 1000
const DRAIN_POLL_MS = 20

class RunningBroker implements Broker {
  readonly namespace: string
  readonly name: string
  readonly channel: Channel
  readonly box: DeadLetterBox
  readonly #options: BrokerOptions
  readonly #hopsMax: number
  readonly #triggers = new Map<string, RunningTrigger>()
  readonly #arrival: () => string
  #draining = false

  constructor(options: BrokerOptions) {
    this.namespace = options.namespace
    this.name = options.name
    this.channel = options.channel
    this.box = options.box
    this.#options = options
    this.#hopsMax = options.hopsMax ?? HOPS_MAX
    this.#arrival = arrivalTime(options.clock)
  }

  room(bytes: number): number {
    return this.#draining ? DRAINING_RETRY_MS : this.channel.room(bytes)
  }

  async accept(events: readonly Event[]): Promise<void> {
    if (this.#draining) throw this.#refused(draining(), events.length)
    for (const event of events) {
      const hops = hopsLeft(event, this.#hopsMax)
      if (hops <= 0) throw this.#refused(hopsUsedUp(event), events.length)
      event.hops = hops
    }
    const arrival = this.#arrival()
    for (const event of events) stamp(event, arrival)
    const results = await this.channel.publish(events, INGRESS)
    let failed: SluiceError | undefined
    for (let i = 0; i < results.length; i++) {
      const result = results[i] as PublishResult
      if (result.stored) this.#options.observer.accepted(this, events[i] as Event)
      else failed ??= this.#refused(result.error, 1)
    }
    if (failed !== undefined) throw failed
  }

  #refused(error: SluiceError, events: number): SluiceError {
    this.#options.observer.refused(this, error.status, events)
    return error
  }

  async setTrigger(config: TriggerConfig): Promise<void> {
    const running = this.#triggers.get(config.id)
    if (running === undefined) await this.#addTrigger(config)
    else await this.#changeTrigger(running, config)
  }

  async #addTrigger(config: TriggerConfig): Promise<void> {
    const { deliverer, observer, clock, random = Math.random } = this.#options
    const name: TriggerName = { id: config.id, namespace: config.namespace, name: config.name, broker: this }
    const dispatch = new Dispatch(
      {
        trigger: name,
        deliverer,
        box: this.box,
        observer,
        clock,
        random,
        reply: (reply, to) => this.#storeReply(name, reply, to),
        hold: (held) => {
          if (held) subscription.pause()
          else if (!this.#triggers.get(config.id)?.config.paused) subscription.resume()
        },
      },
      config.route,
    )
    const subscription = await this.channel.subscribe(
      { id: config.id, filter: config.filter, start: config.start, order: config.order, window: config.window },
      (delivery) => dispatch.deliver(delivery),
    )
    subscription.onLoss((loss) => observer.lost(name, loss))
    if (config.paused) subscription.pause()
    this.#triggers.set(config.id, { name, config, dispatch, subscription })
  }

  /** Same subscription, backlog kept; the next attempt goes by the new route. */
  async #changeTrigger(running: RunningTrigger, config: TriggerConfig): Promise<void> {
    const before = running.config
    running.config = config
    running.dispatch.update(config.route)
    const { filter, window } = config
    if (filter !== before.filter || window !== before.window) await running.subscription.update({ filter, window })
    if (config.paused) running.subscription.pause()
    else if (before.paused) running.subscription.resume()
  }

  async removeTrigger(id: string): Promise<void> {
    const running = this.#triggers.get(id)
    if (running === undefined) return
    this.#triggers.delete(id)
    running.dispatch.stop()
    const { discarded } = await this.channel.remove(id)
    const events = discarded + running.dispatch.giveBack()
    if (events > 0) this.#options.observer.discarded(running.name, events)
  }

  status(id: string): TriggerStatus | undefined {
    const running = this.#triggers.get(id)
    return running && statusOf(running)
  }

  *triggers(): Generator<{ name: TriggerName; config: TriggerConfig; status: TriggerStatus }> {
    for (const running of this.#triggers.values()) {
      yield { name: running.name, config: running.config, status: statusOf(running) }
    }
  }

  /** Replies are routed like events from outside, to every trigger of this broker (spec 56, 57). */
  #storeReply(trigger: TriggerName, reply: Event, to: Event): Promise<PublishResult> | undefined {
    const hops = to.hops - 1
    if (hops <= 0) return undefined
    reply.hops = hops
    if (reply.headers.length === 0) reply.headers = to.headers
    stamp(reply, this.#arrival())
    return this.channel.publish([reply], REPLY).then(([result]) => {
      if (result?.stored) this.#options.observer.accepted(this, reply, trigger)
      return result as PublishResult
    })
  }

  async close({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    this.#draining = true
    const { clock, observer } = this.#options
    const end = clock.monotonic() + deadlineMs
    const volatile = !this.channel.capabilities.durable
    if (!volatile) for (const { dispatch } of this.#triggers.values()) dispatch.stop()
    while (clock.monotonic() < end && this.#busy()) await pause(clock, DRAIN_POLL_MS)
    for (const { dispatch } of this.#triggers.values()) dispatch.stop()
    if (volatile) {
      for (const { name, subscription } of this.#triggers.values()) {
        const { events } = subscription.lag()
        if (events > 0) observer.lost(name, { events, cause: 'shutdown' })
      }
    }
    await within(clock, Math.max(0, end - clock.monotonic()), this.channel.close({ deadlineMs: 0 }))
  }

  #busy(): boolean {
    for (const { dispatch } of this.#triggers.values()) if (dispatch.busy) return true
    return false
  }
}

function statusOf({ dispatch, subscription }: RunningTrigger): TriggerStatus {
  const { state, lastFailure, boxFull } = dispatch
  return { lag: subscription.lag(), state, lastFailure, boxFull }
}

/** What the broker writes on an event before it is stored. The event is still ours alone. */
function stamp(event: Event, arrival: string): void {
  event.attributes.delete(HOPS_ATTRIBUTE)
  event.attributes.set('knativearrivaltime', arrival)
}

/** Another broker may have counted already (KNATIVE.md 3.2); never more than ours allows. */
function hopsLeft(event: Event, hopsMax: number): number {
  const carried = event.attributes.get(HOPS_ATTRIBUTE)
  if (carried === undefined) return hopsMax
  const count = Number(carried)
  return Number.isInteger(count) ? Math.min(count - 1, hopsMax) : hopsMax
}

const HOPS_ATTRIBUTE = 'knativebrokerttl'

function hopsUsedUp(event: Event): SluiceError {
  return new SluiceError(
    'SLUICE_EVENT_HOPS_USED_UP',
    `Attribute "${HOPS_ATTRIBUTE}" is ${String(event.attribute(HOPS_ATTRIBUTE))}: this event has passed through as many ` +
      'brokers as it may, so it probably runs in a circle. Nothing was stored.',
    { status: 400, subject: HOPS_ATTRIBUTE },
  )
}

function draining(): SluiceError {
  return new SluiceError('SLUICE_DRAINING', 'Sluice is shutting down and takes no new events. Nothing was stored.', {
    status: 503,
    retryable: true,
    retryAfterMs: DRAINING_RETRY_MS,
  })
}

/** RFC 3339, made once a millisecond. */
function arrivalTime(clock: Clock): () => string {
  let lastMs = Number.NaN
  let text = ''
  return () => {
    const nowMs = clock.now()
    if (nowMs !== lastMs) {
      lastMs = nowMs
      text = new Date(nowMs).toISOString()
    }
    return text
  }
}

function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(delayMs, resolve)
  })
}
