// Channels and Subscriptions of Knative's first releases (KNATIVE.md 1.10), as their files stand in old repositories.

import { expect, test } from 'vitest'
import { load } from './files.ts'

const FIRST = 'apiVersion: eventing.knative.dev/v1alpha1'

async function channelOf(spec: string): Promise<{ spec: unknown; problems: string[] }> {
  const { resources, problems } = await load(`${FIRST}\nkind: Channel\nmetadata: {name: c}\nspec: ${spec}\n`)
  const [declared] = resources
  if (declared !== undefined) expect(declared.resource.apiVersion).toBe('messaging.knative.dev/v1')
  const told = problems.map(({ severity, path, message, hint }) => [severity, path, message, hint].join(' '))
  return { spec: declared?.resource.spec, problems: told }
}

const IN_MEMORY = { apiVersion: 'messaging.knative.dev/v1', kind: 'InMemoryChannel' }

test.each([
  ['in-memory-channel', IN_MEMORY],
  ['in-memory', IN_MEMORY],
  ['natss', { apiVersion: 'messaging.knative.dev/v1alpha1', kind: 'NatsJetStreamChannel' }],
  ['kafka', { apiVersion: 'messaging.knative.dev/v1', kind: 'KafkaChannel' }],
  ['gcp-pubsub', { apiVersion: 'messaging.cloud.google.com/v1beta1', kind: 'Channel' }],
])('a Channel of the provisioner %s is one of today', async (name, channelTemplate) => {
  const provisioner = `{apiVersion: eventing.knative.dev/v1alpha1, kind: ClusterChannelProvisioner, name: ${name}}`
  const { spec, problems } = await channelOf(`{provisioner: ${provisioner}, generation: 1, subscribable: {}}`)
  expect(spec).toEqual({ channelTemplate })
  expect(problems).toEqual([
    'warning apiVersion A Channel is of messaging.knative.dev/v1 today; that of eventing.knative.dev/v1alpha1 was taken as one. ',
  ])
})

test.each(['rabbitmq', 'mine'])('the provisioner %s is refused, with what there is', async (name) => {
  const { problems } = await channelOf(`{provisioner: {kind: ClusterChannelProvisioner, name: ${name}}}`)
  expect(problems.join('\n')).toMatch(
    new RegExp(
      `error spec.provisioner.name There is no provisioner ${name} here: in-memory-channel, .*gcp-pubsub are taken. Take spec.provisioner out.*LogChannel`,
    ),
  )
})

test('a Channel of those days without a provisioner is that of the process; arguments are told of', async () => {
  expect((await channelOf('{}')).spec).toEqual({})
  const { problems } = await channelOf('{arguments: {retentionHours: 3}}')
  expect(problems.join('\n')).toContain('spec.arguments was for its provisioner, and retentionHours is not acted on')
})

test('of kafka its arguments are those of the KafkaChannel', async () => {
  const provisioner = '{kind: ClusterChannelProvisioner, name: kafka}'
  const { spec } = await channelOf(`{provisioner: ${provisioner}, arguments: {NumPartitions: 3, ReplicationFactor: 1}}`)
  expect(spec).toMatchObject({
    channelTemplate: { kind: 'KafkaChannel', spec: { numPartitions: 3, replicationFactor: 1 } },
  })
})

const CHANNEL = '{apiVersion: eventing.knative.dev/v1alpha1, kind: Channel, name: c}'
const TODAY = { apiVersion: 'messaging.knative.dev/v1', kind: 'Channel', name: 'c' }

test.each([
  [`{channel: ${CHANNEL}, subscriber: {ref: {apiVersion: v1, kind: Service, name: s}}, reply: {channel: ${CHANNEL}}}`],
  [`{from: ${CHANNEL}, call: {targetRef: {apiVersion: v1, kind: Service, name: s}}, result: {target: ${CHANNEL}}}`],
  [`{channel: ${CHANNEL}, call: {target: {apiVersion: v1, kind: Service, name: s}}, result: {target: ${CHANNEL}}}`],
])('a Subscription %s is one of today', async (written) => {
  const { resources, problems } = await load(
    `${FIRST}\nkind: Channel\nmetadata: {name: c}\n---\n${FIRST}\nkind: Subscription\nmetadata: {name: s}\nspec: ${written}\n`,
  )
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
  expect(resources[1]!.resource).toMatchObject({
    apiVersion: 'messaging.knative.dev/v1',
    spec: {
      channel: TODAY,
      subscriber: { ref: { apiVersion: 'v1', kind: 'Service', name: 's', namespace: 'default' } },
      reply: { ref: { ...TODAY, namespace: 'default' } },
    },
  })
})

test('call by a DNS name is a URL', async () => {
  const { resources } = await load(
    `${FIRST}\nkind: Subscription\nmetadata: {name: s}\nspec: {channel: ${CHANNEL}, call: {dnsName: billing.default}}\n`,
  )
  expect(resources[0]!.resource.spec).toMatchObject({ subscriber: { uri: 'http://billing.default' } })
})
