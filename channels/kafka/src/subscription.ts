// One subscription: what its group hands this process, filtered, through the hand-over that all drivers share, and what is
// settled back to the server as commits. Which partitions it has, and where they go on, stands in partitions.ts.
//
// From: member.ts brings records. Next: the subscription's receiver (broker/src/dispatch.ts).

import {
  Fifo,
  Handover,
  orderingKey,
  WINDOW_DEFAULT,
  type Delivery,
  type Lag,
  type Loss,
  type Start,
  type Subscription,
  type SubscriptionSpec,
  type Window,
} from '@sluice/channel'
import type { Event } from '@sluice/event'
import type { Filter } from '@sluice/filter'
import type { KafkaMessage } from 'kafkajs'
import type { KafkaChannel } from './channel.ts'
import { Partitions } from './partitions.ts'
import { positionOf, type Part, type Taken } from './taken.ts'

/** Records that wait here for room in the window; beyond, nothing is fetched. One fetch may go over it. */
const AHEAD = { events: 4096, bytes: 8 * 1024 * 1024 }
/** Counted for each event beside its data. */
const RECORD_OVERHEAD = 256
const UNTOLD_MAX = 1000

export class KafkaSubscription implements Subscription {
  readonly id: string
  readonly handover: Handover<Taken>
  open = true
  #isRemoved = false
  #isPaused: boolean
  /** The group is being shared out, or this process may have fallen out of it: nothing goes out meanwhile. */
  #isWithheld = true
  #filter: Filter
  #order: 'none' | 'key'
  readonly #channel: KafkaChannel
  readonly #partitions: Partitions
  readonly #queue = new Fifo<Taken>()
  #queueBytes = 0
  readonly #listeners = new Set<(loss: Loss) => void>()
  /** Found before anybody listened: as it begins, for one. */
  readonly #untold: Loss[] = []

