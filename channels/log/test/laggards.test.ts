// Subscriptions that are behind: many of them share what is read and hold a bounded number of events together.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLogChannel } from '@sluice/channel-log'
import type { Channel, Delivery, Subscription } from '@sluice/channel'
import { newEvent } from '@sluice/event'
import { compileAttributes } from '@sluice/filter'
import { expect, onTestFinished, test } from 'vitest'

const EVERYTHING = compileAttributes({})
const SUBSCRIPTIONS = 100
const EVENTS = 400

test('subscriptions that lag have a bounded number of events out, all together, and each of them gets everything', async () => {
  const channel = await openLog()
  const held = Array.from({ length: SUBSCRIPTIONS }, (): Delivery[] => [])
  let arrived = Promise.withResolvers<void>()
  const subscriptions = await behind(channel, (index, delivery) => {
    held[index]!.push(delivery)
    arrived.resolve()
  })
  for (const subscription of subscriptions) subscription.resume()

  const got = held.map(() => 0)
  let mostOut = 0
  while (got.some((events) => events < EVENTS)) {
    if (held.every((deliveries) => deliveries.length === 0)) await arrived.promise
    arrived = Promise.withResolvers()
    const out = await allOut(subscriptions)
    if (got.every((events) => events > 0)) mostOut = Math.max(mostOut, out)
    for (const [index, deliveries] of held.entries()) {
      got[index]! += deliveries.length
      for (const delivery of deliveries.splice(0)) delivery.settle()
    }
  }
  // Their windows have 256 places each, and all of them want to fill theirs: that would be 25,600.
  expect(mostOut).toBeGreaterThan(4_000)
  expect(mostOut).toBeLessThanOrEqual(8_192 + SUBSCRIPTIONS)
})

test('subscriptions that catch up together share each event that was read', async () => {
  const channel = await openLog()
  const events = new Map<string, Set<unknown>>()
  let left = SUBSCRIPTIONS * EVENTS
  const { promise: done, resolve } = Promise.withResolvers<void>()
  const subscriptions = await behind(channel, (_, delivery) => {
    const objects = events.get(delivery.event.id) ?? new Set()
    events.set(delivery.event.id, objects.add(delivery.event))
    delivery.settle()
    if (--left === 0) resolve()
  })
  for (const subscription of subscriptions) subscription.resume()
  await done
  const decoded = Array.from(events.values(), (objects) => objects.size)
  expect(Math.max(...decoded)).toBe(1)
})

test('a backlog takes a bounded part of each turn of the event loop, and leaves the rest to what comes in', async () => {
  const channel = await openLog()
  let handedOut = 0
  const [subscription] = await behind(channel, (index, delivery) => {
    if (index === 0) handedOut++
    delivery.settle()
  })
  subscription!.resume()
  const inTurns: number[] = []
  for (let before = 0; before < EVENTS;) {
    inTurns.push(handedOut - before)
    before = handedOut
    await new Promise((resolve) => setImmediate(resolve))
  }
  const [first, ...others] = inTurns
  expect(first).toBeLessThanOrEqual(64 + 64) // 64 were kept ahead, in memory
  expect(Math.max(...others)).toBeLessThanOrEqual(64)
})

async function openLog(): Promise<Channel> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-log-'))
  const { channel } = await openLogChannel({ folder })
  onTestFinished(async () => {
    await channel.close({ deadlineMs: 0 })
    await rm(folder, { recursive: true, force: true })
  })
  return channel
}

/** Subscribed, and paused until more is stored than is kept ahead for a window that is full. */
async function behind(channel: Channel, deliver: (index: number, delivery: Delivery) => void): Promise<Subscription[]> {
  const subscribing = Array.from({ length: SUBSCRIPTIONS }, (_, index) =>
    channel.subscribe({ id: `s${index}`, filter: EVERYTHING, paused: true }, (delivery) => deliver(index, delivery)),
  )
  const subscriptions = await Promise.all(subscribing)
  const events = Array.from({ length: EVENTS }, (_, n) => newEvent({ type: 'order', source: '/shop', id: `${n}` }))
  await channel.publish(events, { lane: 'ingress' })
  return subscriptions
}

/** How many events they have out, once no turn of the event loop brings more. */
async function allOut(subscriptions: readonly Subscription[]): Promise<number> {
  for (let before = -1, turns = 0; ; turns++) {
    const out = subscriptions.reduce((sum, subscription) => sum + subscription.lag().inFlight, 0)
    if (out === before && turns > 1) return out
    before = out
    await new Promise((resolve) => setImmediate(resolve))
  }
}
