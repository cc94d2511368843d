// Every limit of the listeners, shown at a small setting (threat 11, threat 12).

import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { serverLimits, type ServerLimits } from '@sluice/server'
import { batch, binary, broker, eventJson, structuredMode } from '../../../test/support/events.ts'
import { dial, encode, exchange, type Message } from '../../../test/support/exchange.ts'
import { sluiceHere, type Here } from '../../../test/support/here.ts'
import { acceptedEvents } from '../../../test/support/ops.ts'

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
    connectionsMax: 10_000,
  })
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
  const to = await here({ connectionsMax: 2 })
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
})
