// Subscribers that hang, drip, flood, reset and lie. What has to hold: one outcome, in time; the connection gone;
// memory bounded.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { manualClock } from '@sluice/clock'
import { describe, expect, test } from 'vitest'
import type { Outcome } from '../src/index.ts'
import { attempt, orderPlaced, rawSubscriber, testDeliverer, turn } from './subscribers.ts'

const REPLY_HEAD = 'HTTP/1.1 200 OK\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /\r\nce-type: t\r\n'

describe('fault 26: the deadline is one for the whole attempt, and destroys the connection', () => {
  const none = { verdict: 'retry', status: 0, pressure: true }

  test.each<[string, string, object, RegExp]>([
    ['accepts, then hangs', '', none, /there was no answer within 5000 ms/],
    ['sends half of the headers, then hangs', 'HTTP/1.1 200 OK\r\ncontent-', none, /there was no answer/],
    ['sends 102 Processing, then hangs', 'HTTP/1.1 102 Processing\r\n\r\n', none, /there was no answer/],
    ['sends 100 Continue, then hangs', 'HTTP/1.1 100 Continue\r\n\r\n', none, /there was no answer/],
    [
      'sends the headers of a reply, then hangs',
      `${REPLY_HEAD}content-length: 5\r\n\r\n`,
      { verdict: 'retry', status: 502, pressure: true },
      /the reply .* is malformed: .*the answer had no end within 5000 ms/,
    ],
    [
      'sends the headers of a failure, then hangs',
      'HTTP/1.1 500 Oops\r\ncontent-length: 5\r\n\r\n',
      { verdict: 'retry', status: 500, pressure: true },
      /answered 500/,
    ],
    [
      'sends the headers of a success, then hangs: the status has decided',
      'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n',
      { verdict: 'delivered', status: 200 },
      /^$/,
    ],
  ])('a subscriber that %s', async (_, answer, expected, words) => {
    const clock = manualClock()
    const { url, connections } = await rawSubscriber(({ socket, request }) =>
      request().then(() => socket.write(answer)),
    )
    const sender = testDeliverer({ clock })
    const outcome = attempt(sender, url, { timeoutMs: 5000 })
    await arrival(connections, answer)
    clock.advance(4990)
    await turn()
    expect(sender.inFlight).toBe(1)
    clock.advance(20)
    await turn()
    expect(sender.inFlight).toBe(0)
    expect(await outcome).toMatchObject(expected)
    expect((await outcome).error).toMatch(words)
    await connections[0]!.closed
  })

  test('a body that drips, byte after byte, does not put it off', async () => {
    const clock = manualClock()
    const { url, connections } = await rawSubscriber(async ({ socket, request }) => {
      await request()
      socket.write(`${REPLY_HEAD}content-length: 1000\r\n\r\n`)
      while (!socket.destroyed) {
        await written(socket, 'd')
        clock.advance(1000)
      }
    })
    const outcome = await attempt(testDeliverer({ clock }), url, { timeoutMs: 10_000 })
    expect(outcome).toMatchObject({ verdict: 'retry', status: 502, pressure: true })
    expect(outcome.durationMs).toBeLessThanOrEqual(11_000)
    await connections[0]!.closed
  })

  test('an attempt that still waits for a connection is over in time, and is never sent', async () => {
    const clock = manualClock()
    const { url, connections } = await rawSubscriber(() => {})
    const sender = testDeliverer({ clock, connectionsPerOrigin: 1 })
    const first = attempt(sender, url, { timeoutMs: 60_000 })
    await arrival(connections, '')
    const waiting = Array.from({ length: 50 }, () => attempt(sender, url, { timeoutMs: 1000 }))
    clock.advance(1010)
    for (const each of await Promise.all(waiting)) {
      expect(each).toMatchObject({ verdict: 'retry', status: 0, pressure: true })
      expect(each.error).toContain('there was no connection within 1000 ms')
    }
    connections[0]!.socket.write('HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n')
    expect(await first).toMatchObject({ verdict: 'delivered' })
    const last = attempt(sender, url)
    expect(await connections[0]!.request(2)).toContain('POST /')
    connections[0]!.socket.write('HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n')
    expect(await last).toMatchObject({ verdict: 'delivered' })
    expect(connections).toHaveLength(1)
  })

  test('a hundred that hang are broken off a few in each turn of the event loop, and all of them', async () => {
    const clock = manualClock()
    const { url, connections } = await rawSubscriber(() => {})
    const sender = testDeliverer({ clock })
    const outcomes: Outcome[] = []
    for (let i = 0; i < 100; i++) void attempt(sender, url, { timeoutMs: 1000 }).then((one) => outcomes.push(one))
    while (connections.length < 100) {
      await turn()
      clock.advance(1)
    }
    clock.advance(1000)
    await turn()
    expect(outcomes.length).toBeGreaterThan(0)
    expect(outcomes.length).toBeLessThan(50)
    while (outcomes.length < 100) await turn()
    expect(new Set(outcomes.map(({ verdict }) => verdict))).toEqual(new Set(['retry']))
  })
})

