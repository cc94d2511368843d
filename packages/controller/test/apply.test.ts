// What an apply changes in what runs, and what it leaves alone.

import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { TriggerConfig } from '@sluice/broker'
import {
  broker,
  condition,
  conditionOf,
  event,
  ofType,
  nextCommit,
  scene,
  serviceRef,
  subscriber,
  trigger,
  type Scene,
} from './scene.ts'

const NOWHERE = 'http://127.0.0.1:9/'

/** What the broker runs a trigger by. */
function config({ controller }: Scene, name: string): TriggerConfig | undefined {
  const triggers = controller.broker('default', 'default')?.triggers() ?? []
  return [...triggers].find((each) => each.name.name === name)?.config
}

function lag({ controller }: Scene, name: string): number | undefined {
  const triggers = controller.broker('default', 'default')?.triggers() ?? []
  return [...triggers].find((each) => each.name.name === name)?.status.lag.events
}

describe('a second apply', () => {
  test('does not touch triggers that stay as they are', async () => {
    const here = scene()
    await here.apply(broker(), trigger('stays', NOWHERE, ofType('a')), trigger('changes', NOWHERE, ofType('a')))
    const [stays, changes] = [config(here, 'stays'), config(here, 'changes')]
    await here.apply(broker(), trigger('stays', NOWHERE, ofType('a')), trigger('changes', NOWHERE, ofType('b')))
    expect(config(here, 'stays')).toBe(stays)
    expect(config(here, 'changes')).not.toBe(changes)
    expect(here.trigger('stays').metadata.generation).toBe(1)
  })

  test.each([
    ['filter', (url: string) => trigger('t', url, ofType('a'))],
    ['policy', (url: string) => trigger('t', url, { delivery: { retry: 3 } })],
    ['window', (url: string) => trigger('t', url, {}, { 'sluice.dev/window': '7' })],
    ['order', (url: string) => trigger('t', url, {}, { 'sluice.dev/order': 'key' })],
  ])('that changes the %s of a trigger keeps its backlog (spec 19)', async (_what, changed) => {
    const here = scene()
    const taker = await subscriber(undefined)
    await here.apply(broker(), trigger('t', taker.url, {}, { 'sluice.dev/window': '1' }))
    for (const id of ['1', '2', '3']) await here.send('t', id)
    await here.apply(broker(), changed(taker.url))
    expect(lag(here, 't')).toBe(3)
    taker.status = 202
    await here.until(() => taker.got.length === 3)
    expect(taker.got.map(({ id }) => id).toSorted()).toEqual(['1', '2', '3'])
  })

  test('that changes the subscriber sends the backlog to the new one (spec 19)', async () => {
    const here = scene()
    const [old, next] = [await subscriber(undefined), await subscriber()]
    await here.apply(broker(), trigger('t', old.url, {}, { 'sluice.dev/window': '1' }))
    for (const id of ['1', '2', '3']) await here.send('t', id)
    await here.until(() => old.got.length === 1)
    await here.apply(broker(), trigger('t', next.url, {}, { 'sluice.dev/window': '8' }))
    await here.until(() => next.got.length === 2)
    expect(next.got.map(({ id }) => id)).toEqual(['2', '3'])
    old.status = 202 // what was under way finishes where it was
    await here.until(() => lag(here, 't') === 0)
    expect(old.got.map(({ id }) => id)).toEqual(['1'])
  })

  test('that removes a trigger stops it at once; its backlog is counted (fault 44)', async () => {
    const discarded: [string, number][] = []
    const here = scene({ observer: { discarded: ({ name }, events) => discarded.push([name, events]) } })
    const taker = await subscriber(undefined)
    await here.apply(broker(), trigger('t', taker.url, {}, { 'sluice.dev/window': '1' }), trigger('u', NOWHERE))
    for (const id of ['1', '2', '3']) await here.send('t', id)
    await here.until(() => taker.got.length === 1)
    await here.apply(broker(), trigger('u', NOWHERE))
    expect(discarded).toEqual([['t', 2]])
    expect(config(here, 't')).toBeUndefined()
    expect(config(here, 'u')).toBeDefined()

    await here.apply(broker(), trigger('t', taker.url), trigger('u', NOWHERE))
    expect(lag(here, 't')).toBe(0) // a trigger of the same name starts from now on
    taker.status = 202
    await here.send('t', '4')
    await here.until(() => taker.got.length === 2)
    expect(taker.got.map(({ id }) => id)).toEqual(['1', '4'])
  })

  test('that pauses a trigger keeps its events; one that resumes it sends them', async () => {
    const here = scene()
    const taker = await subscriber()
    const paused = { 'sluice.dev/paused': 'true' }
    await here.apply(broker(), trigger('t', taker.url, {}, paused), trigger('other', taker.url))
    await here.send('t', '1')
    await here.until(() => taker.got.length === 1)
    expect([lag(here, 't'), lag(here, 'other')]).toEqual([1, 1])
    await here.apply(broker(), trigger('t', taker.url), trigger('other', taker.url))
    await here.until(() => taker.got.length === 2)
  })

  test('waits for the first', async () => {
    const here = scene()
    const running = (): unknown[] => [...(here.controller.broker('default', 'default')?.triggers() ?? [])]
    const names = (): string[] =>
      here.controller.list({ group: 'eventing.knative.dev', kind: 'Trigger' }).map(({ metadata }) => metadata.name)
    const seen = await Promise.all([
      here.refused(broker(), trigger('t', NOWHERE)).then(names),
      here.refused(broker(), trigger('u', NOWHERE), trigger('v', NOWHERE)).then(names),
      here.refused(broker(), trigger('v', NOWHERE)).then(names),
    ])
    expect(seen).toEqual([['t'], ['u', 'v'], ['v']])
    expect(running()).toMatchObject([{ name: { name: 'v' } }])
  })

  test('that is refused changes nothing at all, and says all that is wrong (spec 9, spec 10, spec 18)', async () => {
    const here = scene()
    await here.apply(broker(), broker('other'), trigger('t', NOWHERE))
    const running = config(here, 't')
    const problems = await here.refused(
      broker('default', { config: { apiVersion: 'v1', kind: 'ConfigMap', name: 'new' } }),
      broker('other', {}, { 'eventing.knative.dev/broker.class': 'RabbitMQBroker' }),
      trigger('t', NOWHERE, { broker: 'other' }),
      trigger('new', NOWHERE),
    )
    expect(problems.map(({ code, resource, path }) => [code, resource, path])).toEqual([
      ['SLUICE_RESOURCE_IMMUTABLE', 'Broker default/default', 'spec.config'],
      [
        'SLUICE_RESOURCE_IMMUTABLE',
        'Broker default/other',
        'metadata.annotations["eventing.knative.dev/broker.class"]',
      ],
      ['SLUICE_RESOURCE_IMMUTABLE', 'Trigger default/t', 'spec.broker'],
    ])
    expect(config(here, 't')).toBe(running)
    expect(config(here, 'new')).toBeUndefined()
    expect(condition(here.trigger('t'), 'Ready')).toBe('True')
  })

  test('with an order or a start that the channel can’t do leaves the running trigger alone, and says so', async () => {
    const here = scene()
    await here.apply(broker(), trigger('t', NOWHERE))
    const from = { 'sluice.dev/from': 'earliest' }
    await here.apply(broker(), trigger('t', NOWHERE, {}, from), trigger('u', NOWHERE, {}, from))
    expect(condition(here.trigger('t'), 'Ready')).toBe('True') // it started long ago
    expect(condition(here.trigger('u'), 'Ready')).toBe('False NotSubscribed')
  })
})

