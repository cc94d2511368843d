// Requests to sources, over real sockets: what the server answers itself, and what it gives to the source.

import { createHmac } from 'node:crypto'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { sluiceHere, type Here } from '../../../test/support/here.ts'
import { broker, trigger } from '../../../test/support/events.ts'

const SOURCE = `---
apiVersion: v1
kind: Secret
metadata: { name: s }
stringData: { k: canary }
---
apiVersion: sources.sluice.dev/v1alpha1
kind: WebhookSource
metadata: { name: shop }
spec:
  verify: { scheme: hmac, header: X-Sig }
  secretRefs: [{ name: s, key: k }]
  event: { type: shop.order, id: '{header.x-id}' }
  maxBytes: 1Ki
  sink: { ref: { apiVersion: eventing.knative.dev/v1, kind: Broker, name: default } }
`
const NOWHERE = 'http://127.0.0.1:9/'
const here = (): Promise<Here> => sluiceHere(broker() + SOURCE)
const sign = (body: string): string => createHmac('sha256', 'canary').update(body).digest('hex')

interface Sent {
  readonly path?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** In pieces, without a Content-Length. */
  readonly isChunked?: boolean
}

async function send({ ingress }: Here, given: Sent = {}): Promise<{ status: number; body: string; headers: object }> {
  const { path = '/webhooks/default/shop', method = 'POST', headers = {}, body = '{}', isChunked = false } = given
  const length = isChunked ? {} : { 'content-length': String(body.length) }
  const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    const sent = request(ingress + path, { method, headers: { 'x-sig': sign(body), ...length, ...headers } }, resolve)
    sent.on('error', reject)
    if (!isChunked) return sent.end(body)
    for (let at = 0; at < body.length; at += 100) sent.write(body.slice(at, at + 100))
    sent.end()
  })
  return { status: response.statusCode!, body: await text(response), headers: response.headers }
}

test('the path with or without a slash and a query is that of the source; others are nobody’s', async () => {
  const sluice = await here()
  for (const path of ['/webhooks/default/shop', '/webhooks/default/shop/', '/webhooks/default/shop?a=b']) {
    expect(await send(sluice, { path })).toMatchObject({ status: 202, body: '' })
  }
  for (const path of [
    '/webhooks/default/other',
    '/webhooks/other/shop',
    '/webhooks/default/shop/more',
    '/webhooks/shop',
  ]) {
    expect((await send(sluice, { path })).status).toBe(404)
  }
})

test('threat 12: a body beyond maxBytes is 413, announced or not, and the message says which setting', async () => {
  const sluice = await here()
  const body = 'x'.repeat(1025)
  for (const isChunked of [false, true]) {
    const answer = await send(sluice, { body, isChunked })
    expect(answer.status).toBe(413)
    expect(answer.body).toContain('1024 bytes (spec.maxBytes of the source)')
  }
  expect((await send(sluice, { body: 'x'.repeat(1024), isChunked: true })).status).toBe(202)
})

test('a body for which the channel of its sink is too small, even empty, is 413, announced or not', async () => {
  const sluice = await sluiceHere(broker() + trigger('t', NOWHERE) + SOURCE.replace('1Ki', '10Ki'), {
    memoryBytes: 10_000,
  })
  for (const isChunked of [false, true]) {
    const answer = await send(sluice, { body: `"${'x'.repeat(8001)}"`, isChunked })
    expect([answer.status, answer.body]).toEqual([413, expect.stringContaining('8000 for events from outside')])
  }
  expect((await send(sluice, { body: `"${'x'.repeat(7000)}"` })).status).toBe(202)
})

test('threat 12: what is compressed is refused, for its signature is over what came', async () => {
  expect((await send(await here(), { headers: { 'content-encoding': 'gzip' } })).status).toBe(415)
})

test('a method that is none for events is told which is', async () => {
  const sluice = await here()
  expect((await send(sluice, { method: 'GET', body: '' })).status).toBe(405)
  expect((await send(sluice, { method: 'DELETE' })).status).toBe(405)
  expect((await send(sluice, { method: 'OPTIONS' })).status).toBe(405)
})

test('who waits to be told to go on is, once its head is good', async () => {
  const sluice = await here()
  expect((await send(sluice, { headers: { expect: '100-continue' } })).status).toBe(202)
  expect((await send(sluice, { path: '/webhooks/default/other', headers: { expect: '100-continue' } })).status).toBe(
    404,
  )
})

test('while it shuts down, 503 with Retry-After', async () => {
  const sluice = await here()
  sluice.server.setState('draining')
  expect(await send(sluice)).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
})