  constructor(channel: KafkaChannel, group: string, spec: SubscriptionSpec, deliver: (delivery: Delivery) => void) {
    this.id = spec.id
    this.#channel = channel
    this.#filter = spec.filter
    this.#isPaused = spec.paused ?? false
    this.#order = spec.order ?? 'none'
    this.#partitions = new Partitions(channel, {
      id: spec.id,
      group,
      take: (part, message, offset) => this.#take(part, message, offset),
      isFull: () =>
        this.#isPaused || !this.open || this.#queue.length >= AHEAD.events || this.#queueBytes >= AHEAD.bytes,
      came: () => this.handover.wake(),
      fetched: (taken, event) => this.handover.loaded(taken, event),
      unfetchable: (taken) => this.handover.unloadable(taken, taken.key),
      dropped: (isLost) => this.#drop(isLost),
      withheld: (isWithheld) => this.#withhold(isWithheld),
      lost: (loss) => this.#tell(loss),
      decode: (message) => this.#decode(message),
    })
    this.handover = new Handover<Taken>({
      backlog: {
        next: () => this.#next(),
        load: (taken) => this.#load(taken),
        bytes: ({ bytes }) => bytes,
        position: ({ part, offset }) => positionOf(part.partition, offset),
        settled: (taken) => this.#settle(taken),
        parked: (taken, event) => this.#park(taken, event),
      },
      parking: channel.parking,
      deliver,
      order: this.#order,
      window: spec.window ?? WINDOW_DEFAULT,
      paused: true,
      maxDelayMs: channel.capabilities.maxDelayMs,
      maxParked: channel.capabilities.maxParked,
    })
  }

  /** Resolves once the server keeps where it starts, or goes on, in every partition. */
  begin(start: Start): Promise<void> {
    return this.#partitions.begin(start)
  }

  #take(part: Part, message: KafkaMessage, offset: number): Taken {
    const taken: Taken = {
      part,
      offset,
      time: Number(message.timestamp),
      bytes: (message.value?.length ?? 0) + RECORD_OVERHEAD,
      message,
      event: undefined,
      key: undefined,
      isKept: false,
      isLost: false,
    }
    this.#queue.push(taken)
    this.#queueBytes += taken.bytes
    return taken
  }

  #next(): Taken | undefined {
    if (this.#isWithheld || this.#partitions.isOverdue) return undefined
    for (let taken = this.#queue.shift(); taken !== undefined; taken = this.#queue.shift()) {
      this.#queueBytes -= taken.bytes
      if (this.#partitions.fetching.isHeld && this.#hasRoom) this.#partitions.goOn()
      const { message } = taken
      taken.message = undefined
      const event = this.#decode(message!)
      if (event === undefined) {
        const position = positionOf(taken.part.partition, taken.offset)
        this.#tell({ events: 1, range: [position, position], cause: 'malformed' })
      } else if (this.#filter.matches(event)) {
        taken.event = event
        return taken
      }
      this.#settle(taken)
    }
    return undefined
  }

  /** For a whole fetch, and not for one event. */
  get #hasRoom(): boolean {
    return this.#queue.length <= AHEAD.events / 2 && this.#queueBytes <= AHEAD.bytes / 2
  }

  /** `undefined`: somebody has put something there that is no event. */
  #decode(message: KafkaMessage): Event | undefined {
    try {
      return this.#channel.decode(message)
    } catch {
      return undefined
    }
  }

  #tell(loss: Loss): void {
    if (this.#listeners.size === 0 && this.#untold.length < UNTOLD_MAX) this.#untold.push(loss)
    for (const listener of this.#listeners) listener(loss)
  }

  #load(taken: Taken): Event | undefined {
    const { event } = taken
    if (event === undefined) this.#partitions.fetching.fetchAgain(taken)
    else this.#unkeep(taken)
    return event
  }

  #settle(taken: Taken): void {
    if (this.#channel.isClosed || this.#isRemoved) return
    taken.part.progress.settle(taken.offset)
    this.#partitions.fetching.isChanged = true
  }

  #park(taken: Taken, event: Event): void {
    if (this.#channel.isClosed) return
    taken.isKept = this.#channel.kept.take(taken.bytes)
    taken.event = taken.isKept ? event : undefined
    taken.key = taken.isKept || this.#order === 'none' ? undefined : orderingKey(event)
  }

  #unkeep(taken: Taken): void {
    if (taken.isKept) this.#channel.kept.give(taken.bytes)
    taken.isKept = false
  }

  /** Partitions went to other processes, or this one does not know what became of them: what is out stays out. */
  #drop(isLost: (taken: Taken) => boolean): void {
    const dropped = this.#queue.takeWhere(isLost)
    for (const { bytes } of dropped) this.#queueBytes -= bytes
    const keyOf = ({ event, key }: Taken): string => key ?? (event === undefined ? '' : orderingKey(event))
    this.#forget([...dropped, ...this.handover.dropLost(isLost, keyOf)])
  }

  #forget(dropped: readonly Taken[]): void {
    for (const taken of dropped) {
      taken.part.progress.drop(taken.offset)
      taken.isLost = true
      this.#unkeep(taken)
    }
  }

  #withhold(isWithheld: boolean): void {
    if (isWithheld === this.#isWithheld) return
    this.#isWithheld = isWithheld
    if (isWithheld) this.handover.pause()
    else if (!this.#isPaused) this.handover.resume()
  }

  async update(change: { filter?: Filter; window?: Window; order?: 'none' | 'key' }): Promise<void> {
    if (change.order !== undefined) {
      this.#order = change.order
      this.handover.setOrder(change.order)
    }
    if (change.filter !== undefined) this.#filter = change.filter
    if (change.window !== undefined) this.handover.setWindow(change.window)
  }

  async reopen(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Promise<void> {
    this.open = true
    this.#isPaused = spec.paused ?? false
    await this.update({ filter: spec.filter, order: spec.order ?? 'none', window: spec.window ?? WINDOW_DEFAULT })
    this.handover.reopen(deliver, this.#isPaused || this.#isWithheld)
    this.#partitions.goOn()
  }

  pause(): void {
    this.#isPaused = true
    this.handover.pause()
    this.#partitions.goOn()
  }

  resume(): void {
    this.#isPaused = false
    if (!this.#isWithheld) this.handover.resume()
    this.#partitions.goOn()
  }

  hurry(): void {
    this.handover.hurry()
  }

  /** Moves the partitions that this process has; where others have some, it says so and changes nothing. */
  async seek(start: Start): Promise<void> {
    await this.#partitions.seek(start, () => {
      const dropped = [...this.#queue.takeAll(), ...this.handover.dropWaiting()]
      this.#queueBytes = 0
      this.#forget(dropped)
    })
  }

  /** Every now and then, from the channel. */
  tick(): void {
    this.#partitions.tick()
  }

  /** What the channel has learned of the topic. */
  measured(): void {
    this.#partitions.measured()
  }

  /** The topic was deleted, and is there again: its offsets begin anew. */
  madeAnew(ends: readonly number[]): void {
    this.#partitions.madeAnew(ends)
  }

  lag(): Lag {
    const { events, oldest } = this.#partitions.lag()
    return {
      events,
      bound: 'atMost',
      ...(oldest !== undefined && { oldest }),
      inFlight: this.handover.inFlight,
      parked: this.handover.parkedEvents,
    }
  }

  onLoss(listener: (loss: Loss) => void): () => void {
    this.#listeners.add(listener)
    for (const loss of this.#untold.splice(0)) listener(loss)
    return () => this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    this.open = false
    this.handover.close()
    this.#partitions.goOn()
  }

  /** Gives up everything that is not out; returns how much the server still had for it. Its group is left. */
  async discard(): Promise<number> {
    const { events } = this.lag()
    this.open = false
    this.#isRemoved = true
    for (const taken of this.handover.remove()) this.#unkeep(taken)
    this.#queue.takeAll()
    await this.#partitions.close()
    return events
  }

  /** The channel closes: what is settled is committed, and the rest may go to another process at once. */
  async giveBack(): Promise<void> {
    await this.#partitions.commit().catch(() => {})
    await this.#partitions.close()
  }
}