describe('a Broker', () => {
  test('that is removed takes nothing from the moment of the commit; its triggers say so', async () => {
    const discarded: number[] = []
    const here = scene({ observer: { discarded: (_trigger, events) => discarded.push(events) } })
    await here.apply(broker(), trigger('t', NOWHERE, {}, { 'sluice.dev/paused': 'true' }))
    await here.send('t')
    const removed = here.controller.broker('default', 'default')!
    const committed = nextCommit(here.controller)
    const applied = here.apply(trigger('t', NOWHERE))
    await committed
    expect(here.controller.broker('default', 'default')).toBeUndefined()
    await applied
    expect(condition(here.trigger('t'), 'Ready')).toBe('False BrokerDoesNotExist')
    expect(condition(here.trigger('t'), 'SubscriptionReady')).toBe('Unknown NotSubscribed')
    expect(discarded).toEqual([1])
    expect([...removed.triggers()]).toEqual([])
    expect(here.controller.channelState(removed)).toMatchObject({ state: 'degraded' })
  })

  test('that is removed lets what is under way finish, and takes nothing from who still holds it', async () => {
    let attempted = 0
    const here = scene({
      observer: { attempted: (_trigger, _event, { verdict }) => (verdict === 'delivered' ? attempted++ : 0) },
    })
    const taker = await subscriber(undefined)
    await here.apply(broker(), trigger('t', taker.url))
    const removed = here.controller.broker('default', 'default')!
    await here.send('t', '1')
    await here.until(() => taker.got.length === 1)
    await here.apply()
    await expect(removed.accept([event('t')])).rejects.toMatchObject({ code: 'SLUICE_DRAINING', status: 503 })
    taker.status = 202
    await here.until(() => attempted === 1)
  })

  test('that comes back takes events for its triggers again, from now on', async () => {
    const here = scene()
    const taker = await subscriber()
    await here.apply(broker(), trigger('t', taker.url))
    const first = here.controller.broker('default', 'default')
    await here.apply(trigger('t', taker.url))
    await here.apply(broker(), trigger('t', taker.url))
    expect(here.controller.broker('default', 'default')).not.toBe(first)
    expect(condition(here.trigger('t'), 'Ready')).toBe('True')
    await here.send('t', '1')
    await here.until(() => taker.got.length === 1)
  })

  test('whose delivery changes gives its triggers that have none the new one', async () => {
    const here = scene()
    const own = { delivery: { retry: 1 } }
    await here.apply(broker('default', { delivery: { retry: 2 } }), trigger('t', NOWHERE), trigger('own', NOWHERE, own))
    const before = config(here, 'own')
    expect(config(here, 't')?.route.policy.retry).toBe(2)
    await here.apply(broker('default', { delivery: { retry: 5 } }), trigger('t', NOWHERE), trigger('own', NOWHERE, own))
    expect(config(here, 't')?.route.policy.retry).toBe(5)
    expect(config(here, 'own')).toBe(before)
    for (const uri of ['http://dead.example/', 'http://dead.example/2']) {
      const delivery = { retry: 5, deadLetterSink: { uri } }
      await here.apply(broker('default', { delivery }), trigger('t', NOWHERE), trigger('own', NOWHERE, own))
      expect(config(here, 't')?.route.deadLetterSink?.url).toBe(uri)
    }
    expect(config(here, 'own')?.route).toMatchObject({ policy: { retry: 1 }, deadLetterSink: { path: '/2' } })
  })
})

