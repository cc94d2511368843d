// Events through the program as their senders and receivers write them: over raw HTTP, and by the CloudEvents SDK.

import { CloudEvent, type CloudEventV1, emitterFor, HTTP, httpTransport, Mode } from 'cloudevents'
import { beforeAll, describe, expect, test } from 'vitest'
import { batch, binary, broker, eventJson, structuredMode, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { startSluice, type Sluice } from '../support/sluice.ts'
import { ceHeaders, header, structured, subscriber, type Received, type Subscriber } from '../support/subscriber.ts'

let sluice: Sluice
let inBinary: Subscriber
let inJson: Subscriber

beforeAll(async () => {
  inBinary = await subscriber()
  inJson = await subscriber()
  sluice = await startSluice({
    'default.yaml': [
      broker(),
      trigger('binary', inBinary.url),
      trigger('json', inJson.url, ['delivery: {format: json}']),
    ].join(''),
  })
})

const ORDER = { id: '7', source: '/shop', type: 'order.created', subject: 'Bestellung 7 für Žofie 😀' }

describe('raw HTTP', () => {
  test('binary mode, with unknown extensions and text in any script (spec 117)', async () => {
    const message = binary(
      [
        ['ce-id', '7'],
        ['ce-subject', encodeURIComponent(ORDER.subject)],
        ['ce-comexampleregion', '%C5%BDilina%20%22x%22%25'],
        ['content-type', 'application/json'],
      ],
      '{"n": 1.0}',
    )
    expect((await exchange(sluice.broker, message)).status).toBe(202)
    const received = await inBinary.next()
    expect(ceHeaders(received)).toMatchObject({
      subject: 'Bestellung%207%20f%C3%BCr%20%C5%BDofie%20%F0%9F%98%80',
      comexampleregion: '%C5%BDilina%20%22x%22%25',
    })
    expect(received.body.toString()).toBe('{"n": 1.0}')
    expect(structured(await inJson.next())).toMatchObject({
      subject: ORDER.subject,
      comexampleregion: 'Žilina "x"%',
      data: { n: 1 },
    })
  })

  test('structured mode (spec 118)', async () => {
    const event = { ...ORDER, specversion: '1.0', comexampleregion: 'Žilina', data: { total: 42.5 } }
    expect((await exchange(sluice.broker, structuredMode(JSON.stringify(event)))).status).toBe(202)
    expect(ceHeaders(await inBinary.next())).toMatchObject({ id: '7', comexampleregion: '%C5%BDilina' })
    expect(structured(await inJson.next())).toEqual({ ...event, datacontenttype: 'application/json' })
  })

  test('a batch arrives as its events', async () => {
    const ids = Array.from({ length: 20 }, (_, n) => `batch-${n}`)
    expect((await exchange(sluice.broker, batch(...ids.map((id) => eventJson({ id }))))).status).toBe(202)
    const arrived = new Set<string | undefined>()
    for (const _ of ids) arrived.add(ceHeaders(await inBinary.next())['id'])
    for (const _ of ids) await inJson.next()
    expect(arrived).toEqual(new Set(ids))
  })

  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  test.each([
    ['every byte value', everyByte],
    ['no byte', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(1000)],
    ['line breaks', Buffer.from('\r\n\r\n\n\r0\r\n\r\n')],
    ['1 MiB', Buffer.concat(Array<Buffer>(4096).fill(everyByte))],
  ])('binary data of %s is unchanged (CE-34, spec 55)', async (_what, bytes) => {
    expect((await exchange(sluice.broker, binary([['content-type', 'application/x-any']], bytes))).status).toBe(202)
    const received = await inBinary.next()
    expect(received.body.equals(bytes)).toBe(true)
    expect(header(received, 'content-type')).toBe('application/x-any')
    const { data_base64 = '' } = structured(await inJson.next())
    expect(Buffer.from(String(data_base64), 'base64').equals(bytes)).toBe(true)
  })

  test('what comes in chunks arrives whole', async () => {
    const message = { ...binary([], everyByte), chunkBytes: 7 }
    expect((await exchange(sluice.broker, message)).status).toBe(202)
    expect((await inBinary.next()).body.equals(everyByte)).toBe(true)
    await inJson.next()
  })

  test('tracing headers go on beside the event; cookies and credentials do not (CE-13)', async () => {
    const message = binary([
      ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
      ['tracestate', 'a=1'],
      ['X-Request-Id', 'r1'],
      ['Knative-Foo', 'k'],
      ['X-B3-TraceId', 'b3'],
      ['Cookie', 'secret'],
      ['Authorization', 'Bearer secret'],
      ['X-Other', 'o'],
    ])
    expect((await exchange(sluice.broker, message)).status).toBe(202)
    const received = await inBinary.next()
    const sent = ['traceparent', 'tracestate', 'x-request-id', 'knative-foo', 'x-b3-traceid']
    expect(sent.map((name) => header(received, name))).toEqual([
      '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      'a=1',
      'r1',
      'k',
      'b3',
    ])
    expect(['cookie', 'authorization', 'x-other'].map((name) => header(received, name))).toEqual(
      Array(3).fill(undefined),
    )
    await inJson.next()
  })

  test('every event gets its arrival time, and asks for a reply (spec 135)', async () => {
    expect((await exchange(sluice.broker, binary())).status).toBe(202)
    const received = await inBinary.next()
    expect(received.method).toBe('POST')
    expect(header(received, 'prefer')).toBe('reply')
    expect(header(received, 'kn-namespace')).toBe('default')
    expect(header(received, 'ce-knativearrivaltime')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/)
    expect(header(received, 'ce-knativebrokerttl')).toBeUndefined()
    await inJson.next()
  })
})

describe('the CloudEvents SDK', () => {
  test.each([
    ['binary', Mode.BINARY],
    ['structured', Mode.STRUCTURED],
  ])('sends in %s mode, and receives in both', async (_name, mode) => {
    const event = new CloudEvent({ ...ORDER, subject: 'order-7', myext: 'x1', data: { total: 42.5, items: ['a'] } })
    await emitterFor(httpTransport(sluice.broker), { mode })(event)
    for (const taker of [inBinary, inJson]) {
      const got = bySdk(await taker.next())
      expect(got).toMatchObject({ ...ORDER, subject: 'order-7', myext: 'x1', data: { total: 42.5, items: ['a'] } })
      expect(got.time).toBe(event.time)
    }
  })

  test('sends bytes, and gets the same bytes in binary mode', async () => {
    const bytes = Buffer.from([0, 1, 2, 0xff, 0xfe, 0x0d, 0x0a])
    const event = new CloudEvent({
      ...ORDER,
      subject: 'bytes',
      datacontenttype: 'application/octet-stream',
      data: bytes,
    })
    await emitterFor(httpTransport(sluice.broker))(event)
    const got = bySdk(await inBinary.next())
    expect(got.data).toEqual(bytes)
    await inJson.next()
  })

  test('reads a batch of ours as it was sent', async () => {
    const events = [1, 2].map((n) => eventJson({ id: String(n), data: { n } }))
    const message = batch(...events)
    expect((await exchange(sluice.broker, message)).status).toBe(202)
    const data = [bySdk(await inBinary.next()), bySdk(await inBinary.next())].map((event) => event.data)
    expect(data).toEqual(expect.arrayContaining([{ n: 1 }, { n: 2 }]))
  })
})

function bySdk({ rawHeaders, body }: Received): CloudEventV1<unknown> {
  const headers: Record<string, string> = {}
  for (let i = 0; i < rawHeaders.length; i += 2) headers[rawHeaders[i]!.toLowerCase()] = rawHeaders[i + 1]!
  const isText = /json|text/.test(headers['content-type'] ?? '')
  const event = HTTP.toEvent({ headers, body: isText ? body.toString('utf8') : body })
  if (Array.isArray(event)) throw new Error('a batch was delivered, though nobody asked for one')
  return event
}
