// Channels and Subscriptions: Knative's topology-based routing. Numbers: the requirements of the Knative Eventing
// specification, in its order; and Knative's own conformance tests of channels (KNATIVE.md 5.2), re-enacted.

import { request } from 'node:http'
import { describe, expect, test } from 'vitest'
import { binary, broker, channel, eventJson, structuredMode, subscription, trigger } from '../support/events.ts'
import { exchange, type Message } from '../support/exchange.ts'
import { sluiceHere, type Here } from '../support/here.ts'
import { conditionOf, readMetric, readResource } from '../support/ops.ts'
import { ceHeaders, header, structured, subscriber, type Answer } from '../support/subscriber.ts'

const NOWHERE = 'http://127.0.0.1:9/'
const KSVC = '{ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: missing}}'
const KINDS = [['Channel', 'channels'], ['InMemoryChannel', 'inmemorychannels'], ['LogChannel', 'logchannels']] as const // prettier-ignore

function urlOf(here: Here, name: string): string {
  return `${here.ingress}/channels/default/${name}`
}

async function send(here: Here, name: string, message: Message = binary()): Promise<number> {
  return (await exchange(urlOf(here, name), message)).status
}

const REPLY: Answer = {
  status: 200,
  headers: ['content-type', 'application/cloudevents+json'],
  body: eventJson({ id: 'answer', type: 'answered' }),
}

