// What a server may do, and what must hold: faults 49, 50, 51, 55. Each on a real server that is killed, paused, emptied.

import { afterEach, describe, expect, test } from 'vitest'
import type { Channel, ChannelState, Delivery, PublishResult } from '@sluice/channel'
import { brokerNames, openNatsChannel, type NatsChannelOptions } from '@sluice/channel-nats'
import { newEvent, type Event } from '@sluice/event'
import { compileAttributes } from '@sluice/filter'
import { connect } from 'nats'
import { natsProgramMissing, startNats, type NatsServer } from '../../../test/servers/nats.ts'

const EVERYTHING = compileAttributes({})
const NAMES = brokerNames('default', 'faults')
const UNAVAILABLE = { stored: false, error: { code: 'SLUICE_CHANNEL_UNAVAILABLE', status: 503, retryable: true } }

let server: NatsServer
const channels: Channel[] = []
let ids = 0

afterEach(async () => {
  server.resume()
  for (const channel of channels.splice(0)) await channel.close({ deadlineMs: 0 })
  await server.stop()
})

async function begin(config = '', options: Partial<NatsChannelOptions> = {}): Promise<Channel> {
  server = await startNats(config)
  return open(options)
}

async function open(options: Partial<NatsChannelOptions> = {}): Promise<Channel> {
  const channel = await openNatsChannel({ servers: [server.url], names: NAMES, ...options })
  channels.push(channel)
  return channel
}

function events(count: number, data?: Buffer): Event[] {
  return Array.from({ length: count }, () =>
    newEvent({ id: String(++ids), source: '/s', type: 't', ...(data && { data }) }),
  )
}

function publish(channel: Channel, sent: readonly Event[]): Promise<PublishResult[]> {
  return channel.publish(sent, { lane: 'ingress' })
}

