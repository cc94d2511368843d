// What proves the suite: the in-memory channel, broken in one way at a time, is caught by the clause that is meant to.

import { describe, expect, test } from 'vitest'
import { memoryChannel } from '@sluice/channel-memory'
import type { Channel, Delivery, PublishResult, Subscription, SubscriptionSpec } from '@sluice/channel'
import { clauses, runClause, type ConformanceDriver } from '@sluice/channel/conformance'
import { manualClock } from '@sluice/clock'
import { Event } from '@sluice/event'

interface Break {
  how: string
  breaks: (channel: Channel) => Partial<Channel>
  /** Begins the name of the clause that has to fail. */
  caughtBy: string
  history?: boolean
}

const BREAKS: Break[] = [
  {
    how: 'loses every tenth event',
    breaks: (channel) => ({
      publish: async (events, options) => {
        const results: PublishResult[] = []
        for (const event of events) {
          if (event.id.endsWith('5')) results.push({ stored: true, position: '0' })
          else results.push(...(await channel.publish([event], options)))
        }
        return results
      },
    }),
    caughtBy: 'each matching subscription gets an event once',
  },
  {
    how: 'hands every event over twice',
    breaks: (channel) =>
      delivering(channel, (delivery) => {
        let settled = false
        const settle = (): void => {
          if (!settled) delivery.settle()
          settled = true
        }
        return [
          { ...plain(delivery), settle },
          { ...plain(delivery), settle },
        ]
      }),
    caughtBy: 'each matching subscription gets an event once',
  },
  {
    how: 'hands over what does not match',
    breaks: (channel) =>
      subscribing(channel, (spec) => ({
        ...spec,
        filter: { ...spec.filter, ast: { kind: 'all', of: [] }, matches: () => true },
      })),
    caughtBy: 'each matching subscription gets an event once',
  },
  {
    how: 'carries attributes as text only',
    breaks: (channel) => ({
      publish: (events, options) =>
        channel.publish(
          events.map((event) => {
            const texts = new Map(Array.from(event.attributes, ([name, value]) => [name, String(value)] as const))
            return new Event(texts, event.data, event.hops, event.headers)
          }),
          options,
        ),
    }),
    caughtBy: 'an event arrives whole',
  },
  {
    how: 'forgets the hops',
    breaks: (channel) => ({
      publish: (events, options) =>
        channel.publish(
          events.map((event) => new Event(event.attributes, event.data, 0, event.headers)),
          options,
        ),
    }),
    caughtBy: 'an event arrives whole',
  },
  {
    how: 'answers in another order',
    breaks: (channel) => ({
      publish: async (events, options) => (await channel.publish(events, options)).toReversed(),
    }),
    caughtBy: 'publish answers each event',
  },
  {
    how: 'hands over in another order',
    breaks: (channel) => ({
      publish: async (events, options) => (await channel.publish(events.toReversed(), options)).toReversed(),
    }),
    caughtBy: 'without retries, events are handed over in the order',
  },
  {
    how: 'forgets the window of events',
    breaks: (channel) =>
      subscribing(channel, (spec) => ({ ...spec, window: { events: 1000, bytes: spec.window?.bytes ?? 1e9 } })),
    caughtBy: 'no more events are out',
  },
  {
    how: 'forgets the window of bytes',
    breaks: (channel) =>
      subscribing(channel, (spec) => ({ ...spec, window: { events: spec.window?.events ?? 100, bytes: 1e9 } })),
    caughtBy: 'no more bytes are out',
  },
  {
    how: 'forgets the delay',
    breaks: (channel) =>
      delivering(channel, (delivery) => [
        { ...plain(delivery), release: (_, attempt) => delivery.release(0, attempt) },
      ]),
    caughtBy: 'an event released with a delay',
  },
  {
    how: 'settles what is released',
    breaks: (channel) => delivering(channel, (delivery) => [{ ...plain(delivery), release: () => delivery.settle() }]),
    caughtBy: 'an event released with a delay',
  },
  {
    how: 'counts no attempts',
    breaks: (channel) => delivering(channel, (delivery) => [{ ...plain(delivery), attempt: 1 }]),
    caughtBy: 'the attempt counts up',
  },
  {
    how: 'counts tries that were given back',
    breaks: (channel) =>
      delivering(channel, (delivery) => [{ ...plain(delivery), release: (delayMs) => delivery.release(delayMs) }]),
    caughtBy: 'the attempt counts up',
  },
  {
    how: 'lets a delivery be settled twice',
    breaks: (channel) =>
      delivering(channel, (delivery) => [{ ...plain(delivery), settle: () => attempt(() => delivery.settle()) }]),
    caughtBy: 'settled or released twice',
  },
  {
    how: 'ignores order',
    breaks: (channel) => subscribing(channel, (spec) => ({ ...spec, order: 'none' })),
    caughtBy: 'one event of a key is out at a time',
  },
  {
    how: 'ignores pause',
    breaks: (channel) => opening(channel, (subscription) => ({ ...plainSubscription(subscription), pause: () => {} })),
    caughtBy: 'a paused subscription is handed nothing',
  },
  {
    how: 'ignores a new filter',
    breaks: (channel) =>
      opening(channel, (subscription) => ({ ...plainSubscription(subscription), update: async () => {} })),
    caughtBy: 'a filter changed at run time',
  },
  {
    how: 'counts only what is out as lag',
    breaks: (channel) =>
      opening(channel, (subscription) => ({
        ...plainSubscription(subscription),
        lag: () => ({ ...subscription.lag(), events: subscription.lag().inFlight }),
      })),
    caughtBy: 'lag counts what waits',
  },
  {
    how: 'seeks nowhere',
    breaks: (channel) =>
      opening(channel, (subscription) => ({ ...plainSubscription(subscription), seek: async () => {} })),
    caughtBy: 'seek to the earliest',
    history: true,
  },
  {
    how: 'starts at the latest whatever was asked',
    breaks: (channel) => subscribing(channel, (spec) => ({ ...spec, start: 'latest' })),
    caughtBy: 'a new subscription may start at "earliest"',
    history: true,
  },
  {
    how: 'starts at the latest rather than refuse',
    breaks: (channel) => subscribing(channel, (spec) => ({ ...spec, start: 'latest' })),
    caughtBy: 'a new subscription may start at "time"',
  },
  {
    how: 'reads nothing rather than refuse',
    breaks: () => ({ read: async () => [] }),
    caughtBy: 'read gives what is stored',
  },
  {
    how: 'reads beyond the limit',
    breaks: (channel) => ({ read: ({ limit, ...range }) => channel.read({ ...range, limit: (limit ?? 100) + 1 }) }),
    caughtBy: 'read gives what is stored',
    history: true,
  },
  {
    how: 'removes nothing',
    breaks: () => ({ remove: async () => ({ discarded: 6 }) }),
    caughtBy: 'a removed subscription is handed nothing more',
  },
  {
    how: 'forgets who is closed',
    breaks: (channel) => {
      const open = new Set<string>()
      return {
        subscribe: async (spec, deliver) => {
          const subscription = await channel.subscribe(spec, deliver)
          open.add(spec.id)
          return { ...plainSubscription(subscription), close: async () => void open.delete(spec.id) }
        },
        subscriptions: () => open,
      }
    },
    caughtBy: 'it knows the ids of the subscriptions',
  },
  {
    how: 'miscounts what it discards',
    breaks: (channel) => ({
      remove: async (id) => {
        await channel.remove(id)
        return { discarded: 0 }
      },
    }),
    caughtBy: 'a removed subscription is handed nothing more',
  },
  {
    how: 'says stored once it is closed',
    breaks: (channel) => {
      let closed = false
      return {
        close: (options) => {
          closed = true
          return channel.close(options)
        },
        publish: async (events, options) =>
          closed ? [{ stored: true, position: '1' }] : channel.publish(events, options),
      }
    },
    caughtBy: 'once closed it stores nothing',
  },
  {
    how: 'closes without waiting',
    breaks: (channel) => ({ close: () => channel.close({ deadlineMs: 0 }) }),
    caughtBy: 'close waits for what is out',
  },
  {
    how: 'gives ingress all of its bytes',
    breaks: (channel) => ({ publish: (events) => channel.publish(events, { lane: 'reply' }) }),
    caughtBy: 'ingress is refused with 429',
  },
  {
    how: 'gives replies no more than ingress',
    breaks: (channel) => ({ publish: (events) => channel.publish(events, { lane: 'ingress' }) }),
    caughtBy: 'ingress is refused with 429',
  },
  {
    how: 'always has room',
    breaks: () => ({ room: () => 0 }),
    caughtBy: 'ingress is refused with 429',
  },
  {
    how: 'lets two open the same subscription',
    breaks: (channel) => ({
      subscribe: (spec, deliver) =>
        channel.subscribe(spec, deliver).catch(() => channel.subscribe({ ...spec, id: 'two' }, deliver)),
    }),
    caughtBy: 'an id that is open already is refused',
  },
]

