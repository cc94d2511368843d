// Creating, replacing, patching and deleting, as kubectl, kn and curl do it.

import { describe, expect, test } from 'vitest'
import { broker, configMap, CONFIG_MAPS, EVENTING, scene, trigger, TRIGGERS } from './scene.ts'

const MERGE = { 'content-type': 'application/merge-patch+json' }
const JSON_PATCH = { 'content-type': 'application/json-patch+json' }
const STRATEGIC = { 'content-type': 'application/strategic-merge-patch+json' }

describe('POST', () => {
  test('creates: with uid, generation, resourceVersion and creation time, defaults filled in (spec 81, spec 8)', async () => {
    const here = await scene()
    const { status, json } = await here.ask('POST', `${EVENTING}/namespaces/default/brokers`, broker())
    expect(status).toBe(201)
    expect(json).toMatchObject({
      apiVersion: 'eventing.knative.dev/v1',
      kind: 'Broker',
      metadata: {
        name: 'default',
        namespace: 'default',
        generation: 1,
        creationTimestamp: '2026-01-01T00:00:00Z',
        annotations: { 'eventing.knative.dev/broker.class': 'MTChannelBasedBroker' },
      },
    })
    expect(json.metadata.uid).toMatch(/^[\da-f]{8}-[\da-f]{4}-4/)
    expect(json.metadata.resourceVersion).toBe(here.store.resourceVersion())
  })

  test('of what is there already is refused', async () => {
    const here = await scene()
    await here.ask('POST', TRIGGERS, trigger('t'))
    expect((await here.ask('POST', TRIGGERS, trigger('t'))).json).toMatchObject({
      code: 409,
      reason: 'AlreadyExists',
      message: 'triggers.eventing.knative.dev "t" already exists',
    })
  })

  test('takes YAML, an old version in its form, and a name to be made', async () => {
    const here = await scene()
    const yaml = `apiVersion: eventing.knative.dev/v1alpha1
kind: Trigger
metadata: {generateName: made-}
spec:
  filter: {sourceAndType: {type: a, source: Any}}
  subscriber: {ref: {apiVersion: v1, kind: Service, name: s}}
`
    const path = TRIGGERS.replace('/v1/', '/v1alpha1/')
    const strictly = `${path}?fieldValidation=Strict` // as kubectl create asks
    const { status, json } = await here.ask('POST', strictly, yaml, { 'content-type': 'application/yaml' })
    expect(status).toBe(201)
    expect(json.apiVersion).toBe('eventing.knative.dev/v1alpha1')
    expect(json.metadata.name).toMatch(/^made-[a-z\d]{5}$/)
    const stored = await here.ask('GET', `${TRIGGERS}/${json.metadata.name}`)
    expect(stored.json).toMatchObject({
      apiVersion: 'eventing.knative.dev/v1',
      spec: { filter: { attributes: { type: 'a' } } },
    })
  })

  test.each([
    ['no object', '[]', 400, 'BadRequest', /the body has to be one object/],
    ['no JSON', '{"a": ', 400, 'BadRequest', /the body can't be read: line 1, column 7: This is no JSON/],
    [
      'another kind',
      { ...trigger('t'), kind: 'Broker' },
      400,
      'BadRequest',
      /the kind in the data \(Broker\) does not match the expected one \(Trigger\)/,
    ],
    ['another version', { ...trigger('t'), apiVersion: 'v1' }, 400, 'BadRequest', /the apiVersion in the data \(v1\)/],
    [
      'another namespace',
      trigger('t', {}, { namespace: 'x' }),
      400,
      'BadRequest',
      /does not match the namespace sent on the request \(x, default\)/,
    ],
    ['no name', { ...trigger('t'), metadata: {} }, 400, 'BadRequest', /missing field\(s\): metadata\.name/],
    [
      'a name that is none',
      trigger('Not_One'),
      422,
      'Invalid',
      /^Trigger\.eventing\.knative\.dev "Not_One" is invalid: metadata\.name: .*Did you mean not-one\?/,
    ],
    [
      'a resourceVersion',
      trigger('t', {}, { resourceVersion: '1' }),
      400,
      'BadRequest',
      /resourceVersion should not be set on objects to be created/,
    ],
    [
      'spec 1, spec 85: no subscriber',
      trigger('t', { subscriber: undefined }),
      400,
      'BadRequest',
      /^admission webhook "validation\.webhook\.eventing\.knative\.dev" denied the request: validation failed: missing field\(s\): spec\.subscriber/,
    ],
    [
      'a key that is no attribute',
      trigger('t', { filter: { attributes: { Type: 'a' } } }),
      400,
      'BadRequest',
      /invalid key name "Type": spec\.filter\.attributes/,
    ],
  ])('with %s is refused, in the words of Kubernetes and Knative', async (_what, body, code, reason, message) => {
    const here = await scene()
    const { status, json } = await here.ask('POST', TRIGGERS, body)
    expect(json).toMatchObject({
      kind: 'Status',
      status: 'Failure',
      code,
      reason,
      message: expect.stringMatching(message) as string,
    })
    expect(status).toBe(code)
    expect(here.store.list()).toEqual([])
  })

  test('of what Kubernetes itself would check is refused with 422, each cause with its field', async () => {
    const here = await scene()
    const { json } = await here.ask('POST', CONFIG_MAPS, configMap('c', { a: 1, b: [] }))
    expect(json).toMatchObject({ code: 422, reason: 'Invalid', details: { name: 'c', kind: 'configmaps', causes: [{ field: 'data.a' }, { field: 'data.b' }] } }) // prettier-ignore
  })

  test.each([
    ['Strict', 400, [], /strict decoding error: unknown field "spec\.brokr"\. Did you mean broker\?/],
    ['Warn', 201, ['unknown field \\"spec.brokr\\". Did you mean broker?'], undefined],
    ['', 201, ['unknown field \\"spec.brokr\\". Did you mean broker?'], undefined],
    ['Ignore', 201, [], undefined],
  ])('with an unknown field and fieldValidation=%s', async (validation, code, warnings, message) => {
    const here = await scene()
    const answer = await here.ask('POST', `${TRIGGERS}?fieldValidation=${validation}`, trigger('t', { brokr: 'x' }))
    expect(answer.status).toBe(code)
    const told = (answer.headers.get('warning') ?? '').split(', 299').filter((text) => text !== '')
    expect(told.map((text) => /"(.*)"$/.exec(text)![1])).toEqual(warnings)
    if (message === undefined) expect(answer.json.spec.brokr).toBeUndefined()
    else expect(answer.json.message).toMatch(message)
  })

  test('to be tried only answers what would be, and stores nothing', async () => {
    const here = await scene()
    const { status, json } = await here.ask('POST', `${TRIGGERS}?dryRun=All`, trigger('t'))
    expect([status, json.metadata.generation, here.store.list()]).toEqual([201, 1, []])
    expect((await here.ask('POST', `${TRIGGERS}?dryRun=Some`, trigger('t'))).json.message).toMatch(
      /supported values: "All"/,
    )
  })

  test('of a kind that is not acted on says so, and keeps it as it is', async () => {
    const here = await scene()
    const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec: { replicas: 2 } }
    const answer = await here.ask('POST', '/apis/apps/v1/namespaces/default/deployments', deployment)
    expect(answer.headers.get('warning')).toContain('Deployment of apps/v1 is kept and shown, but not acted on')
    expect(answer.json).toMatchObject(deployment)
  })
})

