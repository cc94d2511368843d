// The registry of EventTypes (FL-22): what traffic makes, what is counted, who takes what, and the bounds.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { manualClock } from '@sluice/clock'
import { dataDirectory } from '@sluice/controller'
import { newEvent } from '@sluice/event'
import { resourceKey, type Condition, type Declared, type Resource } from '@sluice/resource'
import { eventTypeName } from '../src/event-types/making.ts'
import { temporaryFolder } from './folders.ts'
import { broker, conditionOf, declare, ofType, scene, trigger, type Scene, type SceneOptions } from './scene.ts'

const NOWHERE = 'http://127.0.0.1:9/'
const OF_BROKER = { apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', name: 'default' }

function eventType(name: string, spec: object, annotations: object = {}): Declared {
  return declare({
    apiVersion: 'eventing.knative.dev/v1beta2',
    kind: 'EventType',
    metadata: { name, annotations },
    spec: { reference: OF_BROKER, ...spec },
  })
}

function features(flag: string): Declared {
  const metadata = { name: 'config-features', namespace: 'knative-eventing' }
  return declare({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'eventtype-auto-create': flag } })
}

function registry(options: SceneOptions = {}): Scene & { all(): Resource[]; of(name: string): Resource } {
  const here = scene(options)
  const all = (): Resource[] => here.controller.list({ group: 'eventing.knative.dev', kind: 'EventType' })
  return { ...here, all, of: (name) => all().find(({ metadata }) => metadata.name === name)! }
}

async function take(here: Scene, type: string, source = '/test', broker_ = 'default'): Promise<void> {
  await here.controller.broker('default', broker_)!.accept([newEvent({ type, source })])
}

function attribute({ spec }: Resource, name: string): unknown {
  const attributes = spec?.['attributes'] as { name: string; value?: string }[]
  return attributes.find((each) => each.name === name)?.value
}

function conditionsOf({ status }: Resource): (string | undefined)[][] {
  return (status?.conditions ?? []).map(({ type, status: is, reason }: Condition) => [type, is, reason])
}

