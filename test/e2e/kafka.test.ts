// Brokers at a Kafka server by YAML alone: the class Kafka and a KafkaChannel, at one server that is killed, with Sluice killed
// beside it; and at a server that lets nobody in without what stands in a Secret.

import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { describe, expect, test } from 'vitest'
import { GUARDED, guardedKafka, kafkaProgramMissing, startKafka } from '../servers/kafka.ts'
import { authority } from '../support/certificates.ts'
import { atEnd } from '../support/cleanup.ts'
import { binary, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { conditionOf, readResource, settled } from '../support/ops.ts'
import { folderOf, startSluice } from '../support/sluice.ts'
import { ceHeaders, idsOf, subscriber } from '../support/subscriber.ts'

const { Kafka, logLevel } = kafkajs

function ofClass(server: string, more = ''): string {
  return `---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default, annotations: {eventing.knative.dev/broker.class: Kafka}}
spec: {config: {apiVersion: v1, kind: ConfigMap, name: kafka-broker-config, namespace: knative-eventing}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kafka-broker-config, namespace: knative-eventing}
data:
  bootstrap.servers: ${server}
  default.topic.partitions: "3"
  default.topic.replication.factor: "1"
  default.topic.config.retention.ms: "3600000"
  ${more}
`
}

function byTemplate(server: string): string {
  return `---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default}
spec: {config: {apiVersion: v1, kind: ConfigMap, name: at-kafka}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: at-kafka}
data:
  channel-template-spec: |
    apiVersion: messaging.knative.dev/v1beta1
    kind: KafkaChannel
    spec: {numPartitions: 2, replicationFactor: 1, retentionDuration: PT1H}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kafka-channel-config, namespace: knative-eventing}
data: {bootstrap.servers: "${server}"}
`
}

function event(id: string): ReturnType<typeof binary> {
  return binary([
    ['ce-id', id],
    ['ce-type', 'com.example.test'],
    ['ce-partitionkey', 'customer-7'],
  ])
}

describe.skipIf(kafkaProgramMissing !== undefined)(`a Broker at a Kafka server ${kafkaProgramMissing ?? ''}`, () => {
  test.each([
    ['class Kafka', ofClass, 'knative-broker-default-default', 3, /^knative-trigger-default-taker$/],
    [
      'KafkaChannel',
      byTemplate,
      'knative-messaging-kafka.default.default-kne-trigger',
      2,
      /^kafka\.default\.default-kne-trigger\.[0-9a-f-]{36}$/,
    ],
  ])(
    '%s: events go by its topic, and come back after the server and Sluice were killed (fault 52)',
    async (_, yaml, topic, partitions, group) => {
      const server = await startKafka()
      atEnd(() => server.stop())
      const taker = await subscriber()
      const files = { 'a.yaml': yaml(server.address) + trigger('taker', taker.url) }
      const words = ['--data', join(folderOf({}), 'data'), '--grace', '1']
      const sluice = await startSluice(files, words)
      const send = (id: string): ReturnType<typeof exchange> => exchange(sluice.broker, event(id))
      expect((await send('1')).status).toBe(202)
      await taker.received(1)
      expect(ceHeaders(taker.all[0]!)).toMatchObject({ id: '1', partitionkey: 'customer-7' })

      const client = new Kafka({ brokers: [server.address], logLevel: logLevel.NOTHING })
      const admin = client.admin()
      await admin.connect()
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      expect(topics[0]!.partitions).toHaveLength(partitions)
      const { groups } = await admin.listGroups()
      expect(groups.map(({ groupId }) => groupId)).toEqual([expect.stringMatching(group)])
      await admin.disconnect()
      const record = await firstRecord(client, topic)
      expect(record.key?.toString()).toBe('customer-7')
      expect(record.headers?.['ce_id']?.toString()).toBe('1')
      const producer = client.producer()
      await producer.connect()
      const headers = { 'content-type': 'application/cloudevents+json' }
      const value = '{"specversion":"1.0","id":"foreign","source":"/s","type":"t"}'
      await producer.send({ topic, messages: [{ headers, value }] })
      await producer.disconnect()
      await taker.received(2)
      expect(idsOf(taker)).toContain('foreign')

      await server.kill()
      const refused = await send('2')
      expect(refused.status).toBe(503)
      expect(refused.headers['retry-after']).toBeDefined()
      while (conditionOf(await readResource(sluice.api, 'brokers', 'default'), 'Ready')?.startsWith('True') !== false);
      await server.start()
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
    120_000,
  )

  test('by a Secret: SCRAM over TLS with a certificate; without it the Broker says what is wrong', async () => {
    const ours = authority()
    const client = ours.issue('client')
    const server = await startKafka(guardedKafka(ours))
    atEnd(() => server.stop())
    const taker = await subscriber()
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'kafka', namespace: 'knative-eventing' },
      stringData: {
        protocol: 'SASL_SSL',
        'sasl.mechanism': 'SCRAM-SHA-512',
        ...GUARDED,
        'ca.crt': ours.certificate,
        'user.crt': client.certificate,
        'user.key': client.key,
      },
    }
    const yaml = ofClass(server.address, 'auth.secret.ref.name: kafka') + trigger('taker', taker.url)
    const sluice = await startSluice({ 'a.yaml': yaml, 'secret.json': JSON.stringify(secret) })
    expect((await exchange(sluice.broker, event('1'))).status).toBe(202)
    await taker.received(1)

    const { password: _, ...incomplete } = secret.stringData
    const without = JSON.stringify({ ...secret, stringData: incomplete })
    const other = await startSluice({ 'a.yaml': yaml, 'secret.json': without })
    const refused = await exchange(other.broker, event('1'))
    expect(refused.status).toBe(503)
    expect(refused.body.toString()).toContain('Secret knative-eventing/kafka has no password')
    expect(refused.body.toString()).not.toContain(GUARDED.password)
  }, 120_000)
})

test('without its ConfigMap a Broker of class Kafka says where to write the server', async () => {
  const [broker] = ofClass('127.0.0.1:1').split('---\napiVersion: v1')
  const sluice = await startSluice({ 'a.yaml': broker!.replace(/spec: .*\n/, '') })
  const refused = await exchange(sluice.broker, binary())
  expect(refused.status).toBe(503)
  expect(refused.body.toString()).toContain('ConfigMap knative-eventing/kafka-broker-config, which does not exist')
})

async function firstRecord(client: InstanceType<typeof Kafka>, topic: string): Promise<import('kafkajs').KafkaMessage> {
  const consumer = client.consumer({ groupId: 'looker' })
  const found = Promise.withResolvers<import('kafkajs').KafkaMessage>()
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({ autoCommit: false, eachMessage: async ({ message }) => found.resolve(message) })
  const record = await found.promise
  await consumer.disconnect()
  return record
}