describe('a channel', () => {
  test.each(KINDS.slice(0, 2))(
    'spec 21, spec 23, spec 47, spec 61, spec 62, spec 63: %s has its address in its status, and takes every valid event there',
    async (kind, plural) => {
      const here = await sluiceHere(channel('ch', '{}', kind))
      const { status } = await readResource(here.api, plural, 'ch')
      expect(status?.['address']).toEqual({ name: 'http', url: urlOf(here, 'ch') })
      for (const version of ['0.3', '1.0']) {
        expect(await send(here, 'ch', binary([['ce-specversion', version]]))).toBe(202)
        expect(await send(here, 'ch', structuredMode(eventJson({ specversion: version })))).toBe(202)
      }
      for (const bad of [binary([['ce-specversion', '2']]), structuredMode('{}'), structuredMode('nonsense')]) {
        expect(await send(here, 'ch', bad)).toBe(400)
      }
      const asked = await exchange(urlOf(here, 'ch'), { method: 'OPTIONS' })
      expect([asked.status, asked.headers['allow']]).toEqual([200, 'POST, OPTIONS'])
      expect((await exchange(urlOf(here, 'ch'), { method: 'PUT' })).status).toBe(405)
    },
  )

  test('a channel that is not there is told as such, whatever Brokers there are', async () => {
    const here = await sluiceHere(broker('ch') + channel('default'))
    const answer = await exchange(urlOf(here, 'ch'), binary())
    expect([answer.status, answer.json().code]).toEqual([404, 'SLUICE_CHANNEL_UNKNOWN'])
    expect((await exchange(here.broker, binary())).status).toBe(404)
  })

  test('it answers by Knative’s host names as well', async () => {
    const taker = await subscriber()
    const here = await sluiceHere(channel('ch') + subscription('s', 'ch', taker.url))
    const { hostname, port } = new URL(here.ingress)
    const { promise, resolve } = Promise.withResolvers<number | undefined>()
    const headers = { ...Object.fromEntries(binary().headers!), host: 'ch-kn-channel.default.svc.cluster.local' }
    request({ hostname, port, path: '/', method: 'POST', headers }, (response) => {
      response.resume()
      resolve(response.statusCode)
    }).end()
    expect(await promise).toBe(202)
    await taker.received(1)
  })

  test('it is Ready once each of Knative’s conditions is, and says what it is made of', async () => {
    const here = await sluiceHere(
      channel('ch') + channel('made', '{channelTemplate: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel}}') + channel('imc', '{}', 'InMemoryChannel'), // prettier-ignore
    )
    const ch = await readResource(here.api, 'channels', 'ch')
    for (const type of [
      'BackingChannelReady',
      'Addressable',
      'DeadLetterSinkResolved',
      'EventPoliciesReady',
      'Ready',
    ]) {
      expect(conditionOf(ch, type)).toMatch(/^True/)
    }
    const made = await readResource(here.api, 'channels', 'made')
    expect(made.status?.['channel']).toMatchObject({ kind: 'InMemoryChannel', name: 'made' })
    const imc = await readResource(here.api, 'inmemorychannels', 'imc')
    for (const type of ['ServiceReady', 'EndpointsReady', 'Addressable', 'ChannelServiceReady', 'Ready']) {
      expect(conditionOf(imc, type)).toBe('True')
    }
  })

  test('spec 25: its dead-letter sink is resolved into its status before it is Ready', async () => {
    const here = await sluiceHere(
      channel('good', '{delivery: {retry: 1, deadLetterSink: {uri: "http://127.0.0.1:9/dead"}}}') +
        channel('bad', `{delivery: {retry: 1, deadLetterSink: ${KSVC}}}`),
    )
    const good = await readResource(here.api, 'channels', 'good')
    expect(good.status?.['deadLetterSinkUri']).toBe('http://127.0.0.1:9/dead')
    const bad = await readResource(here.api, 'channels', 'bad')
    expect(bad.status).not.toHaveProperty('deadLetterSinkUri')
    expect(conditionOf(bad, 'Ready')).toMatch(/^False Unable to get the dead letter sink/)
  })

  const byDefault = (kind: string): string => `---
apiVersion: v1
kind: ConfigMap
metadata: {name: default-ch-webhook, namespace: knative-eventing}
data:
  default-ch-config: |
    clusterDefault: {apiVersion: messaging.knative.dev/v1, kind: ${kind}}
    namespaceDefaults:
      other: {apiVersion: messaging.knative.dev/v1, kind: RabbitmqChannel}
`

  test('spec 26: one without a template has that of default-ch-webhook, of its namespace or of all', async () => {
    const other = channel('ch').replace('{name: ch}', '{name: ch, namespace: other}')
    const here = await sluiceHere(channel('ch') + other + byDefault('InMemoryChannel'))
    expect((await readResource(here.api, 'channels', 'ch')).status?.['channel']).toMatchObject({ kind: 'InMemoryChannel' }) // prettier-ignore
    const path = `${here.api}/apis/messaging.knative.dev/v1/namespaces/other/channels/ch`
    const { status } = JSON.parse(await (await fetch(path)).text()) as Awaited<ReturnType<typeof readResource>>
    expect(status?.conditions.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'False',
      message: expect.stringContaining('asks for a RabbitmqChannel') as string,
    })
  })

  test('spec 27: its template can not be changed; its delivery can', async () => {
    const made = (kind: string, retry = 1): string =>
      channel('ch', `{channelTemplate: {apiVersion: messaging.knative.dev/v1, kind: ${kind}}, delivery: {retry: ${retry}}}`) // prettier-ignore
    const here = await sluiceHere(made('InMemoryChannel'))
    await expect(here.apply(made('RabbitmqChannel'))).rejects.toThrow(
      /Immutable fields changed.*spec\.channelTemplate/s,
    )
    await here.apply(made('InMemoryChannel', 5))
    expect((await readResource(here.api, 'channels', 'ch')).metadata.generation).toBe(2)
  })

  test('spec 86: who subscribes stands in its status, and only the server writes it', async () => {
    const taker = await subscriber()
    const here = await sluiceHere(channel('ch') + subscription('a', 'ch', taker.url))
    const a = await readResource(here.api, 'subscriptions', 'a')
    expect((await readResource(here.api, 'channels', 'ch')).status?.['subscribers']).toEqual([
      { uid: a.metadata.uid, observedGeneration: 1, ready: 'True' },
    ])
    const written = channel('ch', `{subscribers: [{subscriberUri: "${taker.url}"}]}`)
    await expect(here.apply(written)).rejects.toThrow('must not set the field(s): spec.subscribers')
  })

  test('channels of all kinds share their path: of two with one name the second says so', async () => {
    const here = await sluiceHere(channel('ch', '{}', 'InMemoryChannel') + channel('ch'))
    const second = await readResource(here.api, 'inmemorychannels', 'ch')
    expect(conditionOf(second, 'Addressable')).toBe('False NameTaken')
    expect(second.status).not.toHaveProperty('address')
    await here.apply(channel('ch', '{}', 'InMemoryChannel'))
    expect(conditionOf(await readResource(here.api, 'inmemorychannels', 'ch'), 'Ready')).toBe('True')
  })
})

