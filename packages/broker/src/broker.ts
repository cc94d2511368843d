// A broker: accepts events, stores them in its channel, and runs a dispatch for each of its triggers. Hot path. A Channel
// is one whose triggers, its Subscriptions, say where replies go, and which changes nothing of an event (spec 67).
//
// From: server/src/ingress.ts. Next: the channel stores, judges the filters, and hands over to dispatch.ts.

import {
  eventTooLarge,
  INGRESS_SHARE,
  type Channel,
  type DeadLetterBox,
  type PublishResult,
  type Start,
} from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import type { Deliverer } from '@sluice/delivery'
import { HOPS_UNSET, recordBytes, type Event, type SluiceError } from '@sluice/event'
import { closeAll } from './closing.ts'
import { refusedByJudgement, type Judgement } from './judgement.ts'
import type { BrokerName, Observer, TriggerName } from './observer.ts'
import { purge, redrive, type DeadLetterChoice, type Redriving } from './redriving.ts'
import { draining, DRAINING_RETRY_MS, neverRoom, noRoomForAll, storedInPart } from './refusals.ts'
import { Relief } from './relief.ts'
import { arrivalTime, HOPS_MAX, hopsLeft, hopsUsedUp, stamp } from './stamp.ts'
import { Triggers, type Forgetting, type TriggerConfig, type TriggerStatus } from './triggers.ts'

/** What a broker is made of. It owns channel and box from here on, and closes both; deliverer and clock may be shared. */
export interface BrokerOptions {
  /** Shown to observers. Triggers carry their own. */
  namespace: string
  name: string
  /** Of the resource that it runs. Default `Broker`; any other is a channel. */
  kind?: string
  /** Where its events are kept. */
  channel: Channel
  /** Where those end that nobody takes. */
  box: DeadLetterBox
  /** Makes the attempts. */
  deliverer: Pick<Deliverer, 'send'>
  /** Is told of every step. */
  observer: Observer
  clock: Clock
  /** Spreads retries. Uniform in [0, 1). Default Math.random. */
  random?: () => number
  /** Hops of an event that comes without a count. Default {@link HOPS_MAX}. */
  hopsMax?: number
  /**
   * What happens as the channel fills up, asked each time: `deadLetter`, the oldest events of the trigger that holds them go to
   * its sink or the box, so that new ones find room. Default `reject`.
   */
  whenFull?: () => 'reject' | 'deadLetter'
  /**
   * Asked of each event from outside, and of each reply that is stored here, before it is: `undefined`, nothing is wrong with
   * its data. It must not throw. Default: nobody asks.
   */
  judge?: ((event: Event) => Judgement | undefined) | undefined
}

/** A running broker. */
export interface Broker extends BrokerName {
  /** For browsing and usage; only the broker publishes and subscribes. */
  readonly channel: Channel
  /** For browsing and usage. */
  readonly box: DeadLetterBox
  /** As {@link Channel.room}; while draining, a second. */
  room(bytes: number): number
  /** What events from outside may take of its channel in all: for more there is never room. Infinity: no bound. */
  readonly roomMax: number
  /** Whether an event like the last one that found no room would find none now either. */
  readonly isFull: boolean
  /**
   * Takes events from outside, all of one request. Resolves once all are stored: only then may a sender have its 202.
   * Rejects with a SluiceError that carries the HTTP status: 400 hops used up, 413, 429, 503. Nothing is stored then,
   * unless the channel failed in the middle of a batch: the message says of how many.
   */
  accept(events: readonly Event[]): Promise<void>
  /**
   * Adds a trigger or changes it; changes of one trigger are made in turn. Resolves once every matching event published
   * after it is handed over (spec 20). Rejects, with nothing changed, where the channel can't do it, and while draining.
   */
  setTrigger(config: TriggerConfig): Promise<void>
  /**
   * No new delivery for it, at once; what is under way finishes. Its backlog is discarded and counted; its dead letters
   * stay in the box. `forgetting` is waited for before the channel forgets where it stood. Rejects where the channel
   * can't forget it now: then it stands still, and can be removed, or set, again.
   */
  removeTrigger(id: string, forgetting?: Forgetting): Promise<void>
  /**
   * Sets what a trigger has still to get, as {@link Subscription.seek}: what was passed by is counted as discarded, and
   * what comes again is judged by its filter of now. Rejects, with nothing changed, where the channel can't do it, with
   * `SLUICE_TRIGGER_NOT_FOUND`, and while draining.
   */
  seekTrigger(id: string, start: Start): Promise<{ skipped: number }>
  /** `undefined`: no trigger of that id is set. */
  status(id: string): TriggerStatus | undefined
  /** Every trigger that is set now, with what it is doing. */
  triggers(): Iterable<{ name: TriggerName; config: TriggerConfig; status: TriggerStatus }>
  /**
   * Sends dead letters to their triggers once more: past the filter, by the trigger's own policy, marked with
   * `sluiceredrive`, and a reply that was not routed (`loop`) to every trigger, with new hops. Resolves once it is begun.
   * Each leaves the box once it is delivered; one that fails again stays there, under its id, and says so. A paused
   * trigger's wait until it is resumed. Asked for twice, an entry goes once. What is asked for ends with the process,
   * and the entries stay. Rejects, with nothing begun, with `SLUICE_TRIGGER_NOT_FOUND`, as the box does, and while
   * draining.
   */
  redrive(choice: DeadLetterChoice): Promise<Redriving>
  /** Removes dead letters for good. Resolves with how many there were. */
  purge(choice: DeadLetterChoice | 'all'): Promise<number>
  /**
   * Takes no more events, lets what is under way finish, and where the channel is volatile what waits go out as far as
   * it gets; closes the channel after that, or after `deadlineMs`, and then the box. What a volatile channel still has
   * then is lost, and reported. A channel or a box that hangs is waited for 5 s longer, and left. A second call joins
   * the first.
   */
  close(options: { deadlineMs: number }): Promise<void>
}