describe('fault 27: resets and half-closes on a fresh connection are one failed try', () => {
  test.each<[string, (socket: Socket) => unknown]>([
    ['before the answer', (socket) => socket.resetAndDestroy()],
    ['in the status line', (socket) => socket.write('HTTP/1.1 20', () => socket.resetAndDestroy())],
    ['in the headers', (socket) => socket.write('HTTP/1.1 200 OK\r\nx: y', () => socket.resetAndDestroy())],
    ['by a half-close, without an answer', (socket) => socket.end()],
    ['after an interim answer', (socket) => socket.end('HTTP/1.1 103 Early Hints\r\n\r\n')],
    ['after 100 Continue', (socket) => socket.end('HTTP/1.1 100 Continue\r\n\r\n')],
  ])('%s', async (_, end) => {
    const { url, connections } = await rawSubscriber(async ({ socket, request }) => {
      await request()
      end(socket)
    })
    const outcome = await attempt(testDeliverer(), url)
    expect(outcome).toMatchObject({ verdict: 'retry', status: 0, pressure: true })
    expect(outcome.error).toContain('the subscriber closed the connection before it answered')
    expect(connections).toHaveLength(1)
  })

  test('a reset right after a whole answer changes nothing', async () => {
    const { url } = await rawSubscriber(async ({ socket, request }) => {
      await request()
      socket.write('HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n', () =>
        setImmediate(() => socket.resetAndDestroy()),
      )
    })
    const sender = testDeliverer()
    expect(await attempt(sender, url)).toMatchObject({ verdict: 'delivered', status: 202 })
    expect(await attempt(sender, url)).toMatchObject({ verdict: 'delivered', status: 202 })
  })

  test('a half-close by the subscriber after it has read does not keep its answer from us', async () => {
    const { url } = await rawSubscriber(async ({ socket, request }) => {
      await request()
      socket.end('HTTP/1.1 202 Accepted\r\nconnection: close\r\n\r\n')
    })
    expect(await attempt(testDeliverer(), url)).toMatchObject({ verdict: 'delivered', status: 202 })
  })

  test('a refusal that comes while a large event is still being sent is heard', async () => {
    const { url } = await rawSubscriber(({ socket }) => {
      socket.once('data', () => socket.end('HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'))
    })
    const outcome = await attempt(testDeliverer(), url, { event: orderPlaced(4 * 1024 * 1024) })
    expect(outcome).toMatchObject({ verdict: 'dead', status: 413 })
  })
})

