// Every limit of the listeners, shown at a small setting (threat 11, threat 12).

import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { manualClock, systemClock } from '@sluice/clock'
import { certificateIn, serverLimits, type ServerLimits } from '@sluice/server'
import { authority } from '../../../test/support/certificates.ts'
import { batch, binary, broker, eventJson, structuredMode, trigger } from '../../../test/support/events.ts'
import { dial, encode, exchange, type Message } from '../../../test/support/exchange.ts'
import { sluiceHere, type Here } from '../../../test/support/here.ts'
import { acceptedEvents, readMetric } from '../../../test/support/ops.ts'
import { folderOf } from '../../../test/support/sluice.ts'
import { subscriber } from '../../../test/support/subscriber.ts'
import { networkOf } from '../src/connections.ts'
import { openListener } from '../src/listener.ts'

const here = (limits: Partial<ServerLimits>): Promise<Here> => sluiceHere(broker(), { limits })

/** The status of the answer, its code, and whether it came from an event that was stored. */
async function answer(to: Here, message: Message): Promise<[status: number, code: string | undefined]> {
  const before = await acceptedEvents(to.api)
  const { status, body } = await exchange(to.broker, message)
  const stored = (await acceptedEvents(to.api)) - before
  expect(stored > 0).toBe(status === 202)
  return [status, body.length === 0 ? undefined : (JSON.parse(body.toString('utf8')) as { code: string }).code]
}

test('every limit has its default, and those that follow from others do', () => {
  expect(serverLimits()).toEqual({
    eventBytesMax: 1_048_576,
    batchBytesMax: 8 * 1_048_576,
    readingBytesMax: 128 * 1_048_576,
    headerBytesMax: 262_144,
    headersMax: 512,
    headersTimeoutMs: 10_000,
    requestTimeoutMs: 30_000,
    keepAliveTimeoutMs: 72_000,
    inactivityTimeoutMs: 60_000,
    connectionsMax: 10_000,
    connectionsPerAddressMax: 5000,
    pieceBytesMin: 16,
  })
  expect(serverLimits({ connectionsMax: 3 })).toMatchObject({ connectionsMax: 3, connectionsPerAddressMax: 2 })
  expect(serverLimits({ eventBytesMax: 10 })).toMatchObject({ eventBytesMax: 10, batchBytesMax: 80 })
  expect(serverLimits({ batchBytesMax: 10 })).toMatchObject({ eventBytesMax: 1_048_576, batchBytesMax: 10 })
})

describe('eventBytesMax', () => {
  test('takes a body of so many bytes, and refuses one more, announced or not', async () => {
    const to = await here({ eventBytesMax: 1000 })
    expect(await answer(to, binary([], 'x'.repeat(1000)))).toEqual([202, undefined])
    expect(await answer(to, binary([], 'x'.repeat(1001)))).toEqual([413, 'SLUICE_EVENT_TOO_LARGE'])
    const chunked = (bytes: number): Message => ({ ...binary([], 'x'.repeat(bytes)), chunkBytes: 100 })
    expect(await answer(to, chunked(1000))).toEqual([202, undefined])
    expect(await answer(to, chunked(1001))).toEqual([413, 'SLUICE_EVENT_TOO_LARGE'])
  })

  test('holds for each event of a batch, which as a whole may be larger', async () => {
    const to = await here({ eventBytesMax: 1000 })
    const event = (bytes: number): string => eventJson({ data: 'x'.repeat(bytes) })
    expect(await answer(to, batch(event(500), event(500), event(500)))).toEqual([202, undefined])
    expect((await answer(to, batch(event(500), event(2000))))[0]).toBe(413)
  })
})

