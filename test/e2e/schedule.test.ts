// When an event is tried again, to the millisecond: real sockets, and a clock that the tests move.

import { describe, expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { sluiceHere, type Here } from '../support/here.ts'
import { ceHeaders, subscriber, type Answer, type Subscriber } from '../support/subscriber.ts'

/** A broker with a trigger for what is under test, and one beside it whose events show that all I/O is done. */
async function scene(script: () => Answer | Promise<Answer>, delivery: string): Promise<Scene> {
  const taker = await subscriber(script)
  const beside = await subscriber()
  const sink = await subscriber()
  const here = await sluiceHere(
    broker() +
      trigger('tested', taker.url, ['filters: [{exact: {type: tested}}]', delivery.replace('SINK', sink.url)]) +
      trigger('beside', beside.url, ['filters: [{exact: {type: beside}}]']),
  )
  const send = async (type: string): Promise<void> => {
    const { status } = await exchange(here.broker, binary([['ce-type', type]]))
    if (status !== 202) throw new Error(`the broker answered ${status}`)
  }
  return {
    here,
    taker,
    sink,
    send: () => send('tested'),
    async quiet() {
      await send('beside')
      await beside.next()
    },
  }
}

interface Scene {
  readonly here: Here
  readonly taker: Subscriber
  readonly sink: Subscriber
  send(): Promise<void>
  /** Resolves once a whole delivery has gone through beside what is under test. */
  quiet(): Promise<void>
}

/** The waits before each further try, each proved: nothing comes a millisecond before it is over. */
async function waits({ here, taker, quiet }: Scene, tries: number): Promise<number[]> {
  const found: number[] = []
  for (let n = 1; n < tries; n++) {
    await taker.received(n)
    const { delayMs } = await here.step('parked', n)
    here.clock.advance(delayMs - 1)
    await quiet()
    expect(taker.all).toHaveLength(n)
    here.clock.advance(1)
    found.push(delayMs)
  }
  await taker.received(tries)
  return found
}

describe('backoff (spec 70, spec 130)', () => {
  test('exponential: d, 2d, 4d, 8d, then the dead-letter sink', async () => {
    const tested = await scene(() => 500, 'delivery: {retry: 4, backoffPolicy: exponential, backoffDelay: PT1S, deadLetterSink: {uri: "SINK"}}') // prettier-ignore
    await tested.send()
    expect(await waits(tested, 5)).toEqual([1000, 2000, 4000, 8000])
    expect(ceHeaders(await tested.sink.next())).toMatchObject({ knativeerrorcode: '500', sluiceattempts: '5' })
    expect(tested.taker.all).toHaveLength(5)
  })

  test('linear: d, 2d, 3d', async () => {
    const tested = await scene(() => 503, 'delivery: {retry: 3, backoffPolicy: linear, backoffDelay: PT2S, deadLetterSink: {uri: "SINK"}}') // prettier-ignore
    await tested.send()
    expect(await waits(tested, 4)).toEqual([2000, 4000, 6000])
    await tested.sink.next()
  })

  test('by default 10 more tries, exponential from 0.2 s', async () => {
    const tested = await scene(() => 500, 'delivery: {}')
    await tested.send()
    expect(await waits(tested, 11)).toEqual([200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 102_400])
    expect(await tested.here.step('deadLettered')).toMatchObject({ into: 'box' })
  })

  test('success ends it: what is delivered is not tried again (spec 71)', async () => {
    let n = 0
    const tested = await scene(() => (++n < 3 ? 500 : 204), 'delivery: {retry: 5, backoffDelay: PT1S}')
    await tested.send()
    expect(await waits(tested, 3)).toEqual([1000, 2000])
    await tested.here.step('settled')
    tested.here.clock.advance(3_600_000)
    await tested.quiet()
    expect(tested.taker.all).toHaveLength(3)
  })
})

describe('Retry-After (fault 21)', () => {
  const AT = 'Thu, 01 Jan 2026 00:00:42 GMT' // the clock starts 42 s before
  test.each([
    [429, '7', 7000],
    [503, '7', 7000],
    [503, AT, 42_000],
    [429, '86400', 300_000],
    [429, '-5', 1000],
    [429, 'soon', 1000],
    [429, '0', 1000],
    [500, '7', 1000],
  ])('of a %d: %j means %d ms', async (status, value, delayMs) => {
    const tested = await scene(() => ({ status, headers: ['retry-after', value] }), 'delivery: {retry: 1, backoffDelay: PT1S}') // prettier-ignore
    await tested.send()
    expect(await tested.here.step('parked')).toMatchObject({ delayMs })
  })

  test('is honoured up to retryAfterMax', async () => {
    const tested = await scene(() => ({ status: 429, headers: ['retry-after', '60'] }), 'delivery: {retry: 1, backoffDelay: PT1S, retryAfterMax: PT10S}') // prettier-ignore
    await tested.send()
    expect(await tested.here.step('parked')).toMatchObject({ delayMs: 10_000 })
  })
})

describe('what an answer means (spec 125, spec 127, fault 22, fault 24)', () => {
  const script = 'delivery: {retry: 1, backoffDelay: PT1S, deadLetterSink: {uri: "SINK"}}'
  const of = (status: number): Answer => ({ status, headers: ['location', 'http://127.0.0.1:1/'] })

  test.each([200, 201, 202, 204, 299])('%d: delivered', async (status) => {
    const tested = await scene(() => of(status), script)
    await tested.send()
    await tested.here.step('settled')
    expect(tested.here.steps.map(({ step }) => step)).toEqual(['attempted', 'settled'])
  })

  test.each([300, 301, 302, 304, 307, 308, 400, 401, 402, 403, 405, 406, 410, 413, 415, 422, 499])(
    '%d: not tried again, dead-lettered at once',
    async (status) => {
      const tested = await scene(() => of(status), script)
      await tested.send()
      expect(ceHeaders(await tested.sink.next())).toMatchObject({
        knativeerrorcode: String(status),
        sluiceattempts: '1',
      })
      expect(tested.taker.all).toHaveLength(1)
    },
  )

  test.each([404, 408, 409, 429, 500, 501, 502, 503, 504, 599, 799])('%d: tried again', async (status) => {
    const tested = await scene(() => of(status), script)
    await tested.send()
    expect(await tested.here.step('parked')).toMatchObject({ delayMs: 1000 })
    expect(tested.sink.all).toHaveLength(0)
  })

  test('a connection that is broken off counts as one failed try (fault 27)', async () => {
    const tested = await scene(() => 'reset', script)
    await tested.send()
    expect(await waits(tested, 2)).toEqual([1000])
    const dead = ceHeaders(await tested.sink.next())
    expect(dead).toMatchObject({ knativeerrorcode: '500', sluiceattempts: '2' })
    expect(Buffer.from(dead['knativeerrordata']!, 'base64').toString()).toContain('127.0.0.1')
  })

  test('no answer within the timeout is a failed try (fault 26)', async () => {
    const tested = await scene(() => new Promise(() => {}), 'delivery: {retry: 1, timeout: PT2S, backoffDelay: PT1S}')
    await tested.send()
    await tested.taker.received(1)
    tested.here.clock.advance(1900)
    await tested.quiet()
    expect(tested.here.steps.filter(({ step }) => step === 'parked')).toEqual([])
    tested.here.clock.advance(200)
    expect(await tested.here.step('parked')).toMatchObject({ delayMs: 1000 })
  })
})

describe('replies that are broken (fault 30)', () => {
  const script = 'delivery: {retry: 1, backoffDelay: PT1S, deadLetterSink: {uri: "SINK"}}'
  const EVENT = ['ce-specversion', '1.0', 'ce-id', 'r', 'ce-source', '/r']

  test.each([
    ['without type', { status: 200, headers: EVENT }],
    ['of an unknown version', { status: 200, headers: [...EVENT, 'ce-type', 't', 'ce-specversion', '9'] }],
    [
      'that are JSON and no event',
      { status: 200, headers: ['content-type', 'application/cloudevents+json'], body: '{' },
    ],
  ])('%s are a failed delivery, 502, and tried again', async (_what, answer) => {
    const tested = await scene(() => answer, script)
    await tested.send()
    expect(await waits(tested, 2)).toEqual([1000])
    expect(ceHeaders(await tested.sink.next())).toMatchObject({ knativeerrorcode: '502' })
  })

  test('a body that does not claim to be an event is ignored', async () => {
    const tested = await scene(() => ({ status: 200, headers: ['content-type', 'text/html'], body: '<p>ok' }), script)
    await tested.send()
    await tested.here.step('settled')
    expect(tested.taker.all).toHaveLength(1)
  })

  test('a reply that finds the channel full fails the delivery, which is retried (spec 58, spec 59)', async () => {
    const replier = await subscriber(() => ({
      status: 200,
      headers: [...EVENT, 'ce-type', 'reply', 'content-type', 'text/plain'],
      body: 'x'.repeat(40_000),
    }))
    const silent = await subscriber(() => new Promise(() => {}))
    const here = await sluiceHere(
      broker() +
        trigger('replier', replier.url, [
          'filters: [{exact: {type: ask}}]',
          'delivery: {retry: 2, backoffDelay: PT1S}',
        ]) +
        trigger('silent', silent.url, ['filters: [{prefix: {type: re}}]']),
      { memoryBytes: 64 * 1024 },
    )
    // 60 % of the channel are held by the silent one, so the reply has no room.
    const held = binary([['ce-type', 'rest']], 'y'.repeat(39_000))
    expect((await exchange(here.broker, held)).status).toBe(202)
    expect((await exchange(here.broker, binary([['ce-type', 'ask']]))).status).toBe(202)
    const { delayMs } = await here.step('parked')
    here.clock.advance(delayMs)
    await replier.received(2)
    expect(here.steps.filter(({ step }) => step === 'settled')).toEqual([])
  })
})