describe('fault 29, threat 4: floods', () => {
  test.each([
    ['a success', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', { verdict: 'delivered', status: 200 }],
    ['a failure', 'HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n', { verdict: 'retry', status: 500 }],
    ['a reply', `${REPLY_HEAD}transfer-encoding: chunked\r\n\r\n`, { verdict: 'retry', status: 502 }],
  ])(
    'a body without end, of %s, is read up to its limit, and then the connection is broken off',
    async (_, head, expected) => {
      const { url, connections } = await rawSubscriber(async ({ socket, request }) => {
        await request()
        socket.write(head)
        const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`
        while (!socket.destroyed && (await written(socket, chunk)));
      })
      const outcome = await attempt(testDeliverer(), url)
      expect(outcome).toMatchObject(expected)
      expect(outcome.response?.length ?? 0).toBeLessThanOrEqual(1024)
      await connections[0]!.closed
      expect(connections[0]!.socket.bytesWritten).toBeLessThan(64 * 1024 * 1024)
    },
  )

  test('headers without end are no answer', async () => {
    const { url, connections } = await rawSubscriber(async ({ socket, request }) => {
      await request()
      socket.write('HTTP/1.1 200 OK\r\n')
      while (!socket.destroyed && (await written(socket, `x-header: ${'y'.repeat(1000)}\r\n`)));
    })
    const outcome = await attempt(testDeliverer(), url)
    expect(outcome).toMatchObject({ verdict: 'retry', status: 0, pressure: false })
    expect(outcome.error).toContain('larger than responseHeaderBytesMax')
    await connections[0]!.closed
  })

  test('the limit of headers is a setting', async () => {
    const { url } = await rawSubscriber(async ({ socket, request }) => {
      await request()
      socket.end(`HTTP/1.1 202 Accepted\r\nconnection: close\r\nx-header: ${'y'.repeat(20_000)}\r\n\r\n`)
    })
    expect(await attempt(testDeliverer(), url)).toMatchObject({ verdict: 'retry', status: 0 })
    const roomy = testDeliverer({ responseHeaderBytesMax: 32 * 1024 })
    expect(await attempt(roomy, url)).toMatchObject({ verdict: 'delivered' })
  })

  test.each(['100 Continue', '102 Processing'])('%s without end is no answer', async (interim) => {
    const { url, connections } = await rawSubscriber(async ({ socket, request }) => {
      await request()
      while (!socket.destroyed && (await written(socket, `HTTP/1.1 ${interim}\r\n\r\n`)));
    })
    expect(await attempt(testDeliverer(), url)).toMatchObject({ verdict: 'retry', status: 0 })
    await connections[0]!.closed
  })

  // The clock stands still: no deadline comes to the rescue.
  test.each<[string, string, string, object]>([
    ['the reason of a status', 'HTTP/1.1 200 ', 'a'.repeat(65_536), { verdict: 'retry', status: 0 }],
    ['empty lines before an answer', '', '\r\n'.repeat(32_768), { verdict: 'retry', status: 0 }],
    [
      'an extension of a chunk',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;',
      'a'.repeat(65_536),
      { verdict: 'delivered', status: 200 },
    ],
    [
      'an extension of a chunk, in a reply',
      `${REPLY_HEAD}transfer-encoding: chunked\r\n\r\n1;`,
      'a'.repeat(65_536),
      { verdict: 'retry', status: 502 },
    ],
    [
      'zeros before the size of a chunk',
      'HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n',
      '0'.repeat(65_536),
      { verdict: 'retry', status: 500 },
    ],
    [
      'trailers',
      'HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n0\r\n',
      `x-trailer: ${'y'.repeat(1000)}\r\n`.repeat(60),
      { verdict: 'retry', status: 500 },
    ],
  ])('%s without end: the connection is broken off, and it is no overload', async (_, head, piece, expected) => {
    const { url, connections } = await rawSubscriber(async ({ socket, request }) => {
      await request()
      if (head !== '') socket.write(head)
      while (!socket.destroyed && (await written(socket, piece)));
    })
    const outcome = await attempt(testDeliverer({ clock: manualClock() }), url)
    expect(outcome).toMatchObject({ ...expected, pressure: false })
    await connections[0]!.closed
    expect(connections[0]!.socket.bytesWritten).toBeLessThan(64 * 1024 * 1024)
  })

  test('a gzip bomb is so many bytes, and never unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024))
    const { url } = await rawSubscriber(async ({ socket, request }) => {
      await request()
      socket.write(`${REPLY_HEAD}content-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`)
      socket.write(bomb)
    })
    const before = process.memoryUsage().arrayBuffers
    const outcome = await attempt(testDeliverer(), url)
    expect(outcome).toMatchObject({ verdict: 'retry', status: 502 })
    expect(outcome.error).toContain('content-encoding gzip')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 1024 * 1024)
  })
})

describe('RFC 9110, 15.2: interim answers are borne, and the final one counts', () => {
  const final = 'HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n'

  test.each([
    ['100 Continue', ['HTTP/1.1 100 Continue\r\n\r\n', final]],
    ['100 Continue, and the final answer in one packet', [`HTTP/1.1 100 Continue\r\n\r\n${final}`]],
    ['100 Continue with headers, twice', ['HTTP/1.1 100 Continue\r\nx: y\r\n\r\n', 'HTTP/1.0 100\r\n\r\n', final]],
    ['103 Early Hints', ['HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n', final]],
    ['100, then 102, then 100', ['HTTP/1.1 100 C\r\n\r\n', 'HTTP/1.1 102 P\r\n\r\n', final]],
  ])('%s', async (_, parts) => {
    const { url, connections } = await rawSubscriber(async ({ socket, request }) => {
      for (let n = 1; n <= 2; n++) {
        await request(n)
        for (const part of parts) await written(socket, part)
      }
    })
    const sender = testDeliverer()
    expect(await attempt(sender, url)).toMatchObject({ verdict: 'delivered', status: 202 })
    await turn()
    expect(await attempt(sender, url)).toMatchObject({ verdict: 'delivered', status: 202 })
    expect(connections).toHaveLength(1)
  })

  test('100 Continue that arrives byte by byte', async () => {
    const { url } = await rawSubscriber(async ({ socket, request }) => {
      await request()
      for (const byte of `HTTP/1.1 100 Continue\r\n\r\n${final}`) await written(socket, byte)
    })
    expect(await attempt(testDeliverer(), url)).toMatchObject({ verdict: 'delivered', status: 202 })
  })

  test('a body that looks like 100 Continue is a body', async () => {
    const body = 'HTTP/1.1 100 Continue\r\n\r\n'
    const { url } = await rawSubscriber(async ({ socket, request }) => {
      await request()
      await written(socket, `${REPLY_HEAD}content-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n`)
      await written(socket, body)
    })
    expect((await attempt(testDeliverer(), url)).reply?.data?.toString()).toBe(body)
  })
})

test.each([
  ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n'],
  ['a status below 100', 'HTTP/1.1 042 Odd\r\ncontent-length: 0\r\n\r\n'],
  ['a NUL in a header', 'HTTP/1.1 200 OK\r\nx: \0\r\n\r\n'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n'],
  ['a negative content-length', 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n'],
  ['a line that ends in LF alone', 'HTTP/1.1 200 OK\ncontent-length: 0\n\n'],
  ['a header over two lines', 'HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n'],
])('%s is no answer, and harms nothing (threat 10)', async (_, answer) => {
  const { url } = await rawSubscriber(async ({ socket, request }) => {
    await request()
    socket.write(answer)
  })
  const outcome = await attempt(testDeliverer(), url)
  expect(outcome).toMatchObject({ verdict: 'retry', status: 0, pressure: true })
  expect(outcome.error).toContain('what listens there does not speak HTTP/1.1; check scheme and port')
})

test.each([
  ['content-length beside chunks', 'content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['two content-lengths', 'content-length: 1\r\ncontent-length: 2\r\n\r\nx'],
])('%s: no answer, for two readers could end it in two ways (threat 10)', async (_, rest) => {
  const { url, connections } = await rawSubscriber(async ({ socket, request }) => {
    await request()
    socket.write(`HTTP/1.1 202 A\r\n${rest}`)
  })
  expect(await attempt(testDeliverer(), url)).toMatchObject({ verdict: 'retry', status: 0, pressure: false })
  await connections[0]!.closed
})

test.each([
  ['a second answer', 'HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n'],
  ['bytes of no sort', 'garbage'],
])(
  '%s behind an answer is not taken for one to the next request: the connection is closed (threat 10)',
  async (_, more) => {
    const { url, connections } = await rawSubscriber(async ({ socket, request, number }) => {
      await request()
      socket.write(
        number === 1
          ? `HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n${more}`
          : 'HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n',
      )
    })
    const sender = testDeliverer()
    expect(await attempt(sender, url)).toMatchObject({ verdict: 'delivered', status: 202 })
    expect(await attempt(sender, url)).toMatchObject({ verdict: 'dead', status: 400 })
    await connections[0]!.closed
  },
)

/** Waits until the request has arrived and its answer has had the time to come back and be read. */
async function arrival(connections: readonly { request(): Promise<string> }[], answer: string): Promise<void> {
  while (connections.length === 0) await turn()
  await connections[0]!.request()
  for (let turns = 0; turns < (answer === '' ? 1 : 20); turns++) await turn()
}

/** Resolves once the kernel has the bytes: true, or false when the other side is gone. */
async function written(socket: Socket, bytes: string): Promise<boolean> {
  if (socket.destroyed) return false
  socket.write(bytes)
  await (socket.writableNeedDrain ? Promise.race([once(socket, 'drain'), once(socket, 'close')]) : turn())
  return !socket.destroyed
}