test('batchBytesMax bounds a batch, and a batch alone', async () => {
  const to = await here({ batchBytesMax: 200 })
  expect(await answer(to, batch(eventJson()))).toEqual([202, undefined])
  expect(await answer(to, batch(eventJson(), eventJson(), eventJson(), eventJson()))).toEqual([
    413,
    'SLUICE_EVENT_TOO_LARGE',
  ])
  expect(await answer(to, structuredMode(eventJson({ data: 'x'.repeat(500) })))).toEqual([202, undefined])
})

test('readingBytesMax: what one sender has sent of its body counts for all, until it is whole or its sender gone', async () => {
  const to = await here({ readingBytesMax: 1000 })
  const slow = await dial(to.ingress)
  slow.write(encode(to.broker, binary([['content-type', 'text/plain']], 'x'.repeat(900))).subarray(0, -1))
  while ((await exchange(to.broker, binary([], 'x'.repeat(200)))).status === 202); // until the slow one's bytes are read
  const refused = await exchange(to.broker, binary([], 'x'.repeat(200)))
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
  expect(refused.json().code).toBe('SLUICE_INGRESS_BUSY')
  expect(await answer(to, binary([], 'x'.repeat(50)))).toEqual([202, undefined]) // there is room for that

  slow.write('x')
  expect((await slow.answer()).status).toBe(202)
  expect(await answer(to, binary([], 'x'.repeat(900)))).toEqual([202, undefined])

  const leaves = await dial(to.ingress)
  leaves.write(encode(to.broker, binary([], 'x'.repeat(900))).subarray(0, -1))
  while ((await exchange(to.broker, binary([], 'x'.repeat(200)))).status === 202);
  leaves.socket.destroy()
  while ((await exchange(to.broker, binary([], 'x'.repeat(900)))).status !== 202);
})

test('a body for which the channel is too small, even empty, is 413: to send it again would be of no use', async () => {
  const to = await sluiceHere(broker() + trigger('t', 'http://127.0.0.1:9/'), { memoryBytes: 10_000 })
  for (const framing of [{}, { chunkBytes: 1000 }]) {
    const large = { ...binary([], 'x'.repeat(8001)), ...framing }
    expect(await answer(to, large)).toEqual([413, 'SLUICE_EVENT_TOO_LARGE'])
  }
  expect(await answer(to, batch(...Array.from({ length: 30 }, () => eventJson())))).toEqual([
    413,
    'SLUICE_EVENT_TOO_LARGE',
  ])
  expect(await answer(to, binary([], 'x'.repeat(7000)))).toEqual([202, undefined])
})

test('headerBytesMax: more header bytes are 431', async () => {
  const to = await here({ headerBytesMax: 2048 })
  expect((await answer(to, binary([['ce-x', 'v'.repeat(1000)]])))[0]).toBe(202)
  const refused = await exchange(to.broker, binary([['ce-x', 'v'.repeat(3000)]]))
  expect(refused.status).toBe(431)
  expect(refused.json().message).toContain('more than 2048 bytes of headers')
})

test('headersMax: more header lines are 431, and none is cut off in silence', async () => {
  const to = await here({ headersMax: 12 })
  const lines = (count: number): Message => binary(Array.from({ length: count }, (_, n) => [`ce-x${n}`, 'v'] as const)) // and 7 of the message's own
  expect(await answer(to, lines(5))).toEqual([202, undefined])
  expect(await answer(to, lines(6))).toEqual([431, 'SLUICE_REQUEST_HEADERS'])
})

test.each([
  ['headersTimeoutMs', { headersTimeoutMs: 50, requestTimeoutMs: 60_000 }, 'POST / HTTP/1.1\r\nHost: a\r\n'],
  [
    'requestTimeoutMs',
    { headersTimeoutMs: 50, requestTimeoutMs: 50 },
    'POST /default/default HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx',
  ],
])(
  '%s: a sender that trickles is answered 408, and its connection closed (threat 11)',
  async (_limit, limits, bytes) => {
    const to = await here(limits)
    for (const url of [to.ingress, to.api]) {
      const slow = await dial(url)
      slow.write(bytes)
      await slow.closed
      const [answered] = slow.answers().filter(({ status }) => status === 408)
      expect(answered?.json()).toMatchObject({ code: 'SLUICE_REQUEST_TIMEOUT' })
    }
  },
)

