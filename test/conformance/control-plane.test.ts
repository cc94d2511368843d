// Knative's control plane, as far as Brokers and Triggers: what stands in their status, and when they are Ready.
// Numbers: the requirements of the Knative Eventing specification (control-plane.md), in its order.

import { beforeAll, describe, expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { sluiceHere } from '../support/here.ts'
import { conditionOf, readResource } from '../support/ops.ts'
import { folderOf, runSluice, startSluice, type Sluice } from '../support/sluice.ts'
import { ceHeaders, subscriber, type Subscriber } from '../support/subscriber.ts'

let sluice: Sluice
let taker: Subscriber

const KSVC = '{ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: missing}}'

beforeAll(async () => {
  taker = await subscriber()
  sluice = await startSluice({
    // Triggers come before their brokers: the order of files and documents is nobody's business.
    'a-triggers.yaml': [
      trigger('good', `${taker.url}good`, ['filters: [{exact: {type: t}}]']),
      trigger('sunk', taker.url, ['filters: [{exact: {type: never}}]', 'delivery: {retry: 0, deadLetterSink: {ref: {apiVersion: v1, kind: Service, name: dead}, uri: /letters}}']), // prettier-ignore
      trigger('broker-sunk', taker.url, [], 'sunk'),
      trigger('bad-sink', taker.url, [`delivery: {retry: 0, deadLetterSink: ${KSVC}}`]),
      trigger('no-broker', taker.url, [], 'nobody'),
      trigger('unready-broker', taker.url, [], 'bad-sink'),
      `---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: no-subscriber}
spec: {broker: default, subscriber: ${KSVC}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: cluster-service}
spec: {broker: default, filters: [{exact: {type: never}}], subscriber: {ref: {apiVersion: v1, kind: Service, name: orders}}}
`,
    ].join(''),
    'b-brokers.yaml': [
      broker(),
      broker('sunk', '{delivery: {retry: 3, deadLetterSink: {ref: {apiVersion: v1, kind: Service, name: dead}}}}'),
      broker('bad-sink', `{delivery: {retry: 3, deadLetterSink: ${KSVC}}}`),
    ].join(''),
    'c-services.yaml': `apiVersion: v1
kind: Service
metadata: {name: dead}
spec: {type: ExternalName, externalName: dead.example.com, ports: [{port: 8080}]}
`,
  })
})

const READY = 'True'

describe('Broker', () => {
  test('spec 2, spec 4, spec 48, spec 49: its address is in its status, and takes every valid event', async () => {
    const { status } = await readResource(sluice.api, 'brokers', 'default')
    expect(status?.['address']).toEqual({ name: 'http', url: sluice.broker })
    for (const version of ['0.3', '1.0']) {
      expect((await exchange(sluice.broker, binary([['ce-specversion', version], ['ce-type', 'x']]))).status).toBe(202) // prettier-ignore
    }
  })

  test('it is Ready once each of Knative’s conditions is', async () => {
    const resource = await readResource(sluice.api, 'brokers', 'default')
    const types = ['IngressReady', 'TriggerChannelReady', 'FilterReady', 'Addressable', 'DeadLetterSinkResolved', 'EventPoliciesReady'] // prettier-ignore
    expect([...types, 'Ready'].map((type) => conditionOf(resource, type)?.split(' ')[0])).toEqual(Array(7).fill(READY))
    expect(conditionOf(resource, 'DeadLetterSinkResolved')).toBe('True DeadLetterSinkNotConfigured')
    expect(resource.status?.observedGeneration).toBe(resource.metadata.generation)
    for (const condition of resource.status?.conditions ?? []) expect(condition.lastTransitionTime).toBeDefined()
  })

  test('spec 6: its dead-letter sink is resolved into its status before it is Ready', async () => {
    const sunk = await readResource(sluice.api, 'brokers', 'sunk')
    expect(sunk.status?.['deadLetterSinkUri']).toBe('http://dead.example.com:8080')
    expect(conditionOf(sunk, 'Ready')).toBe(READY)
    const bad = await readResource(sluice.api, 'brokers', 'bad-sink')
    expect(bad.status).not.toHaveProperty('deadLetterSinkUri')
    expect(conditionOf(bad, 'DeadLetterSinkResolved')).toBe("False Unable to get the dead letter sink's URI")
    expect(conditionOf(bad, 'Ready')).toMatch(/^False/)
  })

  test('spec 7: a class that is not here is told, and the broker runs on what is here', async () => {
    const annotated = broker().replace(
      '{name: default}',
      '{name: default, annotations: {eventing.knative.dev/broker.class: RabbitMQBroker}}',
    )
    const ran = await runSluice(['validate', folderOf({ 'a.yaml': annotated })])
    expect(ran.code).toBe(0)
    expect(ran.stderr).toMatch(/a\.yaml:4:\d+.*warning.*\n.*no Broker class RabbitMQBroker/)
  })

  test('spec 8: one without a class gets the default', async () => {
    const { metadata } = await readResource(sluice.api, 'brokers', 'default')
    expect(metadata.annotations['eventing.knative.dev/broker.class']).toBe('MTChannelBasedBroker')
  })

  const config = (name: string): string => `{config: {apiVersion: v1, kind: ConfigMap, name: ${name}}}`
  const memory = (name: string): string => `---
apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}}
data:
  channel-template-spec: '{apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel}'
`
  const ofClass = (name: string): string =>
    broker().replace('{name: default}', `{name: default, annotations: {eventing.knative.dev/broker.class: ${name}}}`)
  test.each([
    ['spec 9: its class', ofClass('A'), ofClass('B'), /Immutable.*changed/],
    [
      'spec 10: its config',
      broker('default', config('a')) + memory('a'),
      broker('default', config('b')) + memory('b'),
      /Immutable fields changed/,
    ],
  ])('%s can not be changed, and nothing else of that apply is', async (_what, before, after, words) => {
    const here = await sluiceHere(before)
    await expect(here.apply(after + broker('another'))).rejects.toThrow(words)
    expect((await exchange(here.broker, binary())).status).toBe(202)
    expect((await exchange(`${here.ingress}/default/another`, binary())).status).toBe(404)
    expect((await fetch(`${here.api}/apis/eventing.knative.dev/v1/namespaces/default/brokers/another`)).status).toBe(
      404,
    )
  })
})

describe('Trigger', () => {
  test('spec 5, spec 13, spec 20: Ready, with the address of its subscriber, it gets the very first event', async () => {
    const resource = await readResource(sluice.api, 'triggers', 'good')
    expect(conditionOf(resource, 'Ready')).toBe(READY)
    expect(resource.status?.['subscriberUri']).toBe(`${taker.url}good`)
    expect(resource.metadata.labels['eventing.knative.dev/broker']).toBe('default')

    for (let n = 0; n < 5; n++) {
      const first = await subscriber()
      const here = await sluiceHere(broker() + trigger('first', first.url))
      expect(conditionOf(await readResource(here.api, 'triggers', 'first'), 'Ready')).toBe(READY)
      expect((await exchange(here.broker, binary())).status).toBe(202)
      expect(await first.received(1)).toHaveLength(1)
    }
  })

  test('spec 11, spec 12, spec 15: without its broker it is not Ready, and says so', async () => {
    const resource = await readResource(sluice.api, 'triggers', 'no-broker')
    expect(conditionOf(resource, 'BrokerReady')).toBe('False BrokerDoesNotExist')
    expect(resource.status?.conditions.find(({ type }) => type === 'BrokerReady')?.message).toBe(
      'Broker "nobody" does not exist',
    )
    expect(conditionOf(resource, 'Ready')).toBe('False BrokerDoesNotExist')
  })

  test('spec 11, spec 12: with a broker that is not Ready, neither is it', async () => {
    const resource = await readResource(sluice.api, 'triggers', 'unready-broker')
    expect(conditionOf(resource, 'BrokerReady')).toBe("False Unable to get the dead letter sink's URI")
    expect(conditionOf(resource, 'Ready')).toMatch(/^False/)
  })

  test('spec 14, spec 15, spec 16, spec 44, spec 45: a subscriber that is not found', async () => {
    const resource = await readResource(sluice.api, 'triggers', 'no-subscriber')
    expect(conditionOf(resource, 'SubscriberResolved')).toBe("False Unable to get the Subscriber's URI")
    expect(resource.status?.conditions.find(({ type }) => type === 'SubscriberResolved')?.message).toBe(
      'failed to get object default/missing: services.serving.knative.dev "missing" not found',
    )
    expect(conditionOf(resource, 'Ready')).toMatch(/^False/)
    expect(resource.status?.['subscriberUri']).toBe('')
  })

  test('spec 17: its dead-letter sink is resolved into its status before it is Ready', async () => {
    const sunk = await readResource(sluice.api, 'triggers', 'sunk')
    expect(sunk.status?.['deadLetterSinkUri']).toBe('http://dead.example.com:8080/letters')
    expect(conditionOf(sunk, 'Ready')).toBe(READY)
    expect((await readResource(sluice.api, 'triggers', 'broker-sunk')).status?.['deadLetterSinkUri']).toBe(
      'http://dead.example.com:8080',
    )
    const bad = await readResource(sluice.api, 'triggers', 'bad-sink')
    expect(conditionOf(bad, 'DeadLetterSinkResolved')).toBe("False Unable to get the dead letter sink's URI")
    expect(conditionOf(bad, 'Ready')).toMatch(/^False/)
  })

  test('spec 42: a v1 Service that is in no file has its name in the cluster', async () => {
    const { status } = await readResource(sluice.api, 'triggers', 'cluster-service')
    expect(status?.['subscriberUri']).toBe('http://orders.default.svc.cluster.local')
  })

  test('spec 68, spec 69: events go to exactly the address in its status', async () => {
    const { status } = await readResource(sluice.api, 'triggers', 'good')
    expect((await exchange(sluice.broker, binary([['ce-id', 'to-status']]))).status).toBe(202)
    const received = (await taker.received(1)).at(-1)!
    expect(new URL(received.path, taker.url).href).toBe(status?.['subscriberUri'])
    expect(ceHeaders(received)['id']).toBe('to-status')
  })

  test('a trigger that is not Ready changes nothing for the others', async () => {
    const names = ['good', 'no-broker', 'no-subscriber', 'unready-broker']
    const ready = await Promise.all(names.map(async (name) => conditionOf(await readResource(sluice.api, 'triggers', name), 'Ready'))) // prettier-ignore
    expect(ready.map((status) => status?.split(' ')[0])).toEqual(['True', 'False', 'False', 'False'])
  })

  test('spec 18: its broker can not be changed', async () => {
    const here = await sluiceHere(broker('a') + broker('b') + trigger('t', taker.url, [], 'a'))
    await expect(here.apply(broker('a') + broker('b') + trigger('t', taker.url, [], 'b'))).rejects.toThrow(
      /Immutable fields changed/,
    )
    expect((await readResource(here.api, 'triggers', 't')).spec?.['broker']).toBe('a')
  })

  test('spec 19: its subscriber and its filter can, and the next event goes by them', async () => {
    const [first, second] = [await subscriber(), await subscriber()]
    const here = await sluiceHere(broker() + trigger('t', first.url))
    expect((await exchange(here.broker, binary([['ce-id', 'before']]))).status).toBe(202)
    expect(ceHeaders(await first.next())['id']).toBe('before')

    await here.apply(broker() + trigger('t', second.url, ['filters: [{exact: {type: wanted}}]']))
    expect((await exchange(here.broker, binary([['ce-id', 'unwanted']]))).status).toBe(202)
    expect((await exchange(here.broker, binary([['ce-id', 'after'], ['ce-type', 'wanted']]))).status).toBe(202) // prettier-ignore
    expect(ceHeaders(await second.next())['id']).toBe('after')
    const resource = await readResource(here.api, 'triggers', 't')
    expect([resource.metadata.generation, resource.status?.observedGeneration]).toEqual([2, 2])
    expect(first.all).toHaveLength(1)
  })

  test('removed, it gets nothing more; its broker removed, it says so', async () => {
    const [stays, goes] = [await subscriber(), await subscriber()]
    const here = await sluiceHere(broker() + trigger('stays', stays.url) + trigger('goes', goes.url))
    await here.apply(broker() + trigger('stays', stays.url))
    expect((await exchange(here.broker, binary())).status).toBe(202)
    await stays.received(1)
    expect(goes.all).toHaveLength(0)

    await here.apply(trigger('stays', stays.url))
    expect((await exchange(here.broker, binary())).status).toBe(404)
    expect(conditionOf(await readResource(here.api, 'triggers', 'stays'), 'Ready')).toBe('False BrokerDoesNotExist')
  })
})

describe('the API, to read', () => {
  test('lists are lists of Kubernetes, and what is not there is a Status', async () => {
    const path = `${sluice.api}/apis/eventing.knative.dev/v1/namespaces/default`
    const list = (await (await fetch(`${path}/triggers`)).json()) as {
      kind: string
      items: { metadata: { name: string } }[]
    }
    expect(list.kind).toBe('TriggerList')
    expect(list.items.map(({ metadata }) => metadata.name)).toContain('good')
    const missing = await fetch(`${path}/triggers/missing`)
    expect(missing.status).toBe(404)
    expect(await missing.json()).toMatchObject({ kind: 'Status', status: 'Failure', reason: 'NotFound', code: 404 })
    expect((await fetch(`${path}/nonsense`)).status).toBe(404)
    expect((await fetch(`${path.replace('/v1/', '/v9/')}/brokers`)).status).toBe(404)
    expect((await fetch(`${path}/brokers/default`, { method: 'DELETE' })).status).toBe(409) // a file declares it
  })
})
