// What every clause of the suite stands on: a channel over a store of its own, receivers, events, and time.

import { expect } from 'vitest'
import type { Clock, ManualClock } from '@sluice/clock'
import { Event, type AttributeValue } from '@sluice/event'
import type { Filter } from '@sluice/filter'
import type { Capabilities, Channel, Delivery, PublishResult, Subscription, SubscriptionSpec } from '../channel.ts'
import { timeOf, type Time } from './time.ts'

/** A driver as the suite needs it. */
export interface ConformanceDriver {
  /** Heads the suite's report. */
  name: string
  /** Makes an empty store that no other test touches. */
  create(options: StoreOptions): ConformanceStore | Promise<ConformanceStore>
  /** Makes the clock that the suite moves, one for each test. Without it the suite goes by real time. */
  clock?: () => ManualClock
  /** Clauses, by their names, that this driver can't pass though its capabilities say so; each with the reason. */
  lacks?: Readonly<Record<string, string>>
  /** Real milliseconds that an awaited thing may take. Default 10,000. */
  timeoutMs?: number
  /** Real milliseconds for which the suite watches for what must not come. Default 0 with a manual clock, else 300. */
  quietMs?: number
}

export interface StoreOptions extends StoreLimits {
  /**
   * Names this test's topics, groups and the like: unique, and of lower-case letters, digits and hyphens. Every test
   * uses the same few subscription ids.
   */
  space: string
  /** What the channel has to go by. */
  clock: Clock
}

/** Limits that a clause would like to reach quickly. A driver that can't lower one ignores it, and declares its own. */
export interface StoreLimits {
  bytesMax?: number
  eventBytesMax?: number
  parkedMax?: number
}

export interface ConformanceStore {
  /** Opens a channel over the store, as one more process would. */
  open(): Channel | Promise<Channel>
  /** Has the server's retention remove that many of the oldest events. Needed where `lossDetected` means something. */
  lose?(events: number): Promise<void>
  /** Called when the test is over and its channels are closed. */
  destroy?(): Promise<void>
}

/** One promise of the contract, and how it is proved. */
export interface Clause {
  /** A sentence about the channel. */
  readonly name: string
  readonly limits: StoreLimits
  readonly run: (scene: Scene) => Promise<void>
}

export function clause(name: string, run: (scene: Scene) => Promise<void>, limits: StoreLimits = {}): Clause {
  return { name, limits, run }
}

/** Runs one clause on a new store of the driver; rejects when the driver breaks it. */
export async function runClause(driver: ConformanceDriver, { run, limits }: Clause): Promise<void> {
  const clock = driver.clock?.()
  const time = timeOf({
    clock,
    timeoutMs: driver.timeoutMs ?? 10_000,
    quietMs: driver.quietMs ?? (clock === undefined ? 300 : 0),
  })
  const space = `sluice-${process.pid}-${spaces++}`
  const store = await driver.create({ ...limits, space, clock: time.clock })
  const scene = new Scene(store, time, await store.open())
  try {
    await run(scene)
  } finally {
    for (const channel of scene.opened) await scene.close(channel)
    await store.destroy?.()
  }
}

let spaces = 0

export class Scene {
  readonly store: ConformanceStore
  readonly time: Time
  channel: Channel
  /** Every channel that was opened over the store, to be closed in the end. */
  readonly opened: Channel[]
  #ids = 0

  constructor(store: ConformanceStore, time: Time, channel: Channel) {
    this.store = store
    this.time = time
    this.channel = channel
    this.opened = [channel]
  }

  get capabilities(): Capabilities {
    return this.channel.capabilities
  }

  /** Another process on the same store. */
  async openAnother(): Promise<Channel> {
    const channel = await this.store.open()
    this.opened.push(channel)
    return channel
  }

  /** Closes a channel at once, with what is out left as it is. */
  async close(channel: Channel): Promise<void> {
    let closed = false
    const closing = channel.close({ deadlineMs: 0 }).then(() => (closed = true))
    await this.time.soon('the channel to close', () => closed)
    await closing
  }

  /** Closes the channel at once, and opens the store anew. */
  async reopen(): Promise<void> {
    await this.close(this.channel)
    this.channel = await this.openAnother()
  }

  /** An event with an id of its own. */
  event(attributes: Record<string, AttributeValue> = {}, data?: Buffer): Event {
    const id = `e${String(++this.#ids).padStart(5, '0')}`
    return new Event(
      new Map(Object.entries({ specversion: '1.0', id, source: '/suite', type: 'a', ...attributes })),
      data,
    )
  }

  events(count: number, attributes: Record<string, AttributeValue> = {}, data?: Buffer): Event[] {
    return Array.from({ length: count }, () => this.event(attributes, data))
  }

  /** Publishes, and expects that all of it was stored. */
  async publish(events: readonly Event[], lane: 'ingress' | 'reply' = 'ingress'): Promise<PublishResult[]> {
    const results = await this.channel.publish(events, { lane })
    for (const result of results) if (!result.stored) throw result.error
    return results
  }

  subscribe(receiver: Receiver, spec: Partial<SubscriptionSpec> = {}): Promise<Subscription> {
    return this.channel.subscribe({ id: 'one', filter: EVERYTHING, ...spec }, receiver.deliver)
  }

  /** Resolves once `receiver` was handed `count` deliveries in all. */
  handed(receiver: Receiver, count: number): Promise<void> {
    return this.time.soon(`${count} deliveries`, () => receiver.all.length >= count)
  }
}

/** Takes deliveries, and keeps them in the order they came. */
export interface Receiver {
  readonly all: Delivery[]
  /** Ids of the events handed over, in order, again for each time. */
  readonly ids: string[]
  readonly deliver: (delivery: Delivery) => void
  /** The latest delivery of the event of that id. */
  last(id: string): Delivery
  times(id: string): number
}

/** `handle` is called with each delivery; by default it stays out until the clause settles it. */
export function receiver(handle: (delivery: Delivery) => void = () => {}): Receiver {
  const all: Delivery[] = []
  const ids: string[] = []
  return {
    all,
    ids,
    deliver: (delivery) => {
      all.push(delivery)
      ids.push(delivery.event.id)
      handle(delivery)
    },
    last: (id) => {
      const found = all.findLast((delivery) => delivery.event.id === id)
      if (found === undefined) throw new Error(`event ${id} was not handed over`)
      return found
    },
    times: (id) => ids.filter((other) => other === id).length,
  }
}

/** A receiver that settles at once. */
export function settler(): Receiver {
  return receiver((delivery) => delivery.settle())
}

export function idsOf(events: readonly Event[]): string[] {
  return events.map((event) => event.id)
}

/** Sorted, for comparing what came without regard to order. */
export function sorted(ids: readonly string[]): string[] {
  return ids.toSorted()
}

/** Expects a refusal that names the capability. */
export async function expectUnsupported(capability: keyof Capabilities, asked: Promise<unknown>): Promise<void> {
  await expect(asked).rejects.toMatchObject({ code: 'SLUICE_CHANNEL_UNSUPPORTED', subject: capability })
}

export const EVERYTHING: Filter = { ast: { kind: 'all', of: [] }, needsData: false, matches: () => true }

export function typeIs(type: string): Filter {
  return {
    ast: { kind: 'exact', attribute: 'type', value: type },
    needsData: false,
    matches: (event) => event.attribute('type') === type,
  }
}
