// Clauses about publishing: what is answered, and that events arrive whole, each where it belongs.

import { setImmediate } from 'node:timers/promises'
import { expect } from 'vitest'
import { Event } from '@sluice/event'
import { clause, idsOf, receiver, settler, sorted, typeIs, type Clause, type Scene } from './scene.ts'

export const publishClauses: readonly Clause[] = [
  clause('publish answers each event, in their order, with the position it is handed over with', async (scene) => {
    const got = settler()
    await scene.subscribe(got)
    const events = scene.events(20)
    const results = await scene.publish(events)
    await scene.handed(got, 20)
    expect(results).toHaveLength(20)
    for (const [i, event] of events.entries()) {
      expect(results[i]).toMatchObject({ stored: true, position: got.last(event.id).position })
    }
    expect(new Set(results.map((result) => result.stored && result.position))).toHaveLength(20)
  }),

  clause('publish of no events answers with no results', async (scene) => {
    expect(await scene.publish([])).toEqual([])
  }),

  clause('an event that nobody subscribes to is accepted', async (scene) => {
    const got = settler()
    await scene.subscribe(got, { filter: typeIs('b') })
    const [result] = await scene.publish([scene.event({ type: 'a' })])
    expect(result?.stored).toBe(true)
    await scene.publish([scene.event({ type: 'b' })])
    await scene.handed(got, 1)
    await scene.time.quiet()
    expect(got.all).toHaveLength(1)
  }),

  clause(
    'an event arrives whole: attributes with their types, data byte for byte, hops, forwarded headers',
    arrivesWhole,
  ),

  clause('absent data stays absent', async (scene) => {
    const got = settler()
    await scene.subscribe(got)
    await scene.publish([scene.event()])
    await scene.handed(got, 1)
    expect(got.all[0]?.event.data).toBeUndefined()
  }),

  clause('empty data stays empty, or is absent where fidelity is "binding"', async (scene) => {
    const got = settler()
    await scene.subscribe(got)
    await scene.publish([scene.event({}, Buffer.alloc(0))])
    await scene.handed(got, 1)
    const { data } = got.all[0]!.event
    if (scene.capabilities.fidelity === 'exact') expect(data).toBeDefined()
    expect(data?.length ?? 0).toBe(0)
  }),

  clause('each matching subscription gets an event once, and one that does not match never', async (scene) => {
    const a = settler()
    const b = settler()
    const every = settler()
    await scene.subscribe(a, { id: 'a', filter: typeIs('a') })
    await scene.subscribe(b, { id: 'b', filter: typeIs('b') })
    await scene.subscribe(every, { id: 'every' })
    const as = scene.events(30, { type: 'a' })
    const bs = scene.events(30, { type: 'b' })
    const cs = scene.events(30, { type: 'c' })
    for (let i = 0; i < 30; i += 10) {
      await scene.publish([...as.slice(i, i + 10), ...bs.slice(i, i + 10), ...cs.slice(i, i + 10)])
    }
    await Promise.all([scene.handed(a, 30), scene.handed(b, 30), scene.handed(every, 90)])
    await scene.time.quiet()
    expect(sorted(a.ids)).toEqual(idsOf(as))
    expect(sorted(b.ids)).toEqual(idsOf(bs))
    expect(sorted(every.ids)).toEqual(sorted(idsOf([...as, ...bs, ...cs])))
  }),

  clause(
    'without retries, events are handed over in the order they were stored, where inOrder is declared',
    async (scene) => {
      const got = settler()
      await scene.subscribe(got, { window: { events: 7, bytes: 1e9 } })
      const events = scene.events(300)
      for (let i = 0; i < 300; i += 25) await scene.publish(events.slice(i, i + 25))
      await scene.handed(got, 300)
      expect(scene.capabilities.inOrder ? got.ids : sorted(got.ids)).toEqual(idsOf(events))
    },
  ),

  clause('many publishers at once: each has its own answers, and every event arrives once', async (scene) => {
    const got = settler()
    await scene.subscribe(got)
    const batches = Array.from({ length: 20 }, () => scene.events(10))
    const answers = await Promise.all(batches.map((batch) => scene.publish(batch)))
    await scene.handed(got, 200)
    await scene.time.quiet()
    expect(sorted(got.ids)).toEqual(idsOf(batches.flat()))
    for (const [i, batch] of batches.entries()) {
      for (const [j, event] of batch.entries()) {
        expect(answers[i]?.[j]).toMatchObject({ position: got.last(event.id).position })
      }
    }
  }),

  clause('a receiver may publish from within deliver, as a reply does', async (scene) => {
    const pending: Promise<unknown>[] = []
    const got = receiver((delivery) => {
      if (delivery.event.type === 'a') pending.push(scene.publish([scene.event({ type: 'b' })], 'reply'))
      delivery.settle()
    })
    await scene.subscribe(got)
    await scene.publish(scene.events(10, { type: 'a' }))
    await scene.handed(got, 20)
    await Promise.all(pending)
    expect(got.all.filter(({ event }) => event.type === 'b')).toHaveLength(10)
  }),

  clause(
    'an event that is too large is answered with 413, and the rest of its batch is stored',
    async (scene) => {
      const got = settler()
      await scene.subscribe(got)
      const small = scene.events(2)
      const large = scene.event({}, Buffer.alloc(scene.capabilities.maxEventBytes + 1))
      const results = await scene.channel.publish([small[0]!, large, small[1]!], { lane: 'ingress' })
      expect(results.map((result) => result.stored)).toEqual([true, false, true])
      expect(results[1]).toMatchObject({ error: { code: 'SLUICE_EVENT_TOO_LARGE', status: 413, retryable: false } })
      await scene.handed(got, 2)
      await scene.time.quiet()
      expect(sorted(got.ids)).toEqual(idsOf(small))
    },
    { eventBytesMax: 64 * 1024 },
  ),

  clause(
    'an event of half the largest size arrives whole',
    async (scene) => {
      const got = settler()
      await scene.subscribe(got)
      const data = Buffer.alloc(Math.floor(scene.capabilities.maxEventBytes / 2), 'sluice ')
      await scene.publish([scene.event({}, data)])
      await scene.handed(got, 1)
      expect(got.all[0]?.event.data?.equals(data)).toBe(true)
    },
    { eventBytesMax: 512 * 1024 },
  ),

  clause('an aborted publish answers with results, and does not reject', async (scene) => {
    const signal = AbortSignal.abort()
    const results = await scene.channel.publish(scene.events(3), { lane: 'ingress', signal })
    expect(results).toHaveLength(3)
    for (const result of results) if (!result.stored) expect(result.error.retryable).toBe(true)
  }),

  clause('the state is told at once, and no more once the listener is taken away', async (scene) => {
    const states: string[] = []
    const remove = scene.channel.onState(({ state }) => states.push(state))
    expect(states).toHaveLength(1)
    await scene.time.soon('the channel to be ready', () => states.at(-1) === 'ready')
    remove()
    const before = states.length
    await setImmediate()
    expect(states).toHaveLength(before)
  }),

  clause('once closed it stores nothing, answers 503, and opens no subscription', async (scene) => {
    await scene.close(scene.channel)
    const [result] = await scene.channel.publish([scene.event()], { lane: 'ingress' })
    expect(result).toMatchObject({
      stored: false,
      error: { code: 'SLUICE_CHANNEL_UNAVAILABLE', status: 503, retryable: true },
    })
    await expect(scene.subscribe(receiver())).rejects.toMatchObject({ code: 'SLUICE_CHANNEL_UNAVAILABLE' })
    await scene.close(scene.channel) // twice does no harm
  }),
]

