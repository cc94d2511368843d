// What the tests of the log share: a log on a simulated disk, and subscriptions that keep what they are handed.

import { setImmediate } from 'node:timers/promises'
import type { Channel, Delivery, Subscription, SubscriptionSpec } from '@sluice/channel'
import { openLogChannel, type LogChannelOptions, type LogRecovery } from '@sluice/channel-log'
import { manualClock, type ManualClock } from '@sluice/clock'
import { newEvent, type Event } from '@sluice/event'
import { compileAttributes } from '@sluice/filter'
import type { Disk } from '@sluice/segments'
import { simulatedDisk, type SimulatedDisk, type SimulatedDiskOptions } from '@sluice/segments/simulation'

export interface TestLog {
  readonly channel: Channel
  readonly recovery: LogRecovery
  readonly clock: ManualClock
  /** Closes it, whatever is out. */
  close(): Promise<void>
  /** Lets so much time pass, and all happen that follows. */
  pass(ms: number): Promise<void>
  /** Publishes events of these types, each with its id: `a1` is of type `a`. Returns how each fared: a position or a code. */
  publish(...ids: string[]): Promise<string[]>
}

/** What follows from a timer has happened when the next one may fire. */
const SLICE_MS = 50

/** A disk on which nothing takes time. */
export function quickDisk(options: SimulatedDiskOptions = {}): SimulatedDisk {
  return simulatedDisk({ turn: 'microtask', ...options })
}

export async function openTestLog(disk: Disk, options: Partial<LogChannelOptions> = {}): Promise<TestLog> {
  const clock = manualClock()
  const { channel, recovery } = await openLogChannel({ folder: '/log', disk, clock, ...options })
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= SLICE_MS) {
      clock.advance(Math.min(left, SLICE_MS))
      for (let i = 0; i < 10; i++) await setImmediate()
    }
  }
  return {
    channel,
    recovery,
    clock,
    pass,
    close: async () => {
      const closed = channel.close({ deadlineMs: 0 })
      await pass(1)
      await closed
    },
    publish: async (...ids) => {
      const results = await channel.publish(ids.map(event), { lane: 'ingress' })
      return results.map((result) => (result.stored ? result.position! : result.error.code))
    },
  }
}

export function event(id: string): Event {
  return newEvent({ type: id[0]!, source: '/test', id })
}

export interface Receiver {
  readonly subscription: Subscription
  /** Ids of what it was handed. */
  readonly ids: string[]
  /** What it was handed and has not settled. */
  readonly out: Delivery[]
}

/** Opens a subscription for events of these types. `settles`: all that it is handed, at once. */
export async function receive(
  { channel }: TestLog,
  id: string,
  { types = 'a', settles = true, ...spec }: Partial<SubscriptionSpec> & { types?: string; settles?: boolean } = {},
): Promise<Receiver> {
  const ids: string[] = []
  const out: Delivery[] = []
  const subscription = await channel.subscribe({ id, filter: accepting(types), ...spec }, (delivery) => {
    ids.push(delivery.event.id)
    if (settles) delivery.settle()
    else out.push(delivery)
  })
  return { subscription, ids, out }
}

/** A filter that passes the types `a`, `b`, ... that stand in `types`. */
export function accepting(types: string): SubscriptionSpec['filter'] {
  const [first, ...rest] = types
  if (rest.length === 0) return compileAttributes({ type: first! })
  return {
    ast: { kind: 'any', of: Array.from(types, (value) => ({ kind: 'exact', attribute: 'type', value })) },
    needsData: false,
    matches: (event) => types.includes(String(event.attribute('type'))),
  }
}
