// What becomes of an event after it was accepted: replies are routed on, failures retried and dead-lettered, loops
// stopped, and one dead subscriber changes nothing for the others.

import { describe, expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange, type HttpAnswer } from '../support/exchange.ts'
import { acceptedEvents, readMetric, settled } from '../support/ops.ts'
import { startSluice, type Sluice } from '../support/sluice.ts'
import { ceHeaders, header, subscriber, type Answer } from '../support/subscriber.ts'

/** A 200 with an event of this type. */
function reply(type: string, more: readonly string[] = []): Answer {
  const headers = ['ce-specversion', '1.0', 'ce-id', 'r1', 'ce-source', '/replier', 'ce-type', type, ...more]
  return { status: 200, headers, body: '' }
}

async function send(sluice: Sluice, id: string, type = 't', body = ''): Promise<HttpAnswer> {
  return exchange(sluice.broker, binary([['ce-id', id], ['ce-type', type]], body)) // prettier-ignore
}

const FILTER = (type: string): string[] => ['filters:', `  - exact: {type: ${type}}`]

test('a reply is an event of its own, and the next trigger routes it on (spec 56, spec 72)', async () => {
  const orders = await subscriber(() => reply('confirmed', ['ce-price', '4%25', 'content-type', 'text/plain']))
  const confirmations = await subscriber()
  const sluice = await startSluice({
    'a.yaml':
      broker() +
      trigger('orders', orders.url, FILTER('ordered')) +
      trigger('confirmations', confirmations.url, FILTER('confirmed')),
  })
  expect((await send(sluice, 'o1', 'ordered')).status).toBe(202)
  const received = await confirmations.next()
  expect(ceHeaders(received)).toEqual({
    specversion: '1.0',
    id: 'r1',
    source: '/replier',
    type: 'confirmed',
    price: '4%25',
  })
  expect(header(received, 'content-type')).toBe('text/plain')
  await settled(sluice.api)
  expect(orders.all).toHaveLength(1)
  expect(await acceptedEvents(sluice.api)).toBe(2)
})

test('--max-event-bytes is the bound of replies as well: up to it they are routed on, beyond it they fail the delivery', async () => {
  const answer = (bytes: number): Answer => ({
    ...(reply('answer') as Extract<Answer, object>),
    body: Buffer.alloc(bytes),
  })
  const [within, beyond, taker, sink] = [
    await subscriber(() => answer(1_500_000)),
    await subscriber(() => answer(2_000_001)),
    await subscriber(),
    await subscriber(),
  ]
  const sluice = await startSluice(
    {
      'a.yaml':
        broker() +
        trigger('within', within.url, FILTER('t')) +
        trigger('beyond', beyond.url, [...FILTER('t'), `delivery: {retry: 0, deadLetterSink: {uri: "${sink.url}"}}`]) +
        trigger('taker', taker.url, FILTER('answer')),
    },
    ['--max-event-bytes', '2000000'],
  )
  expect((await send(sluice, 'e1')).status).toBe(202)
  expect((await taker.next()).body).toHaveLength(1_500_000)
  const dead = ceHeaders(await sink.next())
  expect(dead['knativeerrorcode']).toBe('502')
  await settled(sluice.api)
  expect(taker.all).toHaveLength(1)
})

test('a failing subscriber is retried, and then its event is at the dead-letter sink (spec 75, fault 20)', async () => {
  const failing = await subscriber(() => ({ status: 500, body: 'the reason\n' }))
  const sink = await subscriber()
  const delivery = ['delivery:', '  retry: 3', '  backoffDelay: PT0.02S', `  deadLetterSink: {uri: "${sink.url}dead"}`]
  const sluice = await startSluice({ 'a.yaml': broker() + trigger('failing', `${failing.url}in`, delivery) })
  expect((await send(sluice, 'e1', 't', 'the data')).status).toBe(202)
  const dead = await sink.next()
  expect(failing.all).toHaveLength(4)
  expect(new Set(failing.all.map((each) => JSON.stringify(ceHeaders(each)))).size).toBe(1)
  expect(dead.path).toBe('/dead')
  expect(dead.body.toString()).toBe('the data')
  expect(ceHeaders(dead)).toEqual({
    specversion: '1.0',
    id: 'e1',
    source: '/s',
    type: 't',
    knativeerrordest: `${failing.url}in`,
    knativeerrorcode: '500',
    knativeerrordata: Buffer.from('the reason\n').toString('base64'),
    sluicetrigger: 'default/failing',
    sluiceattempts: '4',
  })
  expect(header(dead, 'prefer')).toBeUndefined()
  await settled(sluice.api)
  expect(await readMetric(sluice.api, 'sluice_deliveries_total', { outcome: 'dead_lettered' })).toBe(1)
  expect(await readMetric(sluice.api, 'sluice_deliveries_total', { outcome: 'retry' })).toBe(3)
})

test('spec 76, differently: without a sink an undeliverable event is kept in the box, not dropped', async () => {
  const refusing = await subscriber(() => 400)
  const sluice = await startSluice({ 'a.yaml': broker() + trigger('refusing', refusing.url) }, ['--log-format', 'json'])
  expect((await send(sluice, 'e1')).status).toBe(202)
  await sluice.stderr.until(/"trigger":"default\/refusing".*kept in the dead-letter box/)
  await settled(sluice.api)
  expect(await readMetric(sluice.api, 'sluice_dead_letter_box_events')).toBe(1)
  expect(await readMetric(sluice.api, 'sluice_dead_letter_box_bytes')).toBeGreaterThan(0)
  expect(refusing.all).toHaveLength(1)
})

