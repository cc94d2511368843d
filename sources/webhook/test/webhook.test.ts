// What a WebhookSource promises, whoever the provider is: signatures, times, replays, handshakes, mapping.

import { createHmac } from 'node:crypto'
import { SluiceError } from '@sluice/event'
import { memoryCheckpoint, SourceRequest } from '@sluice/source'
import { describe, expect, test } from 'vitest'
import { webhook } from './scene.ts'

const VERIFY = {
  scheme: 'hmac',
  header: 'x-sig',
  prefix: 'v1=',
  algorithm: 'sha256',
  encoding: 'hex',
  keyEncoding: 'utf8',
  content: '{timestamp}.{body}',
  timestamp: { header: 'x-ts', unit: 's', toleranceMs: 300_000 },
}
const SPEC = { verify: VERIFY, event: { type: 'shop.{body.kind}', source: '/shop', id: '{header.x-id}' } }
const NOW = '1767225600' // 2026-01-01, where the clock stands

function signed(
  body: string,
  more: Readonly<Record<string, string>> = {},
  secret = 'canary-4711',
): Record<string, string> {
  const timestamp = more['x-ts'] ?? NOW
  const signature = `v1=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`
  return { 'content-type': 'application/json', 'x-ts': timestamp, 'x-id': '1', 'x-sig': signature, ...more }
}

const BODY = '{"kind":"order"}'

describe('threat 6: a signature', () => {
  test.each([
    ['without its prefix', (good: string) => good.slice(3)],
    ['that is empty', () => ''],
    ['that is only the prefix', () => 'v1='],
    ['cut off by a byte', (good: string) => good.slice(0, -2)],
    ['of 32 zero bytes', () => `v1=${'00'.repeat(32)}`],
    ['of another version', (good: string) => good.replace('v1=', 'v2=')],
    ['with a space in it', (good: string) => `${good} `],
  ])('%s is refused', async (_, change) => {
    const { send, events } = await webhook(SPEC)
    const headers = signed(BODY)
    expect(await send({ ...headers, 'x-sig': change(headers['x-sig']!) }, BODY)).toMatchObject({ status: 401 })
    expect(events).toEqual([])
  })

  test('may stand among 16, and not among 17', async () => {
    const parse = { separator: ',', pair: '=', take: 'v1' }
    const { prefix: _, ...verify } = VERIFY
    const { send } = await webhook({ ...SPEC, verify: { ...verify, parse } })
    const good = signed(BODY)['x-sig']!
    const others = (n: number): string =>
      Array.from({ length: n }, (_each, i) => `v1=${String(i).padStart(64, '0')}`).join(',')
    expect(await send({ ...signed(BODY), 'x-sig': `${others(15)},${good}` }, BODY)).toMatchObject({ status: 202 })
    expect(await send({ ...signed(BODY), 'x-sig': `${others(16)},${good}` }, BODY)).toMatchObject({
      status: 401,
      code: 'SLUICE_WEBHOOK_SIGNATURE_MALFORMED',
    })
  })

  test('that is there twice, of which one reader takes the first and another the last, is 400', async () => {
    const { sendIt, url } = await webhook(SPEC)
    const headers = [...Object.entries(signed(BODY)).flat(), 'X-Sig', 'v1=00']
    expect(await sendIt(new SourceRequest('POST', url, headers, Buffer.from(BODY)))).toMatchObject({ status: 400 })
  })

  test('is made over the bytes, not over their text', async () => {
    const { send } = await webhook(SPEC)
    const bytes = Buffer.from('{"kind":"\u{FFFD}"}'.replace('\u{FFFD}', 'x'))
    bytes[9] = 0xff
    const headers = signed('{"kind":"\u{FFFD}"}')
    expect(await send(headers, bytes)).toMatchObject({ status: 401 })
  })
})

describe('threat 6: the time of a signature', () => {
  test.each([
    ['1767225300', 202],
    ['1767225299', 401],
    ['1767225900', 202],
    ['1767225901', 401],
    ['123abc', 401],
    ['-1767225600', 401],
    ['1767225600.0', 401],
    ['0x6955B900', 401],
    ['', 401],
    ['99999999999999999999', 401],
  ])('%s is answered %i', async (timestamp, status) => {
    const { send, events } = await webhook(SPEC)
    expect(await send(signed(BODY, { 'x-ts': timestamp }), BODY)).toMatchObject({ status })
    expect(events).toHaveLength(status === 202 ? 1 : 0)
  })
})