describe('the suite catches a channel that', () => {
  for (const { how, breaks, caughtBy, history } of BREAKS) {
    test(how, async () => {
      const clause = Object.values(clauses)
        .flat()
        .find(({ name }) => name.startsWith(caughtBy))
      const driver: ConformanceDriver = {
        name: how,
        clock: manualClock,
        timeoutMs: 200,
        create: ({ clock, bytesMax = 2 ** 28 }) => ({
          open: () => {
            const channel = memoryChannel({ clock, bytesMax, historyBytes: history ? bytesMax : 0 })
            return { ...plainChannel(channel), ...breaks(channel) }
          },
        }),
      }
      await expect(runClause(driver, clause!)).rejects.toThrow(/./)
    })
  }
})

function plainChannel(channel: Channel): Channel {
  return {
    capabilities: channel.capabilities,
    room: (bytes) => channel.room(bytes),
    publish: (events, options) => channel.publish(events, options),
    subscribe: (spec, deliver) => channel.subscribe(spec, deliver),
    remove: (id) => channel.remove(id),
    subscriptions: () => channel.subscriptions(),
    read: (range) => channel.read(range),
    onState: (listener) => channel.onState(listener),
    usage: () => channel.usage(),
    close: (options) => channel.close(options),
  }
}

function plainSubscription(subscription: Subscription): Subscription {
  return {
    id: subscription.id,
    update: (change) => subscription.update(change),
    pause: () => subscription.pause(),
    resume: () => subscription.resume(),
    seek: (start) => subscription.seek(start),
    lag: () => subscription.lag(),
    onLoss: (listener) => subscription.onLoss(listener),
    close: () => subscription.close(),
  }
}

function plain(delivery: Delivery): Delivery {
  return {
    event: delivery.event,
    position: delivery.position,
    attempt: delivery.attempt,
    settle: () => delivery.settle(),
    release: (delayMs, attempt) => delivery.release(delayMs, attempt),
  }
}

/** Subscribes with another spec than was asked. */
function subscribing(channel: Channel, alter: (spec: SubscriptionSpec) => SubscriptionSpec): Partial<Channel> {
  return { subscribe: (spec, deliver) => channel.subscribe(alter(spec), deliver) }
}

/** Gives out other subscriptions. */
function opening(channel: Channel, alter: (subscription: Subscription) => Subscription): Partial<Channel> {
  return { subscribe: async (spec, deliver) => alter(await channel.subscribe(spec, deliver)) }
}

/** Hands over other deliveries. */
function delivering(channel: Channel, alter: (delivery: Delivery) => Delivery[]): Partial<Channel> {
  return {
    subscribe: (spec, deliver) =>
      channel.subscribe(spec, (delivery) => {
        for (const each of alter(delivery)) deliver(each)
      }),
  }
}

function attempt(what: () => void): void {
  try {
    what()
  } catch {
    // That is the break.
  }
}
