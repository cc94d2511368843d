// What people write in YAML: where events go by it, and what it says when it is wrong.

import { beforeAll, describe, expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { readResource, settled } from '../support/ops.ts'
import { folderOf, runSluice, startSluice, type Sluice } from '../support/sluice.ts'
import { ceHeaders, subscriber, type Subscriber } from '../support/subscriber.ts'

/** Where each event went: the paths that a subscriber was called at, in alphabetical order. */
async function pathsOf(sluice: Sluice, taker: Subscriber, headers: [string, string][]): Promise<string[]> {
  const before = taker.all.length
  expect((await exchange(sluice.broker, binary(headers))).status).toBe(202)
  await settled(sluice.api)
  const paths = taker.all.slice(before).map(({ path }) => path)
  return paths.toSorted((a, b) => (a < b ? -1 : 1))
}

describe('filters', () => {
  let sluice: Sluice
  let taker: Subscriber

  beforeAll(async () => {
    taker = await subscriber()
    const to = (path: string, more: string[]): string => trigger(path, `${taker.url}${path}`, more)
    sluice = await startSluice({
      'broker.yaml': broker(),
      'triggers/plain.yml': [
        to('everything', []),
        to('by-attributes', ['filter: {attributes: {type: order.created, region: eu}}']),
        to('by-presence', ['filter: {attributes: {region: ""}}']),
        to('no-attributes', ['filter: {attributes: {}}']),
      ].join(''),
      'triggers/deep/dialects.yaml': [
        to('exact', ['filters:', '  - exact: {type: order.created, source: /shop}']),
        to('prefix', ['filters:', '  - prefix: {type: order.}']),
        to('suffix', ['filters:', '  - suffix: {type: .created}']),
        to('all', ['filters:', '  - all:', '      - prefix: {type: order.}', '      - suffix: {type: .created}']),
        to('any', ['filters:', '  - any:', '      - exact: {region: eu}', '      - exact: {type: user.created}']),
        to('not', ['filters:', '  - not:', '      exact: {region: eu}']),
        to('two-elements', ['filters:', '  - prefix: {type: order.}', '  - exact: {region: eu}']),
        to('nested', [
          'filters:',
          '  - any:',
          '      - all:',
          '          - prefix: {type: order.}',
          '          - not: {any: [{exact: {region: eu}}, {suffix: {type: .deleted}}]}',
          '      - all: [{exact: {type: user.created}}, {not: {prefix: {source: /shop}}}]',
        ]),
        to('filters-win', ['filter: {attributes: {type: never}}', 'filters:', '  - exact: {type: order.created}']),
      ].join(''),
      'triggers/readme.txt': 'not: [yaml',
    })
  })

  test('spec 94, spec 95, spec 97: every attribute named has to be equal, in its case', async () => {
    const euOrder = await pathsOf(sluice, taker, [['ce-type', 'order.created'], ['ce-region', 'eu']]) // prettier-ignore
    expect(euOrder).toContain('/by-attributes')
    const otherCase = await pathsOf(sluice, taker, [['ce-type', 'Order.created'], ['ce-region', 'eu']]) // prettier-ignore
    expect(otherCase).not.toContain('/by-attributes')
    const otherRegion = await pathsOf(sluice, taker, [['ce-type', 'order.created'], ['ce-region', 'us']]) // prettier-ignore
    expect(otherRegion).not.toContain('/by-attributes')
  })

  test('spec 96, spec 98: an attribute named has to be there; with an empty value, any will do', async () => {
    expect(await pathsOf(sluice, taker, [['ce-type', 'order.created']])).not.toContain('/by-presence')
    expect(await pathsOf(sluice, taker, [['ce-region', 'anything']])).toContain('/by-presence')
  })

  test.each([
    [
      'an order of the shop, from nowhere',
      { type: 'order.created', source: '/shop' },
      'all everything exact filters-win nested no-attributes not prefix suffix',
    ],
    [
      'an order in the EU',
      { type: 'order.created', source: '/x', region: 'eu' },
      'all any by-attributes by-presence everything filters-win no-attributes prefix suffix two-elements',
    ],
    ['an order that is deleted', { type: 'order.deleted', source: '/x' }, 'everything no-attributes not prefix'],
    ['a user', { type: 'user.created', source: '/x' }, 'any everything nested no-attributes not suffix'],
    ['a user of the shop', { type: 'user.created', source: '/shop/1' }, 'any everything no-attributes not suffix'],
  ])('%s goes where each dialect says, nested as it may be', async (_what, attributes, triggers) => {
    const headers = Object.entries(attributes).map(([name, value]): [string, string] => [`ce-${name}`, value])
    expect(await pathsOf(sluice, taker, headers)).toEqual(triggers.split(' ').map((name) => `/${name}`))
  })
})

describe('where events go', () => {
  test('spec 3, spec 41, spec 43, spec 46: a ref to a Service with a port, to a Broker, with a path beside it', async () => {
    const taker = await subscriber()
    const sluice = await startSluice({
      'all.yaml': `${broker()}${broker('second')}---
apiVersion: v1
kind: Service
metadata: {name: taker}
spec:
  type: ExternalName
  externalName: 127.0.0.1
  ports: [{port: ${taker.port}}]
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: to-service}
spec:
  broker: default
  subscriber:
    ref: {apiVersion: v1, kind: Service, name: taker}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: to-service-path}
spec:
  broker: default
  subscriber:
    ref: {apiVersion: v1, kind: Service, name: taker}
    uri: /deep/path?q=1
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: to-broker}
spec:
  broker: default
  subscriber:
    ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: second}
${trigger('from-second', `${taker.url}second`, [], 'second')}`,
    })
    expect((await exchange(sluice.broker, binary())).status).toBe(202)
    const received = await taker.received(3)
    expect(new Set(received.map(({ path }) => path))).toEqual(new Set(['/', '/deep/path?q=1', '/second']))
    for (const each of received) expect(ceHeaders(each)).toMatchObject({ id: '1' })
    const uris = ['to-service', 'to-service-path', 'to-broker'].map(async (name) => {
      const { status } = await readResource(sluice.api, 'triggers', name)
      return status?.['subscriberUri']
    })
    const service = `http://127.0.0.1:${taker.port}`
    expect(await Promise.all(uris)).toEqual([service, `${service}/deep/path?q=1`, `${sluice.ingress}/default/second`])
  })

  test('the same destination of two triggers gets two deliveries (spec 53, spec 54)', async () => {
    const taker = await subscriber()
    const sluice = await startSluice({ 'a.yaml': broker() + trigger('a', taker.url) + trigger('b', taker.url) })
    expect((await exchange(sluice.broker, binary())).status).toBe(202)
    await taker.received(2)
    await settled(sluice.api)
    expect(taker.all).toHaveLength(2)
  })

  test('a List, several documents, comments, anchors and JSON are taken as well', async () => {
    const taker = await subscriber()
    const item = { apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', metadata: { name: 'from-list' } }
    const sluice = await startSluice({
      'list.json': JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [item] }),
      'anchors.yaml': `# A comment.\n---\n---\n${broker('anchored')}${trigger('t', taker.url, ['filters: [&f {exact: {type: t}}, *f]'], 'anchored')}`,
    })
    for (const name of ['from-list', 'anchored']) {
      expect((await exchange(`${sluice.ingress}/default/${name}`, binary())).status).toBe(202)
    }
    expect(await taker.received(1)).toHaveLength(1)
  })
})

