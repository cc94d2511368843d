// What is wrong with config-br-defaults is told at its place in the text.

import { expect, test } from 'vitest'
import { load } from './files.ts'

async function problemsOf(lines: string): Promise<string[]> {
  const text = lines.replaceAll(/^/gm, '    ')
  const { problems } = await load(
    `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config-br-defaults, namespace: knative-eventing}\ndata:\n  default-br-config: |\n${text}\n`,
  )
  return problems.map(({ severity, line, column, message, hint }) =>
    [`${severity} ${line}:${column}`, message, hint].filter(Boolean).join(' | '),
  )
}

test('as Knative comes with it, it is no mistake', async () => {
  const shipped = `clusterDefault:
  brokerClass: MTChannelBasedBroker
  apiVersion: v1
  kind: ConfigMap
  name: config-br-default-channel
  namespace: knative-eventing
  delivery:
    retry: 10
    backoffPolicy: exponential
    backoffDelay: PT0.2S`
  expect(await problemsOf(shipped)).toEqual([])
})

test.each([
  [
    'clusterDefault:\n  delivery:\n    retries: 3',
    /^error 8:\d+ \| in default-br-config: unknown field.*Did you mean retry/,
  ],
  ['clusterDefault:\n  delivery: {retry: 1, timeout: soon}', /^error 7:\d+ \| in default-br-config: .*ISO 8601/],
  ['namespaceDefaults:\n  a:\n    delivery: {retry: 1, deadLetterSink: {}}', /^error 8:\d+ .*expected at least one/],
  ['clusterDefault: [', /^error \d+:\d+ \| /],
  ['- a', /one mapping with clusterDefault/],
  ['clusterDefault: {brokerClass: RabbitMQBroker}', /^warning 6:\d+ .*\| There is no class RabbitMQBroker here/],
  ['clusterDefault: {brokerClass: Kafka}', /broker\.class: Kafka into the annotations/],
  ['clusterDefault: {brokerClass: NatsJetStreamBroker}', /broker\.class: NatsJetStreamBroker into the annotations/],
])('%j is told', async (text, expected) => {
  expect((await problemsOf(text)).join('\n')).toMatch(expected)
})
