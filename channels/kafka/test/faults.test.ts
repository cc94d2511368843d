// What a server may do, and what must hold: faults 52, 53, 54, 55, 57. Each on a real server that is killed, paused, cut off,
// and whose topic goes.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Channel, ChannelState, Delivery, Loss, PublishResult } from '@sluice/channel'
import { brokerNames, openKafkaChannel, type KafkaChannelOptions, type TopicNames } from '@sluice/channel-kafka'
import { newEvent, type Event } from '@sluice/event'
import { compileAttributes } from '@sluice/filter'
import kafkajs, { Kafka, logLevel, type Admin } from 'kafkajs'
import { kafkaProgramMissing, startKafka, type KafkaServer } from '../../../test/servers/kafka.ts'
import { startProxy, type Proxy } from '../../../test/servers/proxy.ts'

const EVERYTHING = compileAttributes({})
const UNAVAILABLE = { stored: false, error: { code: 'SLUICE_CHANNEL_UNAVAILABLE', status: 503, retryable: true } }

let server: KafkaServer
let proxy: Proxy
let admin: Admin
let names: TopicNames
const channels: Channel[] = []
let ids = 0
let topics = 0

async function open(options: Partial<KafkaChannelOptions> = {}): Promise<Channel> {
  const channel = await openKafkaChannel({
    servers: [server.address],
    names,
    topic: { partitions: 3, replicas: 1 },
    fetchWaitMs: 200,
    ...options,
  })
  channels.push(channel)
  return channel
}