describe('a Subscription', () => {
  test('spec 22, spec 24, spec 40, spec 64, spec 65, spec 66, spec 67: Ready, each gets the very first event, as it came', async () => {
    const taker = await subscriber()
    const here = await sluiceHere(
      channel('ch') + subscription('a', 'ch', taker.url) + subscription('b', 'ch', taker.url),
    )
    for (const name of ['a', 'b']) {
      expect(conditionOf(await readResource(here.api, 'subscriptions', name), 'Ready')).toBe('True')
    }
    const sent = binary([['ce-knativebrokerttl', '9'], ['ce-custom', '%C3%BC'], ['x-request-id', 'r'], ['knative-one', '1'], ['x-other', 'o']], 'data') // prettier-ignore
    expect(await send(here, 'ch', sent)).toBe(202)
    for (const received of await taker.received(2)) {
      expect(received.rawHeaders.join('\n').toLowerCase()).not.toContain('knativearrivaltime')
      expect(ceHeaders(received)).toMatchObject({ id: '1', source: '/s', type: 't', knativebrokerttl: '9' })
      expect(received.body.toString()).toBe('data')
      const shown = ['x-request-id', 'knative-one', 'x-other', 'prefer', 'kn-namespace'].map((name) => header(received, name)) // prettier-ignore
      expect(shown).toEqual(['r', '1', undefined, 'reply', 'default'])
    }
  })

  test('spec 28: its channel is in its own namespace', async () => {
    const text = subscription('s', 'ch', NOWHERE).replace('name: ch}', 'name: ch, namespace: other}')
    await expect(sluiceHere(text)).rejects.toThrow('must not set the field(s): spec.channel.namespace')
  })

  test.each([
    ['spec 29, spec 30: while its channel is missing', subscription('s', 'ch', NOWHERE), 'Unknown ChannelReferenceFailed'], // prettier-ignore
    ['spec 29, spec 30: while its channel is not Ready', channel('ch', `{delivery: {retry: 0, deadLetterSink: ${KSVC}}}`) + subscription('s', 'ch', NOWHERE, ['delivery: {retry: 0, deadLetterSink: {uri: "http://127.0.0.1:9/"}}']), "False Unable to get the dead letter sink's URI"], // prettier-ignore
    ['spec 32, spec 33: while its subscriber is unknown', channel('ch') + subscription('s', 'ch', NOWHERE).replace(/subscriber: .*/, `subscriber: ${KSVC}`), 'False SubscriberResolveFailed'], // prettier-ignore
    ['spec 32, spec 33: while the place of its replies is', channel('ch') + subscription('s', 'ch', NOWHERE, [`reply: ${KSVC}`]), 'False ReplyResolveFailed'], // prettier-ignore
    ['spec 32, spec 33: while its dead-letter sink is', channel('ch') + subscription('s', 'ch', NOWHERE, [`delivery: {retry: 0, deadLetterSink: ${KSVC}}`]), 'False DeadLetterSinkResolveFailed'], // prettier-ignore
  ])('%s it is not Ready, and says why', async (_when, yaml, ready) => {
    const here = await sluiceHere(yaml)
    expect(conditionOf(await readResource(here.api, 'subscriptions', 's'), 'Ready')).toBe(ready)
  })

  test('spec 31, spec 34, spec 44: where its events go stands in its status before it is Ready, and what is unknown is empty', async () => {
    const here = await sluiceHere(
      channel('ch', '{delivery: {retry: 2, deadLetterSink: {uri: "http://127.0.0.1:9/dead"}}}') +
        channel('next') +
        subscription('good', 'ch', NOWHERE, [
          'reply: {ref: {apiVersion: messaging.knative.dev/v1, kind: Channel, name: next}}',
        ]) + // prettier-ignore
        subscription('bad', 'ch', NOWHERE, [`reply: ${KSVC}`]),
    )
    const good = await readResource(here.api, 'subscriptions', 'good')
    expect(good.status?.['physicalSubscription']).toEqual({
      subscriberUri: NOWHERE,
      replyUri: urlOf(here, 'next'),
      deadLetterSinkUri: 'http://127.0.0.1:9/dead',
    })
    const bad = await readResource(here.api, 'subscriptions', 'bad')
    expect(bad.status?.['physicalSubscription']).toMatchObject({ subscriberUri: NOWHERE, replyUri: '' })
  })

  test.each([
    ['spec 35, spec 89', 'subscriber', /missing field\(s\): spec\.subscriber/],
    ['spec 88', 'channel', /missing field\(s\): spec\.channel/],
  ])('%s: its %s has to be there', async (_number, field, words) => {
    const without = subscription('s', 'ch', NOWHERE).replace(new RegExp(`^  ${field}: .*\n`, 'm'), '')
    await expect(sluiceHere(channel('ch') + without)).rejects.toThrow(words)
  })

  test('spec 36, spec 73: without a destination for replies they are dropped', async () => {
    const taker = await subscriber(() => REPLY)
    const here = await sluiceHere(channel('ch') + subscription('s', 'ch', taker.url))
    await send(here, 'ch')
    await here.step('settled')
    expect(await readMetric(here.api, 'sluice_events_accepted_total', { channel: 'ch' })).toBe(1)
    expect(taker.all).toHaveLength(1)
  })

  test('spec 37, spec 38: its channel can not be changed: it is deleted and created again', async () => {
    const taker = await subscriber()
    const both = channel('one') + channel('two')
    const here = await sluiceHere(both + subscription('s', 'one', taker.url))
    await expect(here.apply(both + subscription('s', 'two', taker.url))).rejects.toThrow(/Immutable fields changed.*spec\.channel/s) // prettier-ignore
    await here.apply(both)
    await here.apply(both + subscription('s', 'two', taker.url))
    await send(here, 'one', binary([['ce-id', 'one']]))
    await send(here, 'two', binary([['ce-id', 'two']]))
    expect(ceHeaders(await taker.next())['id']).toBe('two')
  })

  test('spec 39: subscriber, reply and delivery can be changed, live: the next attempt goes by the new', async () => {
    const [old, taker, replies] = [await subscriber(() => 503), await subscriber(() => REPLY), await subscriber()]
    const here = await sluiceHere(channel('ch') + subscription('s', 'ch', old.url, ['delivery: {retry: 5, backoffDelay: PT1S}'])) // prettier-ignore
    await send(here, 'ch')
    await here.step('parked')
    await here.apply(channel('ch') + subscription('s', 'ch', taker.url, [`reply: {uri: "${replies.url}"}`]))
    here.clock.advance(2000)
    expect(ceHeaders(await taker.next())['id']).toBe('1')
    expect(ceHeaders(await replies.next())).toMatchObject({ id: 'answer', type: 'answered' })
    expect(old.all).toHaveLength(1)
  })
})