describe('mistakes', () => {
  const FILES = {
    'broker.yaml': `apiVersion: eventing.knative.dev/v1
kind: Broker
metadata:
  name: default
spec:
  delivery:
    retry: many
    backoffPolicy: exponentially
`,
    'triggers/orders.yaml': `apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata:
  name: orders
spec:
  broker: default
  filters:
    - exat:
        type: order
  subscribr:
    uri: http://127.0.0.1:9000/
---
apiVersion: eventing.knative.dev/v1
kind: Triger
metadata:
  name: typo
`,
    'broken.yml': 'a: [1\nb: 2\n',
    'comma.json': '{"a": 1,}',
    'twice.json': '{"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "metadata": {"name": "default"}}',
  }

  test.each(['up', 'validate'])(
    'sluice %s tells all mistakes of all files at once, with their places',
    async (word) => {
      const folder = folderOf(FILES)
      const ran = await runSluice([word, folder], { env: { SLUICE_LISTEN: '127.0.0.1:0', SLUICE_API: '127.0.0.1:0' } })
      expect(ran.code).toBe(1)
      expect(ran.stdout).not.toContain('sluice ready')
      const places = [
        /broker\.yaml:7:12.*Broker default\/default/,
        /broker\.yaml:8:20/,
        /orders\.yaml:8:7.*Trigger default\/orders/,
        /orders\.yaml:10:3/,
        /orders\.yaml:14:7/,
        /broken\.yml:\d+:\d+/,
        /comma\.json:1:9\n.*no JSON.*Remove the comma/,
        /twice\.json:1:/,
      ]
      for (const place of places) expect(ran.stderr).toMatch(place)
      for (const hint of [/Did you mean "exact"\?/, /Did you mean subscriber\?/, /Did you mean Trigger\?/]) {
        expect(ran.stderr).toMatch(hint)
      }
    },
  )

  test.each(['up', 'validate'])(
    'threat 1: sluice %s refuses an address that nothing is ever delivered to, in any spelling, with its place',
    async (word) => {
      const folder = folderOf({
        'broker.yaml': broker('default', '{delivery: {retry: 1, deadLetterSink: {uri: "http://[fe80::1]/"}}}'),
        'triggers.yaml': trigger('metadata', 'http://169.254.169.254/') + trigger('spelled', 'http://0xA9FEA9FE/'),
        'password.yaml': trigger('password', 'http://ann:hunter2@127.0.0.1/'),
      })
      const ran = await runSluice([word, folder], { env: { SLUICE_LISTEN: '127.0.0.1:0', SLUICE_API: '127.0.0.1:0' } })
      expect(ran.code).toBe(1)
      const places = [
        /broker\.yaml:\d+:\d+, Broker default\/default\n.*fe80::\/10 \(link-local\).*another address/,
        /triggers\.yaml:\d+:\d+, Trigger default\/metadata\n.*169\.254\.0\.0\/16/,
        /triggers\.yaml:\d+:\d+, Trigger default\/spelled\n.*169\.254\.0\.0\/16/,
        /password\.yaml:\d+:\d+, Trigger default\/password\n.*holds a user or password/,
      ]
      for (const place of places) expect(ran.stderr).toMatch(place)
      expect(ran.stderr).not.toContain('hunter2')
    },
  )

  test('while there are mistakes nothing listens', async () => {
    const taker = await subscriber() // its port is taken; were it tried, the message would be another
    const listen = `127.0.0.1:${taker.port}`
    const ran = await runSluice(['up', folderOf(FILES), '--listen', listen, '--api', '127.0.0.1:0'])
    expect(ran.code).toBe(1)
    expect(ran.stderr).toContain('nothing was started')
    expect(ran.stderr).not.toContain('listen')
  })

  test('a trigger with both filter and filters is a warning that says which of them counts', async () => {
    const both = ['filter: {attributes: {type: a}}', 'filters: [{exact: {type: b}}]']
    const folder = folderOf({ 'a.yaml': broker() + trigger('both', 'http://127.0.0.1:9/', both) })
    const ran = await runSluice(['validate', folder])
    expect(ran).toMatchObject({ code: 0, stdout: '1 file, 2 resources: valid, 1 warning\n' })
    expect(ran.stderr).toMatch(/a\.yaml:\d+:3, Trigger default\/both \(warning\)\n.*spec\.filter is ignored/)
  })

  test('a trigger without broker or subscriber is a warning: it waits, the others run', async () => {
    const taker = await subscriber()
    const sluice = await startSluice({
      'a.yaml': broker() + trigger('good', taker.url) + trigger('lonely', taker.url, [], 'nobody'),
    })
    expect(sluice.stderr.soFar()).toMatch(/a\.yaml:\d+:\d+, Trigger default\/lonely \(warning\)/)
    await sluice.stderr.until(/Trigger default\/lonely .*NOT READY, BrokerDoesNotExist/)
    expect((await exchange(sluice.broker, binary())).status).toBe(202)
    expect(await taker.received(1)).toHaveLength(1)
  })
})
