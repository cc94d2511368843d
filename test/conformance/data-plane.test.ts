// Knative's data plane, as far as Brokers and Triggers: what its own conformance suites (BrokerDataPlaneIngress,
// BrokerDataPlaneConsumer, and those of its rekt features that need no cluster) ask of an implementation.

import { HTTP } from 'cloudevents'
import { beforeAll, describe, expect, test } from 'vitest'
import { batch, binary, broker, eventJson, structuredMode, trigger } from '../support/events.ts'
import { exchange, type Message } from '../support/exchange.ts'
import { sluiceHere } from '../support/here.ts'
import { acceptedEvents, readMetric, settled } from '../support/ops.ts'
import { startSluice, type Sluice } from '../support/sluice.ts'
import { ceHeaders, header, structured, subscriber, type Answer, type Subscriber } from '../support/subscriber.ts'

const FILTER = (type: string): string => `filters: [{exact: {type: ${type}}}]`

function reply(type: string, id = 'r', body: string | Buffer = ''): Answer {
  return { status: 200, headers: ['ce-specversion', '1.0', 'ce-id', id, 'ce-source', '/r', 'ce-type', type], body }
}

let sluice: Sluice
let inBinary: Subscriber
let inJson: Subscriber

beforeAll(async () => {
  inBinary = await subscriber()
  inJson = await subscriber()
  sluice = await startSluice({
    'a.yaml':
      broker() +
      trigger('binary', inBinary.url, [FILTER('t')]) +
      trigger('json', inJson.url, [FILTER('t'), 'delivery: {format: json}']) +
      trigger('never', inBinary.url, [FILTER('never')]),
  })
})

describe('ingress (BrokerDataPlaneIngress)', () => {
  const extensions = [['ce-ext', 'v']] as const
  test.each([
    ['1.0, binary', binary(extensions)],
    ['0.3, binary', binary([['ce-specversion', '0.3'], ...extensions])],
    ['1.0, structured', structuredMode(eventJson({ ext: 'v' }))],
    ['0.3, structured', structuredMode(eventJson({ specversion: '0.3', ext: 'v' }))],
  ])(
    'spec 115, spec 117, spec 118, spec 120: %s is taken, and arrives in its version with its attributes',
    async (version, message) => {
      expect((await exchange(sluice.broker, message)).status).toBe(202)
      const event = { specversion: version.slice(0, 3), id: '1', source: '/s', type: 't', ext: 'v' }
      expect(ceHeaders(await inBinary.next())).toEqual(event)
      expect(structured(await inJson.next())).toEqual(event)
    },
  )

  test('spec 126: no answer has a status that senders can not know', async () => {
    const messages: Message[] = [
      binary([['ce-type', 'x']]),
      batch(),
      binary([['ce-id', '']]),
      structuredMode('x', 'application/cloudevents+xml'),
      { method: 'OPTIONS' },
      { method: 'GET' },
      binary([], Buffer.alloc(1024 * 1024 + 1)),
      binary([['Expect', 'x-unknown']]),
    ]
    const statuses = await Promise.all(messages.map(async (message) => (await exchange(sluice.broker, message)).status))
    expect(statuses).toEqual([202, 202, 400, 415, 200, 405, 413, expect.toSatisfy((status: number) => status === 202 || status >= 400)]) // prettier-ignore
  })

  test('spec 50, spec 124: what was answered 202 is in the channel, whatever its subscriber does', async () => {
    const silent = await subscriber(() => new Promise(() => {}))
    const here = await startSluice({ 'a.yaml': broker() + trigger('silent', silent.url) })
    for (let n = 1; n <= 3; n++) {
      expect((await exchange(here.broker, binary([], 'x'.repeat(1000)))).status).toBe(202)
      expect(await readMetric(here.api, 'sluice_subscription_lag_events')).toBe(n)
      expect(await readMetric(here.api, 'sluice_channel_bytes')).toBeGreaterThan(n * 1000)
    }
  })

  test('spec 128, spec 129: an event with the source and id of another is no less an event', async () => {
    const messages = [binary([], 'a'), binary([], 'b'), binary([['ce-source', '/other']], 'c')]
    for (const message of messages) expect((await exchange(sluice.broker, message)).status).toBe(202)
    const bodies = []
    for (const _ of messages) bodies.push((await inBinary.next()).body.toString())
    for (const _ of messages) await inJson.next()
    expect(new Set(bodies)).toEqual(new Set(['a', 'b', 'c']))
  })
})

