// What the two listeners answer beside 202: shape of errors, health, resources, and what they keep to themselves.

import { setImmediate } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { NO_OBSERVER, type Broker } from '@sluice/broker'
import { manualClock } from '@sluice/clock'
import { DRIVERS, openController, type Controller } from '@sluice/controller'
import { deliverer } from '@sluice/delivery'
import { SluiceError } from '@sluice/event'
import { loadFiles } from '@sluice/resource'
import { resourceStore } from '@sluice/resource'
import { metrics, openServer, type ServerState } from '@sluice/server'
import { binary, broker, channel, structuredMode, trigger } from '../../../test/support/events.ts'
import { dial, encode, exchange, exchangeBytes, type HttpAnswer, type Message } from '../../../test/support/exchange.ts'
import { sluiceHere } from '../../../test/support/here.ts'
import { folderOf } from '../../../test/support/sluice.ts'

const NOWHERE = 'http://127.0.0.1:9/'

test('every error of the ingress is JSON with a code and what to do, and allows POST and OPTIONS (spec 121)', async () => {
  const to = await sluiceHere(broker(), { limits: { eventBytesMax: 100, headersMax: 20 } })
  const answers: [HttpAnswer, number, string][] = [
    [await exchange(to.broker, binary([['ce-id', '']])), 400, 'SLUICE_EVENT_'],
    [await exchange(`${to.ingress}/default/nobody`, binary()), 404, 'SLUICE_BROKER_UNKNOWN'],
    [await exchange(`${to.ingress}/`, binary()), 404, 'SLUICE_PATH_UNKNOWN'],
    [await exchange(to.broker, { method: 'GET' }), 405, 'SLUICE_METHOD_NOT_ALLOWED'],
    [await exchange(to.broker, binary([], 'x'.repeat(101))), 413, 'SLUICE_EVENT_TOO_LARGE'],
    [await exchange(to.broker, structuredMode('<a/>', 'application/cloudevents+xml')), 415, 'SLUICE_EVENT_'],
    [await exchange(to.broker, binary([['content-encoding', 'gzip']])), 415, 'SLUICE_REQUEST_CONTENT_ENCODING'],
    [
      await exchange(to.broker, binary(Array.from({ length: 30 }, (_, n) => [`x-${n}`, '']))),
      431,
      'SLUICE_REQUEST_HEADERS',
    ],
    [await exchange(to.broker, binary([['ce-x', 'x'.repeat(257 * 1024)]])), 431, 'SLUICE_REQUEST_HEADERS'],
    [await exchange(to.broker, binary([['ce-x', 'a\u0007']])), 400, 'SLUICE_REQUEST_UNREADABLE'],
    [await exchange(to.broker, binary([['Expect', 'the best']])), 417, 'SLUICE_REQUEST_EXPECTATION'],
  ]
  for (const [answer, status, code] of answers) {
    expect(answer.status).toBe(status)
    expect(answer.headers).toMatchObject({ allow: 'POST, OPTIONS', 'content-type': 'application/json' })
    expect(answer.json()).toMatchObject({ code: expect.stringContaining(code) as string })
    expect(answer.json().message!.length).toBeGreaterThan(20)
  }
})