async function until(what: string, condition: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
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

/** Publishes until one is stored again. */
async function stored(channel: Channel, sent: Event): Promise<void> {
  await until('a publish that is stored', async () => (await publish(channel, [sent]))[0]!.stored)
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

describe.skipIf(natsProgramMissing !== undefined)(`a NATS server in trouble ${natsProgramMissing ?? ''}`, () => {
  test('fault 49: killed, publishes fail with 503 and the state says why; back again, all that was stored is delivered', async () => {
    const channel = await begin()
    const states = statesOf(channel)
    const got = collector()
    const subscription = await channel.subscribe({ id: 'one', filter: EVERYTHING, paused: true }, got.deliver)
    const before = events(20)
    for (const result of await publish(channel, before)) expect(result.stored).toBe(true)
    await server.kill()
    const [refused] = await publish(channel, events(1))
    expect(refused).toMatchObject(UNAVAILABLE)
    expect(!refused!.stored && refused!.error.retryAfterMs).toBeGreaterThan(0)
    await until('a degraded state', () => states.at(-1)!.state === 'degraded')
    expect(states.at(-1)).toMatchObject({ reason: expect.stringContaining(server.url) })

    await server.start()
    await until('a ready state', () => states.at(-1)!.state === 'ready')
    const after = events(1)
    await stored(channel, after[0]!)
    subscription.resume()
    const ids = [...before, ...after].map(({ id }) => id)
    await until('every event', () => ids.every((id) => got.ids.includes(id)))
  })

  test('fault 49: killed while it hands out, every event that was stored is delivered', async () => {
    const channel = await begin()
    const got = collector()
    await channel.subscribe({ id: 'one', filter: EVERYTHING, window: { events: 8, bytes: 1e9 } }, (delivery) => {
      setTimeout(() => got.deliver(delivery), 1)
    })
    const accepted: string[] = []
    for (let round = 0; round < 30; round++) {
      const sent = events(20)
      const results = await publish(channel, sent)
      for (const [i, result] of results.entries()) if (result.stored) accepted.push(sent[i]!.id)
      if (round === 10) await server.kill()
      if (round === 12) await server.start()
    }
    await stored(channel, events(1)[0]!)
    await until('every event that was stored', () => accepted.every((id) => got.ids.includes(id)), 60_000)
  }, 90_000)

  test('fault 49, fault 57: paused, publishes fail with 503 in time, soon at once; it goes on by itself', async () => {
    const channel = await begin()
    const states = statesOf(channel)
    const got = collector()
    await channel.subscribe({ id: 'one', filter: EVERYTHING }, got.deliver)
    server.pause()
    const results = await publish(channel, events(50))
    for (const result of results) expect(result).toMatchObject(UNAVAILABLE)
    expect(states.at(-1)).toMatchObject({ state: 'degraded', reason: expect.stringContaining('does not answer') })
    const [atOnce] = await publish(channel, events(1))
    expect(atOnce).toMatchObject(UNAVAILABLE)

    server.resume()
    await until('a ready state', () => states.at(-1)!.state === 'ready')
    const [sent] = events(1)
    await stored(channel, sent!)
    await until('its delivery', () => got.ids.includes(sent!.id))
  })

  test('fault 49: the stream is deleted: it is made anew, and new events are stored and delivered, under higher positions', async () => {
    const channel = await begin()
    const got = collector()
    await channel.subscribe({ id: 'one', filter: EVERYTHING }, got.deliver)
    const [before] = await publish(channel, events(5))
    await until('all of them', () => got.ids.length === 5)
    await asAdmin((streams) => streams.delete(NAMES.stream))
    const [sent] = events(1)
    const [after] = await publish(channel, [sent!])
    expect(after).toMatchObject({ stored: true })
    expect(Number(after!.stored && after!.position)).toBeGreaterThan(Number(before!.stored && before!.position) + 4)
    await until('its delivery', () => got.ids.includes(sent!.id))
  })

  test('fault 49: a consumer is deleted: it is made anew, and nothing that was not settled is missing', async () => {
    const channel = await begin()
    const got = collector()
    const held: Delivery[] = []
    await channel.subscribe({ id: 'one', filter: EVERYTHING, window: { events: 3, bytes: 1e9 } }, (delivery) =>
      held.push(delivery),
    )
    const sent = events(10)
    await publish(channel, sent)
    await until('three of them', () => held.length === 3)
    await asAdmin(async (_, consumers) => {
      for (const { name } of await consumers.list(NAMES.stream).next()) await consumers.delete(NAMES.stream, name)
    })
    await publish(channel, events(1))
    await until('all of them', () => {
      for (const delivery of held.splice(0)) got.deliver(delivery)
      return sent.every(({ id }) => got.ids.includes(id)) && got.ids.includes(String(ids))
    })
  })

  test('fault 49: JetStream switched off is told as what it is', async () => {
    server = await startNats('')
    await server.kill()
    await server.start('jetstream: disabled')
    await expect(open()).rejects.toMatchObject({ status: 503, message: expect.stringContaining('JetStream') })
  })

  test('credentials that are wrong are told as that, without the password', async () => {
    const channel = await begin('authorization { user: a, password: secret1 }', {
      credentials: { user: 'a', password: 'secret1' },
    })
    const error: Error = await open({ credentials: { user: 'a', password: 'secret2' } }).then(
      () => new Error('it was let in'),
      (refused: Error) => refused,
    )
    expect(error).toMatchObject({ code: 'SLUICE_CHANNEL_UNAVAILABLE', status: 503 })
    expect(error.message).toContain('refuses the credentials')
    expect(error.message).not.toContain('secret')

    const states = statesOf(channel)
    await server.kill()
    await server.start('authorization { user: a, password: other }')
    expect((await publish(channel, events(1)))[0]).toMatchObject(UNAVAILABLE)
    await until('a degraded state', () => states.at(-1)!.state === 'degraded')
    await server.kill()
    await server.start('authorization { user: a, password: secret1 }')
    await stored(channel, events(1)[0]!)
  })

  test('fault 50: the same source and id is stored once, and the same id of another source beside it (fault 34)', async () => {
    const channel = await begin()
    const [event] = events(1)
    const other = event!.with({ source: '/other' })
    const results = await publish(channel, [event!, event!, other])
    const positions = results.map((result) => result.stored && result.position)
    expect(positions[1]).toBe(positions[0])
    expect(positions[2]).not.toBe(positions[0])
    expect(await channel.read({})).toHaveLength(2)
  })

  test('fault 51: an event that is out for longer than the ack wait is not handed out again', async () => {
    const channel = await begin('', { ackWaitMs: 2000 })
    const held: Delivery[] = []
    await channel.subscribe({ id: 'one', filter: EVERYTHING }, (delivery) => held.push(delivery))
    await publish(channel, events(1))
    await until('its delivery', () => held.length === 1)
    let redelivered = 0
    const client = await connect({ servers: server.url })
    client.subscribe('$JS.EVENT.ADVISORY.>', { callback: () => redelivered++ })
    const end = Date.now() + 6000
    await until('three ack waits to pass', () => Date.now() > end)
    const jsm = await client.jetstreamManager()
    for (const { num_redelivered } of await jsm.consumers.list(NAMES.stream).next()) expect(num_redelivered).toBe(0)
    await client.close()
    expect(held).toHaveLength(1)
    held[0]!.settle()
  })

  test('fault 55: what is larger than the server takes is 413, and is never stored', async () => {
    const channel = await begin('max_payload: 64KB')
    const [large, small] = [events(1, Buffer.alloc(70_000)), events(1)]
    const results = await publish(channel, [...large, ...small])
    expect(results[0]).toMatchObject({ stored: false, error: { status: 413, retryable: false } })
    expect(results[1]!.stored).toBe(true)
    expect(await channel.read({})).toHaveLength(1)
  })

  test('an event that another client has put there is delivered, in both modes; what is none is told and blocks nobody', async () => {
    const channel = await begin()
    const got = collector()
    const losses: string[] = []
    const subscription = await channel.subscribe({ id: 'one', filter: EVERYTHING }, got.deliver)
    subscription.onLoss(({ cause }) => losses.push(cause))
    const client = await connect({ servers: server.url })
    const { headers } = await import('nats')
    const head = headers()
    for (const [name, value] of [
      ['ce-specversion', '1.0'],
      ['ce-id', 'binary'],
      ['ce-source', '/s'],
      ['ce-type', 't'],
    ] as const) {
      head.set(name, value)
    }
    const js = client.jetstream()
    await js.publish('default.faults._knative_broker.x', 'data', { headers: head })
    await js.publish('default.faults._knative_broker.x', 'no event')
    await js
      .publish('default.faults._knative_broker', '{"specversion":"1.0","id":"no","source":"/s","type":"t"}')
      .catch(() => {})
    await js.publish('default.faults._knative_broker.y', '{"specversion":"1.0","id":"json","source":"/s","type":"t"}')
    await until('both', () => got.ids.length === 2)
    expect(got.ids).toEqual(['binary', 'json'])
    expect(losses).toEqual(['malformed'])
    await client.close()
  })
})

type Manager = Awaited<ReturnType<Awaited<ReturnType<typeof connect>>['jetstreamManager']>>

async function asAdmin(
  work: (streams: Manager['streams'], consumers: Manager['consumers']) => Promise<unknown>,
): Promise<void> {
  const client = await connect({ servers: server.url })
  const { streams, consumers } = await client.jetstreamManager()
  await work(streams, consumers)
  await client.close()
}
