// The reply event in a 200 answer, and everything that is none.

import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { manualClock } from '@sluice/clock'
import { describe, expect, test } from 'vitest'
import { attempt, rawSubscriber, subscriber, testDeliverer } from './subscribers.ts'

const MARKS = { 'ce-specversion': '1.0', 'ce-id': 'r-1', 'ce-source': '/billing', 'ce-type': 'com.example.billed' }
const reply = { specversion: '1.0', id: 'r-1', source: '/billing', type: 'com.example.billed' }

function answering(status: number, headers: Record<string, string>, body: string | Buffer = '') {
  return (response: ServerResponse): void => void response.writeHead(status, headers).end(body)
}

describe('spec 135: a reply event', () => {
  test('in binary mode, with its data as it came', async () => {
    const headers = { ...MARKS, 'content-type': 'application/json', 'content-encoding': 'identity' }
    const { url } = await subscriber(answering(200, headers, '{"total":7}'))
    const outcome = await attempt(testDeliverer(), url)
    expect(outcome).toMatchObject({ verdict: 'delivered', status: 200, error: '' })
    expect(outcome.reply).toMatchObject({ id: 'r-1', source: '/billing', type: 'com.example.billed' })
    expect(outcome.reply?.data?.toString()).toBe('{"total":7}')
  })

  test('in binary mode without data', async () => {
    const { url } = await subscriber(answering(200, MARKS))
    const outcome = await attempt(testDeliverer(), url)
    expect(outcome.reply?.id).toBe('r-1')
    expect(outcome.reply?.data).toBeUndefined()
  })

  test('in structured mode', async () => {
    const body = JSON.stringify({ ...reply, data: { total: 7 } })
    const { url } = await subscriber(answering(200, { 'content-type': 'application/cloudevents+json' }, body))
    const outcome = await attempt(testDeliverer(), url)
    expect(outcome).toMatchObject({ verdict: 'delivered', status: 200 })
    expect(outcome.reply?.type).toBe('com.example.billed')
  })

  test('as the only one of a batch', async () => {
    const headers = { 'content-type': 'application/cloudevents-batch+json' }
    const { url } = await subscriber(answering(200, headers, JSON.stringify([reply])))
    expect((await attempt(testDeliverer(), url)).reply?.id).toBe('r-1')
  })

  test('in chunks of one byte each', async () => {
    const data = 'abcdefghij'.repeat(5000)
    const { url } = await rawSubscriber(async ({ request, socket }) => {
      await request()
      const head = Object.entries(MARKS).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.write(`HTTP/1.1 200 OK\r\n${head.join('')}transfer-encoding: chunked\r\n\r\n`)
      socket.write(
        `${data
          .split('')
          .map((byte) => `1\r\n${byte}\r\n`)
          .join('')}0\r\n\r\n`,
      )
    })
    const { reply } = await attempt(testDeliverer(), url)
    expect(reply?.data?.toString()).toBe(data)
    expect(reply?.data?.buffer.byteLength).toBe(data.length)
  })

  test('of 1 MiB, sent in many pieces', async () => {
    const data = 'd'.repeat(1024 * 1024)
    const { url } = await subscriber((response) => {
      response.writeHead(200, { ...MARKS, 'content-type': 'text/plain' })
      for (let at = 0; at < data.length; at += 50_000) response.write(data.slice(at, at + 50_000))
      response.end()
    })
    expect((await attempt(testDeliverer(), url)).reply?.data?.length).toBe(data.length)
  })
})

describe('no reply, and yet delivered', () => {
  test.each(['OK', '{"id":1}', '<html></html>'])('a 200 with the body %j and no marks', async (body) => {
    const { url } = await subscriber(answering(200, { 'content-type': 'application/json' }, body))
    expect(await attempt(testDeliverer(), url)).toMatchObject({ verdict: 'delivered', reply: undefined, error: '' })
  })

  test.each([201, 202, 204])('spec 136: a %d with all marks of an event', async (status) => {
    const { url } = await subscriber(answering(status, MARKS, status === 204 ? '' : 'data'))
    expect(await attempt(testDeliverer(), url)).toMatchObject({ verdict: 'delivered', status, reply: undefined })
  })

  test('spec 137: a 202 that names a status monitor', async () => {
    const monitor = await subscriber()
    const { url } = await subscriber(answering(202, { location: monitor.url }))
    expect(await attempt(testDeliverer(), url)).toMatchObject({ verdict: 'delivered', status: 202 })
    expect(monitor.connections()).toBe(0)
  })

  test('spec 138: an event in the answer to an attempt that takes no reply, malformed or not', async () => {
    const { url } = await subscriber(answering(200, { 'ce-id': 'half' }, 'x'))
    expect(await attempt(testDeliverer(), url, { reply: false })).toMatchObject({
      verdict: 'delivered',
      reply: undefined,
    })
  })
})