async function arrivesWhole(scene: Scene): Promise<void> {
  const got = receiver()
  await scene.subscribe(got, { window: { events: 1, bytes: 1e9 } })
  const sent = new Event(
    new Map<string, string | number | boolean>([
      ['specversion', '1.0'],
      ['id', 'whole äöü 🌊 "quoted" %41'],
      ['source', 'https://example.com/a?b=c#d'],
      ['type', 'com.example.Whole'],
      ['subject', 'a b'],
      ['time', '2026-11-24T18:48:23.123456789Z'],
      ['datacontenttype', 'application/octet-stream'],
      ['constructor', 'a legal name'],
      ['comnumber', -2147483648],
      ['comzero', 0],
      ['comflag', true],
      ['comnoflag', false],
      ['comtext', 'true'],
      ['comempty', ''],
    ]),
    Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
    17,
    ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 'x-request-id', 'r 1'],
  )
  // The first may pass through memory, the second has to wait wherever the channel keeps what waits.
  const again = sent.with({ id: `${sent.id} again` })
  await scene.publish([sent, again])
  for (const count of [1, 2]) {
    await scene.handed(got, count)
    const { event } = got.all[count - 1]!
    const exact = scene.capabilities.fidelity === 'exact'
    for (const [name, value] of (count === 1 ? sent : again).attributes) {
      expect(exact ? event.attribute(name) : event.text(name), name).toBe(exact ? value : String(value))
    }
    expect(event.attributes.size).toBe(sent.attributes.size)
    expect(event.data?.equals(sent.data!)).toBe(true)
    expect(event.hops).toBe(17)
    expect(event.headers).toEqual(sent.headers)
    got.all[count - 1]!.settle()
  }
}
