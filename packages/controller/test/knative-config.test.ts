// Knative's ConfigMaps that say what holds where a resource says nothing: config-br-defaults, config-kreference-mapping.

import { expect, test } from 'vitest'
import type { Declared } from '@sluice/resource'
import { broker, condition, declare, scene, subscriber, trigger } from './scene.ts'

function defaults(text: string): Declared {
  return declare({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'config-br-defaults', namespace: 'knative-eventing' },
    data: { 'default-br-config': text },
  })
}

function template(name: string, namespace: string, kind: string): Declared {
  const text = `{apiVersion: ${kind === 'LogChannel' ? 'messaging.sluice.dev/v1alpha1' : 'messaging.knative.dev/v1'}, kind: ${kind}}`
  return declare({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace },
    data: { 'channel-template-spec': text },
  })
}

const retries = (at: ReturnType<typeof scene>, name = 'default'): number[] =>
  [...at.controller.broker('default', name)!.triggers()].map(({ config }) => config.route.policy.retry)

test('the delivery of all, of a namespace, and of a class: the nearest holds, and the Broker’s own before it', async () => {
  const at = scene()
  const all = [broker(), trigger('t', 'http://127.0.0.1:9/')]
  await at.apply(...all)
  expect(retries(at)).toEqual([10])
  await at.apply(...all, defaults('clusterDefault: {delivery: {retry: 3}}'))
  expect(retries(at)).toEqual([3]) // live, without a word of the Broker or the Trigger changed
  const ofNamespace = 'clusterDefault: {delivery: {retry: 3}}\nnamespaceDefaults: {default: {delivery: {retry: 4}}}'
  await at.apply(...all, defaults(ofNamespace))
  expect(retries(at)).toEqual([4])
  const ofClass =
    'clusterDefault: {delivery: {retry: 3}, brokerClasses: {MTChannelBasedBroker: {delivery: {retry: 5}}}}'
  await at.apply(...all, defaults(ofClass))
  expect(retries(at)).toEqual([5])
  await at.apply(...all, defaults('clusterDefault: {brokerClass: Kafka, name: kafka, kind: ConfigMap, delivery: {retry: 6}}')) // prettier-ignore
  expect(retries(at)).toEqual([10]) // what stands beside another class is that one's
  await at.apply(broker('default', { delivery: { retry: 7 } }), all[1]!, defaults(ofNamespace))
  expect(retries(at)).toEqual([7])
})

test('a dead-letter sink of the defaults is that of every Broker without a delivery, in its status too', async () => {
  const sink = await subscriber()
  const failing = await subscriber(400)
  const at = scene()
  const text = `clusterDefault: {delivery: {retry: 0, deadLetterSink: {uri: "${sink.url}dead"}}}`
  await at.apply(broker(), trigger('t', failing.url), defaults(text))
  expect(at.broker().status).toMatchObject({ deadLetterSinkUri: `${sink.url}dead` })
  expect(condition(at.broker(), 'DeadLetterSinkResolved')).toBe('True')
  expect(at.trigger('t').status).toMatchObject({ deadLetterSinkUri: `${sink.url}dead` })
  await at.send('t', '1')
  await at.until(() => sink.got.length === 1)
  await at.apply(broker(), trigger('t', failing.url))
  expect(at.broker().status).not.toHaveProperty('deadLetterSinkUri')
})

test('the channel of a Broker without config is that of the ConfigMap that the defaults name', async () => {
  const at = scene()
  const text = 'clusterDefault: {apiVersion: v1, kind: ConfigMap, name: ours, namespace: infra}'
  await at.apply(broker(), defaults(text))
  expect(condition(at.broker(), 'Ready')).toBe('False ChannelTemplateFailed')
  expect(at.broker().status!.conditions.map(({ message }) => message)).toContain(
    'ConfigMap infra/ours, which ConfigMap knative-eventing/config-br-defaults names, does not exist. Add it, or take ConfigMap knative-eventing/config-br-defaults out.',
  )
  await at.apply(broker(), defaults(text), template('ours', 'infra', 'InMemoryChannel'))
  expect(condition(at.broker(), 'Ready')).toBe('True')
})

test('a Service of Knative is reached where config-kreference-mapping says, as soon as it says so', async () => {
  const taker = await subscriber()
  const at = scene()
  const ref = { ref: { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 'shop' } }
  const ksvc = declare({ apiVersion: 'serving.knative.dev/v1', kind: 'Service', metadata: { name: 'shop' } })
  await at.apply(broker(), ksvc, trigger('t', ref))
  expect(condition(at.trigger('t'), 'SubscriberResolved')).toMatch(/^False/)
  expect(
    at
      .trigger('t')
      .status!.conditions.map(({ message }) => message)
      .join('\n'),
  ).toMatch(/address not set for Service default\/shop\. Nothing runs it here\. .*config-kreference-mapping/)
  const mapping = declare({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'config-kreference-mapping', namespace: 'knative-eventing' },
    data: { 'Service.v1.serving.knative.dev': `${taker.url}{{ .Name }}` },
  })
  await at.apply(broker(), ksvc, trigger('t', ref), mapping)
  expect(at.trigger('t').status).toMatchObject({ subscriberUri: `${taker.url}shop` })
  await at.send('t', '1')
  await at.until(() => taker.got.length === 1)
})