describe('FL-22: made from traffic', () => {
  test('an event of a new type makes an EventType, by Knative’s name and with Knative’s content', async () => {
    const here = registry()
    await here.apply(broker())
    await take(here, 'order', '/shop')
    await take(here, 'order', '/shop')
    await here.controller.eventTypes.settled()
    const [made, ...others] = here.all()
    expect(others).toEqual([])
    // printf 'order/shopdefaultdefault' | md5sum: type, source, namespace and owner, one after the other
    expect(made!.metadata.name).toBe('et-default-e3fd1192bcb24fb2918861e1a5d4e535')
    expect(made!.metadata.ownerReferences).toEqual([{ ...OF_BROKER, uid: here.broker().metadata.uid }])
    expect(made!.spec).toEqual({
      description: 'Event Type auto-created by controller',
      reference: { ...OF_BROKER, namespace: 'default' },
      attributes: [
        { name: 'type', value: 'order', required: true },
        { name: 'source', value: '/shop', required: true },
        { name: 'schemadata', required: false },
        { name: 'specversion', value: '1.0', required: true },
        { name: 'id', required: true },
      ],
    })
    expect(made!.status?.['seen']).toMatchObject({ events: 2 })
    expect(conditionsOf(made!)).toContainEqual(['Ready', 'True', undefined])
  })

  test('a name of Knative’s stays within what a name may have', () => {
    expect(eventTypeName('default', 'ns', 't', 's')).toMatch(/^et-default-[0-9a-f]{32}$/)
    const long = eventTypeName(`${'a'.repeat(216)}.-${'b'.repeat(35)}`, 'ns', 't', 's')
    expect(long).toMatch(/^et-a{216}-[0-9a-f]{32}$/)
    expect(long).not.toBe(eventTypeName(`${'a'.repeat(216)}.-${'b'.repeat(35)}`, 'ns', 't2', 's'))
  })

  test('what a person has declared needs none: of that type, of any source, of a template', async () => {
    const here = registry()
    await here.apply(
      broker(),
      eventType('orders', { type: 'order' }),
      eventType('pings', { type: 'ping', source: '/ns/{ns}/pings/{name}' }),
    )
    await take(here, 'order', '/shop/1')
    await take(here, 'order', '/shop/2')
    await take(here, 'ping', '/ns/a/pings/b')
    await take(here, 'ping', '/elsewhere')
    await here.controller.eventTypes.settled()
    expect(here.all().map((each) => attribute(each, 'source'))).toEqual([
      undefined,
      '/ns/{ns}/pings/{name}',
      '/elsewhere',
    ])
    expect(here.of('orders').status?.['seen']).toMatchObject({ events: 2 })
    expect(here.of('pings').status?.['seen']).toMatchObject({ events: 1 })
  })

  test('a type that would be a template makes none', async () => {
    const here = registry()
    await here.apply(broker())
    await take(here, '{x}')
    await take(here, 'order')
    await here.controller.eventTypes.settled()
    expect(here.all().map((each) => attribute(each, 'type'))).toEqual(['order'])
  })

  test('the setting of Knative turns it off and on, as it is applied', async () => {
    const here = registry()
    await here.apply(broker(), features('Disabled'))
    await take(here, 'a')
    await here.apply(broker(), features('enabled'))
    await take(here, 'b')
    await here.apply(broker())
    await take(here, 'c')
    await here.controller.eventTypes.settled()
    expect(here.all().map((each) => attribute(each, 'type'))).toEqual(['b', 'c'])
    expect(here.controller.eventTypes.usage(here.controller.broker('default', 'default')!)).toEqual({
      eventTypes: 2,
      others: 1,
    })
  })

  test('one that somebody deletes comes back with the next event', async () => {
    const here = registry()
    await here.apply(broker())
    await take(here, 'order')
    await here.controller.eventTypes.settled()
    const { namespace, name } = here.all()[0]!.metadata
    await here.controller.writer.write(
      { group: 'eventing.knative.dev', kind: 'EventType', namespace, name },
      () => undefined,
    )
    expect(here.all()).toEqual([])
    await take(here, 'order')
    await here.controller.eventTypes.settled()
    expect(here.all().map(({ metadata }) => metadata.name)).toEqual([name])
  })

  test('it goes with its Broker, and what a person has declared stays', async () => {
    const here = registry()
    await here.apply(broker(), eventType('orders', { type: 'order' }))
    await take(here, 'refund')
    await here.controller.eventTypes.settled()
    await here.apply(eventType('orders', { type: 'order' }))
    await here.controller.eventTypes.settled()
    expect(here.all().map(({ metadata }) => metadata.name)).toEqual(['orders'])
    expect(conditionOf(here.of('orders'), 'ReferenceExists')).toMatchObject({
      status: 'False',
      reason: 'ResourceDoesNotExist',
      message: 'Resource in spec.reference does not exist',
    })
  })
})