test('a Broker whose channel can’t be opened answers 503, why, and when to come again; 202 once it is open', async () => {
  let isFull = true
  const clock = manualClock()
  const full = new SluiceError('SLUICE_LOG_FULL', 'The disk of /data is full. Make room on it.')
  const controller = openController({
    clock,
    deliverer: deliverer({ clock }),
    observer: NO_OBSERVER,
    memoryBytes: 1_000_000,
    drivers: { memory: (settings) => (isFull ? Promise.reject(full) : DRIVERS.memory(settings)) },
  })
  const listening = await serverOn(controller)
  listening.setState('ready')
  const { resources } = await loadFiles([folderOf({ 'broker.yaml': broker() })])
  await controller.apply(resources, { base: listening.ingress })
  const send = (): Promise<HttpAnswer> => exchange(`${listening.ingress}/default/default`, binary())

  const refused = await send()
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1', allow: 'POST, OPTIONS' } })
  expect(refused.json()).toEqual({
    code: 'SLUICE_CHANNEL_UNAVAILABLE',
    message: expect.stringContaining('The disk of /data is full. Make room on it. Nothing was stored.') as string,
  })
  clock.advance(1000) // the second try; the third is in 2 s
  await send()
  expect((await send()).headers).toMatchObject({ 'retry-after': '2' })
  isFull = false
  clock.advance(2000)
  while (controller.unavailable('default', 'default') !== undefined) await setImmediate()
  expect((await send()).status).toBe(202)
  await controller.close({ deadlineMs: 0 })
})

test('spec 115: a target in absolute form is that of its path and its host, on both listeners (RFC 9112, 3.2.2)', async () => {
  const to = await sluiceHere(broker() + channel('ch'))
  const status = async (url: string, target: string, message: Message): Promise<number> => {
    const sent = encode(url, message).toString('latin1').replace(/ \/ /, ` ${target} `)
    const [answer] = await exchangeBytes(url, sent)
    return answer!.status
  }
  expect(await status(to.ingress, `${to.ingress}/default/default`, binary())).toBe(202)
  expect(await status(to.ingress, 'http://ch-kn-channel.default.svc.cluster.local', binary())).toBe(202)
  expect(await status(to.ingress, 'http://ch-kn-channel.other.svc.cluster.local', binary())).toBe(404)
  expect(await status(to.api, `${to.api}/version`, { method: 'GET' })).toBe(200)
  expect(await status(to.api, 'http://evil.example/version', { method: 'GET' })).toBe(403)
})

test('an event sent to the API is told that events go to the other listener', async () => {
  const to = await sluiceHere(broker())
  const answer = await exchange(`${to.api}/default/default`, binary())
  expect(answer.status).toBe(404)
  expect(answer.json().message).toContain('Events go to the other listener (--listen).')
})

test('OPTIONS lets webhooks in, and no page of another origin (spec 121, threat 19)', async () => {
  const to = await sluiceHere(broker())
  const { status, headers } = await exchange(to.broker, {
    method: 'OPTIONS',
    headers: [
      ['Origin', 'http://evil.example'],
      ['Access-Control-Request-Method', 'POST'],
    ],
  })
  expect(status).toBe(200)
  expect(headers).toMatchObject({
    allow: 'POST, OPTIONS',
    'webhook-allowed-origin': '*',
    'webhook-allowed-rate': '*',
    'content-length': '0',
  })
  expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([])
})

test('Expect: 100-continue is honoured on both listeners', async () => {
  const to = await sluiceHere(broker())
  const api = await dial(to.api)
  api.write(
    'GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n'.replace(
      'Host: a',
      'Host: localhost',
    ),
  )
  await api.closed
  expect(api.answers().map(({ status }) => status)).toEqual([100, 200])
  const refused = await dial(to.broker)
  refused.write(encode(`${to.ingress}/default/nobody`, binary([['Expect', '100-continue']])))
  await refused.closed
  expect(refused.answers().map(({ status }) => status)).toEqual([404])
})

test('a bug of ours is 500, with a code and nothing of its inside (threat 23)', async () => {
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
  const listening = await serverOn({
    entrance: () => {
      throw new TypeError('secret /path/of/ours')
    },
  })
  listening.setState('ready')
  const { status, body } = await exchange(`${listening.ingress}/default/default`, binary())
  expect(status).toBe(500)
  expect(JSON.parse(body.toString())).toEqual({
    code: 'SLUICE_INTERNAL',
    message: expect.stringContaining('A bug in Sluice') as string,
  })
  expect((await warned).message).toContain('secret')
})

