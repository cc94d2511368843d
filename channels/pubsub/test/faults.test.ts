// What the server may do, and what must hold: faults 34, 49, 55, 56, 57. On the emulator, killed, paused, emptied. It keeps
// nothing beyond its end, so what was stored before that is gone: the service would have it.

import { afterEach, describe, expect, test } from 'vitest'
import type { Channel, ChannelState, Delivery, PublishResult } from '@sluice/channel'
import { brokerNames, openPubsubChannel, type PubsubChannelOptions } from '@sluice/channel-pubsub'
import { newEvent, type Event } from '@sluice/event'
import { compileAttributes } from '@sluice/filter'
import { PubSub } from '@google-cloud/pubsub'
import { pubsubProgramMissing, startPubsub, type PubsubServer } from '../../../test/servers/pubsub.ts'

const EVERYTHING = compileAttributes({})
const NAMES = brokerNames('default', 'faults', 'uid')
const UNAVAILABLE = { stored: false, error: { code: 'SLUICE_CHANNEL_UNAVAILABLE', status: 503, retryable: true } }

let server: PubsubServer
const channels: Channel[] = []
let ids = 0

afterEach(async () => {
  server.resume()
  for (const channel of channels.splice(0)) await channel.close({ deadlineMs: 0 })
  await server.stop()
})

async function begin(options: Partial<PubsubChannelOptions> = {}): Promise<Channel> {
  server = await startPubsub()
  return open(options)
}

async function open(options: Partial<PubsubChannelOptions> = {}): Promise<Channel> {
  const channel = await openPubsubChannel({ project: 'test', emulator: server.address, names: NAMES, ...options })
  channels.push(channel)
  return channel
}

/** Somebody else's. */
function client(): PubSub {
  return new PubSub({ projectId: 'test', apiEndpoint: server.address, emulatorMode: true })
}

function events(count: number, data?: Buffer): Event[] {
  return Array.from({ length: count }, () =>
    newEvent({ id: String(++ids), source: '/s', type: 't', ...(data && { data }) }),
  )
}

function publish(channel: Channel, sent: readonly Event[]): Promise<PublishResult[]> {
  return channel.publish(sent, { lane: 'ingress' })
}

async function until(what: string, condition: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  for (const end = Date.now() + ms; !(await condition()); await new Promise((resolve) => setTimeout(resolve, 10))) {
    if (Date.now() > end) throw new Error(`this never came: ${what}`)
  }
}

/** Its states, as they are told. */
function statesOf(channel: Channel): ChannelState[] {
  const states: ChannelState[] = []
  channel.onState((state) => states.push(state))
  return states
}

function collector(): { ids: string[]; deliver: (delivery: Delivery) => void } {
  const got: string[] = []
  return {
    ids: got,
    deliver: (delivery) => {
      got.push(delivery.event.id)
      delivery.settle()
    },
  }
}

/** Publishes new events until one is delivered: what is made anew begins with what comes then. */
async function flowsAgain(channel: Channel, got: { ids: string[] }): Promise<void> {
  const before = got.ids.length
  await until('a delivery', async () => {
    await publish(channel, events(1))
    return got.ids.length > before
  })
}

