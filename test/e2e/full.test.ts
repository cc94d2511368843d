// What happens as a channel fills up, by `whenFull` of a LogChannel and by the annotation of a Broker (DESIGN "Full").

import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { batch, binary, broker, eventJson, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { readMetric } from '../support/ops.ts'
import { startSluice, type Sluice } from '../support/sluice.ts'
import { idsOf, subscriber, type Subscriber } from '../support/subscriber.ts'

const SMALL_LOG = `---
apiVersion: v1
kind: ConfigMap
metadata: {name: small}
data:
  channel-template-spec: |
    apiVersion: messaging.sluice.dev/v1alpha1
    kind: LogChannel
    spec: {maxBytes: 1Mi, whenFull: deadLetter}
`
const LOG_BROKER = SMALL_LOG + broker('default', '{config: {apiVersion: v1, kind: ConfigMap, name: small}}')
const MEMORY_BROKER = broker().replace(
  '{name: default}',
  '{name: default, annotations: {sluice.dev/when-full: deadLetter}}',
)

/** A sender that is refused comes again after so long. */
const RETRY_MS = 50

/** Sends batches of 20 events of 1 KiB, each until it is taken; returns how many were refused. */
async function send(sluice: Sluice, batches: number): Promise<number> {
  const data = 'x'.repeat(1024)
  let refused = 0
  for (let n = 0; n < batches; n++) {
    const events = Array.from({ length: 20 }, (_, at) => eventJson({ id: `${n}-${at}`, data }))
    for (;;) {
      const { status } = await exchange(sluice.broker, batch(...events))
      if (status === 202) break
      expect(status).toBe(429)
      refused++
      await setTimeout(RETRY_MS)
    }
  }
  return refused
}

function boxed(sluice: Sluice): Promise<number> {
  return readMetric(sluice.api, 'sluice_dead_letter_box_events')
}

async function start(yaml: string, good: Subscriber, stuck: string): Promise<Sluice> {
  const delivery = 'delivery: {retry: 10, timeout: PT0.2S}'
  return startSluice({ 'a.yaml': yaml + trigger('good', good.url) + trigger('stuck', stuck, [delivery]) }, [
    '--memory-bytes',
    '1Mi',
  ])
}

test.each([
  ['a log', LOG_BROKER],
  ['a channel in memory', MEMORY_BROKER],
])('%s with when-full: deadLetter takes four times what it holds; a subscriber that is down pays', async (_, yaml) => {
  const good = await subscriber()
  const sluice = await start(yaml, good, 'http://127.0.0.1:9/')
  await send(sluice, 200)
  while (idsOf(good).size < 4000) await new Promise(setImmediate)
  const left = await readMetric(sluice.api, 'sluice_subscription_lag_events', { trigger: 'stuck' })
  expect((await boxed(sluice)) + left).toBeGreaterThanOrEqual(4000)
  expect(await readMetric(sluice.api, 'sluice_events_lost_total')).toBe(0)
})

test('a log whose subscriber hangs goes on once its attempts are over', { timeout: 60_000 }, async () => {
  const good = await subscriber()
  const hanging = await subscriber(() => new Promise(() => {}))
  const sluice = await start(LOG_BROKER, good, hanging.url)
  await send(sluice, 50)
  while (idsOf(good).size < 1000) await new Promise(setImmediate)
  expect(await boxed(sluice)).toBeGreaterThan(200)
})

test('without it new events are refused, and nobody’s are given up', async () => {
  const sluice = await startSluice({ 'a.yaml': broker() + trigger('stuck', 'http://127.0.0.1:9/') }, [
    '--channel',
    'memory',
    '--memory-bytes',
    '1Mi',
  ])
  let status = 202
  for (let n = 0; n < 2000 && status === 202; n++) {
    status = (await exchange(sluice.broker, binary([['ce-id', String(n)]], 'x'.repeat(1024)))).status
  }
  expect(status).toBe(429)
  expect(await boxed(sluice)).toBe(0)
})