describe('FL-22: bounds', () => {
  test('a Broker gets 1,000 EventTypes; what comes beyond is routed, counted, told once, and kept nowhere', async () => {
    const told: string[] = []
    const here = registry({ eventTypesLimited: ({ name }, why) => told.push(`${name}: ${why}`) })
    await here.apply(broker())
    for (let n = 0; n < 1200; n++) await take(here, `type-${n}`)
    await here.controller.eventTypes.settled()
    expect(here.all()).toHaveLength(1000)
    expect(here.controller.eventTypes.usage(here.controller.broker('default', 'default')!)).toEqual({
      eventTypes: 1000,
      others: 200,
    })
    expect(told).toEqual(['default: There are 1000 EventTypes, and no more are made.'])
    here.clock.advance(1000)
    expect(conditionOf(here.broker(), 'EventTypesKnown')).toMatchObject({
      status: 'False',
      severity: 'Warning',
      reason: 'TypeLimitReached',
    })
    expect(conditionOf(here.broker(), 'Ready')?.status).toBe('True')
  })

  test('a type gets 100 of them, one for each source; when some are gone, there is room again', async () => {
    const here = registry()
    await here.apply(broker())
    for (let n = 0; n < 120; n++) await take(here, 'order', `/${n}`)
    await take(here, 'refund')
    await here.controller.eventTypes.settled()
    expect(here.all()).toHaveLength(101)
    expect(conditionOf(here.broker(), 'EventTypesKnown')?.message).toContain('of type order for 100 sources')
    const { namespace, name } = here.all()[0]!.metadata
    await here.controller.writer.write(
      { group: 'eventing.knative.dev', kind: 'EventType', namespace, name },
      () => undefined,
    )
    await take(here, 'order', '/200')
    await here.controller.eventTypes.settled()
    expect(here.all()).toHaveLength(101)
    expect(conditionsOf(here.broker()).map(([type]) => type)).not.toContain('EventTypesKnown')
  })

  test('types and sources of more than 1,024 characters make none', async () => {
    const here = registry()
    await here.apply(broker())
    await take(here, 'x'.repeat(1025))
    await take(here, 'x', `/${'s'.repeat(1024)}`)
    await here.controller.eventTypes.settled()
    expect(here.all()).toEqual([])
  })

  test('an event of a known type writes nothing: its number is in the store after 5 s, and shown at once', async () => {
    const here = registry()
    await here.apply(broker())
    await take(here, 'order')
    await here.controller.eventTypes.settled()
    here.clock.advance(5000)
    const version = here.controller.store.resourceVersion()
    for (let n = 0; n < 100; n++) await take(here, 'order')
    expect(here.controller.store.resourceVersion()).toBe(version)
    const [made] = here.all()
    expect(made!.status?.['seen']).toMatchObject({ events: 101 })
    const stored = (): unknown => here.controller.store.get(resourceKey({ group: 'eventing.knative.dev', kind: 'EventType', namespace: 'default', name: made!.metadata.name }))?.status?.['seen'] // prettier-ignore
    expect(stored()).toMatchObject({ events: 1 })
    here.clock.advance(5000)
    expect(stored()).toMatchObject({ events: 101 })
  })
})

describe('FL-22: after a restart', () => {
  function inFolder(path: string): ReturnType<typeof registry> {
    const data = dataDirectory({ path, clock: manualClock() })
    onTestFinished(() => data.close())
    const here = registry({ data, channel: 'log' })
    return Object.assign(here, { data })
  }

  async function end(here: ReturnType<typeof registry>): Promise<void> {
    await here.controller.close({ deadlineMs: 0 })
    await (here as unknown as { data: ReturnType<typeof dataDirectory> }).data.close()
  }

  test('what traffic has made is there again, with what was counted, and goes where its owner is gone', async () => {
    const path = temporaryFolder()
    const first = inFolder(path)
    await first.apply(broker(), broker('other'), eventType('orders', { type: 'order' }))
    await take(first, 'order')
    await take(first, 'refund')
    await take(first, 'refund')
    await take(first, 'refund', '/test', 'other')
    await first.controller.eventTypes.settled()
    expect(readdirSync(join(path, 'resources'))).toHaveLength(2)
    const before = first
      .all()
      .filter(({ spec }) => (spec?.['reference'] as { name: string } | undefined)?.name === 'default')
    await end(first)

    const second = inFolder(path)
    await second.apply(broker(), eventType('orders', { type: 'order' }))
    await second.controller.eventTypes.settled()
    const byName = (all: Resource[]): Map<string, unknown> =>
      new Map(all.map(({ metadata, status }) => [metadata.name, [metadata.uid, status?.['seen']]]))
    expect(byName(second.all())).toEqual(byName(before))
    expect(second.of('orders').status?.['seen']).toMatchObject({ events: 1 })
    await take(second, 'refund')
    expect(second.all()).toHaveLength(2)
    const refunds = second.all().find((each) => attribute(each, 'type') === 'refund')
    expect(refunds?.status?.['seen']).toMatchObject({ events: 3 })
    expect(readdirSync(join(path, 'resources'))).toHaveLength(1)
    await end(second)
  })

  test('of a Broker in memory nothing is written, and no data directory is made', async () => {
    const path = join(temporaryFolder(), 'data')
    const data = dataDirectory({ path, clock: manualClock() })
    const here = registry({ data, channel: 'memory' })
    await here.apply(broker())
    await take(here, 'order')
    await here.controller.eventTypes.settled()
    expect(here.all()).toHaveLength(1)
    await here.controller.close({ deadlineMs: 0 })
    expect(existsSync(path)).toBe(false)
  })
})

