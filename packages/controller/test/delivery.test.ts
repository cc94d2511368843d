// Which delivery holds for a trigger: the table of DESIGN "Delivery is per trigger" (spec 82, KNATIVE.md 3.5).

import { describe, expect, test } from 'vitest'
import { DEFAULT_POLICY } from '@sluice/delivery'
import type { DeliverySpec } from '@sluice/resource'
import { broker, scene, settle, subscriber, trigger } from './scene.ts'

const SINK = { deadLetterSink: { uri: 'http://of-trigger.example/' } }
const BROKER_SINK = { deadLetterSink: { uri: 'http://of-broker.example/' } }
const DEFAULTS = { retry: 10, backoffPolicy: 'exponential', backoffDelayMs: 200, timeoutMs: 30_000 }

interface Case {
  readonly what: string
  readonly trigger?: DeliverySpec
  readonly broker?: DeliverySpec
  readonly policy: object
  readonly sink?: string
}

const CASES: Case[] = [
  { what: 'neither says anything: the default', policy: DEFAULT_POLICY },
  {
    what: 'the trigger says something: it alone counts, and what it leaves out has defaults, retry 0',
    trigger: { backoffDelay: 'PT3S' },
    broker: { retry: 7, backoffPolicy: 'linear', timeout: 'PT1S' },
    policy: { ...DEFAULTS, retry: 0, backoffDelayMs: 3000 },
  },
  {
    what: 'the trigger says nothing: the broker’s',
    broker: { retry: 7, backoffPolicy: 'linear', timeout: 'PT1S' },
    policy: { ...DEFAULTS, retry: 7, backoffPolicy: 'linear', timeoutMs: 1000 },
  },
  {
    what: 'an empty delivery is none',
    trigger: {},
    broker: { retry: 7 },
    policy: { ...DEFAULTS, retry: 7 },
  },
  { what: 'two empty ones: the default', trigger: {}, broker: {}, policy: DEFAULT_POLICY },
  {
    what: 'the sink of the broker holds for a trigger that has other fields',
    trigger: { retry: 2 },
    broker: { retry: 7, ...BROKER_SINK },
    policy: { ...DEFAULTS, retry: 2 },
    sink: 'http://of-broker.example/',
  },
  {
    what: 'the trigger’s own sink wins, and a sink alone is a field: retry 0',
    trigger: SINK,
    broker: { retry: 7, ...BROKER_SINK },
    policy: { ...DEFAULTS, retry: 0 },
    sink: 'http://of-trigger.example/',
  },
  {
    what: 'both of the broker',
    broker: { retry: 7, ...BROKER_SINK },
    policy: { ...DEFAULTS, retry: 7 },
    sink: 'http://of-broker.example/',
  },
  {
    what: 'all of the trigger',
    trigger: { retry: 1, backoffPolicy: 'linear', backoffDelay: 'PT1M', timeout: 'PT2S', format: 'json', ...SINK },
    policy: {
      retry: 1,
      backoffPolicy: 'linear',
      backoffDelayMs: 60_000,
      timeoutMs: 2000,
      retryAfterMaxMs: 300_000,
      format: 'json',
    },
    sink: 'http://of-trigger.example/',
  },
]

describe('spec 82', () => {
  test.each(CASES)('$what', async ({ trigger: ofTrigger, broker: ofBroker, policy, sink }) => {
    const { apply, controller } = scene()
    await apply(
      broker('default', ofBroker === undefined ? {} : { delivery: ofBroker }),
      trigger('t', 'http://127.0.0.1:9/', ofTrigger === undefined ? {} : { delivery: ofTrigger }),
    )
    const [running] = controller.broker('default', 'default')!.triggers()
    expect(running?.config.route.policy).toMatchObject(policy)
    expect(running?.config.route.deadLetterSink?.url).toBe(sink)
  })
})

test.each([
  [{}, { window: 256, concurrency: 256, order: 'none', paused: false }],
  [{ 'sluice.dev/window': '16' }, { window: 16, concurrency: 16, order: 'none', paused: false }],
  [
    {
      'sluice.dev/window': '16',
      'sluice.dev/concurrency': '4',
      'sluice.dev/order': 'key',
      'sluice.dev/paused': 'true',
    },
    { window: 16, concurrency: 4, order: 'key', paused: true },
  ],
  [
    { 'kafka.eventing.knative.dev/delivery.order': 'ordered' },
    { window: 256, concurrency: 256, order: 'key', paused: false },
  ],
  [{ 'sluice.dev/concurrency': '1000' }, { window: 256, concurrency: 256, order: 'none', paused: false }],
])('annotations %j come to %j', async (annotations, expected) => {
  const { apply, controller } = scene()
  await apply(broker(), trigger('t', 'http://127.0.0.1:9/', {}, annotations))
  const [running] = controller.broker('default', 'default')!.triggers()
  const { window, route, order, paused } = running!.config
  expect({ window: window.events, concurrency: route.concurrency, order, paused }).toEqual(expected)
})

test('a rate is kept to, changes with its annotation, and stands in the status', async () => {
  const { url, got } = await subscriber()
  const { apply, controller, clock, send, until } = scene()
  const at = (rate: string): Promise<void> =>
    apply(broker(), trigger('t', url, {}, rate === '' ? {} : { 'sluice.dev/rate': rate }))
  const shown = (): Record<string, Record<string, unknown>> =>
    controller.get({ group: 'eventing.knative.dev', kind: 'Trigger', namespace: 'default', name: 't' })!.status as never
  await at('1/s')
  for (let i = 0; i < 5; i++) await send('order')
  await until(() => got.length === 1)
  await settle()
  expect(got).toHaveLength(1)
  expect(shown()['subscriber']).toEqual({ state: 'Healthy', rate: '1/s' })
  expect(shown()['backlog']).toMatchObject({ events: 4, inFlight: 4, waitingForRate: 4 })
  clock.advance(1000)
  await until(() => got.length === 2)
  await at('20/s') // one more every 50 ms
  clock.advance(50)
  await until(() => got.length === 3)
  await at('')
  await until(() => got.length === 5)
  expect(shown()['subscriber']).toEqual({ state: 'Healthy' })
})