describe('PUT', () => {
  test('replaces, and by an old resourceVersion is refused', async () => {
    const here = await scene()
    const { json: created } = await here.ask('POST', TRIGGERS, trigger('t'))
    const next = { ...created, spec: { ...created.spec, filter: { attributes: { type: 'a' } } } }
    const { json } = await here.ask('PUT', `${TRIGGERS}/t`, next)
    expect(json).toMatchObject({
      metadata: { generation: 2, uid: created.metadata.uid },
      spec: { filter: { attributes: { type: 'a' } } },
    })
    expect((await here.ask('PUT', `${TRIGGERS}/t`, created)).json).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message:
        'Operation cannot be fulfilled on triggers.eventing.knative.dev "t": the object has been modified; please apply your changes to the latest version and try again',
    })
  })

  test('creates nothing; of another uid is refused; a status that is sent is left out', async () => {
    const here = await scene()
    expect((await here.ask('PUT', `${TRIGGERS}/t`, trigger('t'))).status).toBe(404)
    await here.ask('POST', TRIGGERS, trigger('t'))
    const other = trigger('t', {}, { uid: 'another' })
    expect((await here.ask('PUT', `${TRIGGERS}/t`, other)).json.message).toMatch(
      /Precondition failed: UID in precondition: another/,
    )
    const { json } = await here.ask('PUT', `${TRIGGERS}/t`, {
      ...trigger('t'),
      status: { subscriberUri: 'http://evil/' },
    })
    expect(json.status).toBeUndefined()
    expect((await here.ask('PUT', `${TRIGGERS}/t/status`, trigger('t'))).json).toMatchObject({
      code: 405,
      message: expect.stringMatching(/written by Sluice/) as string,
    })
    expect((await here.ask('GET', `${TRIGGERS}/t/status`)).json.metadata.name).toBe('t')
  })

  test('spec 9, spec 10, spec 18, spec 38: what can’t be changed is refused with the difference', async () => {
    const here = await scene()
    await here.ask('POST', TRIGGERS, trigger('t'))
    const moved = await here.ask('PUT', `${TRIGGERS}/t`, trigger('t', { broker: 'other' }))
    expect(moved.json).toMatchObject({ code: 400, reason: 'BadRequest' })
    expect(moved.json.message).toMatch(
      /denied the request: validation failed: Immutable fields changed \(-old \+new\): spec\.broker\n-default\n\+other\n/,
    )

    const brokers = `${EVENTING}/namespaces/default/brokers`
    await here.ask('POST', brokers, broker('default', { config: { apiVersion: 'v1', kind: 'ConfigMap', name: 'a' } }))
    const classed = broker('default', {}, { annotations: { 'eventing.knative.dev/broker.class': 'Kafka' } })
    const { message } = (await here.ask('PUT', `${brokers}/default`, classed)).json
    expect(message).toContain('Immutable annotations changed (-old +new): annotations')
    expect(message).toContain('Immutable fields changed (-old +new): spec.config')
  })
})

