// Reading: one, many, page by page, as tables, and in other forms.

import { describe, expect, test } from 'vitest'
import { ageOf } from '../src/table.ts'
import { broker, configMap, CONFIG_MAPS, EVENTING, scene, trigger, TRIGGERS } from './scene.ts'

const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }
const PARTIAL = { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' }

describe('a resource', () => {
  test('is answered in every version of its kind', async () => {
    const here = await scene()
    here.files(trigger('t'))
    for (const version of ['v1', 'v1beta1', 'v1alpha1']) {
      const { json } = await here.ask('GET', TRIGGERS.replace('/v1/', `/${version}/`) + '/t')
      expect(json).toMatchObject({
        apiVersion: `eventing.knative.dev/${version}`,
        metadata: { name: 't' },
        spec: { broker: 'default' },
      })
    }
  })

  test('is answered as YAML', async () => {
    const here = await scene()
    here.files(trigger('t'))
    const answer = await here.ask('GET', `${TRIGGERS}/t`, undefined, { accept: 'application/yaml' })
    expect(answer.headers.get('content-type')).toBe('application/yaml')
    expect(answer.text).toMatch(/^apiVersion: eventing.knative.dev\/v1\nkind: Trigger\nmetadata:\n {2}name: t\n/)
  })

  test.each([
    ['of no such name', `${TRIGGERS}/nix`, 'triggers.eventing.knative.dev "nix" not found'],
    [
      'of no such kind',
      `${EVENTING}/namespaces/default/trigger`,
      /could not find the requested resource .*kubectl api-resources/,
    ],
    ['of no such version', '/apis/eventing.knative.dev/v9/triggers', /could not find the requested resource/],
    ['of no such group', '/apis/nix/v1/triggers', /could not find the requested resource/],
    ['with no such subresource', `${TRIGGERS}/t/scale`, /could not find the requested resource/],
    ['of a prototype', '/apis/constructor/__proto__/toString', /could not find the requested resource/],
  ])('%s is a Status with code 404', async (_what, path, message) => {
    const here = await scene()
    here.files(trigger('t'))
    const { status, json } = await here.ask('GET', path)
    expect([status, json.reason]).toEqual([404, 'NotFound'])
    expect(json.message).toMatch(message)
  })

  test('in a form that nobody has is refused; a path that can’t be decoded too', async () => {
    const here = await scene()
    expect((await here.ask('GET', TRIGGERS, undefined, { accept: 'text/html' })).json).toMatchObject({
      code: 406,
      reason: 'NotAcceptable',
    })
    expect((await here.ask('GET', `${TRIGGERS}/%ff`)).json).toMatchObject({ code: 400 })
  })

  test('threat 7: values of a Secret are written, and never read again; who sends back what stands for them keeps them', async () => {
    const here = await scene()
    const secrets = '/api/v1/namespaces/default/secrets'
    const applied = { 'kubectl.kubernetes.io/last-applied-configuration': '{"stringData":{"password":"canary"}}' }
    const written = {
      metadata: { name: 's', annotations: applied },
      stringData: { password: 'canary' },
      data: { key: 'Y2FuYXJ5' },
    }
    const answers = [await here.ask('POST', secrets, written)]
    answers.push(
      await here.ask('GET', `${secrets}/s`),
      await here.ask('GET', secrets),
      await here.ask('GET', `${secrets}?watch=true&timeoutSeconds=1&limit=1`, undefined, {
        accept: 'application/json;as=Table;g=nix;v=v1',
      }),
    )
    answers.push(
      await here.ask('GET', `${secrets}?includeObject=Object`, undefined, TABLE),
      await here.ask('GET', secrets, undefined, PARTIAL),
    )
    const shown = answers[1]!.json
    answers.push(await here.ask('PUT', `${secrets}/s`, { ...shown, stringData: { ...shown.stringData, more: 'new' } }))
    expect(answers.map(({ text }) => text).join('\n')).not.toMatch(/canary|Y2FuYXJ5/)
    expect(shown).toMatchObject({ stringData: { password: '(hidden)' }, data: { key: 'KGhpZGRlbik=' } })
    expect(here.store.list()[0]).toMatchObject({
      stringData: { password: 'canary', more: 'new' },
      data: { key: 'Y2FuYXJ5' },
    })
    const lost = await here.ask('POST', secrets, { metadata: { name: 'other' }, stringData: { password: '(hidden)' } })
    expect(lost.json).toMatchObject({
      code: 422,
      message: expect.stringMatching(/not shown.*Write the value itself/) as string,
    })
  })
})

describe('a list', () => {
  test('is of one namespace or of all, sorted, and empty where nothing is', async () => {
    const here = await scene()
    here.files(trigger('b'), trigger('a'), trigger('a', {}, { namespace: 'shop' }))
    const names = async (path: string): Promise<unknown[]> =>
      (await here.ask('GET', path)).json.items.map(
        ({ metadata }: { metadata: { namespace: string; name: string } }) => `${metadata.namespace}/${metadata.name}`,
      )
    expect(await names(TRIGGERS)).toEqual(['default/a', 'default/b'])
    expect(await names(`${EVENTING}/triggers`)).toEqual(['default/a', 'default/b', 'shop/a'])
    expect(await names(TRIGGERS.replace('default', 'nix'))).toEqual([])
    expect((await here.ask('GET', TRIGGERS)).json).toMatchObject({
      apiVersion: 'eventing.knative.dev/v1',
      kind: 'TriggerList',
      metadata: { resourceVersion: here.store.resourceVersion() },
    })
  })

  test.each([
    ['labelSelector', 'app=a', 'a'],
    ['labelSelector', 'app==a,tier!=x', 'a'],
    ['labelSelector', 'app!=a', 'bc'],
    ['labelSelector', 'app in (a, b),tier notin (y)', 'a'],
    ['labelSelector', 'tier', 'b'],
    ['labelSelector', '!app', 'c'],
    ['labelSelector', 'eventing.knative.dev/broker=other', 'c'],
    ['fieldSelector', 'metadata.name=b', 'b'],
    ['fieldSelector', 'metadata.namespace=default,metadata.name!=b', 'ac'],
    ['fieldSelector', 'spec.broker=other', 'c'],
  ])('%s %s', async (parameter, selector, expected) => {
    const here = await scene()
    here.files(
      trigger('a', {}, { labels: { app: 'a' } }),
      trigger('b', {}, { labels: { app: 'b', tier: 'y' } }),
      trigger('c', { broker: 'other' }),
    )
    const { json } = await here.ask('GET', `${TRIGGERS}?${parameter}=${encodeURIComponent(selector)}`)
    expect(json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name).join('')).toBe(expected)
  })

  test.each([
    ['labelSelector=a%3D%3D%3Db', /unable to parse requirement: "a===b"/],
    ['labelSelector=in%20(a)', /unable to parse requirement/],
    [
      'fieldSelector=spec.brokr%3Da',
      /field label not supported: spec\.brokr\. triggers are selected by metadata\.name, metadata\.namespace, spec\.broker/,
    ],
    ['fieldSelector=name', /invalid field selector/],
    ['limit=x', /limit has to be a whole number/],
    ['continue=x', /continue key is not valid/],
    ['resourceVersion=x', /resourceVersion: invalid value/],
    ['resourceVersionMatch=x', /resourceVersionMatch has to be/],
    ['includeObject=x', /includeObject has to be/],
  ])('with %s is refused, and says what is wrong', async (query, message) => {
    const here = await scene()
    const { json } = await here.ask('GET', `${TRIGGERS}?${query}`, undefined, TABLE)
    expect(json).toMatchObject({ code: 400, reason: 'BadRequest', message: expect.stringMatching(message) as string })
  })

  test('comes page by page, each of the same resourceVersion, so that a watch from there misses nothing', async () => {
    const here = await scene({}, { historyMax: 10 })
    here.files(...['a', 'b', 'c', 'd', 'e'].map((name) => trigger(name)))
    const first = (await here.ask('GET', `${TRIGGERS}?limit=2`)).json
    expect(first.metadata.remainingItemCount).toBe(3)
    await here.ask('POST', TRIGGERS, trigger('bb'))
    const token = encodeURIComponent(first.metadata.continue as string)
    const second = (await here.ask('GET', `${TRIGGERS}?limit=10&continue=${token}`)).json
    const names = [...first.items, ...second.items].map(({ metadata }: { metadata: { name: string } }) => metadata.name)
    expect(names).toEqual(['a', 'b', 'bb', 'c', 'd', 'e'])
    expect(second.metadata).toEqual({ resourceVersion: first.metadata.resourceVersion })
    for (let n = 0; n < 20; n++) await here.ask('POST', CONFIG_MAPS, configMap(`c${n}`))
    expect((await here.ask('GET', `${TRIGGERS}?continue=${token}`)).json).toMatchObject({
      code: 410,
      reason: 'Expired',
    })
  })

  test('of many is whole, however it is written', async () => {
    const here = await scene()
    here.files(...Array.from({ length: 1234 }, (_, n) => configMap(`c${n}`, { text: 'x'.repeat(200) })))
    const { json, text } = await here.ask('GET', CONFIG_MAPS)
    expect(json.items).toHaveLength(1234)
    expect(text).toBe(`${JSON.stringify(json)}\n`)
  })

  test('that has to be of another time than now is refused', async () => {
    const here = await scene()
    here.files(trigger('a'))
    for (const query of ['resourceVersion=999999', 'resourceVersion=0001&resourceVersionMatch=Exact']) {
      expect((await here.ask('GET', `${TRIGGERS}?${query}`)).json).toMatchObject({ code: 410, reason: 'Expired' })
    }
    expect((await here.ask('GET', `${TRIGGERS}?resourceVersion=0`)).status).toBe(200)
  })
})