test('a disk that fails is 503, and its words stay inside (threat 23)', async () => {
  const disk = new SluiceError('SLUICE_DISK', '/secret/path: the disk is full.', {
    status: 503,
    retryable: true,
    retryAfterMs: 1500,
  })
  const broker = { room: () => 0, accept: () => Promise.reject(disk), namespace: 'default', name: 'default' }
  const entrance = { broker: broker as unknown as Broker, gate: undefined, unavailable: () => undefined }
  const listening = await serverOn({ entrance: () => entrance })
  listening.setState('ready')
  const answer = await exchange(`${listening.ingress}/default/default`, binary())
  expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '2' } })
  expect(answer.json()).toEqual({
    code: 'SLUICE_DISK',
    message: "The disk doesn't take events now; the status of the Broker says why. Nothing was stored.",
  })
})

describe('health', () => {
  const states: [ServerState, number, string | undefined][] = [
    ['starting', 503, 'SLUICE_STARTING'],
    ['ready', 200, undefined],
    ['draining', 503, 'SLUICE_DRAINING'],
  ]
  test.each(states)(
    '%s: /readyz answers %i, /healthz and /livez 200; events are answered alike',
    async (state, ready, code) => {
      const listening = await serverOn({ entrance: () => undefined })
      listening.setState(state)
      for (const base of [listening.ingress, listening.api]) {
        expect((await exchange(`${base}/healthz`, { method: 'GET' })).status).toBe(200)
        expect((await exchange(`${base}/livez`, { method: 'GET' })).status).toBe(200)
        const { status, body } = await exchange(`${base}/readyz`, { method: 'GET' })
        expect([status, body.toString()]).toEqual([ready, `${state}\n`])
      }
      const event = await exchange(`${listening.ingress}/default/default`, binary())
      expect(event.json().code).toBe(code ?? 'SLUICE_BROKER_UNKNOWN')
      if (code !== undefined) expect(event).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    },
  )
})

describe('resources', () => {
  const group = '/apis/eventing.knative.dev/v1/namespaces/default'
  const get = (api: string, path: string): Promise<HttpAnswer> => exchange(`${api}${path}`, { method: 'GET' })

  test('are read one by one and as a list, with their status', async () => {
    const to = await sluiceHere(broker() + trigger('a', NOWHERE) + trigger('b', NOWHERE))
    expect((await get(to.api, `${group}/triggers/a`)).json()).toMatchObject({
      apiVersion: 'eventing.knative.dev/v1',
      kind: 'Trigger',
      metadata: { name: 'a', namespace: 'default', generation: 1 },
      status: { subscriberUri: NOWHERE },
    })
    const list = (await get(to.api, `${group}/triggers`)).json() as {
      kind: string
      items: { metadata: { name: string } }[]
    }
    expect(list.kind).toBe('TriggerList')
    expect(list.items.map(({ metadata }) => metadata.name)).toEqual(['a', 'b'])
    expect((await get(to.api, group.replace('default', 'other') + '/triggers')).json()).toMatchObject({ items: [] })
  })

  test.each([
    `${group}/triggers/nobody`,
    `${group}/trigger`,
    `${group}/constructor`,
    '/apis/eventing.knative.dev/v2/namespaces/default/brokers',
    '/apis/unknown/v1/namespaces/default/brokers',
  ])('%s is not found, as a Kubernetes Status', async (path) => {
    const to = await sluiceHere(broker())
    const { status, body } = await get(to.api, path)
    expect(status).toBe(404)
    expect(JSON.parse(body.toString())).toMatchObject({
      kind: 'Status',
      status: 'Failure',
      reason: 'NotFound',
      code: 404,
    })
  })

  test('are written, run, and deleted again', async () => {
    const to = await sluiceHere('')
    const body = JSON.stringify({ metadata: { name: 'default' } })
    const headers = [['content-type', 'application/json']] as const
    expect((await exchange(`${to.api}${group}/brokers`, { method: 'POST', headers, body })).status).toBe(201)
    await vi.waitUntil(() => to.controller.broker('default', 'default') !== undefined)
    expect((await exchange(`${to.api}${group}/brokers/default`, { method: 'DELETE' })).status).toBe(200)
    expect(to.controller.broker('default', 'default')).toBeUndefined()
  })

  test('a watch ends when the server closes, so that nothing waits for it', async () => {
    const to = await sluiceHere(broker())
    const watched = await fetch(`${to.api}${group}/brokers?watch=true`)
    const closed = to.server.close({ deadlineMs: 60_000 }) // whose clock stands still
    const text = await watched.text()
    expect(JSON.parse(text.split('\n')[0]!)).toMatchObject({ type: 'ADDED' })
    await closed
  })
})

