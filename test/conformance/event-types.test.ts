// EventTypes as Knative describes them, and made from traffic as in Knative's own tests of that
// (test/experimental/eventtype_autocreate, KNATIVE.md 5.3): from a Broker, a channel, the replies of a Trigger and of a
// Subscription, and a PingSource. Then what Knative lacks: schemas that are enforced (FL-25, FL-26).

import { describe, expect, test } from 'vitest'
import { binary, broker, channel, eventJson, subscription, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { sluiceHere, type Here } from '../support/here.ts'
import { subscriber, type Answer } from '../support/subscriber.ts'

interface Shown {
  readonly metadata: { readonly name: string; readonly annotations?: Record<string, string> }
  readonly spec: Record<string, unknown>
  readonly status: { readonly conditions: { type: string; status: string; reason?: string }[] } & Record<
    string,
    unknown
  >
}

async function eventTypes({ api, controller }: Here, version = 'v1beta2'): Promise<Shown[]> {
  await controller.eventTypes.settled()
  const answer = await fetch(`${api}/apis/eventing.knative.dev/${version}/namespaces/default/eventtypes`)
  return ((await answer.json()) as { items: Shown[] }).items
}

function reference(kind: string, name: string, apiVersion = 'eventing.knative.dev/v1'): object {
  return { apiVersion, kind, name, namespace: 'default' }
}

const REPLY: Answer = {
  status: 200,
  headers: ['content-type', 'application/cloudevents+json'],
  body: eventJson({ id: 'answer', type: 'reply-type', source: '/reply-source' }),
}
const PING = `---
apiVersion: sources.knative.dev/v1
kind: PingSource
metadata: {name: ping}
spec:
  schedule: "* * * * *"
  contentType: application/json
  data: '{"n": 1}'
  sink: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: default}}
`

describe('FL-22, KNATIVE 1.1: EventTypes made from traffic', () => {
  test('an event that comes into a Broker makes one that refers to the Broker, and is Ready', async () => {
    const here = await sluiceHere(broker())
    expect((await exchange(here.broker, binary([['ce-type', 'test.broker.custom.event.type']]))).status).toBe(202)
    const [made] = await eventTypes(here)
    expect(made!.spec).toEqual({
      type: 'test.broker.custom.event.type',
      source: '/s',
      description: 'Event Type auto-created by controller',
      reference: reference('Broker', 'default'),
    })
    expect(made!.status.conditions.find(({ type }) => type === 'Ready')?.status).toBe('True')
  })

  test.each(['Channel', 'InMemoryChannel'])('one that comes into a %s refers to that', async (kind) => {
    const here = await sluiceHere(channel('ch', '{}', kind))
    await exchange(`${here.ingress}/channels/default/ch`, binary([['ce-type', 'test.imc.custom.event.type']]))
    const [made] = await eventTypes(here)
    expect([made!.spec['type'], made!.spec['reference']]).toEqual([
      'test.imc.custom.event.type',
      reference(kind, 'ch', 'messaging.knative.dev/v1'),
    ])
  })

  test('a reply of a Trigger’s subscriber makes one that refers to the Trigger', async () => {
    const answering = await subscriber((_request, n) => (n === 1 ? REPLY : 202))
    const here = await sluiceHere(broker() + trigger('t', answering.url))
    await exchange(here.broker, binary())
    await here.step('settled', 2)
    const made = await eventTypes(here)
    expect(made.map(({ spec }) => [spec['type'], spec['source'], spec['reference']])).toEqual([
      ['t', '/s', reference('Broker', 'default')],
      ['reply-type', '/reply-source', reference('Trigger', 't')],
    ])
    expect(made[1]!.status['consumers']).toEqual({ count: 1, names: ['t'] })
  })

  test('a reply of a Subscription’s subscriber refers to the Subscription', async () => {
    const [answering, replies] = [await subscriber(() => REPLY), await subscriber()]
    const here = await sluiceHere(
      channel('ch') + subscription('sub', 'ch', answering.url, [`reply: {uri: "${replies.url}"}`]),
    )
    await exchange(`${here.ingress}/channels/default/ch`, binary())
    await here.step('settled')
    const made = await eventTypes(here)
    const sub = reference('Subscription', 'sub', 'messaging.knative.dev/v1')
    expect(made.map(({ spec }) => [spec['type'], spec['reference']])).toContainEqual(['reply-type', sub])
  })

  test('what a PingSource sends makes one as well', async () => {
    const here = await sluiceHere(broker() + PING)
    here.clock.advance(61_000)
    await expect
      .poll(async () => (await eventTypes(here)).map(({ spec }) => spec['type']))
      .toEqual(['dev.knative.sources.ping'])
  })

  test('a reply of a type that a person has declared of the Broker makes none', async () => {
    const answering = await subscriber((_request, n) => (n === 1 ? REPLY : 202))
    const declared = declaration('v1beta2', 'declared', '{type: reply-type, broker: default}')
    const here = await sluiceHere(broker() + trigger('t', answering.url) + declared)
    await exchange(here.broker, binary())
    await here.step('settled', 2)
    const made = await eventTypes(here)
    expect(made.map(({ spec }) => spec['type'])).toEqual(['reply-type', 't'])
    expect(made[0]!.status['seen']).toMatchObject({ events: 1 })
  })
})

describe('FL-21: every version of the API is served', () => {
  test('an EventType written in one is read in each, and written back from each, without loss', async () => {
    const schema = '{"type": "object"}'
    const spec = `{type: order, source: /shop, schema: "http://example.com/s", schemaData: '${schema}', description: d, broker: default}`
    const here = await sluiceHere(broker())
    const url = (version: string): string =>
      `${here.api}/apis/eventing.knative.dev/${version}/namespaces/default/eventtypes`
    const headers = { 'content-type': 'application/yaml' }
    const post = await fetch(url('v1beta1'), { method: 'POST', headers, body: declaration('v1beta1', 'orders', spec) })
    expect(post.status).toBe(201)
    const older = {
      ...{ type: 'order', source: '/shop', schema: 'http://example.com/s', schemaData: schema, description: 'd' },
      reference: reference('Broker', 'default'),
    }
    for (const version of ['v1beta1', 'v1beta2', 'v1beta3', 'v1beta2', 'v1beta1']) {
      const read = (await (await fetch(`${url(version)}/orders`)).json()) as Shown
      if (version !== 'v1beta3') expect(read.spec).toEqual(older)
      else expect(read.metadata.annotations).toEqual({ 'sluice.dev/schema-data': schema })
      const types = read.status.conditions.map(({ type }) => type)
      expect(types).toContain(version === 'v1beta1' ? 'BrokerExists' : 'ReferenceExists')
      const body = JSON.stringify(read)
      const written = await fetch(`${url(version)}/orders`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body }) // prettier-ignore
      expect(written.status).toBe(200)
      expect(((await written.json()) as { metadata: { generation: number } }).metadata.generation).toBe(1)
    }
  })
})

