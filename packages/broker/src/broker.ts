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
  deliverer: Pick<Deliverer, 'send'>
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
  /**
   * Adds a trigger or changes it; changes of one trigger are made in turn. Resolves once every matching event published
   * after it is handed over (spec 20). Rejects, with nothing changed, where the channel can't do it, and while draining.
   */
  setTrigger(config: TriggerConfig): Promise<void>
  /** No new delivery for it, at once; what is under way finishes. Its backlog is discarded and counted. */
  removeTrigger(id: string): Promise<void>
  status(id: string): TriggerStatus | undefined
  /** Every trigger that is set now, with what it is doing. */
  triggers(): Iterable<{ name: TriggerName; config: TriggerConfig; status: TriggerStatus }>
  /**
   * Takes no more events, lets what is under way finish, and where the channel is volatile what waits go out as far as
   * it gets; closes the channel after that, or after `deadlineMs`. What a volatile channel still has then is lost, and
   * reported. A channel that hangs is waited for 5 s longer, and left. A second call joins the first.
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
  /** Its removal was begun; where it is seen by a later change, the channel refused it. */
  isLeaving: boolean
}

const INGRESS = { lane: 'ingress' } as const
const REPLY = { lane: 'reply' } as const
const DRAINING_RETRY_MS = 1000
const DRAIN_POLL_MS = 20
/** What a channel may take, in ms, to write its last after the deadline, before nobody waits for it any more. */
const CLOSE_MS_MAX = 5000

