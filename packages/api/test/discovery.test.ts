// What there is, as clients find it out.

import { jsonSchema, kinds } from '@sluice/resource'
import { expect, test } from 'vitest'
import { scene } from './scene.ts'

test('the groups, their versions and their kinds, each with its names and verbs', async () => {
  const here = await scene()
  expect((await here.ask('GET', '/api')).json).toMatchObject({ kind: 'APIVersions', versions: ['v1'] })
  const { groups } = (await here.ask('GET', '/apis')).json
  const eventing = groups.find(({ name }: { name: string }) => name === 'eventing.knative.dev')
  expect(eventing.preferredVersion).toEqual({ groupVersion: 'eventing.knative.dev/v1', version: 'v1' })
  expect((await here.ask('GET', '/apis/eventing.knative.dev')).json).toMatchObject({ kind: 'APIGroup', ...eventing })
  const { resources } = (await here.ask('GET', '/apis/eventing.knative.dev/v1')).json
  expect(resources.find(({ name }: { name: string }) => name === 'triggers')).toEqual({
    name: 'triggers',
    singularName: 'trigger',
    namespaced: true,
    kind: 'Trigger',
    verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    categories: ['all', 'knative', 'eventing'],
  })
  expect(resources.map(({ name }: { name: string }) => name)).toContain('brokers/status')
})

test('all of it at once, for clients that ask so', async () => {
  const here = await scene()
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'
  const core = await here.ask('GET', '/api', undefined, { accept })
  expect(core.headers.get('content-type')).toBe('application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList')
  expect(core.json.items[0].versions[0].resources).toContainEqual(
    expect.objectContaining({ resource: 'configmaps', shortNames: ['cm'], scope: 'Namespaced' }),
  )
  const { items } = (await here.ask('GET', '/apis', undefined, { accept })).json
  const messaging = items.find(
    ({ metadata }: { metadata: { name: string } }) => metadata.name === 'messaging.knative.dev',
  )
  expect(messaging.versions.map(({ version }: { version: string }) => version)).toEqual(['v1', 'v1beta1', 'v1alpha1'])
})

test('every kind is served in every version that it is offered in', async () => {
  const here = await scene()
  for (const { group, plural, versions, served } of kinds) {
    for (const version of versions.length > 0 ? versions : served!) {
      const { status } = await here.ask('GET', `${group === '' ? '/api' : `/apis/${group}`}/${version}/${plural}`)
      expect(status, `${plural} of ${group}/${version}`).toBe(200)
    }
  }
})

test('a name that an older group has too is that of the kind that is run: the older one is there by its path alone', async () => {
  const here = await scene()
  const namesOf = async (groupVersion: string): Promise<string[]> =>
    (await here.ask('GET', `/apis/${groupVersion}`)).json.resources.map(({ name }: { name: string }) => name)
  expect(await namesOf('sources.knative.dev/v1')).toContain('pingsources')
  expect(await namesOf('sources.eventing.knative.dev/v1alpha1')).not.toContain('pingsources')
  expect(await namesOf('sources.eventing.knative.dev/v1alpha1')).toContain('kafkasources')
  expect(await namesOf('serving.knative.dev/v1')).toContain('services')
})

test('schemas are those that resources are checked by, in OpenAPI 3 and 2', async () => {
  const here = await scene()
  const { paths } = (await here.ask('GET', '/openapi/v3')).json
  const { serverRelativeURL } = paths['apis/eventing.knative.dev/v1']
  const { components, paths: operations } = (await here.ask('GET', serverRelativeURL as string)).json
  const trigger = components.schemas['dev.knative.eventing.v1.Trigger']
  expect(trigger['x-kubernetes-group-version-kind']).toEqual([
    { group: 'eventing.knative.dev', version: 'v1', kind: 'Trigger' },
  ])
  const schema = jsonSchema(kinds.find(({ kind }) => kind === 'Trigger')!)
  expect(trigger.properties.spec.properties.subscriber.description).toBe(
    schema.properties!['spec']!.properties!['subscriber']!.description,
  )
  expect(JSON.stringify(trigger)).not.toMatch(/patternErrorMessage|"examples"|\$ref/)
  const patch = operations['/apis/eventing.knative.dev/v1/namespaces/{namespace}/triggers/{name}'].patch
  expect(patch.parameters.map(({ name }: { name: string }) => name)).toEqual([
    'dryRun',
    'fieldManager',
    'fieldValidation',
    'force',
  ])
  expect((await here.ask('GET', '/openapi/v2')).json.definitions['dev.knative.eventing.v1.Trigger']).toEqual(trigger)
  expect((await here.ask('GET', '/openapi/v3/apis/nix/v1')).status).toBe(404)
})

test('the version is that of the Kubernetes whose API it is, and of Sluice', async () => {
  const here = await scene()
  expect((await here.ask('GET', '/version')).json).toMatchObject({
    major: '1',
    minor: '32',
    gitVersion: 'v1.32.0+sluice-test',
    sluice: 'test',
  })
})

test('the kinds of a CustomResourceDefinition are served from then on, until that is deleted', async () => {
  const here = await scene()
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  const names = { kind: 'Widget', plural: 'widgets', singular: 'widget', shortNames: ['wd'] }
  const versions = [
    { name: 'v1beta1', served: true },
    { name: 'v1', served: true },
  ]
  const spec = { group: 'example.com', names, scope: 'Namespaced', versions }
  await here.ask('POST', definitions, { metadata: { name: 'widgets.example.com' }, spec })
  const { resources } = (await here.ask('GET', '/apis/example.com/v1')).json
  expect(resources[0]).toMatchObject({ name: 'widgets', kind: 'Widget', shortNames: ['wd'] })
  const widgets = '/apis/example.com/v1/namespaces/default/widgets'
  const { status, json } = await here.ask('POST', widgets, { metadata: { name: 'w' }, spec: { any: ['thing'] } })
  expect([status, json.spec]).toEqual([201, { any: ['thing'] }])
  expect((await here.ask('GET', `${widgets.replace('/v1/', '/v1beta1/')}/w`)).json.apiVersion).toBe(
    'example.com/v1beta1',
  )
  await here.ask('DELETE', `${widgets}/w`)
  await here.ask('DELETE', `${definitions}/widgets.example.com`)
  expect((await here.ask('GET', widgets)).status).toBe(404)
})

test('what a file has of a kind that nobody knows is shown', async () => {
  const here = await scene()
  here.files({ apiVersion: 'example.org/v2', kind: 'Thing', metadata: { name: 't' }, spec: { a: 1 } })
  expect((await here.ask('GET', '/apis/example.org/v2/namespaces/default/things/t')).json.spec).toEqual({ a: 1 })
  expect((await here.ask('GET', '/apis')).json.groups.map(({ name }: { name: string }) => name)).toContain(
    'example.org',
  )
})

test('a definition of Sluice’s own kinds can be applied over, and not be deleted', async () => {
  const here = await scene()
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/brokers.eventing.knative.dev'
  expect((await here.ask('DELETE', path)).json).toMatchObject({
    code: 405,
    message: expect.stringMatching(/Sluice's own/) as string,
  })
  const patch = { metadata: { annotations: { a: 'b' } } }
  const merged = await here.ask('PATCH', path, patch, { 'content-type': 'application/merge-patch+json' })
  expect([merged.status, merged.json.metadata.annotations]).toEqual([200, { a: 'b' }])
  expect((await here.ask('GET', '/apis/eventing.knative.dev/v1/brokers')).status).toBe(200)
})