describe('FL-25, FL-26: schemas', () => {
  const ORDERS = declaration(
    'v1beta2',
    'orders',
    `{type: order, broker: default, schemaData: '{"type": "object", "required": ["id"], "properties": {"lines": {"items": {"properties": {"count": {"type": "integer"}}}}}}'}`,
  )

  function guarded(mode: string): string {
    return broker().replace('{name: default}', `{name: default, annotations: {sluice.dev/schema: ${mode}}}`)
  }

  function order(data: string, contentType = 'application/json'): ReturnType<typeof binary> {
    return binary([['ce-type', 'order'], ['content-type', contentType]], data) // prettier-ignore
  }

  test('reject answers 422 with the path of what is wrong, and stores nothing', async () => {
    const taker = await subscriber()
    const here = await sluiceHere(guarded('reject') + ORDERS + trigger('t', taker.url))
    const answer = await exchange(here.broker, order('{"id": 1, "lines": [{"count": 1}, {"count": "two"}]}'))
    expect([answer.status, answer.json()]).toEqual([
      422,
      {
        code: 'SLUICE_EVENT_SCHEMA',
        message:
          'The data does not keep to the schema of EventType default/orders: /lines/1/count must be integer. Nothing was stored.',
        subject: 'data/lines/1/count',
      },
    ])
    expect((await exchange(here.broker, order('{"id": 1, "lines": [{"count": 1}]}'))).status).toBe(202)
    await taker.received(1)
    expect(taker.all).toHaveLength(1)
    const [shown] = await eventTypes(here)
    expect(shown!.status['schemaViolations']).toMatchObject({
      events: 1,
      last: { problem: '/lines/1/count must be integer' },
    })
  })

  test.each([
    ['no JSON', '{"id": ', 'application/json', 'the data is no JSON'],
    ['another media type', '<id/>', 'text/xml', 'datacontenttype is text/xml, and its schema asks for JSON'],
    ['nothing', '', 'application/json', 'there is no data, and its schema asks for JSON'],
    ['no object', '[]', 'application/json', 'must be object'],
    ['a member missing', '{}', 'application/json', "must have required property 'id'"],
  ])('with reject, %s is refused in words', async (_what, data, contentType, problem) => {
    const here = await sluiceHere(guarded('reject') + ORDERS)
    const answer = await exchange(here.broker, order(data, contentType))
    expect([answer.status, answer.json().message]).toEqual([422, expect.stringContaining(problem)])
  })

  test('warn stores and routes all the same, and counts', async () => {
    const taker = await subscriber()
    const here = await sluiceHere(guarded('warn') + ORDERS + trigger('t', taker.url))
    expect((await exchange(here.broker, order('{}'))).status).toBe(202)
    await taker.received(1)
    const metrics = await (await fetch(`${here.api}/metrics`)).text()
    expect(metrics).toContain(
      'sluice_schema_violations_total{namespace="default",broker="default",action="stored"} 1\n',
    )
  })

  test.each(['off', undefined])('with %s nothing is judged, and other types never are', async (mode) => {
    const here = await sluiceHere((mode === undefined ? broker() : guarded(mode)) + ORDERS)
    expect((await exchange(here.broker, order('{}'))).status).toBe(202)
    await here.apply(guarded('reject') + ORDERS)
    expect((await exchange(here.broker, binary([['ce-type', 'other']], '{}'))).status).toBe(202)
    expect((await exchange(here.broker, order('{}'))).status).toBe(422)
  })

  test('a reply that is refused is a failed delivery: the event goes to the dead-letter sink, code 422, after one try', async () => {
    const sink = await subscriber()
    const answering = await subscriber(() => ({
      ...(REPLY as object),
      status: 200,
      body: eventJson({ id: 'r', type: 'order', datacontenttype: 'application/json', data: {} }),
    }))
    const here = await sluiceHere(
      guarded('reject') +
        ORDERS +
        trigger('t', answering.url, [`delivery: {retry: 3, deadLetterSink: {uri: "${sink.url}"}}`]),
    )
    await exchange(here.broker, binary())
    const [dead] = await sink.received(1)
    const headers = dead!.rawHeaders.map((each) => each.toLowerCase())
    expect(headers[headers.indexOf('ce-knativeerrorcode') + 1]).toBe('422')
    expect(answering.all).toHaveLength(1)
  })
})

function declaration(version: string, name: string, spec: string): string {
  return `---\napiVersion: eventing.knative.dev/${version}\nkind: EventType\nmetadata: {name: ${name}}\nspec: ${spec}\n`
}
