// What an answer means: Knative's table of status codes, the words for people, Retry-After.

import { manualClock } from '@sluice/clock'
import { describe, expect, test } from 'vitest'
import { attempt, rawSubscriber, subscriber, testDeliverer } from './subscribers.ts'

describe('the retry table of the data plane (spec 123, 125, 127, 130; faults 20, 22, 23)', () => {
  const retried = [404, 408, 409, 429, 500, 501, 502, 503, 504, 507, 511, 599]
  const final = [400, 401, 402, 403, 405, 406, 410, 411, 412, 413, 414, 415, 418, 422, 425, 426, 428, 431, 451, 499]

  test.each([200, 201, 202, 203, 204, 205, 206, 226, 299])('%d is delivered', async (status) => {
    const { url } = await subscriber((response) => response.writeHead(status).end())
    expect(await attempt(testDeliverer(), url)).toMatchObject({
      verdict: 'delivered',
      status,
      error: '',
      reply: undefined,
      response: undefined,
      pressure: false,
    })
  })

  test.each(retried)('%d is tried again', async (status) => {
    const { url } = await subscriber((response) => response.writeHead(status).end('no luck'))
    const outcome = await attempt(testDeliverer(), url)
    expect(outcome).toMatchObject({ verdict: 'retry', status, response: Buffer.from('no luck') })
    expect(outcome.error).toContain(`answered ${status}`)
    expect(outcome.pressure).toBe(status === 429 || status === 503)
  })

  test.each(final)('%d is final', async (status) => {
    const { url } = await subscriber((response) => response.writeHead(status).end('never'))
    const outcome = await attempt(testDeliverer(), url)
    expect(outcome).toMatchObject({ verdict: 'dead', status, response: Buffer.from('never'), pressure: false })
  })

  test.each([300, 301, 302, 303, 304, 307, 308])('fault 24: %d is final, and not followed', async (status) => {
    const elsewhere = await subscriber()
    const { url } = await subscriber((response) => response.writeHead(status, { location: elsewhere.url }).end())
    const outcome = await attempt(testDeliverer(), url)
    expect(outcome).toMatchObject({ verdict: 'dead', status })
    expect(outcome.error).toContain(`to ${elsewhere.url}: redirects are never followed`)
    expect(elsewhere.connections()).toBe(0)
  })

  test('threat 3: a redirect to the metadata address is words, and nothing else', async () => {
    const { url, received } = await subscriber((response) =>
      response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
    )
    expect(await attempt(testDeliverer(), url)).toMatchObject({ verdict: 'dead', status: 307 })
    expect(received).toHaveLength(1)
  })

  test('a status that no specification knows, 600 and above, is tried again (spec 125)', async () => {
    const { url } = await rawSubscriber(async ({ request, socket }) => {
      await request()
      socket.write('HTTP/1.1 677 Odd\r\ncontent-length: 0\r\n\r\n')
    })
    expect(await attempt(testDeliverer(), url)).toMatchObject({ verdict: 'retry', status: 677 })
  })

  test('101, the one final 1xx, is final', async () => {
    const { url } = await rawSubscriber(async ({ request, socket }) => {
      await request()
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n')
    })
    expect(await attempt(testDeliverer(), url)).toMatchObject({ verdict: 'dead', status: 101 })
  })
})

const date = (offsetMs: number): string => new Date(Date.UTC(2026, 0, 1) + offsetMs).toUTCString()

describe('fault 21: Retry-After', () => {
  test.each([
    ['120', 120_000],
    ['0', 0],
    ['99999999', 99_999_999_000],
    ['9'.repeat(400), Number.MAX_SAFE_INTEGER],
    [date(90_000), 90_000],
    [date(-90_000), 0],
    ['Thursday, 01-Jan-26 00:00:30 GMT', 30_000],
    ['Thu Jan  1 00:00:30 2026', 30_000],
    ['-5', 0],
    ['1.5', 0],
    ['soon', 0],
    ['Jan 2030', 0],
    ['12/31/2030', 0],
    ['2026-01-01T00:01:00Z', 0],
    ['', 0],
    ['Thu, 41 Jan 2026 00:00:00 GMT', 0],
  ])('%.40j on 503 means %d ms', async (value, retryAfterMs) => {
    const { url } = await subscriber((response) => response.writeHead(503, { 'retry-after': value }).end())
    const sender = testDeliverer({ clock: manualClock(Date.UTC(2026, 0, 1)) })
    expect(await attempt(sender, url)).toMatchObject({ verdict: 'retry', status: 503, retryAfterMs, pressure: true })
  })

  test('is heeded on 429 as well, on no other status, and not when it came twice', async () => {
    const { url } = await subscriber((response, { path }) => {
      response.setHeader('retry-after', path === '/429?twice' ? ['7', '8'] : '7')
      response.writeHead(Number(path.slice(1, 4))).end()
    })
    const sender = testDeliverer()
    expect(await attempt(sender, `${url}429`)).toMatchObject({ retryAfterMs: 7000, pressure: true })
    expect(await attempt(sender, `${url}429?twice`)).toMatchObject({ retryAfterMs: 0, pressure: true })
    expect(await attempt(sender, `${url}500`)).toMatchObject({ retryAfterMs: 0, pressure: false })
    expect(await attempt(sender, `${url}200`)).toMatchObject({ retryAfterMs: 0, pressure: false })
  })
})

test('of the body of an answer that was no success, 1 KiB is kept', async () => {
  const { url } = await subscriber((response) => response.writeHead(500).end('e'.repeat(5000)))
  const { response } = await attempt(testDeliverer(), url)
  expect(response?.toString()).toBe('e'.repeat(1024))
})

test('how long an attempt took is measured by the clock', async () => {
  const clock = manualClock()
  const { url } = await subscriber((response) => {
    clock.advance(250)
    response.writeHead(202).end()
  })
  expect(await attempt(testDeliverer({ clock }), url)).toMatchObject({ verdict: 'delivered', durationMs: 250 })
})

test('threat 7: words never hold the path or query of the target', async () => {
  const { url } = await subscriber((response) => response.writeHead(403).end())
  const { error } = await attempt(testDeliverer(), `${url}hooks/T0/secret?token=secret`)
  expect(error).toContain('answered 403 Forbidden')
  expect(error).not.toContain('secret')
})