describe('threat 19', () => {
  test('the API on loopback answers to no name that a page could have', async () => {
    const to = await sluiceHere(broker())
    const as = (host: string, path: string): Promise<HttpAnswer> =>
      raw(to.api, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n`)
    for (const path of ['/metrics', '/version', '/apis/eventing.knative.dev/v1/namespaces/default/brokers']) {
      const refused = await as('evil.example', path)
      expect(refused.status).toBe(403)
      expect(refused.json().code).toBe('SLUICE_HOST_FOREIGN')
      expect((await as('localhost:8081', path)).status).toBe(200)
    }
    expect(
      (await exchange(`${to.api}/metrics`, { method: 'GET', headers: [['Origin', 'http://evil.example']] })).headers,
    ).not.toHaveProperty('access-control-allow-origin')
  })

  test('the API has no way in for events, and the ingress none to resources and metrics', async () => {
    const to = await sluiceHere(broker())
    expect((await exchange(`${to.api}/default/default`, binary())).status).toBe(404)
    for (const path of ['/metrics', '/version', '/apis/eventing.knative.dev/v1/namespaces/default/brokers']) {
      expect((await exchange(`${to.ingress}${path}`, { method: 'GET' })).status).toBe(404)
    }
  })
})

test('/version says which', async () => {
  const to = await sluiceHere(broker())
  expect((await exchange(`${to.api}/version`, { method: 'GET' })).json()).toMatchObject({
    gitVersion: 'v1.32.0+sluice-test', // kubectl compares itself with it
    sluice: 'test',
  })
})

test('an address that can’t be listened on is told in words', async () => {
  const to = await sluiceHere(broker())
  const port = Number(new URL(to.ingress).port)
  const address = { host: '127.0.0.1', port: 0 }
  const other = openServer({ controller: to.controller, metrics: metrics(), clock: to.clock, version: 'test' })
  await expect(other.listen({ ingress: { host: '127.0.0.1', port }, api: address })).rejects.toThrow(
    expect.objectContaining({
      code: 'SLUICE_LISTEN',
      message: expect.stringContaining('Another process has it') as string,
    }) as SluiceError,
  )
  await expect(other.listen({ ingress: { host: '192.0.2.1', port: 0 }, api: address })).rejects.toThrow(SluiceError)
})

/** A server whose controller does only this. */
async function serverOn(
  controller: Pick<Controller, 'entrance'> & Partial<Controller>,
): Promise<ReturnType<typeof openServer> & { ingress: string; api: string }> {
  const clock = manualClock()
  const whole = Object.assign(controller, { store: controller.store ?? resourceStore({ clock }) })
  const server = openServer({ controller: whole as Controller, metrics: metrics(), clock, version: 'test' })
  const address = { host: '127.0.0.1', port: 0 }
  const at = await server.listen({ ingress: address, api: address })
  onTestFinished(() => server.close({ deadlineMs: 0 }))
  return { ...server, ...at }
}

/** A request whose head stands there as it is. */
async function raw(url: string, head: string): Promise<HttpAnswer> {
  const connection = await dial(url)
  connection.write(`${head}Connection: close\r\n\r\n`)
  await connection.closed
  return connection.answers()[0]!
}
