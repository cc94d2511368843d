// The channel that a Broker asks for, by its spec.config (KNATIVE.md 1.1): read from a ConfigMap, in words where it can't be.

import { describe, expect, test } from 'vitest'
import { brokerChannel, isBroker, resourceKey, type BrokerChannel } from '../src/index.ts'
import { load } from './files.ts'

const LOG = 'apiVersion: messaging.sluice.dev/v1alpha1\nkind: LogChannel\n'

function configMap(template: string | undefined, key = 'channel-template-spec', name = 'c'): string {
  const text = template?.replaceAll(/^/gm, '    ')
  const data = text === undefined ? 'data: {other: x}' : `data:\n  ${key}: |\n${text}`
  return `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n${data}\n`
}

/** Of a Broker with this config, among these resources. */
async function channelOf(more: string, config?: string, annotations = '{}'): Promise<BrokerChannel> {
  const spec = config === undefined ? '{}' : `{config: ${config}}`
  const { resources, problems } = await load(
    `apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: b, annotations: ${annotations}}\nspec: ${spec}\n${more}`,
  )
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

const CONFIG = '{apiVersion: v1, kind: ConfigMap, name: c}'

test('without config it is that of the process', async () => {
  expect(await channelOf('')).toEqual({ kind: 'default' })
})

test.each([
  ['', {}],
  ['spec: {}', {}],
  ['spec: {maxBytes: 50Gi}', { bytesMax: 50 * 1024 ** 3 }],
  ['spec: {maxBytes: 1048576, sync: commit, whenFull: reject}', { bytesMax: 1_048_576 }],
  ['spec: {retention: {age: P1DT12H}}', { retentionMs: 36 * 3600 * 1000 }],
  ['spec: {retention: {age: PT0S, bytes: 0}}', { retentionMs: 0, retentionBytes: 0 }],
  ['spec: {retention: {bytes: 64k}}', { retentionBytes: 64_000 }],
])('a LogChannel has the bounds that %j says', async (spec, limits) => {
  expect(await channelOf(configMap(LOG + spec), CONFIG)).toEqual({ kind: 'LogChannel', limits })
})

test.each(['v1', 'v1beta1', 'v1alpha1'])('an InMemoryChannel of %s is one in memory', async (version) => {
  const template = `apiVersion: messaging.knative.dev/${version}\nkind: InMemoryChannel`
  expect(await channelOf(configMap(template), CONFIG)).toEqual({ kind: 'InMemoryChannel' })
})

test('Knative’s older key is taken as well, and the present one before it', async () => {
  expect(await channelOf(configMap(LOG, 'channelTemplateSpec'), CONFIG)).toMatchObject({ kind: 'LogChannel' })
  const both = `${configMap(LOG)}  channelTemplateSpec: "kind: RabbitmqChannel"\n`
  expect(await channelOf(both, CONFIG)).toMatchObject({ kind: 'LogChannel' })
})

test('the ConfigMap is looked for in the namespace that the config names, else in the Broker’s', async () => {
  const elsewhere = configMap(LOG).replace('{name: c}', '{name: c, namespace: shop}')
  expect(await channelOf(elsewhere, CONFIG)).toMatchObject({ kind: 'none' })
  const named = '{apiVersion: v1, kind: ConfigMap, name: c, namespace: shop}'
  expect(await channelOf(elsewhere, named)).toMatchObject({ kind: 'LogChannel' })
})

describe('in words, what it can’t have', () => {
  test.each([
    ['is not there', '', CONFIG, /^ConfigMap default\/c, which spec\.config names, does not exist\. Add it, or take/],
    [
      'has no template',
      configMap(undefined),
      CONFIG,
      /has no channel-template-spec\. Known are LogChannel of messaging/,
    ],
    [
      'is no ConfigMap',
      '',
      '{apiVersion: eventing.knative.dev/v1alpha1, kind: RabbitmqBrokerConfig, name: c}',
      /^spec\.config names RabbitmqBrokerConfig default\/c\. A channel stands in a ConfigMap of v1/,
    ],
    [
      'asks for one that this version lacks',
      configMap('apiVersion: messaging.knative.dev/v1beta1\nkind: RabbitmqChannel'),
      CONFIG,
      /^ConfigMap default\/c asks for a RabbitmqChannel of messaging\.knative\.dev\/v1beta1, which this version doesn't have\. Known are/,
    ],
  ])('as its config %s', async (_what, more, config, why) => {
    expect(await channelOf(more, config)).toEqual({ kind: 'none', why: expect.stringMatching(why) as string })
  })
})

test('a ConfigMap that Knative comes with, and that nobody has in files, is that of the process', async () => {
  const config = '{apiVersion: v1, kind: ConfigMap, name: config-br-default-channel, namespace: knative-eventing}'
  expect(await channelOf('', config)).toEqual({ kind: 'default' })
  const there = configMap(LOG, undefined, 'config-br-default-channel, namespace: knative-eventing')
  expect(await channelOf(there, config)).toMatchObject({ kind: 'LogChannel' })
})

test('the config of another class is none of a channel', async () => {
  const annotations = '{eventing.knative.dev/broker.class: RabbitMQBroker}'
  expect(await channelOf('', CONFIG, annotations)).toEqual({ kind: 'default' })
})