test('two triggers that answer each other for ever stop at the hop count (fault 30, threat 26)', async () => {
  const ping = await subscriber(() => reply('pong'))
  const pong = await subscriber(() => reply('ping'))
  const sluice = await startSluice(
    { 'a.yaml': broker() + trigger('ping', ping.url, FILTER('ping')) + trigger('pong', pong.url, FILTER('pong')) },
    ['--hops', '4'],
  )
  expect((await send(sluice, 'e1', 'ping')).status).toBe(202)
  await pong.received(2)
  await settled(sluice.api)
  expect([ping.all.length, pong.all.length]).toEqual([2, 2])
  expect(await readMetric(sluice.api, 'sluice_dead_letter_box_events')).toBe(1)
  expect(await readMetric(sluice.api, 'sluice_deliveries_total', { outcome: 'delivered' })).toBe(4)
  await sluice.stderr.until(/kept in the dead-letter box.*reason=loop/)
  for (const each of [...ping.all, ...pong.all]) expect(header(each, 'ce-knativebrokerttl')).toBeUndefined()
})

describe('one dead subscriber', () => {
  const PADDING = 'x'.repeat(1000)
  const POLICY = ['delivery: {retry: 1000, backoffDelay: PT0.05S, backoffPolicy: linear}']

  test('changes nothing for the others until the channel is full; nothing is lost, and it recovers (fault 38)', async () => {
    const gone = await subscriber()
    await gone.close()
    const well = await subscriber()
    const sluice = await startSluice(
      { 'a.yaml': broker() + trigger('dead', gone.url, POLICY) + trigger('well', well.url) },
      ['--channel', 'memory', '--memory-bytes', '100Ki'],
    )
    const accepted: string[] = []
    let answer: HttpAnswer
    for (;;) {
      const id = String(accepted.length)
      answer = await send(sluice, id, 't', PADDING)
      if (answer.status !== 202) break
      accepted.push(id)
      expect(ceHeaders(await well.next())['id']).toBe(id) // each at once, while the other one's pile up
    }
    expect(accepted.length).toBeGreaterThan(30)
    expect(answer.status).toBe(429)
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    await sluice.stderr.until(/subscriber is down.*default\/dead/)

    const back = await subscriber(() => 202, { port: gone.port })
    const received = await back.received(accepted.length)
    expect(new Set(received.map((each) => ceHeaders(each)['id']))).toEqual(new Set(accepted))
    await settled(sluice.api)
    expect((await send(sluice, 'after', 't', PADDING)).status).toBe(202)
    expect(ceHeaders(await well.next())['id']).toBe('after')
  })

  test('that accepts and never answers holds its own window, and no other (fault 26, fault 39)', async () => {
    const silent = await subscriber(() => new Promise(() => {}))
    const well = await subscriber()
    const sluice = await startSluice({ 'a.yaml': broker() + trigger('silent', silent.url) + trigger('well', well.url) })
    const ids = Array.from({ length: 600 }, (_, n) => String(n)) // more than twice its window
    for (const id of ids) expect((await send(sluice, id)).status).toBe(202)
    const received = await well.received(ids.length)
    expect(new Set(received.map((each) => ceHeaders(each)['id']))).toEqual(new Set(ids))
    const metric = (name: string): Promise<number> =>
      readMetric(sluice.api, `sluice_subscription_${name}`, { trigger: 'silent' })
    expect(await metric('in_flight')).toBe(await metric('window'))
    expect(await metric('lag_events')).toBe(ids.length)
  })
})

describe('answers that are no reply', () => {
  test('spec 136, spec 137: a 202 is delivered, whatever it carries and wherever it points', async () => {
    const status = await subscriber()
    const accepting = await subscriber(() => ({
      status: 202,
      headers: ['location', status.url, 'ce-specversion', '1.0', 'ce-id', 'r', 'ce-source', '/r', 'ce-type', 'reply'],
    }))
    const replies = await subscriber()
    const sluice = await startSluice({
      'a.yaml': broker() + trigger('a', accepting.url, FILTER('t')) + trigger('replies', replies.url, FILTER('reply')),
    })
    expect((await send(sluice, 'e1')).status).toBe(202)
    await accepting.next()
    await settled(sluice.api)
    expect(await acceptedEvents(sluice.api)).toBe(1)
    expect([status.all.length, replies.all.length]).toEqual([0, 0])
  })

  test('spec 138: an event in the answer of a dead-letter sink, which was not asked for one, is no reply', async () => {
    const malformed: Answer = { status: 200, headers: ['ce-specversion', '1.0'] }
    const sink = await subscriber((_request, n) => (n === 1 ? reply('from-the-sink') : malformed))
    const refusing = await subscriber(() => 400)
    const delivery = [`delivery: {retry: 0, deadLetterSink: {uri: "${sink.url}"}}`]
    const sluice = await startSluice({ 'a.yaml': broker() + trigger('refusing', refusing.url, delivery) })
    for (const id of ['e1', 'e2']) {
      expect((await send(sluice, id)).status).toBe(202)
      await sink.next()
    }
    await settled(sluice.api)
    expect(await acceptedEvents(sluice.api)).toBe(2)
    expect(sink.all).toHaveLength(2)
    expect(await readMetric(sluice.api, 'sluice_deliveries_total', { outcome: 'dead_lettered' })).toBe(2)
  })
})