describe('fault 30: a malformed reply is a failed delivery, code 502', () => {
  test.each<[string, Record<string, string>, string | Buffer, RegExp]>([
    ['ce- headers without a type', { 'ce-id': '1', 'ce-source': '/', 'ce-specversion': '1.0' }, 'x', /type/],
    ['structured, but no JSON', { 'content-type': 'application/cloudevents+json' }, '{"id"', /./],
    ['a batch of none', { 'content-type': 'application/cloudevents-batch+json' }, '[]', /batch of 0/],
    [
      'a batch of two',
      { 'content-type': 'application/cloudevents-batch+json' },
      JSON.stringify([reply, reply]),
      /batch of 2 events; a reply is one event/,
    ],
    ['one that is compressed', { ...MARKS, 'content-encoding': 'gzip' }, gzipSync('data'), /content-encoding gzip/],
  ])('%s', async (_, headers, body, words) => {
    const { url } = await subscriber(answering(200, headers, body))
    const outcome = await attempt(testDeliverer(), url)
    expect(outcome).toMatchObject({ verdict: 'retry', status: 502, reply: undefined, pressure: false })
    expect(outcome.error).toMatch(/^the reply of http:\/\/127\.0\.0\.1:\d+ is malformed: /)
    expect(outcome.error).toMatch(words)
    expect(outcome.response).toEqual(Buffer.from(body))
  })

  test('one larger than replyBytesMax, and it is not read to its end', async () => {
    const { url } = await subscriber(answering(200, { ...MARKS, 'content-type': 'text/plain' }, 'd'.repeat(1001)))
    const sender = testDeliverer({ replyBytesMax: 1000 })
    const outcome = await attempt(sender, url)
    expect(outcome).toMatchObject({ verdict: 'retry', status: 502 })
    expect(outcome.error).toContain('more than 1000 bytes (replyBytesMax; of sluice up, --max-event-bytes)')
  })

  test('one with a repeated attribute', async () => {
    const { url } = await subscriber((response) => {
      for (const [name, value] of Object.entries(MARKS)) response.setHeader(name, value)
      response.setHeader('ce-id', ['r-1', 'r-2'])
      response.writeHead(200).end()
    })
    expect(await attempt(testDeliverer(), url)).toMatchObject({ verdict: 'retry', status: 502, response: undefined })
  })
})

test('fault 29: large replies at once have a bound together, and count as overload beyond it; small ones always have room', async () => {
  const large = 'd'.repeat(300_000)
  const { url } = await rawSubscriber(async ({ request, socket, number }) => {
    for (let n = 1; ; n++) {
      const isSmall = (await request(n)).startsWith('POST /small')
      const head = Object.entries(MARKS).map(([name, value]) => `${name}: ${value}\r\n`)
      const body = isSmall ? 'small' : large
      socket.write(`HTTP/1.1 200 OK\r\n${head.join('')}content-length: ${body.length}\r\n\r\n`)
      // The first four hang before their end.
      socket.write(number <= 4 && !isSmall ? body.slice(1) : body)
    }
  })
  const clock = manualClock()
  const sender = testDeliverer({ clock, allRepliesBytesMax: 1_000_000 })
  const hanging = Array.from({ length: 4 }, () => attempt(sender, url, { timeoutMs: 60_000 }))
  const overload = await Promise.any(hanging)
  expect(overload).toMatchObject({ verdict: 'retry', status: 502, pressure: true })
  expect(overload.error).toContain('there was no room for it: 1000000 bytes of replies are being read')
  expect((await attempt(sender, `${url}small`)).reply?.data?.toString()).toBe('small')
  clock.advance(60_000)
  for (const each of await Promise.all(hanging)) expect(each).toMatchObject({ verdict: 'retry', status: 502 })
  expect((await attempt(sender, url)).reply?.data?.toString()).toBe(large)
})

describe('fault 28: an answer that is cut off', () => {
  const head = 'HTTP/1.1 200 OK\r\n'
  const marks = Object.entries(MARKS)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')

  test.each([
    ['content-length is larger than what was sent', 'content-length: 100\r\n\r\nshort'],
    ['chunks end in the middle', 'transfer-encoding: chunked\r\n\r\n64\r\nshort'],
    ['the last chunk is missing', 'transfer-encoding: chunked\r\n\r\n5\r\nshort\r\n'],
  ])('%s: the status line decides where there is no reply, and a reply is malformed', async (_, rest) => {
    for (const [isReply, expected] of [
      [false, { verdict: 'delivered', status: 200, error: '' }],
      [true, { verdict: 'retry', status: 502, reply: undefined }],
    ] as const) {
      const { url } = await rawSubscriber(async ({ request, socket }) => {
        await request()
        socket.end(head + (isReply ? marks : '') + rest)
      })
      expect(await attempt(testDeliverer(), url)).toMatchObject(expected)
    }
  })

  test('a failure that is cut off is the failure that its status says', async () => {
    const { url } = await rawSubscriber(async ({ request, socket }) => {
      await request()
      socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 100\r\n\r\nwhy')
    })
    expect(await attempt(testDeliverer(), url)).toMatchObject({
      verdict: 'dead',
      status: 400,
      response: Buffer.from('why'),
    })
  })

  test('cut before the headers have ended, it is no answer', async () => {
    const { url } = await rawSubscriber(async ({ request, socket }) => {
      await request()
      socket.end(`${head}content-le`)
    })
    expect(await attempt(testDeliverer(), url)).toMatchObject({ verdict: 'retry', status: 0, pressure: true })
  })

  test('an answer that ends with the connection, as HTTP/1.0 has it, is whole: a reply too', async () => {
    const { url } = await rawSubscriber(async ({ request, socket }) => {
      await request()
      socket.end(`${head}${marks}connection: close\r\n\r\nthe data`)
    })
    expect((await attempt(testDeliverer(), url)).reply?.data?.toString()).toBe('the data')
  })
})