class RunningBroker implements Broker {
  readonly namespace: string
  readonly name: string
  readonly channel: Channel
  readonly box: DeadLetterBox
  readonly #options: BrokerOptions
  readonly #hopsMax: number
  readonly #triggers = new Map<string, RunningTrigger>()
  /** The last change of each trigger that is not done yet. */
  readonly #changes = new Map<string, Promise<unknown>>()
  readonly #arrival: () => string
  #closing: Promise<void> | undefined

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
    return this.#closing === undefined ? this.channel.room(bytes) : DRAINING_RETRY_MS
  }

  async accept(events: readonly Event[]): Promise<void> {
    if (this.#closing !== undefined) throw this.#refused(draining(), events.length)
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
      const result = results[i]!
      if (result.stored) this.#options.observer.accepted(this, events[i]!)
      else failed = this.#refused(failed ?? result.error, 1)
    }
    if (failed !== undefined) throw failed
  }

  #refused(error: SluiceError, events: number): SluiceError {
    this.#options.observer.refused(this, error.status, events)
    return error
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
      return result!
    })
  }

  // --- Triggers ---

  setTrigger(config: TriggerConfig): Promise<void> {
    return this.#inTurn(config.id, async () => {
      if (this.#closing !== undefined) throw draining()
      let running = this.#triggers.get(config.id)
      if (running?.isLeaving) {
        await this.#remove(running)
        running = undefined
      }
      if (running === undefined) await this.#addTrigger(config)
      else await this.#changeTrigger(running, config)
    })
  }

  async #addTrigger(config: TriggerConfig): Promise<void> {
    const { deliverer, observer, clock, random = Math.random } = this.#options
    const name: TriggerName = { id: config.id, namespace: config.namespace, name: config.name, broker: this }
    let running: RunningTrigger | undefined
    const dispatch = new Dispatch(
      {
        trigger: name,
        deliverer,
        box: this.box,
        observer,
        clock,
        random,
        reply: (reply, to) => this.#storeReply(name, reply, to),
        boxChanged: () => running && holdOrGo(running),
      },
      config.route,
    )
    const { id, filter, start, order, window, paused } = config
    const subscription = await this.channel.subscribe({ id, filter, start, order, window, paused }, (delivery) =>
      dispatch.deliver(delivery),
    )
    subscription.onLoss((loss) => observer.lost(name, loss))
    running = { name, config, dispatch, subscription, isLeaving: false }
    this.#triggers.set(id, running)
    holdOrGo(running)
  }

  /** Same subscription, backlog kept; the next attempt goes by the new route. */
  async #changeTrigger(running: RunningTrigger, config: TriggerConfig): Promise<void> {
    const before = running.config
    const { filter, window, order } = config
    const changed = {
      ...(filter !== before.filter && { filter }),
      ...((window.events !== before.window.events || window.bytes !== before.window.bytes) && { window }),
      ...(order !== before.order && { order }),
    }
    const updated = Object.keys(changed).length === 0 ? undefined : running.subscription.update(changed)
    use(running, config) // in the same tick: nothing that the new filter let pass goes the old way (fault 42)
    try {
      await updated
    } catch (error) {
      use(running, before)
      throw error
    }
  }

  removeTrigger(id: string): Promise<void> {
    this.#triggers.get(id)?.dispatch.stop('removed') // at once, even while the channel is still busy with a change
    return this.#inTurn(id, async () => {
      const running = this.#triggers.get(id)
      if (running !== undefined) await this.#remove(running)
    })
  }

  async #remove(running: RunningTrigger): Promise<void> {
    const { name, dispatch } = running
    running.isLeaving = true
    dispatch.stop('removed')
    const { discarded } = await this.channel.remove(name.id)
    this.#triggers.delete(name.id) // not before: where the channel refused, the removal can be asked for again
    this.#options.observer.discarded(name, discarded + dispatch.giveBack())
  }

  /** Changes of one trigger wait for each other: a removal never overtakes the opening of what it removes. */
  #inTurn(id: string, change: () => Promise<void>): Promise<void> {
    const before = this.#changes.get(id) ?? Promise.resolve()
    const turn = before.then(change, change)
    this.#changes.set(id, turn)
    const done = (): void => {
      if (this.#changes.get(id) === turn) this.#changes.delete(id)
    }
    turn.then(done, done)
    return turn
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

  // --- The end ---

  close(options: { deadlineMs: number }): Promise<void> {
    return (this.#closing ??= this.#close(options.deadlineMs))
  }

  async #close(deadlineMs: number): Promise<void> {
    const { clock, observer } = this.#options
    const end = clock.monotonic() + deadlineMs
    const volatile = !this.channel.capabilities.durable
    if (volatile) await this.#drain(end)
    for (const { dispatch, subscription } of this.#triggers.values()) {
      subscription.pause()
      dispatch.stop('closing')
      dispatch.giveBack()
    }
    const leftMs = Math.max(0, end - clock.monotonic())
    await within(clock, leftMs + CLOSE_MS_MAX, this.channel.close({ deadlineMs: leftMs }))
    for (const { name, dispatch, subscription } of this.#triggers.values()) {
      dispatch.close()
      const { events } = subscription.lag()
      if (volatile && events > 0) observer.lost(name, { events, cause: 'shutdown' })
    }
  }

  /** Asks now and then: that an event has left, a target is down or a box full is told in three places. */
  async #drain(end: number): Promise<void> {
    const { clock } = this.#options
    while (clock.monotonic() < end && this.#drains()) await pause(clock, DRAIN_POLL_MS)
  }

  /** Whether waiting gets any event further. */
  #drains(): boolean {
    for (const running of this.#triggers.values()) {
      if (running.dispatch.mayEnd(() => (isHeld(running) ? 0 : running.subscription.lag().events))) return true
    }
    return false
  }
}

/** By a person, or because the box takes no more. */
function isHeld({ config, dispatch }: RunningTrigger): boolean {
  return config.paused || dispatch.boxFull
}

function holdOrGo(running: RunningTrigger): void {
  const { dispatch, subscription } = running
  if (isHeld(running)) {
    subscription.pause()
    dispatch.pause()
  } else {
    dispatch.resume()
    subscription.resume()
  }
}

function use(running: RunningTrigger, config: TriggerConfig): void {
  running.config = config
  running.dispatch.update(config.route)
  holdOrGo(running)
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

/** Another broker may have counted already; what is no number doesn't count (KNATIVE.md 3.2). Never more than ours allows. */
function hopsLeft(event: Event, hopsMax: number): number {
  const carried = event.attributes.get(HOPS_ATTRIBUTE)
  if (carried === undefined) return hopsMax
  return WHOLE_NUMBER.test(String(carried)) ? Math.min(Number(carried) - 1, hopsMax) : hopsMax
}

const HOPS_ATTRIBUTE = 'knativebrokerttl'
const WHOLE_NUMBER = /^[+-]?\d+$/

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