/** Opens a broker without triggers; {@link Broker.setTrigger} adds them. */
export function openBroker(options: BrokerOptions): Broker {
  return new RunningBroker(options)
}

/** About what attributes take beside the data. */
const ATTRIBUTE_BYTES = 256
/** About what a channel keeps beside the record of an event. */
const BESIDE_RECORD_BYTES = 256
const INGRESS = { lane: 'ingress' } as const
const REPLY = { lane: 'reply' } as const
/** The status of an event that a full channel refuses. */
const FULL = 429

class RunningBroker implements Broker {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly channel: Channel
  readonly box: DeadLetterBox
  readonly #clock: Clock
  readonly #observer: Observer
  readonly #hopsMax: number
  readonly #arrival: () => string
  readonly #triggers: Triggers
  readonly #relief: Relief | undefined
  readonly #judge: BrokerOptions['judge']
  /** Bytes of the last event for which there was no room. */
  #wanted = 0
  #closing: Promise<void> | undefined

  constructor(options: BrokerOptions) {
    const { kind = 'Broker', namespace, name, channel, box, deliverer, observer, clock } = options
    const { random = Math.random, hopsMax = HOPS_MAX } = options
    this.kind = kind
    this.namespace = namespace
    this.name = name
    this.channel = channel
    this.box = box
    this.#clock = clock
    this.#observer = observer
    this.#hopsMax = hopsMax
    this.#judge = options.judge
    this.#arrival = arrivalTime(clock)
    this.#triggers = new Triggers({
      broker: this,
      channel,
      box,
      deliverer,
      observer,
      clock,
      random,
      reply: (trigger, reply, to) => this.#storeReply(trigger, reply, to),
      route: (trigger, reply) => this.#route(trigger, reply, this.#hopsMax),
    })
    const { whenFull } = options
    if (whenFull === undefined) return
    this.#relief = new Relief({
      channel,
      clock,
      isWanted: () => whenFull() === 'deadLetter',
      triggers: () => this.#triggers.relieving(),
    })
  }

  // --- Events ---

  room(bytes: number): number {
    if (this.#closing !== undefined) return DRAINING_RETRY_MS
    this.#relief?.watch(bytes)
    const retryAfterMs = this.channel.room(bytes)
    if (retryAfterMs > 0 && bytes <= this.roomMax) this.#wanted = bytes
    return retryAfterMs
  }

  get roomMax(): number {
    return this.channel.usage().bytesMax * INGRESS_SHARE
  }

  get isFull(): boolean {
    return this.channel.room(this.#wanted) > 0
  }

  async accept(events: readonly Event[]): Promise<void> {
    if (this.#closing !== undefined) throw this.#refused(draining(), events.length)
    if (this.#judge !== undefined) this.#refuseByData(events)
    if (this.kind === 'Broker') this.#stamp(events)
    else for (const event of events) event.hops = this.#hopsMax
    if (events.length > 1) this.#requireRoomForAll(events)
    const results = await this.channel.publish(events, INGRESS)
    let failed: SluiceError | undefined
    let stored = 0
    for (let i = 0; i < results.length; i++) {
      const result = results[i]!
      if (result.stored) {
        stored++
        this.#observer.accepted(this, events[i]!)
        this.#relief?.came((events[i]!.data?.length ?? 0) + ATTRIBUTE_BYTES)
      } else {
        const error = result.error.status === FULL ? this.#full(result.error, events[i]!) : result.error
        failed = this.#refused(failed ?? error, 1)
      }
    }
    if (failed !== undefined) throw stored === 0 ? failed : storedInPart(failed, stored, events.length)
  }

  /** What an event found full may have room later, or never has: to come again is of no use then. */
  #full(error: SluiceError, event: Event): SluiceError {
    const bytes = recordBytes(event)
    if (bytes + BESIDE_RECORD_BYTES > this.roomMax) {
      return neverRoom('event', bytes + BESIDE_RECORD_BYTES, this.roomMax)
    }
    this.#wanted = bytes
    return error
  }

  /** Who is refused sends the whole batch again: what is stored of it would come twice, each time (CE-28). */
  #requireRoomForAll(events: readonly Event[]): void {
    const { maxEventBytes } = this.channel.capabilities
    let bytes = 0
    for (const event of events) {
      const size = recordBytes(event)
      if (size > maxEventBytes) throw this.#refused(eventTooLarge(size, maxEventBytes), events.length)
      bytes += size + BESIDE_RECORD_BYTES
    }
    if (bytes > this.roomMax) throw this.#refused(neverRoom('batch', bytes, this.roomMax), events.length)
    const retryAfterMs = this.room(bytes)
    if (retryAfterMs === 0) return
    throw this.#refused(noRoomForAll(this, events.length, retryAfterMs), events.length)
  }

  /** All of a request are judged before any of it is stored. */
  #refuseByData(events: readonly Event[]): void {
    for (let i = 0; i < events.length; i++) {
      const judgement = this.#judgementOn(events[i]!)
      if (judgement?.isRefused !== true) continue
      throw this.#refused(refusedByJudgement(judgement, events.length === 1 ? undefined : i), events.length)
    }
  }

  #judgementOn(event: Event, trigger?: TriggerName): Judgement | undefined {
    const judgement = this.#judge?.(event)
    if (judgement !== undefined) this.#observer.judged(this, event, judgement, trigger)
    return judgement
  }

  #stamp(events: readonly Event[]): void {
    for (const event of events) {
      const hops = hopsLeft(event, this.#hopsMax)
      if (hops <= 0) throw this.#refused(hopsUsedUp(event), events.length)
      event.hops = hops
    }
    const arrival = this.#arrival()
    for (const event of events) stamp(event, arrival)
  }

  #refused(error: SluiceError, events: number): SluiceError {
    this.#observer.refused(this, error.status, events)
    return error
  }

  /** Replies are routed like events from outside, to every trigger of this broker (spec 56, 57). */
  #storeReply(trigger: TriggerName, reply: Event, to: Event): Promise<PublishResult> | undefined {
    // What another producer has put into the channel came through no broker yet.
    const hops = (to.hops === HOPS_UNSET ? this.#hopsMax : to.hops) - 1
    if (hops <= 0) return undefined
    const judgement = this.#judgementOn(reply, trigger)
    if (judgement?.isRefused === true) {
      return Promise.resolve({ stored: false, error: refusedByJudgement(judgement, undefined) })
    }
    if (reply.headers.length === 0) reply.headers = to.headers
    return this.#route(trigger, reply, hops)
  }

  #route(trigger: TriggerName, reply: Event, hops: number): Promise<PublishResult> {
    reply.hops = hops
    stamp(reply, this.#arrival())
    return this.channel.publish([reply], REPLY).then(([result]) => {
      if (result?.stored) this.#observer.accepted(this, reply, trigger)
      return result!
    })
  }

  // --- Triggers ---

  setTrigger(config: TriggerConfig): Promise<void> {
    return this.#triggers.set(config, () => this.#refuseWhileDraining())
  }

  removeTrigger(id: string, forgetting?: Forgetting): Promise<void> {
    return this.#triggers.remove(id, forgetting)
  }

  seekTrigger(id: string, start: Start): Promise<{ skipped: number }> {
    return this.#triggers.seek(id, start, () => this.#refuseWhileDraining())
  }

  status(id: string): TriggerStatus | undefined {
    return this.#triggers.status(id)
  }

  triggers(): Iterable<{ name: TriggerName; config: TriggerConfig; status: TriggerStatus }> {
    return this.#triggers.all()
  }

  // --- Dead letters ---

  async redrive(choice: DeadLetterChoice): Promise<Redriving> {
    this.#refuseWhileDraining()
    return await redrive(choice, this.box, (trigger) => this.#triggers.redrive(trigger))
  }

  purge(choice: DeadLetterChoice | 'all'): Promise<number> {
    return purge(choice, this.box)
  }

  #refuseWhileDraining(): void {
    if (this.#closing !== undefined) throw draining()
  }

  // --- The end ---

  close({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    const { channel, box } = this
    const [triggers, clock, observer] = [this.#triggers, this.#clock, this.#observer]
    this.#relief?.stop()
    return (this.#closing ??= closeAll({ channel, box, triggers, clock, observer }, deadlineMs))
  }
}