describe('secrets', () => {
  test('either of two is enough while one is exchanged, and one that is taken out is none', async () => {
    const { send, secrets } = await webhook(SPEC, ['old', 'new'])
    expect(await send(signed(BODY, { 'x-id': '1' }, 'old'), BODY)).toMatchObject({ status: 202 })
    expect(await send(signed(BODY, { 'x-id': '2' }, 'new'), BODY)).toMatchObject({ status: 202 })
    secrets.set('s/0', Buffer.from('newer'))
    expect(await send(signed(BODY, { 'x-id': '3' }, 'old'), BODY)).toMatchObject({ status: 401 })
    expect(await send(signed(BODY, { 'x-id': '3' }, 'newer'), BODY)).toMatchObject({ status: 202 })
  })

  test('one that is missing keeps every request out, and stands in the status, not in the answer', async () => {
    const { send, secrets, source, events } = await webhook(SPEC)
    secrets.clear()
    expect(await send(signed(BODY), BODY)).toMatchObject({ status: 503, code: 'SLUICE_WEBHOOK_NOT_SET_UP' })
    expect(source.status().trouble).toContain('no Secret s')
    expect(events).toEqual([])
  })

  test('one that is no key of its form is told in the status', async () => {
    const { source } = await webhook({ preset: 'standard-webhooks' }, 'whsec_not base64')
    expect(source.status().trouble).toContain('whsec_… in base64')
    expect(source.status().trouble).not.toContain('not base64')
  })
})

describe('other ways of proof', () => {
  const event = { type: 'x', source: '/x' }

  test('basic: user and password', async () => {
    const { send } = await webhook({ verify: { scheme: 'basic' }, event }, 'user:pass:word')
    const basic = (text: string): Record<string, string> => ({
      authorization: `Basic ${Buffer.from(text).toString('base64')}`,
    })
    expect(await send(basic('user:pass:word'))).toMatchObject({ status: 202 })
    expect(await send(basic('user:pass'))).toMatchObject({ status: 401 })
    expect(await send({ authorization: 'Basic !' })).toMatchObject({ status: 401 })
    expect(await send({})).toMatchObject({ status: 401 })
  })

  test('bearer: in the header, or as access_token', async () => {
    const { send } = await webhook({ verify: { scheme: 'bearer' }, event }, 'tok')
    expect(await send({ authorization: 'Bearer tok' })).toMatchObject({ status: 202 })
    expect(await send({}, '', { query: '?access_token=tok' })).toMatchObject({ status: 202 })
    expect(await send({ authorization: 'Bearer to' })).toMatchObject({ status: 401 })
    expect(await send({ authorization: 'Bearer tok2' })).toMatchObject({ status: 401 })
    expect(await send({}, '', { query: '?access_token=' })).toMatchObject({ status: 401 })
  })

  test('token: in a parameter', async () => {
    const { send } = await webhook({ verify: { scheme: 'token', query: 'key' }, event }, 'tok')
    expect(await send({}, '', { query: '?key=tok' })).toMatchObject({ status: 202 })
    expect(await send({}, '', { query: '?key=tokk' })).toMatchObject({ status: 401 })
  })

  test('none: anybody, and the status says so', async () => {
    const { send, source } = await webhook({ verify: { scheme: 'none' }, event, secretRefs: [] }, [])
    expect(await send({})).toMatchObject({ status: 202 })
    expect(source.status().fields).toMatchObject({ verify: ['none: anybody may send'] })
  })
})

