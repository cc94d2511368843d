// What operators see: health, metrics, logs, and the one line on standard output.

import { readdirSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { sluiceHere, type Here } from '../support/here.ts'
import { readMetrics, settled } from '../support/ops.ts'
import { startSluice, type Sluice } from '../support/sluice.ts'
import { subscriber } from '../support/subscriber.ts'

let sluice: Sluice

beforeAll(async () => {
  const taker = await subscriber()
  const failing = await subscriber(() => 500)
  const refusing = await subscriber(() => 400)
  const sink = await subscriber()
  const silent = await subscriber(() => new Promise(() => {}))
  sluice = await startSluice(
    {
      'a.yaml': [
        broker(),
        trigger('taker', taker.url, ['filters: [{exact: {type: t}}]']),
        trigger('failing', failing.url, [
          'filters: [{exact: {type: t}}]',
          `delivery: {retry: 2, backoffDelay: PT0.01S, deadLetterSink: {uri: "${sink.url}"}}`,
        ]),
        trigger('refusing', refusing.url, ['filters: [{exact: {type: t}}]', 'delivery: {retry: 0}']),
        trigger('silent', silent.url, ['filters: [{exact: {type: hold}}]']),
      ].join(''),
    },
    ['--log-format', 'json', '--log-level', 'debug'],
  )
  const secret = binary([['content-type', 'text/plain']], 'the-secret-data')
  for (let n = 0; n < 3; n++) await exchange(sluice.broker, secret)
  await sink.received(3)
  await settled(sluice.api)
  await exchange(sluice.broker, binary([['ce-id', '']]))
  await exchange(sluice.broker, binary([['ce-type', 'hold']]))
  await silent.received(1)
})

describe('health', () => {
  test.each(['ingress', 'api'] as const)(
    'the %s listener answers on /healthz, /livez and /readyz',
    async (listener) => {
      for (const [path, text] of Object.entries({ healthz: 'ok\n', livez: 'ok\n', readyz: 'ready\n' })) {
        const response = await fetch(`${sluice[listener]}/${path}`)
        expect([path, response.status, await response.text()]).toEqual([path, 200, text])
      }
    },
  )

  test('metrics and resources are not on the listener for events', async () => {
    for (const path of ['/metrics', '/version', '/apis/eventing.knative.dev/v1/namespaces/default/brokers']) {
      expect((await fetch(sluice.ingress + path)).status).not.toBe(200)
      expect((await fetch(sluice.api + path)).status).toBe(200)
    }
  })
})

describe('/metrics (spec 134)', () => {
  const BROKER = 'namespace="default",broker="default"'
  const of = (trigger_: string, more = ''): string => `{${BROKER},trigger="${trigger_}"${more}}`

  test('is text of Prometheus, each metric with help and type', async () => {
    const response = await fetch(`${sluice.api}/metrics`)
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    const text = await response.text()
    const names = new Set([...text.matchAll(/^([a-z_]+?)(?:_bucket|_sum|_count)?\{/gm)].map(([, name]) => name))
    for (const name of names) expect(text).toMatch(new RegExp(`^# HELP ${name} .+\n# TYPE ${name} `, 'm'))
  })

  test('counts what was accepted, refused and delivered, under the names that SURFACE.md fixes', async () => {
    const metrics = await readMetrics(sluice.api)
    const expected = {
      [`sluice_events_accepted_total{${BROKER}}`]: 4,
      [`sluice_events_refused_total{${BROKER},code="400"}`]: 1,
      [`sluice_deliveries_total${of('taker', ',outcome="delivered"')}`]: 3,
      [`sluice_deliveries_total${of('failing', ',outcome="retry"')}`]: 6,
      [`sluice_deliveries_total${of('failing', ',outcome="dead_lettered"')}`]: 3,
      [`sluice_deliveries_total${of('failing', ',outcome="delivered"')}`]: 0,
      [`sluice_deliveries_total${of('refusing', ',outcome="boxed"')}`]: 3,
      [`sluice_subscription_lag_events${of('silent')}`]: 1,
      [`sluice_subscription_in_flight${of('silent')}`]: 1,
      [`sluice_subscription_parked${of('silent')}`]: 0,
      [`sluice_subscription_window${of('silent')}`]: 256,
      [`sluice_subscription_lag_events${of('taker')}`]: 0,
      [`sluice_dead_letter_box_events{${BROKER}}`]: 3,
      [`sluice_channel_ready{${BROKER}}`]: 1,
    }
    expect(Object.fromEntries(Object.keys(expected).map((sample) => [sample, metrics.get(sample)]))).toEqual(expected)
    expect(metrics.get(`sluice_subscription_oldest_seconds${of('silent')}`)).toBeGreaterThan(0)
    expect(metrics.get(`sluice_subscription_oldest_seconds${of('taker')}`)).toBe(0)
    expect(metrics.get(`sluice_dead_letter_box_bytes{${BROKER}}`)).toBeGreaterThan(0)
    expect(metrics.get(`sluice_channel_bytes{${BROKER}}`)).toBeGreaterThan(0)
    expect(metrics.get('sluice_log_sync_seconds_count')).toBeGreaterThan(0)
    expect(metrics.get('sluice_log_sync_seconds_sum')).toBeGreaterThan(0)
  })

  test('measures each attempt under the name and with the buckets of Knative', async () => {
    const metrics = await readMetrics(sluice.api)
    const of500 = 'kn_broker_namespace="default",kn_broker_name="default",http_response_status_code="500"'
    expect(metrics.get(`kn_eventing_dispatch_duration_seconds_count{${of500}}`)).toBe(9)
    for (const bucket of ['0.005', '0.1', '10', '+Inf']) {
      const sample = [...metrics.keys()].find(
        (each) => each.startsWith('kn_eventing_dispatch_duration_seconds_bucket{') && each.includes(`le="${bucket}"`),
      )
      expect(sample).toBeDefined()
    }
  })
})

describe('what will not be delivered is counted', () => {
  const SILENT = 'namespace="default",broker="default",trigger="silent"'

  async function withBacklog(): Promise<Here> {
    const silent = await subscriber(() => new Promise(() => {}))
    const here = await sluiceHere(broker() + trigger('silent', silent.url))
    for (let n = 0; n < 3; n++) await exchange(here.broker, binary())
    await silent.received(3)
    return here
  }

  test('discarded with its trigger; where nothing is left of the trigger, its gauges go (fault 44)', async () => {
    const here = await withBacklog()
    await here.apply(broker())
    const metrics = await readMetrics(here.api)
    // What was handed out already may still arrive: it is counted when its attempt fails.
    expect(metrics.get(`sluice_events_discarded_total{cause="deleted"}`)).toBe(0)
    expect(metrics.has(`sluice_subscription_lag_events{${SILENT}}`)).toBe(false)
    here.clock.advance(31_000)
    await here.step('discarded', 4)
    const after = await readMetrics(here.api)
    expect(after.get(`sluice_events_discarded_total{cause="deleted"}`)).toBe(3)
  })

  test('lost at the end of a channel in memory', async () => {
    const here = await withBacklog()
    let isClosed = false
    const closed = here.controller.close({ deadlineMs: 0 }).then(() => (isClosed = true))
    while (!isClosed) {
      here.clock.advance(10)
      await fetch(`${here.api}/livez`)
    }
    await closed
    const metrics = await readMetrics(here.api)
    expect(metrics.get(`sluice_events_lost_total{cause="shutdown"}`)).toBe(3)
  })
})

describe('output', () => {
  test('one line on standard output, and that is the ready line', () => {
    expect(sluice.stdout.soFar()).toMatch(
      /^sluice ready ingress=http:\/\/127\.0\.0\.1:\d+ api=http:\/\/127\.0\.0\.1:\d+ data=\S+\n$/,
    )
  })

  test('--log-format json: every line on standard error is an object with time, level and message', async () => {
    await sluice.stderr.until(/kept in the dead-letter box/)
    const logged = sluice.stderr.soFar().trimEnd().split('\n')
    expect(logged.length).toBeGreaterThan(0)
    for (const line of logged) {
      expect(JSON.parse(line)).toMatchObject({
        time: expect.any(Number),
        level: expect.any(Number),
        msg: expect.any(String),
      })
    }
  })

  test('no log shows the data of an event (CE-15)', () => {
    expect(sluice.stderr.soFar()).not.toContain('the-secret-data')
  })

  test('threat 24: control characters of a sender do not reach the terminal', async () => {
    const refusing = await subscriber(() => 400)
    const here = await startSluice({ 'a.yaml': broker() + trigger('refusing', refusing.url) })
    // A type may hold anything but control characters: what turns text around is legal.
    expect((await exchange(here.broker, binary([['ce-type', '%E2%80%AEevil'], ['ce-id', 'x%22%20level=ERROR']]))).status).toBe(202) // prettier-ignore
    const [line] = await here.stderr.until(/^.*kept in the dead-letter box.*$/m)
    expect(line).toContain('id="x\\" level=ERROR"')
    // oxlint-disable-next-line no-control-regex
    expect(here.stderr.soFar()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  })
})

test.skipIf(process.platform !== 'linux')(
  'sixteen threads wait for disks and names, so that one that hangs does not hold up all (DESIGN "The log")',
  async () => {
    const { pid } = sluice.process
    await expect.poll(() => threadsOf(pid!).filter((name) => name === 'libuv-worker').length).toBe(16)
  },
)

function threadsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).map((id) => readFileSync(`/proc/${pid}/task/${id}/comm`, 'utf8').trim())
}
