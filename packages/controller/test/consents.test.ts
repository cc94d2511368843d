// The CloudEvents WebHook handshake as the sender (WEBHOOKS 3): nobody is sent events who has not consented, and who has
// gets no more than was allowed.

import { manualClock } from '@sluice/clock'
import { target } from '@sluice/delivery'
import { describe, expect, test } from 'vitest'
import type { Declared } from '@sluice/resource'
import { header, subscriber, type Answer, type Received, type Subscriber } from '../../../test/support/subscriber.ts'
import { Consents } from '../src/consents.ts'
import { bearerSecret, secret } from './secrets.ts'
import { broker, condition, conditionOf, event, scene, settle, trigger, type Scene } from './scene.ts'

const HOUR_MS = 3_600_000
const REQUIRE = { 'sluice.dev/webhook-handshake': 'require', 'sluice.dev/webhook-origin': 'events.example.com' }

const ALLOWED: Answer = { status: 200, headers: ['WebHook-Allowed-Origin', '*'] }

/** Answers OPTIONS by these headers, and what is delivered by 202. */
function consenting(...headers: string[]): (request: Received) => Answer {
  return ({ method }) => (method === 'OPTIONS' ? { status: 200, headers } : 202)
}

function methods({ all }: Subscriber): string {
  return all.map(({ method }) => method).join(' ')
}

function t(to: string, annotations: object = REQUIRE): Declared {
  return trigger('t', to, {}, annotations)
}

function isReady({ trigger: get }: Scene): boolean {
  return condition(get('t'), 'Ready') === 'True'
}

test('a subscriber is asked at its exact address before its first event, and each event says whose consent it has', async () => {
  const to = await subscriber(consenting('WebHook-Allowed-Origin', 'events.example.com', 'WebHook-Allowed-Rate', '*'))
  const run = scene()
  await run.apply(broker(), t(`${to.url}hook?tenant=7`, { ...REQUIRE, 'sluice.dev/rate': '2/s' }))
  await run.until(() => isReady(run))
  await run.send('order')
  const [asked, delivered] = await to.received(2)
  expect([asked!.method, asked!.path]).toEqual(['OPTIONS', '/hook?tenant=7'])
  expect(header(asked!, 'webhook-request-origin')).toBe('events.example.com')
  expect(header(asked!, 'webhook-request-rate')).toBe('120')
  expect(header(delivered!, 'webhook-request-origin')).toBe('events.example.com')
})

test('an event without data goes with a payload all the same', async () => {
  const to = await subscriber(consenting('WebHook-Allowed-Origin', '*'))
  const run = scene()
  await run.apply(broker(), t(to.url))
  await run.until(() => isReady(run))
  await run.controller.broker('default', 'default')!.accept([event('order')])
  const [, delivered] = await to.received(2)
  expect(header(delivered!, 'content-type')).toContain('application/cloudevents+json')
  expect(JSON.parse(delivered!.body.toString())).toMatchObject({ type: 'order' })
})

