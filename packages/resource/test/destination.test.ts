// Where a Destination leads (KNATIVE.md 2, CP "Destination resolution").

import { expect, test } from 'vitest'
import {
  resolveDestination,
  resourceKey,
  type Destination,
  type Resolved,
  type Resource,
  type ResolveOptions,
} from '../src/index.ts'
import { load } from './files.ts'

const REASON = "Unable to get the Subscriber's URI"

/** Resolves in namespace `shop`, among the resources of this text; those in `addresses` have that address. */
async function resolve(
  destination: Destination,
  text = '',
  addresses: Record<string, object> = {},
  options: Partial<ResolveOptions> = {},
): Promise<Resolved> {
  const { resources } = await load(text)
  const byKey = new Map<string, Resource>()
  for (const { resource } of resources) {
    const { kind, apiVersion, metadata } = resource
    const status = { observedGeneration: 1, conditions: [], ...addresses[metadata.name] }
    const group = apiVersion.includes('/') ? apiVersion.split('/')[0]! : ''
    byKey.set(resourceKey({ group, kind, namespace: metadata.namespace, name: metadata.name }), { ...resource, status })
  }
  return resolveDestination(destination, (identity) => byKey.get(resourceKey(identity)), {
    namespace: 'shop',
    ...options,
  })
}