describe('KNATIVE 1.1: conditions', () => {
  test('ReferenceExists follows what it points to; without a reference it is ReferenceNotSet', async () => {
    const here = registry()
    const alone = declare({
      apiVersion: 'eventing.knative.dev/v1beta2',
      kind: 'EventType',
      metadata: { name: 'alone' },
      spec: { type: 'a' },
    })
    await here.apply(alone, eventType('orders', { type: 'order' }))
    expect(conditionOf(here.of('alone'), 'ReferenceExists')).toMatchObject({
      status: 'True',
      reason: 'ReferenceNotSet',
    })
    expect(here.of('alone').status?.['consumers']).toBeUndefined()
    expect(conditionOf(here.of('orders'), 'Ready')).toMatchObject({ status: 'False', reason: 'ResourceDoesNotExist' })
    await here.apply(alone, eventType('orders', { type: 'order' }), broker())
    expect(conditionsOf(here.of('orders'))).toEqual([
      ['BrokerReady', 'True', undefined],
      ['Ready', 'True', undefined],
      ['ReferenceExists', 'True', undefined],
    ])
  })

  test('BrokerReady says why a Broker is not, and takes nothing from Ready', async () => {
    const here = registry()
    const config = { apiVersion: 'v1', kind: 'ConfigMap', name: 'missing' }
    await here.apply(broker('default', { config }), eventType('orders', { type: 'order' }))
    expect(conditionOf(here.of('orders'), 'BrokerReady')).toMatchObject({
      status: 'False',
      severity: 'Info',
      reason: 'ChannelTemplateFailed',
    })
    expect(conditionOf(here.of('orders'), 'Ready')?.status).toBe('True')
  })
})

describe('consumers', () => {
  test('an EventType names the triggers that could take its events, and says where nobody does', async () => {
    const here = registry()
    const types = [
      eventType('orders', { type: 'order', source: '/shop' }),
      eventType('refunds', { type: 'refund' }),
      eventType('pings', { type: 'ping' }),
    ]
    const both = trigger('both', NOWHERE, { filters: [{ cesql: "type IN ('order', 'refund') AND subject = 'x'" }] })
    const byType = trigger('by-type', NOWHERE, ofType('order'))
    const elsewhere = trigger('elsewhere', NOWHERE, { filters: [{ exact: { type: 'order', source: '/other' } }] })
    await here.apply(broker(), ...types, both, byType, elsewhere)
    const consumers = (name: string): unknown => here.of(name).status?.['consumers']
    expect(consumers('orders')).toEqual({ count: 2, names: ['both', 'by-type'] })
    expect(consumers('refunds')).toEqual({ count: 1, names: ['both'] })
    expect(consumers('pings')).toEqual({ count: 0, names: [] })
    await here.apply(broker(), ...types, byType)
    expect(consumers('refunds')).toEqual({ count: 0, names: [] })
    await here.apply(broker(), ...types, byType, trigger('all', NOWHERE))
    expect(consumers('pings')).toEqual({ count: 1, names: ['all'] })
  })
})