describe('a replay', () => {
  test('is answered alike and stored once, within the window', async () => {
    const { send, events, clock } = await webhook({ ...SPEC, replayWindowMs: 200_000 })
    expect(await send(signed(BODY), BODY)).toMatchObject({ status: 202 })
    expect(await send(signed(BODY), BODY)).toMatchObject({ status: 202 })
    expect(events).toHaveLength(1)
    clock.advance(200_001)
    expect(await send(signed(BODY), BODY)).toMatchObject({ status: 202 })
    expect(events).toHaveLength(2)
  })

  test('that comes while the first is being stored waits for that, and is stored if that fails', async () => {
    const scene = await webhook(SPEC)
    const first = Promise.withResolvers<void>()
    scene.sink = () => first.promise
    const one = scene.send(signed(BODY), BODY)
    scene.sink = async () => {}
    const two = scene.send(signed(BODY), BODY)
    await new Promise((resolve) => setImmediate(resolve))
    expect(scene.events).toEqual([])
    first.reject(new SluiceError('SLUICE_CHANNEL_FULL', 'Full.', { status: 429, retryable: true }))
    expect((await Promise.all([one, two])).map(({ status }) => status)).toEqual([429, 202])
    expect(scene.events).toHaveLength(1)
  })

  test('is known by 100,000 names; the oldest are forgotten, and counted', async () => {
    const { send, source, events } = await webhook(
      { verify: { scheme: 'none' }, event: { type: 'x', source: '/x', id: '{header.x-id}' }, secretRefs: [] },
      [],
    )
    for (let i = 0; i < 100_010; i++) await send({ 'x-id': String(i) })
    expect(source.status().fields).toMatchObject({ replayWindow: { known: 100_000, forgotten: 10 } })
    const stored = events.length
    await send({ 'x-id': '100009' })
    expect(events).toHaveLength(stored)
    await send({ 'x-id': '0' })
    expect(events).toHaveLength(stored + 1)
  }, 60_000)

  test('is known by the next process, and a checkpoint never grows beyond twice what it holds', async () => {
    const checkpoint = memoryCheckpoint()
    const spec = { ...SPEC, replayWindowMs: 10_000 }
    const first = await webhook(spec, 'canary-4711', { checkpoint })
    for (let i = 0; i < 5000; i++) {
      await first.send(signed(BODY, { 'x-id': String(i) }), BODY)
      first.clock.advance(20)
    }
    expect((await checkpoint.load())!.length).toBeLessThan((2 * 501 + 1002) * 24)
    const second = await webhook(spec, 'canary-4711', { checkpoint, startMs: first.clock.now() })
    expect(await second.send(signed(BODY, { 'x-id': '4999' }), BODY)).toMatchObject({ status: 202 })
    expect(second.events).toEqual([])
  })

  test('of 0 length notices none', async () => {
    const { send, events } = await webhook({ ...SPEC, replayWindowMs: 0 })
    await send(signed(BODY), BODY)
    await send(signed(BODY), BODY)
    expect(events).toHaveLength(2)
  })

  test('a disk that keeps no name costs no event, and the status says so', async () => {
    const checkpoint = { ...memoryCheckpoint(), append: () => Promise.reject(new Error('ENOSPC')) }
    const { send, events, source } = await webhook(SPEC, 'canary-4711', { checkpoint })
    expect(await send(signed(BODY), BODY)).toMatchObject({ status: 202 })
    expect(await send(signed(BODY), BODY)).toMatchObject({ status: 202 })
    expect(events).toHaveLength(1)
    expect(source.status().fields).toMatchObject({ replayWindow: { unkept: 'ENOSPC' } })
  })
})

describe('CloudEvents WebHook, as the receiver', () => {
  const spec = { ...SPEC, allowedOrigins: ['eventgrid.azure.net'], allowedRate: 60 }
  const ask = { 'webhook-request-origin': 'EventGrid.Azure.net', 'webhook-request-rate': '120' }

  test('consent names origin and rate', async () => {
    const { send } = await webhook(spec)
    expect((await send(ask, '', { method: 'OPTIONS' })).headers).toEqual({
      allow: 'POST',
      'webhook-allowed-origin': 'EventGrid.Azure.net',
      'webhook-allowed-rate': '60',
    })
    const less = { ...ask, 'webhook-request-rate': '10' }
    expect((await send(less, '', { method: 'OPTIONS' })).headers).toMatchObject({ 'webhook-allowed-rate': '10' })
  })

  test('an origin that may not is given none, and what it sends is refused', async () => {
    const { send, events } = await webhook(spec)
    const evil = { 'webhook-request-origin': 'evil.example.com' }
    expect((await send(evil, '', { method: 'OPTIONS' })).headers).toEqual({ allow: 'POST' })
    expect(await send({ ...signed(BODY), ...evil }, BODY)).toMatchObject({ status: 403 })
    expect(events).toEqual([])
  })

  test('beyond the rate, 429; each origin has its own, and it fills up again', async () => {
    const { send, clock } = await webhook({ ...spec, allowedOrigins: ['a.example.com', '*'] })
    const from = (origin: string): Promise<{ status: number }> =>
      send({ ...signed(BODY), 'webhook-request-origin': origin }, BODY)
    for (let i = 0; i < 60; i++) expect(await from('a.example.com')).toMatchObject({ status: 202 })
    expect(await from('a.example.com')).toMatchObject({ status: 429 })
    expect(await from('b.example.com')).toMatchObject({ status: 202 })
    clock.advance(1000)
    expect(await from('a.example.com')).toMatchObject({ status: 202 })
    expect(await from('a.example.com')).toMatchObject({ status: 429 })
  })

  test('without allowed origins there is no handshake', async () => {
    const { send } = await webhook(SPEC)
    expect(await send(ask, '', { method: 'OPTIONS' })).toMatchObject({ status: 405 })
    expect(await send({}, '', { method: 'GET' })).toMatchObject({ status: 405 })
  })

  test('preset cloudevents: events pass as they are, one by one and as a batch, each once', async () => {
    const { send, events } = await webhook({ preset: 'cloudevents' }, 'tok')
    const headers = {
      authorization: 'Bearer tok',
      'ce-specversion': '1.0',
      'ce-id': '1',
      'ce-source': '/s',
      'ce-type': 't',
    }
    expect(await send(headers, '{}')).toMatchObject({ status: 202 })
    const event = (id: string): object => ({ specversion: '1.0', id, source: '/s', type: 't' })
    const batch = JSON.stringify([event('1'), event('2')])
    const structured = { authorization: 'Bearer tok', 'content-type': 'application/cloudevents-batch+json' }
    expect(await send(structured, batch)).toMatchObject({ status: 202 })
    expect(events.map(({ id }) => id)).toEqual(['1', '2'])
    expect(await send({ authorization: 'Bearer tok' }, '{}')).toMatchObject({ status: 400 })
  })
})

