// The door for events: every status that it answers, each with what was or was not stored behind it.

import { once } from 'node:events'
import { beforeAll, describe, expect, test } from 'vitest'
import { batch, binary, broker, eventJson, json, structuredMode, trigger } from '../support/events.ts'
import { dial, encode, exchange, type HttpAnswer, type Message } from '../support/exchange.ts'
import { sluiceHere } from '../support/here.ts'
import { acceptedEvents, readMetric } from '../support/ops.ts'
import { startSluice, type Sluice } from '../support/sluice.ts'
import { subscriber } from '../support/subscriber.ts'

let sluice: Sluice

beforeAll(async () => {
  sluice = await startSluice({ 'brokers.yaml': broker() })
})

/** Status of the answer, and how many events were stored. */
async function send(message: Message, url: string = sluice.broker): Promise<{ status: number; stored: number }> {
  const before = await acceptedEvents(sluice.api)
  const { status } = await exchange(url, message)
  return { status, stored: (await acceptedEvents(sluice.api)) - before }
}

describe('status codes', () => {
  test('202: the event is stored (spec 123)', async () => {
    expect(await send(binary())).toEqual({ status: 202, stored: 1 })
    expect(await send(batch(json(), json(), json()))).toEqual({ status: 202, stored: 3 })
  })

  test('202 to a path with a slash at the end, or with a query', async () => {
    expect(await send(binary(), `${sluice.broker}/`)).toEqual({ status: 202, stored: 1 })
    expect(await send(binary(), `${sluice.broker}?from=test`)).toEqual({ status: 202, stored: 1 })
  })

  test('400: a malformed event says what is wrong with it and what to do (spec 1)', async () => {
    const answer = await exchange(sluice.broker, binary([['ce-time', 'yesterday']]))
    expect(answer.status).toBe(400)
    expect(answer.headers['content-type']).toBe('application/json')
    expect(answer.json()).toEqual({
      code: 'SLUICE_EVENT_INVALID_TIME',
      message: expect.stringMatching(/yesterday.*RFC 3339.*Nothing was stored/s),
      subject: 'time',
    })
    expect(await send(binary([['ce-time', 'yesterday']]))).toEqual({ status: 400, stored: 0 })
  })

  test('400: an event whose hops are used up', async () => {
    expect(await send(binary([['ce-knativebrokerttl', '1']]))).toEqual({ status: 400, stored: 0 })
    expect(await send(binary([['ce-knativebrokerttl', '2']]))).toEqual({ status: 202, stored: 1 })
  })

  test.each(['/default/nobody', '/nowhere/default', '/', '/default', '/default/default/more', '/channels/default/x'])(
    '404: nothing is at %s',
    async (path) => {
      expect(await send(binary(), `${sluice.ingress}${path}`)).toEqual({ status: 404, stored: 0 })
    },
  )

  test.each(['GET', 'PUT', 'DELETE', 'PATCH'])('405: %s is no way to send an event (spec 119)', async (method) => {
    expect(await send({ ...binary(), method })).toEqual({ status: 405, stored: 0 })
  })

  test('200 to OPTIONS, and every answer allows POST and OPTIONS (spec 121)', async () => {
    const options = await exchange(sluice.broker, { method: 'OPTIONS' })
    expect(options.status).toBe(200)
    expect(options.headers).toMatchObject({
      allow: 'POST, OPTIONS',
      'webhook-allowed-origin': '*',
      'webhook-allowed-rate': '*',
    })
    for (const message of [binary(), binary([['ce-id', '']]), { method: 'GET' }]) {
      expect((await exchange(sluice.broker, message)).headers['allow']).toBe('POST, OPTIONS')
    }
  })

  test('408: a request that does not end in its time (threat 11)', async () => {
    const here = await sluiceHere(broker(), { limits: { requestTimeoutMs: 300, headersTimeoutMs: 300 } })
    const [slowHead, slowBody] = [await dial(here.broker), await dial(here.broker)]
    slowHead.write('POST /default/default HTTP/1.1\r\nHost: x\r\nce-id: ')
    slowBody.write(encode(here.broker, binary([], 'a body')).subarray(0, -1))
    expect((await slowHead.answer()).status).toBe(408)
    expect((await slowBody.answer()).status).toBe(408)
    await Promise.all([slowHead.closed, slowBody.closed])
    expect(await acceptedEvents(here.api)).toBe(0)
  })

  test('413: a body over the limit, announced or in chunks (threat 12)', async () => {
    const body = Buffer.alloc(1024 * 1024 + 1, 'x')
    expect(await send(binary([], body))).toEqual({ status: 413, stored: 0 })
    expect(await send({ ...binary([], body), chunkBytes: 10_000 })).toEqual({ status: 413, stored: 0 })
    expect(await send(structuredMode(body))).toEqual({ status: 413, stored: 0 })
    expect(await send(binary([], body.subarray(1)))).toEqual({ status: 202, stored: 1 })
  })

  test('413: comes while a body in chunks goes on and on (threat 12)', async () => {
    const connection = await dial(sluice.broker)
    const endless = encode(sluice.broker, { ...binary([], Buffer.alloc(1024 * 1024 + 1)), chunkBytes: 100_000 })
    connection.write(endless.subarray(0, -5))
    expect((await connection.answer()).status).toBe(413)
    connection.socket.destroy()
  })

  test('413: a sender that goes on is read to its end, not reset before it has the answer', async () => {
    const message = encode(sluice.broker, binary([], Buffer.alloc(3 * 1024 * 1024)))
    const connection = await dial(sluice.broker)
    const closed = once(connection.socket, 'close')
    connection.write(message.subarray(0, 100_000))
    expect((await connection.answer()).status).toBe(413)
    connection.write(message.subarray(100_000))
    const [hadError] = await closed
    expect(hadError).toBe(false)
    expect(connection.answers()).toHaveLength(1)
  })

  test('413: of a batch, one event over the limit, too many events, or all of it too long (threat 12)', async () => {
    const large = eventJson({ data: 'x'.repeat(1024 * 1024) })
    expect(await send(batch(json(), large))).toEqual({ status: 413, stored: 0 })
    expect(await send(batch(...Array<string>(10_001).fill(json())))).toEqual({ status: 413, stored: 0 })
    const long = eventJson({ data: 'x'.repeat(1000 * 1000) })
    expect(await send(batch(...Array<string>(9).fill(long)))).toEqual({ status: 413, stored: 0 })
  })

  test('--max-event-bytes moves the limit', async () => {
    const here = await startSluice({ 'brokers.yaml': broker() }, ['--max-event-bytes', '1Ki'])
    expect((await exchange(here.broker, binary([], Buffer.alloc(1024)))).status).toBe(202)
    expect((await exchange(here.broker, binary([], Buffer.alloc(1025)))).status).toBe(413)
    expect(await acceptedEvents(here.api)).toBe(1)
  })

  test.each(['gzip', 'br', 'identity, gzip', 'x-unknown'])(
    '415: a body encoded with %s (threat 12)',
    async (encoding) => {
      expect(await send(binary([['Content-Encoding', encoding]], 'x'))).toEqual({ status: 415, stored: 0 })
    },
  )

  test('415: an event format, or a charset, that is not spoken here', async () => {
    expect(await send(structuredMode('<event/>', 'application/cloudevents+xml'))).toEqual({ status: 415, stored: 0 })
    const latin1 = structuredMode(json(), 'application/cloudevents+json; charset=iso-8859-1')
    expect(await send(latin1)).toEqual({ status: 415, stored: 0 })
  })

  test('429 with Retry-After: the channel is full, and what is in it stays (fault 38)', async () => {
    const silent = await subscriber(() => new Promise(() => {}))
    const here = await sluiceHere(broker() + trigger('silent', silent.url), { memoryBytes: 64 * 1024 })
    const message = binary([['content-type', 'text/plain']], 'x'.repeat(1024))
    let stored = 0
    let answer: HttpAnswer
    while ((answer = await exchange(here.broker, message)).status === 202) stored++
    expect(answer.status).toBe(429)
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    expect(answer.json()).toMatchObject({
      code: 'SLUICE_CHANNEL_FULL',
      message: expect.stringContaining('default/default'),
    })
    expect(await acceptedEvents(here.api)).toBe(stored)
    expect(await readMetric(here.api, 'sluice_subscription_lag_events')).toBe(stored)
  })

  test('431: more header lines than are read are refused, not cut off (C1)', async () => {
    const extensions = Array.from({ length: 600 }, (_, n) => [`ce-x${n}`, 'v'] as const)
    expect(await send(binary(extensions))).toEqual({ status: 431, stored: 0 })
    expect(await send(binary(extensions.slice(0, 400)))).toEqual({ status: 202, stored: 1 })
  })

  test('431: header lines beyond 256 KiB', async () => {
    expect(await send(binary([['ce-x', 'v'.repeat(257 * 1024)]]))).toEqual({ status: 431, stored: 0 })
  })

  test('503 with Retry-After: while starting, and while shutting down (fault 5)', async () => {
    const here = await sluiceHere(broker())
    for (const state of ['starting', 'draining'] as const) {
      here.server.setState(state)
      const answer = await exchange(here.broker, binary())
      expect(answer.status).toBe(503)
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
      for (const base of [here.ingress, here.api]) {
        const ready = await fetch(`${base}/readyz`)
        expect([ready.status, await ready.text()]).toEqual([503, `${state}\n`])
      }
    }
    expect(await acceptedEvents(here.api)).toBe(0)
  })

  test('503 with Retry-After: too many bodies at once', async () => {
    const here = await sluiceHere(broker(), { limits: { readingBytesMax: 100_000 } })
    const open = await dial(here.broker)
    open.write(encode(here.broker, binary([], 'x'.repeat(60_000))).subarray(0, -1))
    // The first body is in memory once the second one, over the rest, is refused.
    let answer = await exchange(here.broker, binary([], 'y'.repeat(60_000)))
    while (answer.status === 202) answer = await exchange(here.broker, binary([], 'y'.repeat(60_000)))
    expect(answer.status).toBe(503)
    expect(answer.headers['retry-after']).toBe('1')
    open.write('x')
    expect((await open.answer()).status).toBe(202)
    expect((await exchange(here.broker, binary([], 'y'.repeat(60_000)))).status).toBe(202)
  })

  test('every refusal is counted by its status', async () => {
    const messages: Record<number, Message> = {
      400: binary([['ce-id', '']]),
      413: binary([], Buffer.alloc(1024 * 1024 + 1)),
      415: binary([['content-encoding', 'gzip']]),
    }
    for (const [code, message] of Object.entries(messages)) {
      const before = await refusedEvents(code)
      await exchange(sluice.broker, message)
      expect([code, await refusedEvents(code)]).toEqual([code, before + 1])
    }
  })
})