describe('a trigger that runs, and whose subscriber can not be resolved any more', () => {
  test('says so, sends nothing to the old address, keeps what it has and what comes (spec 14, spec 16, spec 52)', async () => {
    const here = scene()
    const [old, next] = [await subscriber(undefined), await subscriber()]
    const one = { 'sluice.dev/window': '1' }
    await here.apply(broker(), trigger('t', old.url, {}, one))
    await here.send('t', '1')
    await here.send('t', '2')
    await here.until(() => old.got.length === 1)

    await here.apply(broker(), trigger('t', serviceRef('gone'), {}, one))
    expect(here.trigger('t').status).toMatchObject({ subscriberUri: '' })
    expect(conditionOf(here.trigger('t'), 'SubscriberResolved')).toMatchObject({
      status: 'False',
      message: expect.stringMatching(/not found\. Events that match wait in the channel/) as string,
    })
    expect(condition(here.trigger('t'), 'Ready')).toMatch(/^False Unable to get/)
    old.status = 202
    await here.send('t', '3')
    await here.until(() => lag(here, 't') === 2) // '1' was under way and has finished
    expect(old.got.map(({ id }) => id)).toEqual(['1'])

    await here.apply(broker(), trigger('t', next.url, {}, one))
    await here.until(() => next.got.length === 2)
    expect(next.got.map(({ id }) => id)).toEqual(['2', '3'])
    expect(condition(here.trigger('t'), 'Ready')).toBe('True')
  })

  test('goes on where it left off when what it points at comes back', async () => {
    const here = scene()
    const t = trigger('t', { ref: { apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', name: 'far' } })
    await here.apply(broker(), broker('far'), t)
    await here.apply(broker(), t)
    await here.send('t', '1')
    expect(lag(here, 't')).toBe(1)
    await here.apply(broker(), broker('far'), t)
    expect(condition(here.trigger('t'), 'Ready')).toBe('True')
    expect(lag(here, 't')).toBe(1) // nothing listens at the addresses of this scene; the event is kept
  })

  test('takes a new filter meanwhile', async () => {
    const here = scene()
    await here.apply(broker(), trigger('t', NOWHERE, ofType('a')))
    await here.apply(broker(), trigger('t', serviceRef('gone'), ofType('b')))
    await here.send('a')
    await here.send('b')
    expect(lag(here, 't')).toBe(1)
  })

  test('or whose dead-letter sink can not: it waits just so (spec 17)', async () => {
    const here = scene()
    const taker = await subscriber()
    const sink = (deadLetterSink: object): object => ({ delivery: { retry: 1, deadLetterSink } })
    await here.apply(broker(), trigger('t', taker.url, sink({ uri: 'http://dead.example/' })))
    await here.apply(broker(), trigger('t', taker.url, sink(serviceRef('gone'))))
    await here.send('t', '1')
    expect(lag(here, 't')).toBe(1)
    expect(condition(here.trigger('t'), 'Ready')).toMatch(/^False Unable to get the dead letter sink/)
    expect(here.trigger('t').status).not.toHaveProperty('deadLetterSinkUri')
    await here.apply(broker(), trigger('t', taker.url, sink({ uri: 'http://dead.example/' })))
    await here.until(() => taker.got.length === 1)
  })
})

test('one that was never resolved keeps nothing: it starts once it is', async () => {
  const here = scene()
  const taker = await subscriber()
  await here.apply(broker(), trigger('t', serviceRef('later')))
  await here.send('t', 'before')
  await here.apply(broker(), trigger('t', taker.url))
  await here.send('t', 'after')
  await here.until(() => taker.got.length === 1)
  expect(taker.got[0]?.id).toBe('after')
})

test('fault 42: while applies go on, no event is refused, lost, doubled, or routed half by the old and half by the new', async () => {
  const here = scene()
  const [even, odd] = [await subscriber(), await subscriber()]
  // In each version exactly one of two triggers takes an event, and both together move from path to path.
  const version = (n: number): ReturnType<typeof trigger>[] => [
    trigger('even', `${even.url}${n}`, n % 2 === 0 ? ofType('t') : ofType('never')),
    trigger('odd', `${odd.url}${n}`, n % 2 === 1 ? ofType('t') : ofType('never')),
    ...(n % 3 === 0 ? [trigger(`extra-${n}`, NOWHERE, ofType('never'))] : []),
  ]
  await here.apply(broker(), ...version(0))
  let sending = true
  const sender = (async () => {
    let sent = 0
    for (; sending; sent++) {
      await here.send('t', String(sent)) // each between two microtasks of an apply
      if (sent % 20 === 0) await setImmediate()
    }
    return sent
  })()
  for (let n = 1; n <= 60; n++) {
    await here.apply(broker(), ...version(n))
    const before = even.got.length + odd.got.length
    await here.until(() => even.got.length + odd.got.length > before)
  }
  sending = false
  const sent = await sender
  await here.until(() => even.got.length + odd.got.length >= sent && lag(here, 'even') === 0 && lag(here, 'odd') === 0)
  const ids = [...even.got, ...odd.got].map(({ id }) => Number(id)).toSorted((a, b) => a - b)
  expect(ids).toEqual(Array.from({ length: sent }, (_, n) => n))
  expect(even.got.length * odd.got.length).toBeGreaterThan(0)
})