describe('without consent nothing is sent, and the trigger says what is missing', () => {
  test.each<[string, Answer, string]>([
    ['answers 200 without the header', 200, 'and was answered 200 without that header'],
    ['knows no OPTIONS', 405, 'and was answered 405 without that header'],
    [
      'consents to somebody else',
      { status: 200, headers: ['WebHook-Allowed-Origin', 'other.example.com'] },
      'and was answered 200 for another origin',
    ],
    [
      'allows a rate that is none',
      { status: 200, headers: ['WebHook-Allowed-Origin', '*', 'WebHook-Allowed-Rate', '0'] },
      'Its WebHook-Allowed-Rate is neither * nor a whole number of requests a minute',
    ],
    ['redirects', { status: 302, headers: ['Location', 'http://127.0.0.1:9/'] }, 'and was answered 302 without'],
  ])('%s', async (_, answer, words) => {
    const to = await subscriber(() => answer)
    const run = scene()
    await run.apply(broker(), t(to.url))
    await run.until(() => condition(run.trigger('t'), 'SubscriberResolved') === 'False NotConsented')
    expect(conditionOf(run.trigger('t'), 'Ready')).toMatchObject({ status: 'False', reason: 'NotConsented' })
    expect(conditionOf(run.trigger('t'), 'SubscriberResolved').message).toContain(words)
    await run.send('order')
    await settle()
    expect(methods(to)).toBe('OPTIONS')
  })

  test('it is asked again, ever more rarely, and begins once it consents', async () => {
    const to = await subscriber(() => 405)
    const run = scene()
    await run.apply(broker(), t(to.url))
    await run.until(() => condition(run.trigger('t'), 'SubscriberResolved') === 'False NotConsented')
    await run.exchanged(1)
    to.answer(consenting('WebHook-Allowed-Origin', '*'))
    run.clock.advance(10_000)
    await run.until(() => isReady(run))
    await run.send('order')
    await run.until(() => methods(to) === 'OPTIONS OPTIONS POST')
  })

  test.each([
    ['refuses', 405, [10, 20, 40, 80, 160, 320, 600, 600]],
    ['does not answer', undefined, [1, 2, 4, 8, 16, 32, 60, 60]],
  ])('who %s is asked ever more rarely', async (_, status, seconds) => {
    const clock = manualClock()
    const askedMs: number[] = []
    const consents = new Consents({
      clock,
      deliverer: {
        async exchange() {
          askedMs.push(clock.monotonic())
          if (status === undefined) throw new Error('nobody there')
          return { status, headers: {}, body: Buffer.alloc(0) }
        },
      },
      base: () => 'http://127.0.0.1:8080',
      changed: () => {},
    })
    const spec = {
      ...{ namespace: 'default', origin: 'http://billing', caCerts: undefined, audience: undefined },
      ...{ credentials: [], ingressTokens: undefined, signing: undefined, webhookOrigin: 'events.example.com' },
    }
    consents.want('uid', { receiver: target('http://billing/'), spec, perMinute: undefined, isRequired: true })
    for (const second of seconds) {
      await settle()
      clock.advance(second * 1000)
    }
    const waits = askedMs.slice(1).map((ms, i) => (ms - askedMs[i]!) / 1000)
    expect(waits).toEqual(seconds)
    consents.close()
    await settle()
    expect(clock.pending).toBe(0)
  })

  test('nobody answers: it is asked again soon, and words say why', async () => {
    const run = scene()
    await run.apply(broker(), t('http://127.0.0.1:9/'))
    await run.until(() => condition(run.trigger('t'), 'SubscriberResolved') === 'False NotConsented')
    expect(conditionOf(run.trigger('t'), 'SubscriberResolved').message).toMatch(
      /It could not be asked for its consent: .*ECONNREFUSED/,
    )
  })
})

describe('the rate that was allowed is kept to', () => {
  test('the least of it and the trigger’s own', async () => {
    const to = await subscriber(consenting('WebHook-Allowed-Origin', '*', 'WebHook-Allowed-Rate', '60'))
    const run = scene()
    const shown = (): unknown => run.trigger('t').status?.['subscriber']
    await run.apply(broker(), t(to.url))
    await run.until(() => isReady(run))
    expect(shown()).toEqual({ state: 'Healthy', rate: '1/s' })
    for (let i = 0; i < 3; i++) await run.send('order')
    await to.received(2)
    await settle()
    expect(methods(to)).toBe('OPTIONS POST')
    run.clock.advance(1000)
    await to.received(3)
    await run.apply(broker(), t(to.url, { ...REQUIRE, 'sluice.dev/rate': '0.5/s' }))
    await run.until(() => methods(to).split('OPTIONS').length === 3) // another wish: it is asked again
    await run.until(() => isReady(run))
    expect(shown()).toEqual({ state: 'Healthy', rate: '0.5/s' })
  })

  test('prefer: who has not consented gets six tries a minute, and the trigger is Ready with a warning', async () => {
    const to = await subscriber(({ method }) => (method === 'OPTIONS' ? 405 : 202))
    const run = scene()
    await run.apply(broker(), t(to.url, { ...REQUIRE, 'sluice.dev/webhook-handshake': 'prefer' }))
    for (let i = 0; i < 3; i++) await run.send('order')
    await to.received(2)
    await run.until(() => run.trigger('t').status!.conditions.some(({ type }) => type === 'SubscriberConsented'))
    expect(condition(run.trigger('t'), 'Ready')).toBe('True')
    expect(conditionOf(run.trigger('t'), 'SubscriberConsented')).toMatchObject({ status: 'False', severity: 'Warning' })
    await settle()
    expect(methods(to)).toBe('OPTIONS POST')
    run.clock.advance(9999)
    await settle()
    expect(to.all.filter(({ method }) => method === 'POST')).toHaveLength(1)
  })
})

