// Kafka in people's files (KNATIVE.md 1.6): what a Broker of class Kafka and a KafkaChannel ask for, and in words what can't be.

import { describe, expect, test } from 'vitest'
import { brokerChannel, isBroker, resourceKey, type BrokerChannel } from '../src/index.ts'
import { load } from './files.ts'

const BROKER = `apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: b, annotations: {eventing.knative.dev/broker.class: Kafka}}
`

function configMap(data: string, name = 'kafka-broker-config', namespace = 'knative-eventing'): string {
  return `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: ${namespace}}\ndata: ${data}\n`
}

async function channelOf(yaml: string): Promise<BrokerChannel> {
  const { resources, problems } = await load(yaml)
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
  const byKey = new Map(
    resources.map(({ resource }) => {
      const { kind, metadata } = resource
      return [resourceKey({ group: '', kind, namespace: metadata.namespace, name: metadata.name }), resource]
    }),
  )
  const broker = resources.map(({ resource }) => resource).find(isBroker)!
  return brokerChannel(broker, (identity) => byKey.get(resourceKey(identity)))
}

test('a Broker of class Kafka has what its ConfigMap says, and without one what Knative’s own says', async () => {
  const data = `{bootstrap.servers: "a:9092, b:9092", default.topic.partitions: "7", default.topic.replication.factor: "2",
    default.topic.config.retention.ms: "1000", auth.secret.ref.name: s}`
  const kafka = {
    servers: ['a:9092', 'b:9092'],
    names: 'broker',
    topic: { partitions: 7, replicas: 2, config: { 'retention.ms': '1000' } },
  }
  expect(await channelOf(BROKER + configMap(data))).toEqual({
    kind: 'KafkaChannel',
    kafka: { ...kafka, secret: { namespace: 'knative-eventing', name: 's' } },
  })
  const own = `${BROKER}spec: {config: {apiVersion: v1, kind: ConfigMap, name: c}}\n${configMap(data, 'c', 'default')}`
  expect(await channelOf(own)).toEqual({
    kind: 'KafkaChannel',
    kafka: { ...kafka, secret: { namespace: 'default', name: 's' } },
  })
})

test('an external topic is taken by its annotation', async () => {
  const external = BROKER.replace('Kafka}', 'Kafka, kafka.eventing.knative.dev/external.topic: orders}')
  expect(await channelOf(external + configMap('{bootstrap.servers: "a:9092"}'))).toMatchObject({
    kafka: { externalTopic: 'orders', topic: {} },
  })
})

test.each([
  ['', { partitions: 1, replicas: 1, config: { 'retention.ms': '604800000' } }],
  [
    'spec: {numPartitions: 4, replicationFactor: 3, retentionDuration: PT1H}',
    { partitions: 4, replicas: 3, config: { 'retention.ms': '3600000' } },
  ],
])('a KafkaChannel has the topic that %j says, at the server of kafka-channel-config', async (spec, topic) => {
  const template = `apiVersion: messaging.knative.dev/v1beta1\nkind: KafkaChannel\n${spec}`.replaceAll(/^/gm, '    ')
  const yaml = `apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: b}
spec: {config: {apiVersion: v1, kind: ConfigMap, name: c}}
${configMap(`\n  channel-template-spec: |\n${template}`, 'c', 'default')}`
  const server = configMap(
    '{bootstrap.servers: "a:9092", auth.secret.ref.name: s, auth.secret.ref.namespace: shop}',
    'kafka-channel-config',
  )
  expect(await channelOf(yaml + server)).toEqual({
    kind: 'KafkaChannel',
    kafka: { servers: ['a:9092'], names: 'channel', topic, secret: { namespace: 'shop', name: 's' } },
  })
  expect(await channelOf(yaml)).toMatchObject({ kind: 'none', why: expect.stringContaining('kafka-channel-config') })
})

describe('in words, what it can’t have', () => {
  test.each([
    ['', /kafka-broker-config, which does not exist\. Its key bootstrap\.servers has to hold HOST:PORT/],
    ['{other: x}', /has other, which this version can't do\. Known are bootstrap\.servers, default/],
    ['{default.topic.partitions: "3"}', /names no server/],
    ['{bootstrap.servers: "kafka://a:9092"}', /no HOST:PORT/],
    ['{bootstrap.servers: "a:9092", default.topic.partitions: many}', /default\.topic\.partitions .* whole number/],
    ['{bootstrap.servers: "a:9092", default.topic.replication.factor: "0"}', /replication\.factor .* whole number/],
  ])('%s', async (data, why) => {
    expect(await channelOf(BROKER + (data === '' ? '' : configMap(data)))).toMatchObject({
      kind: 'none',
      why: expect.stringMatching(why),
    })
  })

  test('a template is checked at its place, and an external topic by its name', async () => {
    const template = configMap(
      '{channel-template-spec: "{apiVersion: messaging.knative.dev/v1, kind: KafkaChannel, spec: {numPartitons: 3}}"}',
    )
    const { problems } = await load(template)
    expect(problems.map(({ message }) => message).join()).toContain('numPartitons')
    const wrong = BROKER.replace('Kafka}', 'Kafka, kafka.eventing.knative.dev/external.topic: "a b"}')
    expect((await load(wrong)).problems.some(({ severity }) => severity === 'error')).toBe(true)
  })
})
