// Brokers at a NATS server by YAML alone: two classes, one server that is killed, and Sluice killed beside it.

import { join } from 'node:path'
import { connect } from 'nats'
import { describe, expect, test } from 'vitest'
import { natsProgramMissing, startNats } from '../servers/nats.ts'
import { atEnd } from '../support/cleanup.ts'
import { binary, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { conditionOf, readResource, settled } from '../support/ops.ts'
import { folderOf, startSluice } from '../support/sluice.ts'
import { ceHeaders, idsOf, subscriber } from '../support/subscriber.ts'

const NATIVE = `---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default, annotations: {eventing.knative.dev/broker.class: NatsJetStreamBroker}}
`
const BY_TEMPLATE = `---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default}
spec: {config: {apiVersion: v1, kind: ConfigMap, name: at-nats}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: at-nats}
data:
  channel-template-spec: |
    apiVersion: messaging.knative.dev/v1alpha1
    kind: NatsJetStreamChannel
    spec: {stream: {config: {maxBytes: 10000000, duplicateWindow: 1m}}}
`

function server(url: string): string {
  return `---
apiVersion: v1
kind: ConfigMap
metadata: {name: config-nats, namespace: knative-eventing}
data: {eventing-nats: "url: ${url}"}
`
}

describe.skipIf(natsProgramMissing !== undefined)(`a Broker at a NATS server ${natsProgramMissing ?? ''}`, () => {
  test.each([
    ['NatsJetStreamBroker', NATIVE, 'KN_BROKER_DEFAULT__DEFAULT', 'default.default._knative_broker.com.example.test'],
    ['NatsJetStreamChannel', BY_TEMPLATE, 'KN_DEFAULT__DEFAULT_KNE_TRIGGER', 'default.default-kne-trigger._knative'],
  ])(
    '%s: events go by its stream, and come back after the server and Sluice were killed (fault 49)',
    async (_, yaml, stream, subject) => {
      const nats = await startNats()
      atEnd(() => nats.stop())
      const taker = await subscriber()
      const files = { 'a.yaml': server(nats.url) + yaml + trigger('taker', taker.url) }
      const words = ['--data', join(folderOf({}), 'data'), '--grace', '1']
      const sluice = await startSluice(files, words)
      const send = (id: string, to = sluice): ReturnType<typeof exchange> =>
        exchange(
          to.broker,
          binary([
            ['ce-id', id],
            ['ce-type', 'com.example.test'],
          ]),
        )
      expect((await send('1')).status).toBe(202)
      await taker.received(1)
      expect(ceHeaders(taker.all[0]!)).toMatchObject({ id: '1' })

      const client = await connect({ servers: nats.url })
      const jsm = await client.jetstreamManager()
      const message = await jsm.streams.getMessage(stream, { seq: 1 })
      expect(message.subject).toBe(subject)
      expect(message.header.get('ce-id')).toBe('1')
      const headers = { 'content-type': 'application/cloudevents+json' }
      const { headers: make } = await import('nats')
      const head = make()
      for (const [name, value] of Object.entries(headers)) head.set(name, value)
      await client
        .jetstream()
        .publish(subject, '{"specversion":"1.0","id":"foreign","source":"/s","type":"t"}', { headers: head })
      await taker.received(2)
      expect(idsOf(taker)).toContain('foreign')
      await client.close()

      await nats.kill()
      const refused = await send('2')
      expect(refused.status).toBe(503)
      expect(refused.headers['retry-after']).toBeDefined()
      while (conditionOf(await readResource(sluice.api, 'brokers', 'default'), 'Ready')?.startsWith('True') !== false);
      await nats.start()
      while ((await send('3')).status !== 202);
      await taker.received(3)
      expect(conditionOf(await readResource(sluice.api, 'brokers', 'default'), 'Ready')).toBe('True')

      taker.answer(() => new Promise(() => {}))
      expect((await send('4')).status).toBe(202)
      await taker.received(4)
      await sluice.stop('SIGTERM')
      taker.answer(() => 202)
      const second = await startSluice(files, words)
      await taker.received(5)
      expect(idsOf(taker)).toEqual(new Set(['1', 'foreign', '3', '4']))
      await settled(second.api)
    },
    60_000,
  )
})

test('without config-nats the Broker says where to write the server', async () => {
  const sluice = await startSluice({ 'a.yaml': NATIVE })
  const refused = await exchange(sluice.broker, binary())
  expect(refused.status).toBe(503)
  expect(refused.body.toString()).toContain('config-nats')
})