describe('a table', () => {
  test('has Knative’s columns, and what kubectl needs of each row', async () => {
    const here = await scene()
    here.files(trigger('t'))
    here.clock.advance(125_000)
    const { json } = await here.ask('GET', TRIGGERS, undefined, TABLE)
    expect(json).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' })
    expect(json.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual([
      'Name',
      'Broker',
      'Subscriber_URI',
      'Age',
      'Ready',
      'Reason',
    ])
    expect(json.rows[0].cells).toEqual(['t', 'default', '', '2m5s', '', ''])
    expect(json.rows[0].object).toMatchObject({
      kind: 'PartialObjectMetadata',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { name: 't' },
    })
    const whole = await here.ask('GET', `${TRIGGERS}?includeObject=Object`, undefined, TABLE)
    expect(whole.json.rows[0].object).toMatchObject({ kind: 'Trigger', spec: { broker: 'default' } })
    const bare = await here.ask('GET', `${TRIGGERS}/t?includeObject=None`, undefined, TABLE)
    expect(bare.json.rows).toEqual([{ cells: ['t', 'default', '', '2m5s', '', ''] }])
  })

  test.each([
    [90, '90s'],
    [200, '3m20s'],
    [45 * 60, '45m'],
    [5 * 3600 + 720, '5h12m'],
    [30 * 3600, '30h'],
    [76 * 3600, '3d4h'],
    [12 * 86_400, '12d'],
    [760 * 86_400, '2y30d'],
  ])('shows %i seconds as %s', (seconds, text) => {
    expect(ageOf(seconds * 1000)).toBe(text)
  })
})

test('metadata alone is answered where no more is asked for', async () => {
  const here = await scene()
  here.files(trigger('t', {}, { labels: { a: 'b' } }))
  const { json } = await here.ask('GET', TRIGGERS, undefined, PARTIAL)
  expect(json).toMatchObject({
    kind: 'PartialObjectMetadataList',
    items: [{ kind: 'PartialObjectMetadata', metadata: { name: 't', labels: { a: 'b' } } }],
  })
  expect(json.items[0].spec).toBeUndefined()
})

describe('namespaces', () => {
  test('are those that are used or declared, and default', async () => {
    const here = await scene()
    here.files(trigger('t', {}, { namespace: 'shop' }), {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'empty' },
    })
    const { json } = await here.ask('GET', '/api/v1/namespaces')
    expect(
      json.items.map(
        ({ metadata, status }: { metadata: { name: string }; status: { phase: string } }) =>
          `${metadata.name} ${status.phase}`,
      ),
    ).toEqual(['default Active', 'empty Active', 'shop Active'])
    expect((await here.ask('GET', '/api/v1/namespaces/shop')).json.metadata.uid).toMatch(/^[\da-f-]{36}$/)
    expect((await here.ask('GET', '/api/v1/namespaces/nix')).status).toBe(404)
  })

  test('can be labelled and applied though they are only used', async () => {
    const here = await scene()
    here.files(trigger('t', {}, { namespace: 'shop' }))
    const patch = { metadata: { labels: { team: 'a' } } }
    const { status, json } = await here.ask('PATCH', '/api/v1/namespaces/shop', patch, {
      'content-type': 'application/merge-patch+json',
    })
    expect([status, json.metadata.labels.team]).toEqual([200, 'a'])
  })
})

test('events of what is described can be asked for; there are none', async () => {
  const here = await scene()
  here.files(broker())
  const path = '/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Ddefault%2CinvolvedObject.uid%3Dx'
  expect((await here.ask('GET', path)).json.items).toEqual([])
})