test('keepAliveTimeoutMs: an idle connection is closed', async () => {
  const to = await here({ keepAliveTimeoutMs: 50 })
  const idle = await dial(to.ingress)
  idle.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')
  expect((await idle.answer()).status).toBe(200)
  await idle.closed
})

test('connectionsMax: further connections are closed, those that are open go on (threat 11)', async () => {
  const to = await here({ connectionsMax: 2, connectionsPerAddressMax: 2 })
  const open = [await dial(to.ingress), await dial(to.ingress)]
  for (const each of open) {
    each.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')
    expect((await each.answer()).status).toBe(200)
  }
  const third = await dial(to.ingress)
  await third.closed
  expect(third.answers()).toEqual([])
  open[0]!.socket.end()
  await once(open[0]!.socket, 'close')
  open[1]!.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')
  expect((await open[1]!.answer(2)).status).toBe(200)
  open[1]!.socket.destroy()
  expect(await readMetric(to.api, 'sluice_connections_refused_total', { listener: 'ingress', crowd: 'listener' })).toBe(
    1,
  )
})

const healthz = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'

test.runIf(process.platform === 'linux')(
  'connectionsPerAddressMax: who has so many gets no more, and others do (threat 11, fault 36; needs Linux)',
  async () => {
    const to = await here({ connectionsMax: 4, connectionsPerAddressMax: 2 })
    const open = [await dial(to.ingress, '127.0.0.2'), await dial(to.ingress, '127.0.0.2')]
    for (const each of open) {
      each.write(healthz)
      expect((await each.answer()).status).toBe(200)
    }
    await (
      await dial(to.ingress, '127.0.0.2')
    ).closed
    const other = await dial(to.ingress, '127.0.0.3')
    other.write(healthz)
    expect((await other.answer()).status).toBe(200)
    open[0]!.socket.end()
    await open[0]!.closed
    const again = await dial(to.ingress, '127.0.0.2')
    again.write(healthz)
    expect((await again.answer()).status).toBe(200)
    expect(
      await readMetric(to.api, 'sluice_connections_refused_total', { listener: 'ingress', crowd: 'address' }),
    ).toBe(1)
    for (const each of [...open, other, again]) each.socket.destroy()
  },
)

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::6', '2001:db8:1:2'],
  ['2001:db8::6', '2001:db8:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['::1', '0:0:0:0'],
])('the connections of %s count as those of %s (threat 11)', (address, network) => {
  expect(networkOf(address)).toBe(network)
})

test('inactivityTimeoutMs: who sends requests and reads no answers is cut off; a stream that has nothing to say is not (threat 11)', async () => {
  const to = await here({ inactivityTimeoutMs: 100 })
  const watched = await dial(to.api)
  watched.write('GET /apis/eventing.knative.dev/v1/triggers?watch=true HTTP/1.1\r\nHost: localhost\r\n\r\n')
  while (!watched.socket.bytesRead) await once(watched.socket, 'data')
  const deaf = await dial(to.ingress)
  deaf.socket.pause()
  const requests = Buffer.from('POST /default/nobody HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n'.repeat(1000))
  const flood = (): void => {
    while (!deaf.socket.destroyed && deaf.socket.write(requests));
  }
  deaf.socket.on('drain', flood)
  flood()
  await deaf.closed
  expect(watched.socket.destroyed).toBe(false)
  const before = watched.socket.bytesRead
  await to.apply(broker() + trigger('new', 'http://127.0.0.1:9/'))
  while (watched.socket.bytesRead === before) await once(watched.socket, 'data')
  watched.socket.destroy()
})

