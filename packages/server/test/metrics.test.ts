// The metrics of SURFACE "Metrics", from what the broker reports and from what runs.

import { describe, expect, test } from 'vitest'
import type { BrokerName, TriggerName } from '@sluice/broker'
import { metrics, type Metrics } from '@sluice/server'
import type { Controller } from '@sluice/controller'
import { manualClock } from '@sluice/clock'
import { newEvent } from '@sluice/event'
import type { Outcome } from '@sluice/delivery'
import { binary, broker, trigger } from '../../../test/support/events.ts'
import { exchange } from '../../../test/support/exchange.ts'
import { sluiceHere, type Here } from '../../../test/support/here.ts'
import { readMetrics } from '../../../test/support/ops.ts'
import { subscriber } from '../../../test/support/subscriber.ts'
import { exposition, labelText } from '../src/exposition.ts'

const NOWHERE = 'http://127.0.0.1:9/'
const OF_BROKER = 'namespace="default",broker="default"'
const OF_TRIGGER = `${OF_BROKER},trigger="t"`

async function text({ api }: Here): Promise<string> {
  return (await fetch(`${api}/metrics`)).text()
}

test('every name stands there with help and type, from the start and in the text form of Prometheus', async () => {
  const here = await sluiceHere(broker() + trigger('t', NOWHERE))
  const response = await fetch(`${here.api}/metrics`)
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  const lines = (await response.text()).split('\n')
  expect(lines.at(-1)).toBe('') // the text ends with a line end
  const types = lines.filter((line) => line.startsWith('# TYPE ')).map((line) => line.slice('# TYPE '.length))
  expect(types).toEqual([
    'sluice_events_accepted_total counter',
    'sluice_events_refused_total counter',
    'sluice_deliveries_total counter',
    'kn_eventing_dispatch_duration_seconds histogram',
    'sluice_events_lost_total counter',
    'sluice_events_discarded_total counter',
    'sluice_subscription_lag_events gauge',
    'sluice_subscription_oldest_seconds gauge',
    'sluice_subscription_in_flight gauge',
    'sluice_subscription_parked gauge',
    'sluice_subscription_window gauge',
    'sluice_subscription_state gauge',
    'sluice_filter_errors_total counter',
    'sluice_schema_violations_total counter',
    'sluice_event_types gauge',
    'sluice_event_types_other_events_total counter',
    'sluice_dead_letter_box_events gauge',
    'sluice_dead_letter_box_bytes gauge',
    'sluice_channel_bytes gauge',
    'sluice_channel_ready gauge',
    'sluice_log_sync_seconds histogram',
    'sluice_config_last_reload_successful gauge',
    'sluice_config_last_reload_success_timestamp_seconds gauge',
    'sluice_api_unauthorized_total counter',
    'sluice_connections_refused_total counter',
    'sluice_tls_certificate_not_after_seconds gauge',
  ])
  for (const name of types.map((type) => type.split(' ')[0])) {
    expect(lines.filter((line) => line.startsWith(`# HELP ${name} `))).toHaveLength(1)
  }
  const samples = lines.filter((line) => line !== '' && !line.startsWith('#'))
  for (const sample of samples) expect(sample).toMatch(/^[a-z_]+(\{([a-z_]+="[^"\\\n]*",?)+\})? [\d.]+$/)
})

test('each sync of a log is counted by what it took', async () => {
  const counted = metrics()
  for (const ms of [0.2, 3, 700, 60_000]) counted.synced(ms)
  const nobody = { brokers: () => [], waiting: () => [] } as unknown as Controller
  const lines = (await counted.render(nobody, manualClock())).split('\n')
  const of = (suffix: string): string[] => lines.filter((line) => line.startsWith(`sluice_log_sync_seconds${suffix}`))
  expect(of('_count')).toEqual(['sluice_log_sync_seconds_count 4'])
  expect(of('_sum')).toEqual(['sluice_log_sync_seconds_sum 60.7032'])
  for (const [le, count] of [
    ['0.00025', 1],
    ['0.005', 2],
    ['1', 3],
    ['5', 3],
    ['+Inf', 4],
  ] as const) {
    expect(of(`_bucket{le="${le}"}`)).toEqual([`sluice_log_sync_seconds_bucket{le="${le}"} ${count}`])
  }
})

test('a Broker that takes no events, as its channel can’t be opened, has a channel that is not ready', async () => {
  const waiting = (): BrokerName[] => [{ kind: 'Broker', namespace: 'default', name: 'locked' }]
  const controller = { brokers: () => [], waiting } as unknown as Controller
  const text = await metrics().render(controller, manualClock())
  expect(text).toContain('sluice_channel_ready{namespace="default",broker="locked"} 0\n')
})

test('the samples of a metric stand together', async () => {
  const here = await sluiceHere(broker() + broker('other') + trigger('t', NOWHERE) + trigger('u', NOWHERE))
  const names = (await text(here))
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/_(bucket|sum|count)?[{ ].*/, ''))
  const runs = names.filter((name, n) => name !== names[n - 1])
  expect(new Set(runs).size).toBe(runs.length)
})

test('events that wait: how many, how old, in flight, the window, and the state of the subscriber', async () => {
  const silent = await subscriber(() => new Promise(() => {}))
  const here = await sluiceHere(
    broker() + trigger('t', silent.url).replace('{name: t}', '{name: t, annotations: {sluice.dev/window: "2"}}'),
  )
  for (let n = 0; n < 3; n++) await exchange(here.broker, binary())
  await silent.received(2)
  here.clock.advance(1500)
  const found = await readMetrics(here.api)
  const of = (name: string): number | undefined => found.get(`sluice_subscription_${name}{${OF_TRIGGER}}`)
  expect(['lag_events', 'oldest_seconds', 'in_flight', 'parked', 'window', 'state'].map(of)).toEqual([
    3, 1.5, 2, 0, 2, 0,
  ])
  expect(found.get(`sluice_channel_ready{${OF_BROKER}}`)).toBe(1)
  expect(found.get(`sluice_channel_bytes{${OF_BROKER}}`)).toBeGreaterThan(0)
})

test('a subscriber that is down is 2', async () => {
  const here = await sluiceHere(broker() + trigger('t', NOWHERE))
  for (let n = 0; n < 3; n++) await exchange(here.broker, binary())
  await here.step('targetChanged', 2)
  expect(here.steps.filter((step) => step.step === 'targetChanged').at(-1)).toMatchObject({ state: 'Down' })
  const found = await readMetrics(here.api)
  expect(found.get(`sluice_subscription_state{${OF_TRIGGER}}`)).toBe(2)
  expect(found.get(`sluice_subscription_parked{${OF_TRIGGER}}`)).toBeGreaterThan(0)
})

test('events on which an expression failed are counted, through changes of the trigger too', async () => {
  const failing = (more: string[]): string =>
    broker() + trigger('t', NOWHERE, ['filters: [{cesql: "INT(subject) = 1"}]', ...more])
  const here = await sluiceHere(failing([]))
  await exchange(here.broker, binary([['ce-subject', 'no number']]))
  await exchange(here.broker, binary([['ce-subject', '2']]))
  await here.apply(failing(['delivery: {retry: 1}']))
  await exchange(here.broker, binary([['ce-subject', 'none either']]))
  expect((await readMetrics(here.api)).get(`sluice_filter_errors_total{${OF_TRIGGER}}`)).toBe(2)
})

test('a deleted trigger leaves no series, and a removed broker none (threat 24)', async () => {
  const taker = await subscriber()
  const here = await sluiceHere(broker() + trigger('t', taker.url))
  await exchange(here.broker, binary())
  await exchange(here.broker, binary([['ce-id', '']]))
  await here.step('settled')
  expect(await text(here)).toContain('trigger="t"')
  await here.apply(broker())
  const after = await text(here)
  expect(after).not.toContain('trigger="t"')
  expect(after).toContain(`sluice_events_accepted_total{${OF_BROKER}} 1\n`)
  expect(after).toContain('sluice_events_discarded_total{cause="deleted"} 0\n')
  await here.apply('')
  expect((await text(here)).match(/^[^#].*broker.*$/m)).toBeNull()
  await here.apply(broker())
  expect(await text(here)).toContain(`sluice_events_accepted_total{${OF_BROKER}} 0\n`)
})

describe('counters', () => {
  const of: BrokerName = { kind: 'Broker', namespace: 'default', name: 'default' }
  const name: TriggerName = { id: 'uid', namespace: 'default', name: 't', broker: of }
  const event = newEvent({ type: 't', source: '/test' })

  /** What is printed for a broker and a trigger on which nothing waits. */
  async function printed({ render }: Metrics): Promise<string> {
    const lag = { events: 0, bound: 'exact', inFlight: 0, parked: 0 }
    const status = { lag, state: 'Healthy', lastFailure: undefined, boxFull: false }
    const running = {
      ...of,
      box: { usage: () => ({ events: 0, bytes: 0, bytesMax: 1 }) },
      channel: { usage: () => ({ events: 0, bytes: 0, bytesMax: 1 }) },
      triggers: () => [{ name, config: { window: { events: 1, bytes: 1 } }, status }],
    }
    // Counts are found by identity: this broker is the one that was counted.
    const controller = {
      brokers: () => [Object.assign(of, running)],
      waiting: () => [],
      channelState: () => ({ state: 'ready' }),
      eventTypes: { usage: () => ({ eventTypes: 3, others: 5 }) },
    }
    return render(controller as unknown as Controller, manualClock())
  }

  test('tell outcomes apart', async () => {
    const counted = metrics()
    const { observer } = counted
    for (let n = 0; n < 4; n++) observer.settled(name, event)
    for (let n = 0; n < 3; n++) observer.parked(name, event, 1)
    for (let n = 0; n < 2; n++) observer.deadLettered(name, event, 'sink', 'gone', 'gone')
    observer.deadLettered(name, event, 'box', 'undeliverable', 'gone')
    const found = await printed(counted)
    for (const [outcome, events] of Object.entries({ delivered: 4, retry: 3, dead_lettered: 2, boxed: 1 })) {
      expect(found).toContain(`sluice_deliveries_total{${OF_TRIGGER},outcome="${outcome}"} ${events}\n`)
    }
  })

  test('of refusals by code, of losses and discards by cause', async () => {
    const counted = metrics()
    const { observer } = counted
    observer.refused(of, 429, 1)
    observer.refused(of, 429, 20)
    observer.refused(of, 400, 1)
    observer.lost(name, { events: 5, cause: 'retention' })
    observer.lost(name, { events: 1, cause: 'shutdown' })
    observer.discarded(name, 7, 'deleted')
    observer.discarded(name, 2, 'seek')
    const found = await printed(counted)
    expect(found).toContain(`sluice_events_refused_total{${OF_BROKER},code="429"} 21\n`)
    expect(found).toContain(`sluice_events_refused_total{${OF_BROKER},code="400"} 1\n`)
    expect(found).toContain('sluice_events_lost_total{cause="retention"} 5\n')
    expect(found).toContain('sluice_events_lost_total{cause="shutdown"} 1\n')
    expect(found).toContain('sluice_events_discarded_total{cause="deleted"} 7\n')
    expect(found).toContain('sluice_events_discarded_total{cause="seek"} 2\n')
  })

  test('of data that does not keep to its schema, stored or refused, and of types', async () => {
    const counted = metrics()
    const fault = { eventType: 'default/orders', pointer: '/total', problem: 'must be number' }
    for (const isRefused of [true, false, true]) counted.observer.judged(of, event, { ...fault, isRefused })
    const found = await printed(counted)
    expect(found).toContain(`sluice_schema_violations_total{${OF_BROKER},action="stored"} 1\n`)
    expect(found).toContain(`sluice_schema_violations_total{${OF_BROKER},action="refused"} 2\n`)
    expect(found).toContain(`sluice_event_types{${OF_BROKER}} 3\n`)
    expect(found).toContain(`sluice_event_types_other_events_total{${OF_BROKER}} 5\n`)
  })

  test('attempts at the subscriber are measured in Knative’s buckets, by status; those at a sink are not', async () => {
    const counted = metrics()
    const outcome = (status: number, durationMs: number): Outcome => ({ status, durationMs }) as Outcome
    for (const ms of [4, 5, 6, 9_999, 10_001])
      counted.observer.attempted(name, event, outcome(202, ms), 'subscriber', 1)
    counted.observer.attempted(name, event, outcome(0, 1), 'subscriber', 1)
    counted.observer.attempted(name, event, outcome(202, 1), 'sink', 1)
    const found = await printed(counted)
    const labels = (status: number): string =>
      `kn_broker_namespace="default",kn_broker_name="default",http_response_status_code="${status}"`
    const buckets = Array.from(
      found.matchAll(new RegExp(`_bucket\\{${labels(202)},le="([^"]+)"\\} (\\d+)`, 'g')),
      ([, bound, count]) => [bound, Number(count)],
    )
    expect(buckets).toEqual([
      ['0.005', 2],
      ...['0.01', '0.025', '0.05', '0.075', '0.1', '0.25', '0.5', '0.75', '1', '2.5', '5', '7.5'].map((le) => [le, 3]),
      ['10', 4],
      ['+Inf', 5],
    ])
    expect(found).toContain(`_count{${labels(202)}} 5\n`)
    expect(found).toContain(`_sum{${labels(202)}} 20.015\n`)
    expect(found).toContain(`_count{${labels(0)}} 1\n`)
  })

  test('who asks while the text is being written gets the same text', async () => {
    const counted = metrics()
    const [one, other] = [printed(counted), printed(counted)]
    expect(await one).toBe(await other)
    counted.observer.accepted(of, event)
    expect(await printed(counted)).toContain(`sluice_events_accepted_total{${OF_BROKER}} 1\n`)
  })
})

test('threat 24: a label can’t fake a line', () => {
  const family = { name: 'm', type: 'gauge', help: 'A metric.' } as const
  const to = exposition([family])
  to.sample(family, labelText({ a: 'x"} 1\nfake{b="\\' }), 2)
  expect(to.text()).toBe('# HELP m A metric.\n# TYPE m gauge\nm{a="x\\"} 1\\nfake{b=\\"\\\\"} 2\n')
  expect(labelText({})).toBe('')
})

test('fault 60: a scrape of thousands of triggers lets events through meanwhile', async () => {
  const taker = await subscriber()
  const many = Array.from({ length: 2000 }, (_, n) =>
    trigger(`t${n}`, NOWHERE, ['filter: {attributes: {type: never}}']),
  )
  const here = await sluiceHere(broker() + trigger('taker', taker.url) + many.join(''))
  let turns = 0
  let over = false
  const scrape = fetch(`${here.api}/metrics`).then(async (response) => {
    await response.text()
    over = true
  })
  while (!over) {
    await new Promise((resolve) => setImmediate(resolve))
    turns++
  }
  await scrape
  expect(turns).toBeGreaterThan(10) // ten slices of 200 triggers
})
