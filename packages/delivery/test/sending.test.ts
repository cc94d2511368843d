// What goes out on the wire.

import { Event } from '@sluice/event'
import { describe, expect, test } from 'vitest'
import { target } from '../src/index.ts'
import { attempt, orderPlaced, subscriber, testDeliverer } from './subscribers.ts'

test('spec 115, 117, 119, 120: an event goes out as one POST in binary mode, data byte for byte', async () => {
  const { url, received } = await subscriber()
  const data = Buffer.from([0, 1, 0xff, 0xfe, 10])
  const event = new Event(new Map(orderPlaced(0, { datacontenttype: 'application/octet-stream' }).attributes), data)
  expect(await attempt(testDeliverer(), `${url}orders?a=b`, { event })).toMatchObject({ verdict: 'delivered' })
  expect(received).toHaveLength(1)
  expect(received[0]).toMatchObject({
    method: 'POST',
    path: '/orders?a=b',
    body: data,
    headers: {
      'ce-specversion': '1.0',
      'ce-id': 'order-1',
      'ce-source': '/shop',
      'ce-type': 'com.example.order.placed',
      'content-type': 'application/octet-stream',
      'content-length': '5',
      host: new URL(url).host,
    },
  })
})

test('spec 118: with format json it goes out structured', async () => {
  const { url, received } = await subscriber()
  await attempt(testDeliverer(), url, { format: 'json' })
  expect(received[0]?.headers['content-type']).toMatch(/^application\/cloudevents\+json/)
  expect(received[0]?.headers['ce-id']).toBeUndefined()
  expect(JSON.parse(received[0]!.body.toString())).toMatchObject({ id: 'order-1', specversion: '1.0' })
})

describe('CE-14', () => {
  test('attributes too long for the headers that a server takes go out structured', async () => {
    const { url, received } = await subscriber()
    const event = orderPlaced(0, { note: 'n'.repeat(60 * 1024) })
    expect(await attempt(testDeliverer(), url, { event })).toMatchObject({ verdict: 'delivered' })
    expect(received[0]?.headers['content-type']).toMatch(/^application\/cloudevents\+json/)
    expect(JSON.parse(received[0]!.body.toString())).toMatchObject({ note: 'n'.repeat(60 * 1024) })
  })

  test('attributes of 11 KiB still fit beside 4 KiB of headers that came with the event', async () => {
    const { url, received } = await subscriber()
    const { attributes, data } = orderPlaced(0, { note: 'n'.repeat(11 * 1024) })
    const event = new Event(attributes, data, 255, ['tracestate', 't'.repeat(4000)])
    expect(await attempt(testDeliverer(), url, { event })).toMatchObject({ verdict: 'delivered' })
    expect(received[0]?.headers['ce-note']).toHaveLength(11 * 1024)
  })
})

test('spec 135: the headers of this hop and those that came with the event are sent, after its own', async () => {
  const { url, received } = await subscriber()
  const { attributes, data } = orderPlaced()
  const event = new Event(attributes, data, 255, ['traceparent', '00-1-2-01'])
  await attempt(testDeliverer(), url, { event, headers: ['prefer', 'reply', 'kn-namespace', 'shop'] })
  expect(received[0]?.headers).toMatchObject({ prefer: 'reply', 'kn-namespace': 'shop', traceparent: '00-1-2-01' })
})

test('threat 4: nothing asks for compression', async () => {
  const { url, received } = await subscriber()
  await attempt(testDeliverer(), url)
  expect(received[0]?.headers['accept-encoding']).toBeUndefined()
})

test('an event without data goes out with content-length 0', async () => {
  const { url, received } = await subscriber()
  const event = new Event(orderPlaced().attributes, undefined)
  expect(await attempt(testDeliverer(), url, { event })).toMatchObject({ verdict: 'delivered' })
  expect(received[0]?.headers['content-length']).toBe('0')
})

describe('threat 9: control characters', () => {
  test('in an attribute arrive encoded, and make no header of their own', async () => {
    const { url, received } = await subscriber()
    await attempt(testDeliverer(), url, { event: orderPlaced(0, { subject: 'a\r\nX-Evil: 1' }) })
    expect(received).toHaveLength(1)
    expect(received[0]?.headers['x-evil']).toBeUndefined()
  })

  test.each([
    ['x-request-id', 'a\r\nX-Evil: 1'],
    ['bad name', 'a'],
    ['transfer-encoding', 'chunked'],
    ['content-length', '3'],
  ])('fault 32: an event that comes with the header %j: %j is dead, and nothing is sent', async (name, value) => {
    const { url, connections } = await subscriber()
    const { attributes, data } = orderPlaced()
    const event = new Event(attributes, data, 255, [name, value])
    const outcome = await attempt(testDeliverer(), url, { event })
    expect(outcome).toMatchObject({ verdict: 'dead', status: 0, pressure: false })
    expect(outcome.error).toMatch(/^the event can't be written as an HTTP request/)
    expect(connections()).toBeLessThanOrEqual(1)
  })
})

test('the callback comes once, after send has returned, whatever is wrong', async () => {
  const sender = testDeliverer()
  const { attributes, data } = orderPlaced()
  let calls = 0
  const done = new Promise<void>((resolve) => {
    sender.send(
      {
        target: target('http://127.0.0.1:9/'),
        event: new Event(attributes, data, 255, ['bad name', 'x']),
        timeoutMs: 1000,
        format: 'binary',
        headers: [],
        reply: false,
      },
      () => {
        calls++
        resolve()
      },
    )
  })
  expect(calls).toBe(0)
  expect(sender.inFlight).toBe(0)
  await done
  expect(calls).toBe(1)
})