test('pieceBytesMin: a body of very many very small pieces is 400; of larger ones, or fewer, it is taken as it came (threat 11)', async () => {
  const to = await here({ pieceBytesMin: 8 })
  const chunked = (bytes: number, chunkBytes: number): Message => ({ ...binary([], 'x'.repeat(bytes)), chunkBytes })
  expect(await answer(to, chunked(1000, 1))).toEqual([202, undefined])
  expect(await answer(to, chunked(16_000, 8))).toEqual([202, undefined])
  expect(await answer(to, chunked(1200, 1))).toEqual([400, 'SLUICE_REQUEST_CHUNKS'])
  expect(await answer(to, chunked(16_000, 4))).toEqual([400, 'SLUICE_REQUEST_CHUNKS'])
})

test('a body in pieces of any size arrives byte for byte', async () => {
  const taker = await subscriber()
  const to = await sluiceHere(broker() + trigger('t', taker.url))
  for (const [bytes, chunkBytes] of [
    [40, 20],
    [3000, 97],
    [100_000, 31],
    [1_000_000, 30_000],
  ] as const) {
    // prettier-ignore
    const body = Buffer.from(Array.from({ length: bytes }, (_, n) => (n * 7 + n / 251) & 255))
    await exchange(to.broker, { ...binary([['content-type', 'application/octet-stream']], body), chunkBytes })
    expect((await taker.next()).body.equals(body)).toBe(true)
  }
})

test.each([
  ['announced', 'Content-Length: 10000000000', Buffer.alloc(65_536, 'x')],
  ['in large chunks', 'Transfer-Encoding: chunked', Buffer.from(`10000\r\n${'x'.repeat(65_536)}\r\n`)],
  ['in small chunks', 'Transfer-Encoding: chunked', Buffer.from('1\r\nx\r\n'.repeat(10_000))],
])('an endless body, %s, is answered and cut off after 16 MiB (threat 12)', async (_what, framing, piece) => {
  const to = await here({})
  const connection = await dial(to.ingress)
  const head =
    'POST /default/default HTTP/1.1\r\nHost: a\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\n'
  connection.write(`${head}${framing}\r\n\r\n`)
  const pour = (): void => {
    while (!connection.socket.destroyed && connection.socket.write(piece));
  }
  connection.socket.on('drain', pour)
  pour()
  await connection.closed
  expect(connection.socket.bytesWritten).toBeLessThan(64 * 1024 * 1024)
  expect(await acceptedEvents(to.api)).toBe(0)
})

test('requestTimeoutMs: a chunk size without end ends with its time (threat 11)', async () => {
  const to = await here({ requestTimeoutMs: 100, headersTimeoutMs: 100 })
  const connection = await dial(to.broker)
  connection.write('POST /default/default HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
  const zeros = Buffer.alloc(10_000, '0')
  const pour = (): void => void connection.socket.write(zeros, () => setImmediate(pour))
  pour()
  await connection.closed
  expect(connection.answers().map(({ status }) => status)).toEqual([408])
})

test('headersTimeoutMs holds for the handshake of TLS as well (threat 11)', async () => {
  const { certificate: cert, key } = authority().issue('x')
  const folder = folderOf({ cert, key })
  const files = { certFile: join(folder, 'cert'), keyFile: join(folder, 'key') }
  const certificate = await certificateIn(files, { clock: manualClock(), changed() {} })
  const limits = serverLimits({ headersTimeoutMs: 50 })
  const failed: string[] = []
  const listener = openListener({
    clock: systemClock,
    limits,
    instead: '',
    certificate,
    handshakeFailed: (why) => failed.push(why),
  })
  const url = await listener.listen({ host: '127.0.0.1', port: 0 })
  await (
    await dial(url)
  ).closed
  expect(failed).toEqual(['ERR_TLS_HANDSHAKE_TIMEOUT'])
  await listener.close({ deadlineMs: 0 })
})