describe('delivery (BrokerDataPlaneConsumer)', () => {
  test('spec 51, spec 52: each trigger judges each event once, and gets what it matches', async () => {
    expect((await exchange(sluice.broker, binary([['ce-type', 'other']]))).status).toBe(202)
    expect((await exchange(sluice.broker, binary([['ce-id', 'matched']]))).status).toBe(202)
    expect(ceHeaders(await inBinary.next())['id']).toBe('matched')
    expect(structured(await inJson.next())['id']).toBe('matched')
    await settled(sluice.api)
    expect(inBinary.all.filter((each) => ceHeaders(each)['id'] === 'matched')).toHaveLength(1)
  })

  test('spec 115: what is delivered is an event to the CloudEvents SDK, by POST', async () => {
    expect((await exchange(sluice.broker, binary())).status).toBe(202)
    for (const received of [await inBinary.next(), await inJson.next()]) {
      expect(received.method).toBe('POST')
      const headers: Record<string, string> = {}
      for (let i = 0; i < received.rawHeaders.length; i += 2) headers[received.rawHeaders[i]!] = received.rawHeaders[i + 1]! // prettier-ignore
      expect(HTTP.isEvent({ headers, body: received.body.toString() })).toBe(true)
    }
  })

  test('spec 122: no OPTIONS comes before a delivery, so a subscriber may refuse it', async () => {
    const strict = await subscriber(({ method }) => (method === 'POST' ? 202 : 405))
    const here = await sluiceHere(broker() + trigger('strict', strict.url))
    expect((await exchange(here.broker, binary())).status).toBe(202)
    await here.step('settled')
    expect(strict.all.map(({ method }) => method)).toEqual(['POST'])
  })

  test('spec 57: a reply is judged by every trigger, the one that it came from included', async () => {
    const replier = await subscriber((_request, n) => (n === 1 ? reply('t', 'own reply') : 202))
    const other = await subscriber()
    const here = await sluiceHere(broker() + trigger('replier', replier.url) + trigger('other', other.url))
    expect((await exchange(here.broker, binary())).status).toBe(202)
    const ids = async (taker: Subscriber): Promise<(string | undefined)[]> =>
      (await taker.received(2)).map((each) => ceHeaders(each)['id'])
    expect(await ids(replier)).toEqual(['1', 'own%20reply'])
    expect(new Set(await ids(other))).toEqual(new Set(['1', 'own%20reply']))
  })

  test('long messages and long replies go through whole', async () => {
    const long = Buffer.alloc(1_000_000, 'long ')
    const replier = await subscriber(() => reply('answer', 'long', long))
    const taker = await subscriber()
    const here = await sluiceHere(
      broker() + trigger('ask', replier.url, [FILTER('t')]) + trigger('answers', taker.url, [FILTER('answer')]),
    )
    expect((await exchange(here.broker, binary([], long))).status).toBe(202)
    expect((await replier.next()).body.equals(long)).toBe(true)
    expect((await taker.next()).body.equals(long)).toBe(true)
  })
})

describe('delivery policies', () => {
  test('spec 82: with any option of its own, a trigger has nothing of its broker’s policy but the sink', async () => {
    const failing = await subscriber(() => 500)
    const sink = await subscriber()
    const here = await sluiceHere(
      broker('default', `{delivery: {retry: 5, backoffDelay: PT1S, deadLetterSink: {uri: "${sink.url}"}}}`) +
        trigger('own', `${failing.url}own`, [FILTER('own'), 'delivery: {backoffDelay: PT7S}']) +
        trigger('none', `${failing.url}none`, [FILTER('none')]),
    )
    expect((await exchange(here.broker, binary([['ce-type', 'own']]))).status).toBe(202)
    expect(ceHeaders(await sink.next())).toMatchObject({ sluiceattempts: '1', sluicetrigger: 'default/own' })
    expect((await exchange(here.broker, binary([['ce-type', 'none']]))).status).toBe(202)
    expect(await here.step('parked')).toMatchObject({ delayMs: 1000 })
  })

  test('the trigger’s dead-letter sink comes before the broker’s', async () => {
    const refusing = await subscriber(() => 400)
    const [own, brokers] = [await subscriber(), await subscriber()]
    const here = await sluiceHere(
      broker('default', `{delivery: {retry: 0, deadLetterSink: {uri: "${brokers.url}"}}}`) +
        trigger('t', refusing.url, [`delivery: {retry: 0, deadLetterSink: {uri: "${own.url}"}}`]),
    )
    expect((await exchange(here.broker, binary())).status).toBe(202)
    expect(await own.received(1)).toHaveLength(1)
    await here.step('deadLettered')
    expect(brokers.all).toHaveLength(0)
  })

  test('spec 77: the dead-letter sink is retried with the same parameters', async () => {
    const refusing = await subscriber(() => 400)
    const sink = await subscriber((_request, n) => (n < 3 ? 500 : 202))
    const here = await sluiceHere(
      broker() +
        trigger('t', refusing.url, [
          `delivery: {retry: 3, backoffPolicy: exponential, backoffDelay: PT3S, deadLetterSink: {uri: "${sink.url}"}}`,
        ]),
    )
    expect((await exchange(here.broker, binary())).status).toBe(202)
    for (const [n, delayMs] of [3000, 6000].entries()) {
      await sink.received(n + 1)
      const failed = here.steps.filter((step) => step.step === 'attempted' && step.at === 'sink').length
      expect(failed).toBeLessThanOrEqual(n + 1)
      await here.step('attempted', n + 2)
      here.clock.advance(delayMs - 5)
      expect(sink.all).toHaveLength(n + 1)
      here.clock.advance(5)
    }
    expect(await here.step('deadLettered')).toMatchObject({ into: 'sink' })
    expect(sink.all).toHaveLength(3)
    expect(refusing.all).toHaveLength(1)
  })

  test.each([
    ['unreachable', undefined, '500', /127\.0\.0\.1/],
    ['answering without data', { status: 422 }, '422', /422/],
    ['answering with data', { status: 422, body: 'no such order' }, '422', /^no such order$/],
    ['answering with too much data', { status: 422, body: 'z'.repeat(5000) }, '422', /^z{1024}$/],
  ])('the dead letter of a subscriber that is %s says so', async (_what, answer, code, data) => {
    const failing = await subscriber(() => answer ?? 500)
    if (answer === undefined) await failing.close()
    const sink = await subscriber()
    const here = await sluiceHere(
      broker() + trigger('t', failing.url, [`delivery: {retry: 0, deadLetterSink: {uri: "${sink.url}"}}`]),
    )
    expect((await exchange(here.broker, binary())).status).toBe(202)
    const dead = ceHeaders(await sink.next())
    expect(dead).toMatchObject({ knativeerrordest: failing.url, knativeerrorcode: code })
    expect(Buffer.from(dead['knativeerrordata']!, 'base64').toString()).toMatch(data)
  })

  // Knative's eventshub can fail its first n requests, or all but the Fibonacci numbers among them.
  const FIBONACCI = new Set([1, 2, 3, 5, 8, 13, 21])
  test.each([
    ['the first 3', (n: number) => n > 3],
    ['all but those whose number is Fibonacci’s', (n: number) => FIBONACCI.has(n)],
  ])('a subscriber that fails %s gets every event in the end (spec 133)', async (_which, takes) => {
    const taken = new Set<string | undefined>()
    const flaky = await subscriber((request, n) => {
      if (!takes(n)) return 409
      taken.add(ceHeaders(request)['id'])
      return 202
    })
    const here = await startSluice({
      'a.yaml':
        broker() +
        trigger('flaky', flaky.url, ['delivery: {retry: 20, backoffPolicy: linear, backoffDelay: PT0.001S}']),
    })
    for (const id of ['a', 'b', 'c', 'd'])
      expect((await exchange(here.broker, binary([['ce-id', id]]))).status).toBe(202)
    await settled(here.api)
    expect(taken).toEqual(new Set(['a', 'b', 'c', 'd']))
  })
})