const resourceOf = (apiVersion: string, kind: string, name: string, spec = '{}'): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${name}, namespace: shop}\nspec: ${spec}\n`
const EVENTING = 'eventing.knative.dev/v1'
const service = (spec: string): string => resourceOf('v1', 'Service', 's', spec)
const SERVICE = { ref: { apiVersion: 'v1', kind: 'Service', name: 's' } }

test('a uri alone is itself', async () => {
  expect(await resolve({ uri: 'http://127.0.0.1:9000/a?b=c' })).toEqual({ url: 'http://127.0.0.1:9000/a?b=c' })
})

test.each(['Broker', 'Trigger'])(
  'spec 41, spec 46: a ref is the status.address.url of the object (%s)',
  async (kind) => {
    const text = resourceOf(EVENTING, kind, 'b', '{subscriber: {uri: "http://h/"}}').replace(
      kind === 'Broker' ? /spec.*/ : /$^/,
      '',
    )
    const address = { b: { address: { url: 'http://127.0.0.1:8080/shop/b' } } }
    expect(await resolve({ ref: { apiVersion: EVENTING, kind, name: 'b' } }, text, address)).toEqual({
      url: 'http://127.0.0.1:8080/shop/b',
    })
  },
)

test('spec 47: a Channel is addressable, and so is every kept kind that has an address', async () => {
  const text = resourceOf('messaging.knative.dev/v1', 'Channel', 'c')
  const address = { c: { address: { url: 'http://127.0.0.1:8080/channels/shop/c' } } }
  const ref = { apiVersion: 'messaging.knative.dev/v1', kind: 'Channel', name: 'c' }
  expect(await resolve({ ref }, text, address)).toEqual({ url: 'http://127.0.0.1:8080/channels/shop/c' })
})

test('the version that a ref names doesn’t matter, and group may stand for apiVersion', async () => {
  const text = resourceOf(EVENTING, 'Broker', 'b')
  const address = { b: { address: { url: 'http://h/b' } } }
  expect(
    await resolve({ ref: { apiVersion: 'eventing.knative.dev/v1beta1', kind: 'Broker', name: 'b' } }, text, address),
  ).toEqual({
    url: 'http://h/b',
  })
  expect(await resolve({ ref: { group: 'eventing.knative.dev', kind: 'Broker', name: 'b' } }, text, address)).toEqual({
    url: 'http://h/b',
  })
})

test('spec 42: a Service that is in no file is its DNS name, with the suffix that is set', async () => {
  expect(await resolve(SERVICE)).toEqual({ url: 'http://s.shop.svc.cluster.local' })
  expect(await resolve({ ref: { ...SERVICE.ref, namespace: 'x' } }, '', {}, { clusterSuffix: 'svc' })).toEqual({
    url: 'http://s.x.svc',
  })
  expect(await resolve(SERVICE, service('{type: ClusterIP}'))).toEqual({ url: 'http://s.shop.svc.cluster.local' })
})

test.each([
  ['{type: ExternalName, externalName: localhost}', 'http://localhost'],
  ['{type: ExternalName, externalName: localhost, ports: [{port: 9000}]}', 'http://localhost:9000'],
  ['{type: ExternalName, externalName: h.example, ports: [{port: 80}]}', 'http://h.example'],
  ['{type: ExternalName, externalName: h.example, ports: [{port: 443, name: https}]}', 'https://h.example'],
  [
    '{type: ExternalName, externalName: h.example, ports: [{port: 8443, appProtocol: https}]}',
    'https://h.example:8443',
  ],
  [
    '{type: ExternalName, externalName: h.example, ports: [{port: 1, name: metrics}, {port: 2, name: http}]}',
    'http://h.example:2',
  ],
  ['{type: ExternalName, externalName: "::1", ports: [{port: 9000}]}', 'http://[::1]:9000'],
])('a Service %s is %s', async (spec, url) => {
  expect(await resolve(SERVICE, service(spec))).toEqual({ url })
})

test.each([
  ['dead/letters?x=1', 'http://127.0.0.1:8080/shop/dead/letters?x=1'],
  ['/dead', 'http://127.0.0.1:8080/dead'],
  ['', 'http://127.0.0.1:8080/shop/b'],
])('spec 43: the uri %j beside a ref is relative to its URL', async (uri, url) => {
  const address = { b: { address: { url: 'http://127.0.0.1:8080/shop/b' } } }
  const ref = { apiVersion: EVENTING, kind: 'Broker', name: 'b' }
  expect(await resolve({ ref, uri }, resourceOf(EVENTING, 'Broker', 'b'), address)).toEqual({ url })
})

test('spec 14, spec 44, spec 45: what is not there gives a reason and a message', async () => {
  expect(await resolve({ ref: { apiVersion: EVENTING, kind: 'Broker', name: 'b' } })).toEqual({
    reason: REASON,
    message: 'failed to get object shop/b: brokers.eventing.knative.dev "b" not found',
  })
})

test('a serving.knative.dev Service without an address is not resolvable, in the files or not', async () => {
  const ref = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 'k' }
  expect(await resolve({ ref })).toMatchObject({ reason: REASON, message: expect.stringContaining('not found') })
  expect(await resolve({ ref }, resourceOf('serving.knative.dev/v1', 'Service', 'k'))).toEqual({
    reason: REASON,
    message: expect.stringMatching(/^address not set for Service shop\/k\. .*config-kreference-mapping/) as string,
  })
})

test('spec 6, spec 17: a dead-letter sink has a reason of its own', async () => {
  const ref = { apiVersion: EVENTING, kind: 'Broker', name: 'b' }
  expect(await resolve({ ref }, '', {}, { role: 'deadLetterSink' })).toMatchObject({
    reason: "Unable to get the dead letter sink's URI",
  })
})

test('an address is chosen by its name', async () => {
  const ref = { apiVersion: EVENTING, kind: 'Broker', name: 'b', address: 'https' }
  const addresses = [
    { name: 'http', url: 'http://h/' },
    { name: 'https', url: 'https://h/' },
  ]
  expect(await resolve({ ref }, resourceOf(EVENTING, 'Broker', 'b'), { b: { addresses } })).toEqual({
    url: 'https://h/',
  })
  expect(
    await resolve({ ref: { ...ref, address: 'x' } }, resourceOf(EVENTING, 'Broker', 'b'), { b: { addresses } }),
  ).toEqual({
    reason: REASON,
    message: 'address with name "x" not set for Broker shop/b',
  })
})

test('nothing, a relative uri and an address that is no URL are not resolvable', async () => {
  const ref = { apiVersion: EVENTING, kind: 'Broker', name: 'b' }
  expect(await resolve({})).toMatchObject({ message: 'destination missing Ref and URI, expected at least one' })
  expect(await resolve({ uri: '/a' })).toMatchObject({ message: expect.stringContaining('URI is not absolute') })
  expect(
    await resolve({ ref }, resourceOf(EVENTING, 'Broker', 'b'), { b: { address: { url: 'nowhere' } } }),
  ).toMatchObject({
    message: 'hostname missing in address of Broker shop/b',
  })
})