describe('attributes', () => {
  const open = (event: Record<string, unknown>) => webhook({ verify: { scheme: 'none' }, event, secretRefs: [] }, [])
  const json = { 'content-type': 'application/json' }

  test.each([
    ['2024-05-01T10:00:00Z', '2024-05-01T10:00:00Z'],
    [1_714_557_600, '2024-05-01T10:00:00.000Z'],
    [1_714_557_600_123, '2024-05-01T10:00:00.123Z'],
    ['1714557600', '2024-05-01T10:00:00.000Z'],
    ['2024-05-01 10:00:00 UTC', '2024-05-01T10:00:00.000Z'],
    [null, '2026-01-01T00:00:00.000Z'],
    ['yesterday', '2026-01-01T00:00:00.000Z'],
    [true, '2026-01-01T00:00:00.000Z'],
  ])('a time of %j is %s', async (given, time) => {
    const { send, events } = await open({ type: 'x', time: '{body.at}' })
    await send(json, JSON.stringify({ at: given }))
    expect(events[0]!.text('time')).toBe(time)
  })

  test('what a template needs and is not there is 422, and nothing is stored', async () => {
    const { send, events } = await open({ type: 'x.{body.kind}' })
    expect(await send(json, '{"kind":null}')).toMatchObject({ status: 422, code: 'SLUICE_WEBHOOK_UNMAPPED' })
    expect(events).toEqual([])
  })

  test('threats 13, 14: names that every object has are not there, and what is nested too deep is refused', async () => {
    const { send, events } = await open({ type: "x.{body.constructor.name|body.__proto__.x|'none'}" })
    expect(await send(json, '{"a":1}')).toMatchObject({ status: 202 })
    expect(events[0]!.type).toBe('x.none')
    expect(await send(json, '['.repeat(100_000) + ']'.repeat(100_000))).toMatchObject({ status: 400 })
    expect(await send(json, '{"a":')).toMatchObject({ status: 400 })
  })

  test('a form has its fields, and stays as it came', async () => {
    const { send, events } = await open({ type: 'x.{body.kind}', subject: '{body.who}' })
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    await send(form, 'kind=a&who=J%C3%BCrgen+K')
    expect(events[0]!.type).toBe('x.a')
    expect(events[0]!.text('subject')).toBe('Jürgen K')
    expect(events[0]!.text('datacontenttype')).toBe(form['content-type'])
    expect(events[0]!.data!.toString()).toBe('kind=a&who=J%C3%BCrgen+K')
  })

  test('threat 9: a value that no attribute can have is refused, and not passed on', async () => {
    const { send, events } = await open({ type: 'x', subject: '{body.s}' })
    expect(await send(json, JSON.stringify({ s: 'a\r\nX-Evil: 1' }))).toMatchObject({ status: 400 })
    expect(events).toEqual([])
  })
})
