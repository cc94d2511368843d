// Signed deliveries as their receivers see them (threat 5): verified by the SDK that receivers have.

import { createHmac } from 'node:crypto'
import { manualClock } from '@sluice/clock'
import { Event } from '@sluice/event'
import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { target, type Receiver } from '../src/index.ts'
import { attempt, orderPlaced, subscriber, testDeliverer } from './subscribers.ts'

const OLD = `whsec_${Buffer.alloc(24, 1).toString('base64')}`
const NEW = `whsec_${Buffer.alloc(32, 2).toString('base64')}`

function signedAt(url: string, ...secrets: string[]): Receiver {
  const signing = secrets.map((secret) => Buffer.from(secret))
  return { ...target(url), access: { signing: () => signing } }
}

test.each(['json', 'binary'] as const)('the bytes that came verify by the SDK, in %s', async (format) => {
  const { url, received } = await subscriber()
  await attempt(testDeliverer(), url, { target: signedAt(url, OLD, NEW), format })
  const [{ body, headers }] = received as [(typeof received)[0]]
  for (const secret of [OLD, NEW]) {
    const verified = new Webhook(secret).verify(body, headers as Record<string, string>)
    expect(verified).toMatchObject(format === 'json' ? { id: 'order-1', source: '/shop' } : { pad: expect.anything() })
  }
})

test('the id is the same for each try and the time is that of the try; of another event the id is another', async () => {
  const clock = manualClock()
  const { url, received } = await subscriber((response) => response.writeHead(500).end())
  const sender = testDeliverer({ clock })
  const receiver = signedAt(url, NEW)
  await attempt(sender, url, { target: receiver })
  clock.advance(61_000)
  await attempt(sender, url, { target: receiver })
  await attempt(sender, url, { target: receiver, event: orderPlaced(20, { id: 'order-2' }) })
  const ids = received.map(({ headers }) => headers['webhook-id'])
  expect(ids[0]).toBe(ids[1])
  expect(ids[2]).not.toBe(ids[0])
  const times = received.map(({ headers }) => Number(headers['webhook-timestamp']))
  expect(times[1]! - times[0]!).toBe(61)
  expect(times[0]).toBe(Math.floor(Date.UTC(2026, 0, 1) / 1000))
})

test.each([
  ['no UTF-8', Buffer.from([0xff, 0x00, 0xfe])],
  ['nothing', undefined],
])('data that is %s is signed as it is sent', async (_, data) => {
  const { url, received } = await subscriber()
  const attributes = new Map(Object.entries({ specversion: '1.0', id: '1', source: '/s', type: 't' }))
  await attempt(testDeliverer(), url, { target: signedAt(url, NEW), event: new Event(attributes, data) })
  const [{ body, headers }] = received as [(typeof received)[0]]
  const signature = createHmac('sha256', Buffer.alloc(32, 2))
    .update(`${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.`)
    .update(body)
    .digest('base64')
  expect(headers['webhook-signature']).toBe(`v1,${signature}`)
  expect(body).toEqual(data ?? Buffer.alloc(0))
})

test('what is no secret sends nothing, counts as pressure, and is not shown (threat 7)', async () => {
  const { url, connections } = await subscriber()
  const outcome = await attempt(testDeliverer(), url, { target: signedAt(url, 'whsec_hunter2') })
  expect(outcome).toMatchObject({ verdict: 'retry', status: 0, pressure: true })
  expect(outcome.error).toContain('was not sent to: A secret is not of the form whsec_ and 24 to 64 bytes')
  expect(outcome.error).not.toContain('hunter2')
  expect(connections()).toBe(0)
})