describe('consent is asked for again', () => {
  test('once an hour; who takes it back gets nothing more, and what waits is kept', async () => {
    const to = await subscriber(consenting('WebHook-Allowed-Origin', '*'))
    const run = scene()
    await run.apply(broker(), t(to.url))
    await run.exchanged(1)
    run.clock.advance(HOUR_MS)
    await run.exchanged(2)
    expect(isReady(run)).toBe(true)
    to.answer(() => 403)
    run.clock.advance(HOUR_MS)
    await run.exchanged(3)
    expect(isReady(run)).toBe(false)
    await run.send('order')
    await settle()
    expect(methods(to)).toBe('OPTIONS OPTIONS OPTIONS')
    to.answer(consenting('WebHook-Allowed-Origin', '*'))
    run.clock.advance(10_000)
    await to.received(5)
    expect(methods(to)).toBe('OPTIONS OPTIONS OPTIONS OPTIONS POST')
  })

  test('who does not answer has not taken it back', async () => {
    const to = await subscriber(consenting('WebHook-Allowed-Origin', '*'))
    const run = scene()
    await run.apply(broker(), t(to.url))
    await run.exchanged(1)
    to.answer(() => 'reset')
    run.clock.advance(HOUR_MS)
    await run.exchanged(2)
    expect(isReady(run)).toBe(true)
  })

  test('another address is another receiver', async () => {
    const [one, other] = [await subscriber(consenting('WebHook-Allowed-Origin', '*')), await subscriber(() => 405)]
    const run = scene()
    await run.apply(broker(), t(one.url))
    await run.until(() => isReady(run))
    await run.apply(broker(), t(other.url))
    expect(isReady(run)).toBe(false)
    await other.received(1)
    await run.send('order')
    await settle()
    expect(methods(other)).toBe('OPTIONS')
  })
})

test('who asks for a pause (429, Retry-After) gets no request at all until it is over', async () => {
  const busy: Answer = { status: 429, headers: ['Retry-After', '60'] }
  const to = await subscriber(({ method }, n) => (method === 'OPTIONS' ? ALLOWED : n === 2 ? busy : 202))
  const run = scene()
  await run.apply(broker(), t(to.url, { ...REQUIRE, 'sluice.dev/concurrency': '1' }))
  await run.exchanged(1)
  for (let i = 0; i < 3; i++) await run.send('order')
  const lastFailure = (): unknown => (run.trigger('t').status!['subscriber'] as { lastFailure?: string }).lastFailure
  await run.until(() => String(lastFailure()).includes('429'))
  run.clock.advance(59_000)
  await settle()
  expect(methods(to)).toBe('OPTIONS POST')
  run.clock.advance(1000)
  await to.received(5)
  expect(methods(to)).toBe('OPTIONS POST POST POST POST')
})

test('a subscriber that consents by the callback is sent events, at the rate that it says, as long as it does', async () => {
  const to = await subscriber(({ method }) => (method === 'OPTIONS' ? 200 : 202))
  const run = scene()
  await run.apply(broker(), t(to.url))
  const [asked] = await to.received(1)
  const callback = new URL(header(asked!, 'webhook-request-callback')!)
  expect(callback.origin + callback.pathname).toBe('http://127.0.0.1:8080/.well-known/sluice/consent')
  const [id, key] = [callback.searchParams.get('id')!, callback.searchParams.get('key')!]
  const { consents } = run.controller
  await run.until(() => condition(run.trigger('t'), 'SubscriberResolved') === 'False NotConsented')
  for (const wrong of [key.slice(1), `${key}x`, '', 'x'.repeat(key.length)]) {
    expect(consents.callBack(id, wrong, undefined)).toBe(false)
  }
  expect(consents.callBack('nobody', key, undefined)).toBe(false)
  expect(consents.callBack(id, key, '120')).toBe(true)
  await run.until(() => isReady(run))
  expect(run.trigger('t').status?.['subscriber']).toEqual({ state: 'Healthy', rate: '2/s' })
  await run.send('order')
  await run.until(() => methods(to).endsWith('POST'))
  for (let hour = 1; hour < 24; hour++) {
    run.clock.advance(HOUR_MS)
    await run.exchanged(1 + hour)
  }
  expect(isReady(run)).toBe(true) // it keeps the header back each time
  run.clock.advance(HOUR_MS)
  await run.exchanged(25)
  expect(isReady(run)).toBe(false)
})

test('what it is asked with proves who asks, and carries no signature', async () => {
  const to = await subscriber(consenting('WebHook-Allowed-Origin', '*'))
  const run = scene()
  await run.apply(
    broker(),
    t(to.url, { ...REQUIRE, 'sluice.dev/credentials-secret': 'billing', 'sluice.dev/signing-secret': 'signing' }),
    bearerSecret('billing', 'one'),
    secret('signing', 'Opaque', { now: `whsec_${Buffer.alloc(24, 1).toString('base64')}` }),
  )
  const [asked] = await to.received(1)
  expect(header(asked!, 'authorization')).toBe('Bearer one')
  expect(header(asked!, 'webhook-signature')).toBeUndefined()
})