test('spec 131, spec 132: a subscriber that is overloaded gets fewer at once, then one probe at a time', async () => {
  const overloaded = await subscriber(() => 503)
  const here = await sluiceHere(
    broker() + trigger('overloaded', overloaded.url, ['delivery: {retry: 100, backoffPolicy: linear, backoffDelay: PT0.01S}']), // prettier-ignore
  )
  for (let n = 0; n < 3; n++) {
    expect((await exchange(here.broker, binary([['ce-id', String(n)]]))).status).toBe(202)
    await here.step('parked', n + 1)
  }
  const states = here.steps.flatMap((step) => (step.step === 'targetChanged' ? [step.state] : []))
  expect(states).toEqual(['Throttled', 'Down'])

  // All three are due long before the probe is, and none goes out. Then one does, and 400 ms later the next one.
  here.clock.advance(195)
  expect((await exchange(here.broker, binary([['ce-id', '3']]))).status).toBe(202)
  expect(overloaded.all).toHaveLength(3)
  here.clock.advance(5)
  await here.step('parked', 4)
  here.clock.advance(395)
  expect((await exchange(here.broker, binary([['ce-id', '4']]))).status).toBe(202)
  expect(overloaded.all).toHaveLength(4)
  here.clock.advance(5)
  await here.step('parked', 5)
  expect(overloaded.all).toHaveLength(5)
  // What was not tried has used up no try: the first four have one each, and one of them two.
  const attempts = here.steps.flatMap((step) => (step.step === 'attempted' ? [step.attempt] : []))
  expect(attempts.filter((attempt) => attempt === 1).length + attempts.filter((attempt) => attempt === 2).length).toBe(
    5,
  )
})

test('the metadata of an event is that of the spec at every hop, and the reply’s own (metadata propagation)', async () => {
  const replier = await subscriber(() => reply('answer'))
  const taker = await subscriber()
  const here = await sluiceHere(
    broker() + trigger('ask', replier.url, [FILTER('t')]) + trigger('answers', taker.url, [FILTER('answer')]),
  )
  const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const before = await acceptedEvents(here.api)
  expect((await exchange(here.broker, binary([['traceparent', trace], ['x-request-id', 'r7']]))).status).toBe(202) // prettier-ignore
  const received = await taker.next()
  expect([header(received, 'traceparent'), header(received, 'x-request-id')]).toEqual([trace, 'r7'])
  expect(ceHeaders(received)).toEqual({ specversion: '1.0', id: 'r', source: '/r', type: 'answer' })
  expect((await acceptedEvents(here.api)) - before).toBe(2)
})