describe.skipIf(pubsubProgramMissing !== undefined)(`a Pub/Sub server in trouble ${pubsubProgramMissing ?? ''}`, () => {
  test('fault 49: killed, publishes fail with 503 and the state says why; back again and empty, topic and subscriptions are made anew', async () => {
    const channel = await begin()
    const states = statesOf(channel)
    const got = collector()
    await channel.subscribe({ id: 'one', filter: EVERYTHING }, got.deliver)
    await server.kill()
    const [refused] = await publish(channel, events(1))
    expect(refused).toMatchObject(UNAVAILABLE)
    expect(!refused!.stored && refused!.error.retryAfterMs).toBeGreaterThan(0)
    expect(states.at(-1)).toMatchObject({ state: 'degraded', reason: expect.stringContaining(server.address) })

    await server.start()
    await until('a ready state', () => states.at(-1)!.state === 'ready')
    await flowsAgain(channel, got)
  }, 60_000)

  test('fault 57: paused, publishes fail with 503 in time, then at once; it goes on by itself, and what is out stays out', async () => {
    const channel = await begin()
    const states = statesOf(channel)
    const out: Delivery[] = []
    await channel.subscribe({ id: 'one', filter: EVERYTHING }, (delivery) => out.push(delivery))
    await publish(channel, events(3))
    await until('three deliveries', () => out.length === 3)
    server.pause()
    for (const result of await publish(channel, events(50))) expect(result).toMatchObject(UNAVAILABLE)
    expect(states.at(-1)).toMatchObject({ state: 'degraded' })
    const [atOnce] = await publish(channel, events(1))
    expect(atOnce).toMatchObject(UNAVAILABLE)

    server.resume()
    await until('a ready state', () => states.at(-1)!.state === 'ready')
    const [sent] = events(1)
    await until('a publish that is stored', async () => (await publish(channel, [sent!]))[0]!.stored)
    await until('its delivery', () => out.some(({ event }) => event.id === sent!.id))
    expect(new Set(out.map(({ event }) => event.id)).size).toBe(out.length)
  }, 60_000)

  test('fault 49: the topic is deleted: it is made anew with its subscriptions', async () => {
    const channel = await begin()
    const got = collector()
    await channel.subscribe({ id: 'one', filter: EVERYTHING }, got.deliver)
    const other = client()
    await other.topic(NAMES.topic).delete()
    await flowsAgain(channel, got)
    await other.close()
  }, 60_000)

  test('fault 49: a subscription is deleted: it is made anew, and another one loses nothing', async () => {
    const channel = await begin()
    const [one, two] = [collector(), collector()]
    await channel.subscribe({ id: 'one', filter: EVERYTHING }, one.deliver)
    await channel.subscribe({ id: 'two', filter: EVERYTHING }, two.deliver)
    const other = client()
    await other.subscription(NAMES.subscriptionOf('one', undefined)).delete()
    const sent: Event[] = []
    await until('a delivery to the one that was deleted', async () => {
      const [next] = events(1)
      sent.push(next!)
      await publish(channel, [next!])
      return one.ids.length > 0
    })
    await until('every delivery to the other', () => sent.every(({ id }) => two.ids.includes(id)))
    await other.close()
  }, 60_000)

  test('fault 56: what is parked keeps its lease, and is handed out again by nobody else', async () => {
    const channel = await begin({ ackDeadlineS: 10 })
    const out: Delivery[] = []
    await channel.subscribe({ id: 'one', filter: EVERYTHING }, (delivery) => out.push(delivery))
    await publish(channel, events(1))
    await until('its first try', () => out.length === 1)
    const second = await open()
    const elsewhere = collector()
    await second.subscribe({ id: 'one', filter: EVERYTHING }, elsewhere.deliver)
    out[0]!.release(15_000)
    await until('its second try', () => out.length === 2)
    expect(out[1]!.attempt).toBe(2)
    expect(elsewhere.ids).toEqual([])
    out[1]!.settle()
  }, 60_000)

  test('fault 56: a deadline that is over while the server can not be told is no second delivery', async () => {
    const channel = await begin({ ackDeadlineS: 10 })
    const out: Delivery[] = []
    await channel.subscribe({ id: 'one', filter: EVERYTHING }, (delivery) => out.push(delivery))
    await publish(channel, events(3))
    await until('three deliveries', () => out.length === 3)
    server.pause()
    await new Promise((resolve) => setTimeout(resolve, 12_000)) // the server's own time, which nobody moves
    server.resume()
    const [sent] = events(1)
    await until('a publish that is stored', async () => (await publish(channel, [sent!]))[0]!.stored)
    await until('its delivery', () => out.length > 3)
    expect(out.map(({ event }) => event.id).at(-1)).toBe(sent!.id)
    for (const delivery of out) delivery.settle()
  }, 60_000)

  test('fault 56, fault 34: a process that closes gives back what is not settled, in the order of its key', async () => {
    const channel = await begin()
    const out: Delivery[] = []
    await channel.subscribe({ id: 'one', filter: EVERYTHING, order: 'key' }, (delivery) => out.push(delivery))
    const sent = events(10)
    await publish(channel, sent)
    await until('the first', () => out.length === 1)
    const second = await open()
    const got = collector()
    await second.subscribe({ id: 'one', filter: EVERYTHING, order: 'key' }, got.deliver)
    await channel.close({ deadlineMs: 0 })
    await until('all of them', () => sent.every(({ id }) => got.ids.includes(id)))
    const firsts = got.ids.filter((id, at) => got.ids.indexOf(id) === at)
    expect(firsts).toEqual(sent.map(({ id }) => id))
  }, 60_000)

  test('fault 55: what is larger than the service takes is 413, and is never stored', async () => {
    const channel = await begin()
    const got = collector()
    await channel.subscribe({ id: 'one', filter: EVERYTHING }, got.deliver)
    const [tooLarge] = events(1, Buffer.alloc(10_000_000))
    const [small] = events(1)
    const [large] = events(1, Buffer.alloc(channel.capabilities.maxEventBytes))
    const results = await publish(channel, [tooLarge!, small!, large!])
    expect(results).toMatchObject([
      { error: { code: 'SLUICE_EVENT_TOO_LARGE', status: 413 } },
      { stored: true },
      { stored: true },
    ])
    await until('the others', () => got.ids.length === 2)
    expect(got.ids).not.toContain(tooLarge!.id)
  }, 30_000)

  test('an event that another client has put there is delivered, in both modes; what is none is told and blocks nobody', async () => {
    const channel = await begin()
    const got = collector()
    const subscription = await channel.subscribe({ id: 'one', filter: EVERYTHING }, got.deliver)
    const losses: string[] = []
    subscription.onLoss(({ cause }) => losses.push(cause))
    const other = client()
    const topic = other.topic(NAMES.topic)
    await topic.publishMessage({ data: Buffer.from('no event') })
    const binary = { 'ce-specversion': '1.0', 'ce-id': 'binary', 'ce-source': '/s', 'ce-type': 't' }
    await topic.publishMessage({ data: Buffer.from('x'), attributes: binary })
    await topic.publishMessage({
      data: Buffer.from('{"specversion":"1.0","id":"structured","source":"/s","type":"t"}'),
      attributes: { 'content-type': 'application/cloudevents+json' },
    })
    await until('both', () => got.ids.length === 2)
    expect(new Set(got.ids)).toEqual(new Set(['binary', 'structured']))
    expect(losses).toEqual(['malformed'])
    await other.close()
  }, 30_000)
})

test('names are those of Knative, and cut in the middle where they are too long', () => {
  expect(NAMES.topic).toBe('cre-bkr_default_faults_uid')
  expect(NAMES.subscriptionOf('u-1', 'orders')).toBe('cre-tgr_default_orders_u-1')
  const long = NAMES.subscriptionOf('u-1', 'x'.repeat(300))
  expect(long).toHaveLength(255)
  expect(long.endsWith('x_u-1')).toBe(true)
})