describe('delivery', () => {
  test('spec 68, spec 69, spec 72: a reply goes where the Subscription says, before the event is done: a chain of channels', async () => {
    const first = await subscriber(() => REPLY)
    const last = await subscriber()
    const here = await sluiceHere(
      channel('one') +
        channel('two') +
        subscription('first', 'one', first.url, [
          'reply: {ref: {apiVersion: messaging.knative.dev/v1, kind: Channel, name: two}}',
        ]) + // prettier-ignore
        subscription('last', 'two', last.url),
    )
    await send(here, 'one', binary([['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01']]))
    const got = await last.next()
    expect(ceHeaders(got)['id']).toBe('answer')
    expect(header(got, 'traceparent')).toBe('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')
  })

  test('a reply may go to a Broker, and a Trigger’s events to a channel', async () => {
    const [taker, last] = [await subscriber(() => REPLY), await subscriber()]
    const ref = (kind: string, group: string, name: string): string => `{ref: {apiVersion: ${group}/v1, kind: ${kind}, name: ${name}}}` // prettier-ignore
    const here = await sluiceHere(
      broker() +
        trigger('in', NOWHERE, ['filter: {attributes: {type: t}}']).replace(
          /subscriber: .*/,
          `subscriber: ${ref('Channel', 'messaging.knative.dev', 'ch')}`,
        ) + // prettier-ignore
        channel('ch') +
        subscription('s', 'ch', taker.url, [`reply: ${ref('Broker', 'eventing.knative.dev', 'default')}`]) +
        trigger('out', last.url, ['filter: {attributes: {type: answered}}']),
    )
    await exchange(here.broker, binary())
    expect(ceHeaders(await last.next())['type']).toBe('answered')
  })

  test('spec 70, spec 74: a reply that is not taken for now makes the whole delivery again, as often as a try is', async () => {
    const taker = await subscriber(() => REPLY)
    const replies = await subscriber((_request, n) => (n === 1 ? 503 : 202))
    const here = await sluiceHere(
      channel('ch') + subscription('s', 'ch', taker.url, [`reply: {uri: "${replies.url}"}`, 'delivery: {retry: 1, backoffDelay: PT1S}']), // prettier-ignore
    )
    await send(here, 'ch')
    expect((await here.step('parked')).delayMs).toBe(1000)
    here.clock.advance(1000)
    await here.step('settled')
    expect([taker.all.length, replies.all.length]).toEqual([2, 2])
  })

  test('spec 75: what is undeliverable, or whose reply is, goes to the dead-letter sink, with where and why', async () => {
    const taker = await subscriber((request) => (ceHeaders(request)['id'] === 'reply' ? REPLY : 400))
    const replies = await subscriber(() => ({ status: 400, body: 'no' }))
    const sink = await subscriber()
    const here = await sluiceHere(
      channel('ch', `{delivery: {retry: 0, deadLetterSink: {uri: "${sink.url}"}}}`) +
        subscription('s', 'ch', taker.url, [`reply: {uri: "${replies.url}"}`]),
    )
    await send(here, 'ch', binary([['ce-id', 'dead']]))
    expect(ceHeaders(await sink.next())).toMatchObject({ id: 'dead', knativeerrordest: taker.url, knativeerrorcode: '400', sluicetrigger: 'default/s' }) // prettier-ignore
    await send(here, 'ch', binary([['ce-id', 'reply']]))
    expect(ceHeaders(await sink.next())).toMatchObject({
      id: 'reply',
      knativeerrordest: replies.url,
      knativeerrorcode: '400',
      knativeerrordata: Buffer.from('no').toString('base64'),
    })
  })

  test('without a dead-letter sink it is kept in the box of the channel', async () => {
    const taker = await subscriber(() => 400)
    const here = await sluiceHere(channel('ch') + subscription('s', 'ch', taker.url))
    await send(here, 'ch')
    expect(await here.step('deadLettered')).toMatchObject({ into: 'box' })
    expect(await readMetric(here.api, 'sluice_dead_letter_box_events', { channel: 'ch' })).toBe(1)
    const labels = { channel: 'ch', subscription: 's', outcome: 'boxed' }
    expect(await readMetric(here.api, 'sluice_deliveries_total', labels)).toBe(1)
  })

  test('spec 87: a Subscription with any delivery option has none of its channel’s but the dead-letter sink', async () => {
    const taker = await subscriber(() => 503)
    const sink = await subscriber()
    const here = await sluiceHere(
      channel('ch', `{delivery: {retry: 3, backoffDelay: PT1S, deadLetterSink: {uri: "${sink.url}"}}}`) +
        subscription('its', 'ch', `${taker.url}its`, ['delivery: {timeout: PT5S}']) +
        subscription('channels', 'ch', `${taker.url}channels`),
    )
    await send(here, 'ch')
    expect(ceHeaders(await sink.next())['sluicetrigger']).toBe('default/its')
    expect((await here.step('parked')).delayMs).toBe(1000)
    expect(taker.all).toHaveLength(2)
  })

  test('structured and binary events reach the subscriber as the delivery says', async () => {
    const taker = await subscriber()
    const here = await sluiceHere(channel('ch') + subscription('s', 'ch', taker.url, ['delivery: {retry: 1, format: json}'])) // prettier-ignore
    await send(here, 'ch', binary([['content-type', 'application/json']], '{"a":1}'))
    expect(structured(await taker.next())).toMatchObject({ id: '1', data: { a: 1 } })
  })

  test('a Subscription that is deleted gets nothing any more; the channel keeps its others', async () => {
    const [gone, stays] = [await subscriber(), await subscriber()]
    const rest = channel('ch') + subscription('stays', 'ch', stays.url)
    const here = await sluiceHere(rest + subscription('gone', 'ch', gone.url))
    await here.apply(rest)
    await send(here, 'ch')
    await stays.received(1)
    expect(gone.all).toEqual([])
    await here.apply(subscription('stays', 'ch', stays.url))
    expect(await send(here, 'ch')).toBe(404)
    expect(conditionOf(await readResource(here.api, 'subscriptions', 'stays'), 'Ready')).toBe('Unknown ChannelReferenceFailed') // prettier-ignore
  })
})