/** Of three keys, which lie in more than one partition. */
function events(count: number, data?: Buffer): Event[] {
  return Array.from({ length: count }, () =>
    newEvent({ id: String(++ids), source: '/s', type: 't', subject: `k${ids % 5}`, ...(data && { data }) }),
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

function statesOf(channel: Channel): ChannelState[] {
  const states: ChannelState[] = []
  channel.onState((state) => states.push(state))
  return states
}

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

function includesAll(got: readonly string[], sent: readonly Event[]): boolean {
  return sent.every(({ id }) => got.includes(id))
}

describe.skipIf(kafkaProgramMissing !== undefined)(`a Kafka server in trouble ${kafkaProgramMissing ?? ''}`, () => {
  beforeAll(async () => {
    proxy = await startProxy()
    server = await startKafka({ proxy })
    admin = new Kafka({ brokers: [server.address], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
  }, 60_000)
  afterAll(async () => {
    await admin?.disconnect()
    await server?.stop()
    await proxy?.stop()
  })
  afterEach(async () => {
    server.resume()
    proxy.mend()
    await Promise.all(channels.splice(0).map((channel) => channel.close({ deadlineMs: 0 })))
  })
  /** Each test has a topic of its own. */
  function fault(name: string, run: () => Promise<void>): void {
    test(
      name,
      () => {
        names = brokerNames('default', `faults-${++topics}`)
        return run()
      },
      90_000,
    )
  }

  fault(
    'fault 52: killed, publishes fail with 503 and the state says why; back again, all that was stored is delivered',
    async () => {
      const channel = await open()
      const states = statesOf(channel)
      const got = collector()
      const subscription = await channel.subscribe({ id: 'one', filter: EVERYTHING, paused: true }, got.deliver)
      const before = events(20)
      for (const result of await publish(channel, before)) expect(result.stored).toBe(true)
      await server.kill()
      const [refused] = await publish(channel, events(1))
      expect(refused).toMatchObject(UNAVAILABLE)
      expect(!refused!.stored && refused!.error.retryAfterMs).toBeGreaterThan(0)
      expect(states.at(-1)).toMatchObject({ state: 'degraded', reason: expect.stringContaining(server.address) })

      await server.start()
      await until('a ready state', () => states.at(-1)!.state === 'ready')
      const after = events(1)
      await stored(channel, after[0]!)
      subscription.resume()
      await until('every event', () => includesAll(got.ids, [...before, ...after]))
    },
  )

  fault('fault 52: killed while it hands out, every event that was stored is delivered', async () => {
    const channel = await open()
    const got = collector()
    await channel.subscribe({ id: 'one', filter: EVERYTHING, window: { events: 8, bytes: 1e9 } }, (delivery) => {
      setTimeout(() => got.deliver(delivery), 1)
    })
    const accepted: Event[] = []
    for (let round = 0; round < 30; round++) {
      const sent = events(20)
      const results = await publish(channel, sent)
      for (const [i, result] of results.entries()) if (result.stored) accepted.push(sent[i]!)
      if (round === 10) await server.kill()
      if (round === 12) await server.start()
    }
    await stored(channel, events(1)[0]!)
    await until('every event that was stored', () => includesAll(got.ids, accepted), 60_000)
    expect(accepted.length).toBeGreaterThan(200)
  })

  fault('fault 57: paused, publishes fail with 503 in time, soon at once; it goes on by itself', async () => {
    const channel = await open()
    const states = statesOf(channel)
    const got = collector()
    await channel.subscribe({ id: 'one', filter: EVERYTHING }, got.deliver)
    server.pause()
    for (const result of await publish(channel, events(50))) expect(result).toMatchObject(UNAVAILABLE)
    expect(states.at(-1)).toMatchObject({ state: 'degraded', reason: expect.stringContaining('not answered') })
    const began = performance.now()
    for (let i = 0; i < 100; i++) expect((await publish(channel, events(1)))[0]).toMatchObject(UNAVAILABLE)
    expect(performance.now() - began).toBeLessThan(4000) // one alone would wait for 5 s

    server.resume()
    await until('a ready state', () => states.at(-1)!.state === 'ready')
    const [sent] = events(1)
    await stored(channel, sent!)
    await until('its delivery', () => got.ids.includes(sent!.id))
  })

  fault(
    'fault 53: stored and not answered: the sender is told 503, none is lost, and its key keeps its order',
    async () => {
      const channel = await open({ servers: [`127.0.0.1:${proxy.port}`] })
      const direct = await open()
      const got = collector()
      await direct.subscribe({ id: 'one', filter: EVERYTHING }, got.deliver)
      const sent = events(3).map((event) => event.with({ partitionkey: 'k' }))
      await publish(channel, sent.slice(0, 1))
      proxy.holdAnswers()
      const [unanswered] = await publish(channel, sent.slice(1, 2))
      expect(unanswered).toMatchObject(UNAVAILABLE)
      proxy.mend()
      await stored(channel, sent[1]!) // the sender tries again
      await stored(channel, sent[2]!)
      await until('every event', () => includesAll(got.ids, sent))
      expect([...new Set(got.ids)]).toEqual(sent.map(({ id }) => id))
    },
  )

  fault('fault 52: cut off from the server, a process hands out nothing any more; another one takes over', async () => {
    const cutOff = await open({ servers: [`127.0.0.1:${proxy.port}`] })
    const held: Delivery[] = []
    await cutOff.subscribe({ id: 'one', filter: EVERYTHING, window: { events: 5, bytes: 1e9 } }, (delivery) =>
      held.push(delivery),
    )
    const other = await open()
    const sent = events(60)
    await publish(other, sent)
    await until('a full window', () => held.length === 5)
    proxy.cut()
    const got = collector()
    await other.subscribe({ id: 'one', filter: EVERYTHING }, got.deliver)
    await until('every event at the other', () => includesAll(got.ids, sent), 60_000)
    for (const delivery of held.splice(0)) delivery.settle()
    expect(held).toHaveLength(0) // much waits here, and there is room
    proxy.mend()
    const more = events(60)
    await publish(other, more)
    await until('the new ones at either', () => {
      for (const delivery of held.splice(0)) {
        got.ids.push(delivery.event.id)
        delivery.settle()
      }
      return includesAll(got.ids, more)
    })
    expect(got.ids.filter((id) => more.some((event) => event.id === id))).toHaveLength(more.length)
  })

  fault(
    'fault 52: another process joins while events are out: their late settling commits nothing, and nothing is lost',
    async () => {
      const one = await open()
      const held: Delivery[] = []
      await one.subscribe({ id: 'one', filter: EVERYTHING }, (delivery) => held.push(delivery))
      const sent = events(30)
      await publish(one, sent)
      await until('all of them', () => held.length === 30)
      const two = await open()
      const stuck: Delivery[] = []
      await two.subscribe({ id: 'one', filter: EVERYTHING }, (delivery) => stuck.push(delivery))
      await until('some of them again', () => stuck.length > 0)
      const moved = new Set(stuck.map(({ event }) => event.id))
      for (const delivery of held) delivery.settle()
      for (const channel of channels.splice(0)) await channel.close({ deadlineMs: 0 })
      const three = await open()
      const got = collector()
      await three.subscribe({ id: 'one', filter: EVERYTHING }, got.deliver)
      await until('what moved and was not settled there', () => [...moved].every((id) => got.ids.includes(id)))
      expect(new Set(got.ids)).toEqual(moved)
    },
  )

  fault(
    'fault 54: retention has passed the cursor while nobody was there: told with its count, and the rest is delivered',
    async () => {
      const channel = await open({ topic: { partitions: 1, replicas: 1 } })
      const subscription = await channel.subscribe({ id: 'one', filter: EVERYTHING, paused: true }, () => {})
      const sent = events(10)
      await publish(channel, sent)
      await subscription.close()
      await channel.close({ deadlineMs: 0 })
      await admin.fetchTopicOffsets(names.topic) // the client has to know it
      await admin.deleteTopicRecords({ topic: names.topic, partitions: [{ partition: 0, offset: '7' }] })
      const again = await open()
      const got = collector()
      const losses: Loss[] = []
      const resumed = await again.subscribe({ id: 'one', filter: EVERYTHING, paused: true }, got.deliver)
      resumed.onLoss((loss) => losses.push(loss))
      resumed.resume()
      await until('the rest', () => includesAll(got.ids, sent.slice(7)))
      expect(got.ids).toHaveLength(3)
      await until('the loss', () => losses.length > 0)
      expect(losses).toEqual([{ events: 7, range: ['0-0', '0-6'], cause: 'retention' }])
    },
  )

  fault(
    'fault 54: the topic is deleted: it is made anew, what it had is told, and new events are stored and delivered',
    async () => {
      const channel = await open()
      const states = statesOf(channel)
      const got = collector()
      const losses: Loss[] = []
      const subscription = await channel.subscribe({ id: 'one', filter: EVERYTHING }, got.deliver)
      subscription.onLoss((loss) => losses.push(loss))
      const before = events(20)
      await publish(channel, before)
      await until('all of them', () => got.ids.length === 20)
      subscription.pause()
      await publish(channel, events(5000, Buffer.alloc(2000)))
      await admin.deleteTopics({ topics: [names.topic] })
      await until('a degraded state', async () => {
        await publish(channel, events(1))
        return states.some(({ state }) => state === 'degraded')
      })
      await until('a ready state', () => states.at(-1)!.state === 'ready')
      subscription.resume()
      const [after] = events(1)
      await stored(channel, after!)
      await until('its delivery', () => got.ids.includes(after!.id), 60_000)
      await until('the loss', () => losses.length > 0)
      for (const { cause } of losses) expect(cause).toBe('topic deleted')
    },
  )

  fault(
    'fault 55: what is larger than the topic takes is 413, and is never stored; so is what it takes no longer',
    async () => {
      const channel = await open({ topic: { partitions: 1, replicas: 1, config: { 'max.message.bytes': '100000' } } })
      const results = await publish(channel, [...events(1, Buffer.alloc(100_000)), ...events(1)])
      expect(results[0]).toMatchObject({ stored: false, error: { status: 413, retryable: false } })
      expect(results[1]!.stored).toBe(true)
      const configEntries = [{ name: 'max.message.bytes', value: '20000' }]
      await admin.alterConfigs({
        validateOnly: false,
        resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: names.topic, configEntries }],
      })
      const smaller = [
        ...events(3, Buffer.alloc(15_000)),
        ...events(1, Buffer.alloc(50_000)),
        ...events(3, Buffer.alloc(15_000)),
      ]
      const answers = await publish(channel, smaller)
      expect(answers.map((answer) => (answer.stored ? 202 : answer.error.status))).toEqual([
        202, 202, 202, 413, 202, 202, 202,
      ])
      expect(await channel.read({})).toHaveLength(7)
    },
  )

  fault(
    'an event that another client has put there is delivered, in both modes; what is none is told and blocks nobody',
    async () => {
      const channel = await open({ topic: { partitions: 1, replicas: 1 } })
      const got = collector()
      const losses: string[] = []
      const subscription = await channel.subscribe({ id: 'one', filter: EVERYTHING }, got.deliver)
      subscription.onLoss(({ cause }) => losses.push(cause))
      const producer = new Kafka({ brokers: [server.address], logLevel: logLevel.NOTHING }).producer()
      await producer.connect()
      const headers = { ce_specversion: '1.0', ce_id: 'binary', ce_source: '/s', ce_type: 't' }
      const json = '{"specversion":"1.0","id":"json","source":"/s","type":"t"}'
      await producer.send({
        topic: names.topic,
        messages: [
          { headers, value: 'data' },
          { value: 'no event' },
          { key: 'k', value: null },
          { headers: { 'content-type': 'application/cloudevents+json' }, value: json },
        ],
      })
      await producer.disconnect()
      await until('both', () => got.ids.length === 2)
      expect(got.ids).toEqual(['binary', 'json'])
      expect(losses).toEqual(['malformed', 'malformed'])
    },
  )

  fault('what is parked beyond what memory keeps is fetched again, each with its own tries', async () => {
    const channel = await open()
    const sent = events(30, Buffer.alloc(900_000))
    const attempts = new Map<string, number[]>()
    await channel.subscribe({ id: 'one', filter: EVERYTHING, order: 'key' }, (delivery) => {
      const tries = attempts.get(delivery.event.id) ?? []
      tries.push(delivery.attempt)
      attempts.set(delivery.event.id, tries)
      expect(delivery.event.data).toHaveLength(900_000)
      if (delivery.attempt < 3) delivery.release(300)
      else delivery.settle()
    })
    for (const event of sent) await stored(channel, event.with({ partitionkey: event.id }))
    await until('three tries of each', () => [...attempts.values()].filter(({ length }) => length === 3).length === 30)
    for (const tries of attempts.values()) expect(tries).toEqual([1, 2, 3])
  })
})