function refusedEvents(code: string): Promise<number> {
  return readMetric(sluice.api, 'sluice_events_refused_total', { broker: 'default', code })
}

describe('Expect: 100-continue', () => {
  const expecting: readonly (readonly [string, string])[] = [['Expect', '100-continue']]

  test('gets its 100, then 202', async () => {
    const message = encode(sluice.broker, binary(expecting, 'a body'))
    const bodyAt = message.indexOf('\r\n\r\n') + 4
    const connection = await dial(sluice.broker)
    connection.write(message.subarray(0, bodyAt))
    expect((await connection.answer(1)).status).toBe(100)
    connection.write(message.subarray(bodyAt))
    expect((await connection.answer(2)).status).toBe(202)
  })

  test('gets 413 without a 100 for a body over the limit, before any of it is sent (threat 12)', async () => {
    const message = encode(sluice.broker, binary(expecting, Buffer.alloc(1024 * 1024 + 1)))
    const connection = await dial(sluice.broker)
    connection.write(message.subarray(0, message.indexOf('\r\n\r\n') + 4))
    expect((await connection.answer(1)).status).toBe(413)
    await connection.closed
  })
})

describe('senders that go away', () => {
  test('in the middle of a body: nothing is stored, and nothing is kept (fault 35)', async () => {
    const here = await sluiceHere(broker(), { limits: { readingBytesMax: 2_000_000 } })
    const message = encode(here.broker, binary([], Buffer.alloc(1_000_000)))
    for (let n = 0; n < 20; n++) {
      const connection = await dial(here.broker)
      connection.write(message.subarray(0, 900_000))
      connection.socket.end()
      await connection.closed
    }
    expect(await acceptedEvents(here.api)).toBe(0)
    expect((await exchange(here.broker, binary([], Buffer.alloc(1_000_000)))).status).toBe(202)
  })

  test('after the body, before the answer: the event is stored (fault 35)', async () => {
    const taker = await subscriber()
    const here = await sluiceHere(broker() + trigger('all', taker.url))
    const connection = await dial(here.broker)
    connection.socket.end(encode(here.broker, binary()), () => connection.socket.destroy())
    expect(await taker.received(1)).toHaveLength(1)
  })
})

test('a connection serves many requests, refused ones between good ones', async () => {
  const keepAlive = (message: Message): Buffer =>
    Buffer.from(encode(sluice.broker, message).toString('latin1').replace('Connection: close\r\n', ''), 'latin1')
  const connection = await dial(sluice.broker)
  const statuses: number[] = []
  for (const message of [binary(), binary([['ce-id', '']]), binary([], 'x'), { method: 'GET' }, binary()]) {
    connection.write(keepAlive(message))
    statuses.push((await connection.answer(statuses.length + 1)).status)
  }
  expect(statuses).toEqual([202, 400, 202, 405, 202])
  connection.socket.destroy()
})

test('spec 116: a wish to change the protocol is ignored', async () => {
  const upgrade = binary([
    ['Upgrade', 'h2c, websocket'],
    ['Connection', 'Upgrade, HTTP2-Settings'],
    ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
  ])
  expect(await send(upgrade)).toEqual({ status: 202, stored: 1 })
})
