// What kn asks for, as its client's source has it (knative/client, pkg/eventing/v1 and pkg/dynamic): objects as Go writes
// them, with `status` and a `creationTimestamp` of null, and types by the labels of their definitions.

import { expect, test } from 'vitest'
import { EVENTING, scene, TRIGGERS, watch } from './scene.ts'

const KN = { 'user-agent': 'kn/v1.16.0 (linux/amd64) kubernetes/$Format', accept: 'application/json, */*' }
const BROKERS = `${EVENTING}/namespaces/default/brokers`
const JSON_TYPE = { 'content-type': 'application/json' }

function goObject(kind: string, name: string, spec: object): object {
  const metadata = { name, namespace: 'default', creationTimestamp: null }
  return { kind, apiVersion: 'eventing.knative.dev/v1', metadata, spec, status: {} }
}

test('kn broker create, list, describe, and delete, which waits for the end of it', async () => {
  const here = await scene()
  const delivery = { retry: 3, backoffPolicy: 'exponential', backoffDelay: 'PT1S' }
  const created = await here.ask('POST', BROKERS, goObject('Broker', 'shop', { delivery }), { ...KN, ...JSON_TYPE })
  expect(created.status).toBe(201)
  expect((await here.ask('GET', BROKERS, undefined, KN)).json).toMatchObject({
    kind: 'BrokerList',
    apiVersion: 'eventing.knative.dev/v1',
    items: [{ kind: 'Broker', metadata: { name: 'shop' }, spec: { delivery } }],
  })
  const { resourceVersion } = (await here.ask('GET', `${BROKERS}/shop`, undefined, KN)).json.metadata
  const query = `fieldSelector=metadata.name%3Dshop&resourceVersion=${resourceVersion}&timeoutSeconds=60&watch=true`
  const watching = await watch(here, `${BROKERS}?${query}`, KN)
  const options = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Foreground' }
  expect((await here.ask('DELETE', `${BROKERS}/shop`, options, { ...KN, ...JSON_TYPE })).status).toBe(200)
  expect(await watching.next()).toMatchObject({ type: 'DELETED', object: { metadata: { name: 'shop' } } })
})

test('kn trigger create and update, which replaces what it has read', async () => {
  const here = await scene()
  const subscriber = { ref: { kind: 'Service', namespace: 'default', name: 's', apiVersion: 'v1' } }
  const spec = { broker: 'default', filter: { attributes: { type: 'a' } }, subscriber }
  await here.ask('POST', TRIGGERS, goObject('Trigger', 't', spec), { ...KN, ...JSON_TYPE })
  const read = (await here.ask('GET', `${TRIGGERS}/t`, undefined, KN)).json
  const next = { ...read, spec: { ...read.spec, filter: {} } }
  const updated = await here.ask('PUT', `${TRIGGERS}/t`, next, { ...KN, ...JSON_TYPE })
  expect([updated.status, updated.json.spec.filter, updated.json.metadata.generation]).toEqual([200, {}, 2])
  expect(updated.json.metadata.managedFields.map(({ manager }: { manager: string }) => manager)).toEqual(['kn'])
  const again = await here.ask('PUT', `${TRIGGERS}/t`, next, { ...KN, ...JSON_TYPE })
  expect(again.json.reason).toBe('Conflict') // it reads and tries again
})

test.each([
  ['kn source list-types', 'duck.knative.dev/source=true', 'pingsources.sources.knative.dev'],
  ['kn channel list-types', 'messaging.knative.dev/subscribable=true', 'inmemorychannels.messaging.knative.dev'],
  ['the sinks', 'duck.knative.dev/addressable=true', 'brokers.eventing.knative.dev'],
])('%s are definitions with the label %s', async (_what, labels, name) => {
  const here = await scene()
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions?labelSelector=${encodeURIComponent(labels)}`
  const { items } = (await here.ask('GET', path, undefined, KN)).json
  const found = items.find(({ metadata }: { metadata: { name: string } }) => metadata.name === name)
  expect(found.spec.names).toMatchObject({ kind: expect.any(String) as string, plural: name.split('.')[0] })
  expect(found.spec.versions[0]).toMatchObject({ served: true, storage: true })
  expect(found.status.conditions).toContainEqual(expect.objectContaining({ type: 'Established', status: 'True' }))
})

test('kn source ping create and list, at the version of its client', async () => {
  const here = await scene()
  const path = '/apis/sources.knative.dev/v1/namespaces/default/pingsources'
  const sink = { ref: { kind: 'Broker', namespace: 'default', name: 'default', apiVersion: 'eventing.knative.dev/v1' } }
  const source = {
    ...goObject('PingSource', 'p', { schedule: '* * * * *', data: '{}', sink }),
    apiVersion: 'sources.knative.dev/v1',
  }
  expect((await here.ask('POST', path, source, { ...KN, ...JSON_TYPE })).status).toBe(201)
  expect((await here.ask('GET', path, undefined, KN)).json.items).toHaveLength(1)
})
