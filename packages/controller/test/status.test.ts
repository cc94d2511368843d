// What Brokers and Triggers say of themselves in every state (KNATIVE.md 2, A.2).

import { describe, expect, test } from 'vitest'
import {
  broker,
  condition,
  conditionOf,
  declare,
  ofType,
  scene,
  service,
  serviceRef,
  subscriber,
  trigger,
} from './scene.ts'

const NOWHERE = 'http://127.0.0.1:9/'
const UNRESOLVED = "Unable to get the Subscriber's URI"

describe('a Broker', () => {
  test('that runs is Ready, has its address, and all conditions of its kind (spec 2, spec 48, spec 99, spec 100, spec 104)', async () => {
    const { apply, broker: get } = scene()
    await apply(broker())
    const { status } = get()
    expect(status).toMatchObject({
      observedGeneration: 1,
      address: { name: 'http', url: 'http://127.0.0.1:8080/default/default' },
    })
    expect(status!.conditions.map(({ type }) => type)).toEqual([
      'Addressable',
      'DeadLetterSinkResolved',
      'EventPoliciesReady',
      'FilterReady',
      'IngressReady',
      'Ready',
      'TriggerChannelReady',
    ])
    for (const { type } of status!.conditions) expect(condition(get(), type)).toMatch(/^True/)
    expect(condition(get(), 'DeadLetterSinkResolved')).toBe('True DeadLetterSinkNotConfigured')
    expect(condition(get(), 'EventPoliciesReady')).toBe('True DefaultAuthorizationMode')
  })

  test('has its dead-letter sink resolved before it is Ready (spec 6)', async () => {
    const { apply, broker: get } = scene()
    await apply(broker('default', { delivery: { retry: 1, deadLetterSink: serviceRef('absent') } }))
    expect(condition(get(), 'DeadLetterSinkResolved')).toBe("False Unable to get the dead letter sink's URI")
    expect(condition(get(), 'Ready')).toBe("False Unable to get the dead letter sink's URI")
    expect(get().status).not.toHaveProperty('deadLetterSinkUri')

    await apply(broker('default', { delivery: { retry: 1, deadLetterSink: { uri: 'http://dead.example/in' } } }))
    expect(condition(get(), 'Ready')).toBe('True')
    expect(get().status).toMatchObject({ deadLetterSinkUri: 'http://dead.example/in', observedGeneration: 2 })
  })

  test('whose channel is full says which trigger holds most of it, and is Ready all the same (spec 114)', async () => {
    const { apply, broker: get, send } = scene({ memoryBytes: 10_000 })
    const paused = { 'sluice.dev/paused': 'true' }
    await apply(broker(), trigger('all', NOWHERE, {}, paused), trigger('some', NOWHERE, ofType('a'), paused))
    await send('a')
    expect(get().status!.conditions.map(({ type }) => type)).not.toContain('ChannelHasRoom')
    await expect(
      (async () => {
        for (;;) await send('b')
      })(),
    ).rejects.toMatchObject({ code: 'SLUICE_CHANNEL_FULL' })
    expect(conditionOf(get(), 'ChannelHasRoom')).toMatchObject({
      status: 'False',
      severity: 'Warning',
      reason: 'ChannelFull',
      message: expect.stringMatching(/Trigger default\/all \(subscriber Healthy\) has most of them/) as string,
    })
    expect(condition(get(), 'Ready')).toBe('True')
  })

  test('is listed with its status, and one that was removed is not', async () => {
    const { apply, controller } = scene()
    await apply(broker('one'), broker('two'))
    const brokers = { group: 'eventing.knative.dev', kind: 'Broker' }
    expect(controller.list(brokers).map((each) => condition(each, 'Ready'))).toEqual(['True', 'True'])
    await apply(broker('two'))
    expect(controller.list(brokers).map(({ metadata }) => metadata.name)).toEqual(['two'])
    expect(controller.get({ ...brokers, namespace: 'default', name: 'one' })).toBeUndefined()
  })
})

