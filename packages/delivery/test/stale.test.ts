// Kept-alive connections that the subscriber had given up.

import { manualClock } from '@sluice/clock'
import { describe, expect, test } from 'vitest'
import { attempt, rawSubscriber, testDeliverer, turn, type RawConnection } from './subscribers.ts'

const ACCEPTED = 'HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n'

const reset = ({ socket }: RawConnection): unknown => socket.resetAndDestroy()

/** Answers the first request of its first connection; the second one there meets `end`. Later connections: `then`. */
function stale(
  end: (connection: RawConnection) => unknown,
  then: (connection: RawConnection) => unknown,
): (connection: RawConnection) => Promise<void> {
  return async (connection) => {
    await connection.request()
    if (connection.number > 1) {
      then(connection)
    } else {
      connection.socket.write(ACCEPTED)
      await connection.request(2)
      end(connection)
    }
  }
}

describe('fault 27: a connection found closed when its next request comes', () => {
  test.each<[string, (connection: RawConnection) => unknown]>([
    ['closed', ({ socket }) => socket.end()],
    ['reset', reset],
  ])('and %s costs no try: the event is sent again at once, on a fresh one', async (_, end) => {
    const { url, connections } = await rawSubscriber(stale(end, ({ socket }) => socket.write(ACCEPTED)))
    const sender = testDeliverer()
    expect(await attempt(sender, url)).toMatchObject({ verdict: 'delivered' })
    await turn()
    expect(await attempt(sender, url)).toMatchObject({ verdict: 'delivered', status: 202, error: '' })
    expect(connections).toHaveLength(2)
    expect(await connections[1]!.request()).toContain('ce-id: order-1')
  })

  test('counts as a failed try when the fresh connection ends without an answer too', async () => {
    const { url, connections } = await rawSubscriber(stale(reset, reset))
    const sender = testDeliverer()
    await attempt(sender, url)
    await turn()
    expect(await attempt(sender, url)).toMatchObject({ verdict: 'retry', status: 0, pressure: true })
    expect(connections).toHaveLength(2)
  })

  test.each([
    ['the first bytes of an answer', 'HTTP/1.1 20'],
    ['100 Continue', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ])('counts as a failed try when %s had come', async (_, bytes) => {
    const { url, connections } = await rawSubscriber(
      stale(
        ({ socket }) => socket.end(bytes),
        () => {},
      ),
    )
    const sender = testDeliverer()
    await attempt(sender, url)
    await turn()
    expect(await attempt(sender, url)).toMatchObject({ verdict: 'retry', status: 0 })
    expect(connections).toHaveLength(1)
  })

  test('the second sending has no deadline of its own', async () => {
    const clock = manualClock()
    const { promise: resent, resolve } = Promise.withResolvers<void>()
    const { url, connections } = await rawSubscriber(
      stale(
        ({ socket }) => {
          clock.advance(900)
          socket.end()
        },
        () => resolve(),
      ),
    )
    const sender = testDeliverer({ clock })
    await attempt(sender, url)
    await turn()
    const outcome = attempt(sender, url, { timeoutMs: 1000 })
    await resent
    clock.advance(110)
    expect(await outcome).toMatchObject({ verdict: 'retry', status: 0, pressure: true, durationMs: 1010 })
    await connections[1]!.closed
  })

  test('happens with every connection of a subscriber that never means to keep one, and all events arrive', async () => {
    const { url, connections } = await rawSubscriber(async ({ socket, request }) => {
      await request()
      socket.write(ACCEPTED)
      await request(2)
      socket.resetAndDestroy()
    })
    const sender = testDeliverer()
    for (let n = 0; n < 6; n++) {
      expect(await attempt(sender, url)).toMatchObject({ verdict: 'delivered' })
      await turn()
    }
    expect(connections).toHaveLength(6)
  })

  test('many at once, after a restart of the subscriber, all arrive', async () => {
    const { url } = await rawSubscriber(async ({ socket, request, number }) => {
      for (let n = 1; ; n++) {
        await request(n)
        if (number <= 20 && n === 2) return socket.resetAndDestroy()
        socket.write(ACCEPTED)
      }
    })
    const sender = testDeliverer()
    const twenty = (): Promise<unknown> => Promise.all(Array.from({ length: 20 }, () => attempt(sender, url)))
    await twenty()
    await turn()
    expect(await twenty()).toEqual(Array(20).fill(expect.objectContaining({ verdict: 'delivered' })))
  })
})