describe('PATCH', () => {
  test('as JSON merge patch and as JSON patch; spec 19: a subscriber and a filter may change', async () => {
    const here = await scene()
    await here.ask('POST', TRIGGERS, trigger('t', { filter: { attributes: { type: 'a', source: 'b' } } }))
    const merged = await here.ask(
      'PATCH',
      `${TRIGGERS}/t`,
      { spec: { filter: { attributes: { source: null, type: 'c' } } } },
      MERGE,
    )
    expect(merged.json.spec.filter).toEqual({ attributes: { type: 'c' } })
    const operations = [
      { op: 'test', path: '/spec/filter/attributes/type', value: 'c' },
      { op: 'replace', path: '/spec/subscriber/uri', value: 'http://127.0.0.1:1/' },
      { op: 'add', path: '/metadata/labels/a~1b', value: 'c' },
    ]
    const { json } = await here.ask('PATCH', `${TRIGGERS}/t`, operations, JSON_PATCH)
    expect(json).toMatchObject({
      spec: { subscriber: { uri: 'http://127.0.0.1:1/' } },
      metadata: { labels: { 'a/b': 'c' }, generation: 3 },
    })
  })

  test.each([
    [
      'a test that fails',
      [{ op: 'test', path: '/spec/broker', value: 'x' }],
      JSON_PATCH,
      422,
      /operation 0 \(test \/spec\/broker\) can't be applied/,
    ],
    ['an operation that is none', [{ op: 'explode', path: '/spec' }], JSON_PATCH, 422, /operation 0 \(explode/],
    ['no list', {}, JSON_PATCH, 400, /has to be a list of operations/],
    ['no object', [], MERGE, 400, /has to be an object/],
    [
      'a strategic merge of Knative’s kind',
      {},
      STRATEGIC,
      415,
      /accepted media types include: application\/json-patch\+json, application\/merge-patch\+json, application\/apply-patch\+yaml/,
    ],
    ['no type', {}, { 'content-type': 'text/plain' }, 415, /unknown format \(text\/plain\)/],
    ['another name', { metadata: { name: 'u' } }, MERGE, 400, /name of the provided object does not match/],
    ['an old resourceVersion', { metadata: { resourceVersion: '7' } }, MERGE, 409, /has been modified/],
  ])('with %s is refused', async (_what, body, headers, code, message) => {
    const here = await scene()
    await here.ask('POST', TRIGGERS, trigger('t'))
    const { json } = await here.ask('PATCH', `${TRIGGERS}/t`, body, headers)
    expect(json).toMatchObject({ code, message: expect.stringMatching(message) as string })
  })

  test('of many clients at once loses none: each is made on what is there', async () => {
    const here = await scene()
    await here.ask('POST', CONFIG_MAPS, configMap('c'))
    const keys = Array.from({ length: 20 }, (_, n) => `k${n}`)
    await Promise.all(keys.map((key) => here.ask('PATCH', `${CONFIG_MAPS}/c`, { data: { [key]: 'x' } }, MERGE)))
    expect(Object.keys((await here.ask('GET', `${CONFIG_MAPS}/c`)).json.data)).toEqual(expect.arrayContaining(keys))
  })

  test('threat 14: names of prototypes are keys like any other', async () => {
    const here = await scene()
    await here.ask('POST', CONFIG_MAPS, configMap('c', { a: 'b' }))
    const patch = '{"data": {"__proto__": "x", "constructor": "y"}}'
    const merged = await here.ask('PATCH', `${CONFIG_MAPS}/c`, patch, MERGE)
    expect(merged.text).toContain('"__proto__":"x"')
    const polluting = [{ op: 'add', path: '/__proto__/polluted', value: 'x' }, { op: 'add', path: '/constructor/prototype/polluted', value: 'x' }] // prettier-ignore
    for (const operation of polluting) await here.ask('PATCH', `${CONFIG_MAPS}/c`, [operation], JSON_PATCH)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  test('as strategic merge patch of Kubernetes’ own kinds merges lists by their keys', async () => {
    const here = await scene()
    const services = '/api/v1/namespaces/default/services'
    const ports = [
      { name: 'http', port: 80 },
      { name: 'ops', port: 81 },
    ]
    await here.ask('POST', services, { metadata: { name: 's' }, spec: { ports, selector: { app: 'a' } } })
    const patch = {
      spec: {
        '$setElementOrder/ports': [{ port: 82 }, { port: 80 }],
        ports: [
          { port: 82, name: 'new' },
          { port: 80, protocol: 'TCP' },
          { port: 81, $patch: 'delete' },
        ],
        selector: { $patch: 'replace', tier: 'b' },
      },
    }
    const { json } = await here.ask('PATCH', `${services}/s`, patch, STRATEGIC)
    expect(json.spec).toEqual({
      ports: [
        { port: 82, name: 'new' },
        { name: 'http', port: 80, protocol: 'TCP' },
      ],
      selector: { tier: 'b' },
    })
  })
})

describe('DELETE', () => {
  test('of one, with preconditions; of what is not there', async () => {
    const here = await scene()
    const { json: created } = await here.ask('POST', TRIGGERS, trigger('t'))
    const wrong = await here.ask('DELETE', `${TRIGGERS}/t`, { preconditions: { uid: 'another' } })
    expect(wrong.json).toMatchObject({ code: 409, reason: 'Conflict' })
    expect((await here.ask('DELETE', `${TRIGGERS}/t?dryRun=All`)).status).toBe(200)
    expect((await here.ask('DELETE', `${TRIGGERS}/t`, { propagationPolicy: 'Background' })).json).toMatchObject({
      status: 'Success',
      details: { name: 't', group: 'eventing.knative.dev', kind: 'triggers', uid: created.metadata.uid },
    })
    expect((await here.ask('DELETE', `${TRIGGERS}/t`)).json).toMatchObject({
      code: 404,
      reason: 'NotFound',
      message: 'triggers.eventing.knative.dev "t" not found',
    })
  })

  test('of a collection takes those that are selected; none of them where one is declared in a file', async () => {
    const here = await scene()
    for (const name of ['a', 'b']) await here.ask('POST', TRIGGERS, trigger(name, {}, { labels: { app: name } }))
    await here.ask('DELETE', `${TRIGGERS}?labelSelector=app%3Da`)
    expect(here.store.list().map(({ metadata }) => metadata.name)).toEqual(['b'])
    here.files(trigger('file'))
    const { json } = await here.ask('DELETE', TRIGGERS)
    expect(json).toMatchObject({
      code: 409,
      message: expect.stringMatching(/"file" is declared in shop\.yaml:1.*Nothing was deleted/) as string,
    })
    expect(here.store.list()).toHaveLength(2)
  })

  test('of a Namespace takes all that is in it', async () => {
    const here = await scene()
    await here.ask('POST', `${EVENTING}/namespaces/shop/triggers`, trigger('t'))
    await here.ask('POST', TRIGGERS, trigger('t'))
    expect((await here.ask('DELETE', '/api/v1/namespaces/shop')).status).toBe(200)
    expect(here.store.list().map(({ metadata }) => metadata.namespace)).toEqual(['default'])
    expect((await here.ask('DELETE', '/api/v1/namespaces/shop')).status).toBe(404)
  })
})

test.each([
  ['PUT', trigger('t', { broker: 'x' }), undefined],
  ['PATCH', { metadata: { labels: { a: 'b' } } }, MERGE],
  ['DELETE', undefined, undefined],
])('%s of what a file declares is refused with 409, and names file, line and column', async (method, body, headers) => {
  const here = await scene()
  here.files(broker(), trigger('t'))
  const { json } = await here.ask(method, `${TRIGGERS}/t`, body, headers)
  expect(json).toMatchObject({
    code: 409,
    reason: 'AlreadyExists', // not Conflict: kubectl would try that again for five seconds
    message:
      'triggers.eventing.knative.dev "t" is declared in shop.yaml:2:1, and can be changed there alone. Nothing was changed.',
  })
})

test('a list of methods that are none for it', async () => {
  const here = await scene()
  for (const [method, path] of [
    ['PUT', TRIGGERS],
    ['PATCH', TRIGGERS],
    ['POST', `${TRIGGERS}/t`],
    ['POST', `${EVENTING}/triggers`],
    ['PUT', '/apis'],
  ] as const) {
    const { json } = await here.ask(
      method,
      path,
      method === 'PATCH' ? {} : trigger('t'),
      method === 'PATCH' ? MERGE : undefined,
    )
    expect(json).toMatchObject({ code: 405, reason: 'MethodNotAllowed' })
  }
})

describe('a body', () => {
  test('that is larger than allowed is refused with 413, whether or not it says so', async () => {
    const here = await scene({ bodyBytesMax: 1000 })
    const large = configMap('c', { a: 'x'.repeat(2000) })
    expect((await here.ask('POST', CONFIG_MAPS, large)).json).toMatchObject({
      code: 413,
      reason: 'RequestEntityTooLarge',
    })
    const chunked = await fetch(here.url + CONFIG_MAPS, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new Blob([JSON.stringify(large)]).stream(),
      duplex: 'half',
    })
    expect(chunked.status).toBe(413)
  })

  test('that is compressed, or comes while too much is being read, is refused', async () => {
    const here = await scene({ readingBytesMax: 10 })
    const gzip = { 'content-encoding': 'gzip', 'content-type': 'application/json' }
    expect((await here.ask('POST', CONFIG_MAPS, configMap('c'), gzip)).status).toBe(415)
    const busy = await here.ask('POST', CONFIG_MAPS, configMap('c'))
    expect([busy.status, busy.headers.get('retry-after')]).toEqual([429, '1'])
  })

  test('threat 19: of a form that a page of a browser may send is refused', async () => {
    const here = await scene()
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      expect(
        (await here.ask('POST', CONFIG_MAPS, JSON.stringify(configMap('c')), { 'content-type': type })).status,
      ).toBe(415)
    }
  })
})