describe('a Trigger', () => {
  test('that runs is Ready, and says where it sends to (spec 13, spec 20, spec 99)', async () => {
    const { apply, trigger: get } = scene()
    await apply(broker(), trigger('t', NOWHERE))
    expect(condition(get('t'), 'Ready')).toBe('True')
    expect(get('t').status).toMatchObject({ subscriberUri: NOWHERE, subscriber: { state: 'Healthy' } })
    expect(get('t').status!.conditions.map(({ type }) => type)).toEqual([
      'BrokerReady',
      'DeadLetterSinkResolved',
      'DependencyReady',
      'OIDCIdentityCreated',
      'Ready',
      'SubscriberResolved',
      'SubscriptionReady',
    ])
  })

  test('without its Broker is not Ready, and says so (spec 11, spec 12, spec 15)', async () => {
    const { apply, trigger: get } = scene()
    await apply(trigger('t', NOWHERE))
    expect(condition(get('t'), 'BrokerReady')).toBe('False BrokerDoesNotExist')
    expect(conditionOf(get('t'), 'Ready')).toMatchObject({
      status: 'False',
      reason: 'BrokerDoesNotExist',
      message: 'Broker "default" does not exist',
    })
    expect(condition(get('t'), 'SubscriptionReady')).toBe('Unknown NotSubscribed')
    await apply(trigger('t', NOWHERE), broker())
    expect(condition(get('t'), 'Ready')).toBe('True')
  })

  test('of a Broker that is not Ready is not Ready, for that reason (spec 11, spec 12)', async () => {
    const { apply, trigger: get } = scene()
    const delivery = { retry: 0, deadLetterSink: serviceRef('absent') }
    const own = { delivery: { retry: 0, deadLetterSink: { uri: 'http://dead.example/' } } }
    await apply(broker('default', { delivery }), trigger('t', NOWHERE, own))
    expect(condition(get('t'), 'BrokerReady')).toBe("False Unable to get the dead letter sink's URI")
    expect(condition(get('t'), 'DeadLetterSinkResolved')).toBe('True')
    expect(condition(get('t'), 'Ready')).toMatch(/^False/)
  })

  test('whose subscriber can not be resolved is not Ready, its URI is empty, the reason is there (spec 14, spec 15, spec 16, spec 44, spec 45)', async () => {
    const { apply, trigger: get } = scene()
    await apply(broker(), trigger('t', serviceRef('later')))
    expect(conditionOf(get('t'), 'SubscriberResolved')).toMatchObject({
      status: 'False',
      reason: UNRESOLVED,
      message: expect.stringContaining('services.serving.knative.dev "later" not found') as string,
    })
    expect(condition(get('t'), 'Ready')).toBe(`False ${UNRESOLVED}`)
    expect(get('t').status).toMatchObject({ subscriberUri: '' })
    expect(get('t').status).not.toHaveProperty('subscriber')
  })

  test('gets its address once what it points at is there (spec 41, spec 42, spec 43, spec 46)', async () => {
    const { apply, trigger: get } = scene()
    const next = { ref: { apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', name: 'next' } }
    const display = { ref: { apiVersion: 'v1', kind: 'Service', name: 'display' }, uri: '/in?x=1' }
    await apply(broker(), trigger('t', next), trigger('u', display))
    expect(condition(get('t'), 'Ready')).toBe(`False ${UNRESOLVED}`)
    expect(get('u').status).toMatchObject({ subscriberUri: 'http://display.default.svc.cluster.local/in?x=1' })

    await apply(broker(), trigger('t', next), trigger('u', display), broker('next'), service('display', NOWHERE))
    expect(condition(get('t'), 'Ready')).toBe('True')
    expect(get('t').status).toMatchObject({ subscriberUri: 'http://127.0.0.1:8080/default/next' })
    expect(get('u').status).toMatchObject({ subscriberUri: 'http://127.0.0.1:9/in?x=1' })
  })

  test('has the dead-letter sink of its own, else its Broker’s, resolved before it is Ready (spec 17)', async () => {
    const { apply, trigger: get } = scene()
    const dead = (name: string): object => ({ retry: 1, deadLetterSink: { uri: `http://${name}.example/` } })
    await apply(
      broker('default', { delivery: dead('broker') }),
      trigger('own', NOWHERE, { delivery: dead('own') }),
      trigger('inherits', NOWHERE),
      trigger('mixes', NOWHERE, { delivery: { retry: 3 } }),
      trigger('absent', NOWHERE, { delivery: { retry: 1, deadLetterSink: serviceRef('absent') } }),
    )
    const uri = (name: string): unknown => get(name).status!['deadLetterSinkUri']
    expect(['own', 'inherits', 'mixes', 'absent'].map(uri)).toEqual([
      'http://own.example/',
      'http://broker.example/',
      'http://broker.example/',
      undefined,
    ])
    expect(condition(get('absent'), 'Ready')).toBe("False Unable to get the dead letter sink's URI")
    expect(condition(get('absent'), 'SubscriptionReady')).toBe('Unknown NotSubscribed')
  })

  test('that asks for what its channel can’t do says what that is, and the others run (spec 15)', async () => {
    const { apply, trigger: get, send, until } = scene()
    const taker = await subscriber()
    await apply(broker(), trigger('early', NOWHERE, {}, { 'sluice.dev/from': 'earliest' }), trigger('fine', taker.url))
    expect(conditionOf(get('early'), 'SubscriptionReady')).toMatchObject({
      status: 'False',
      reason: 'NotSubscribed',
      message: expect.stringMatching(/no history.*"earliest"/) as string,
    })
    expect(condition(get('early'), 'Ready')).toBe('False NotSubscribed')
    await send('t')
    await until(() => taker.got.length === 1)

    await apply(broker(), trigger('early', NOWHERE), trigger('fine', taker.url))
    expect(condition(get('early'), 'Ready')).toBe('True')
  })

  test('whose dead letters the box takes no more of stands still and says so; nothing is dropped', async () => {
    const { apply, controller, trigger: get, send, until } = scene({ boxBytes: 4 * 2000 })
    const refuses = await subscriber(400)
    await apply(broker(), trigger('t', refuses.url))
    const full = (): boolean => condition(get('t'), 'Ready') === 'False DeadLetterBoxFull'
    for (let n = 1; n <= 20 && !full(); n++) {
      await send('t', String(n))
      await until(() => full() || controller.broker('default', 'default')!.box.usage().events === n)
    }
    expect(full()).toBe(true)
    const kept = controller.broker('default', 'default')!.box.usage().events
    expect(controller.broker('default', 'default')!.channel.usage().events).toBe(1)
    expect(kept).toBeGreaterThan(0)
  })

  test('some of whose events are in the dead-letter box says so, and is Ready; until they are purged (fault 31)', async () => {
    const { apply, controller, trigger: get, send, until } = scene()
    const refuses = await subscriber(400)
    await apply(broker(), trigger('t', refuses.url), trigger('u', NOWHERE, ofType('other')))
    await send('t')
    const isTold = (name: string): boolean =>
      get(name).status!.conditions.some(({ type, status }) => type === 'DeadLetterBoxEmpty' && status === 'False')
    await until(() => isTold('t'))
    expect(conditionOf(get('t'), 'DeadLetterBoxEmpty')).toMatchObject({
      severity: 'Warning',
      reason: 'DeadLettersKept',
      message: expect.stringContaining('sluice dead-letters list') as string,
    })
    expect(condition(get('t'), 'Ready')).toBe('True')
    expect(isTold('u')).toBe(false)
    await controller.broker('default', 'default')!.box.clear()
    await until(() => !isTold('t'))
  })

  test('shows a subscriber that is down, and the last failure', async () => {
    const { apply, trigger: get, send, until } = scene()
    await apply(broker(), trigger('t', NOWHERE))
    for (const id of ['1', '2', '3']) await send('t', id)
    await until(() => (get('t').status!['subscriber'] as { state: string }).state === 'Down')
    expect(get('t').status!['subscriber']).toMatchObject({
      state: 'Down',
      lastFailure: expect.stringContaining('127.0.0.1:9') as string,
    })
    expect(condition(get('t'), 'Ready')).toBe('True') // what comes is kept, and will be sent
  })

  test('waits for the object that it depends on', async () => {
    const { apply, trigger: get } = scene()
    const on = (name: string): object => ({
      'knative.dev/dependency': JSON.stringify({ apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', name }),
    })
    await apply(broker(), trigger('t', NOWHERE, {}, on('other')), trigger('u', NOWHERE, {}, on('default')))
    expect(condition(get('t'), 'DependencyReady')).toBe('False DependencyDoesNotExist')
    expect(condition(get('t'), 'Ready')).toBe('False DependencyDoesNotExist')
    expect(condition(get('u'), 'Ready')).toBe('True')
    await apply(broker(), broker('other'), trigger('t', NOWHERE, {}, on('other')))
    expect(condition(get('t'), 'Ready')).toBe('True')
  })
})

describe('conditions', () => {
  test('are about the generation that stands beside them (spec 83), and keep their time while nothing changes', async () => {
    const { apply, clock, trigger: get } = scene()
    await apply(broker(), trigger('t', NOWHERE))
    const before = conditionOf(get('t'), 'Ready')
    clock.advance(60_000)
    await apply(broker(), trigger('t', 'http://127.0.0.1:10/'))
    expect(get('t').status).toMatchObject({ observedGeneration: 2, subscriberUri: 'http://127.0.0.1:10/' })
    expect(get('t').metadata.generation).toBe(2)
    expect(conditionOf(get('t'), 'Ready')).toEqual(before)

    clock.advance(60_000)
    await apply(trigger('t', 'http://127.0.0.1:10/'))
    expect(conditionOf(get('t'), 'Ready').lastTransitionTime).toBe('2026-01-01T00:02:00Z')
  })

  test('that are not True say why (spec 111, spec 112), and Ready follows them (spec 105, spec 106, spec 107, spec 108, spec 109, spec 110)', async () => {
    const { apply, controller, trigger: get } = scene()
    await apply(trigger('alone', serviceRef('absent')))
    const { conditions } = get('alone').status!
    expect(new Set(conditions.map(({ type }) => type)).size).toBe(conditions.length) // spec 102
    for (const { status, reason, message } of conditions) {
      if (status === 'True') continue
      expect(reason).toEqual(expect.any(String))
      expect(message).toEqual(expect.any(String))
    }
    expect(conditionOf(get('alone'), 'Ready').status).toBe('False')
    expect(controller.list({ group: 'eventing.knative.dev', kind: 'Trigger' })).toHaveLength(1)
  })

  test('can’t be written in a file (spec 81)', async () => {
    const { apply, broker: get } = scene()
    const { resource } = broker()
    const { uid: _uid, generation: _g, resourceVersion: _v, creationTimestamp: _t, ...metadata } = resource.metadata
    await apply(declare({ ...resource, metadata, status: { address: { url: 'http://evil.example/' } } }))
    expect(get().status).toMatchObject({ address: { url: 'http://127.0.0.1:8080/default/default' } })
  })
})

test('the summary has a line for each, and why one is not ready', async () => {
  const { apply, controller } = scene()
  await apply(broker(), trigger('ok', NOWHERE), trigger('lost', serviceRef('absent')))
  expect(controller.summary()).toEqual([
    'Broker default/default  http://127.0.0.1:8080/default/default',
    `Trigger default/ok → ${NOWHERE}`,
    expect.stringMatching(/^Trigger default\/lost → nowhere {2}NOT READY, Unable to get the Subscriber's URI: failed/),
  ])
})

test('the summary of many triggers names those that are not ready, and counts the rest', async () => {
  const { apply, controller } = scene()
  const many = Array.from({ length: 30 }, (_, n) => trigger(`t${n}`, NOWHERE))
  await apply(broker(), ...many, trigger('lost', serviceRef('absent')))
  const lines = controller.summary()
  expect(lines).toHaveLength(3)
  expect(lines[1]).toMatch(/^Trigger default\/lost/)
  expect(lines[2]).toBe('31 triggers and subscriptions, of which 1 are not ready')
})
