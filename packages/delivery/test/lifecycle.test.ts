// Connections over time: shared, bounded, let go; and the end of it all.

import { manualClock } from '@sluice/clock'
import { describe, expect, test } from 'vitest'
import { attempt, orderPlaced, rawSubscriber, subscriber, testDeliverer, turn } from './subscribers.ts'

const ACCEPTED = 'HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n'

describe('connections to one origin', () => {
  test('are kept alive, and shared by all paths', async () => {
    const { url, received, connections } = await subscriber()
    const sender = testDeliverer()
    for (const path of ['a', 'b?c', 'd']) {
      await attempt(sender, url + path)
      await turn()
    }
    expect(received.map(({ path }) => path)).toEqual(['/a', '/b?c', '/d'])
    expect(connections()).toBe(1)
  })

  test('are as many as connectionsPerOrigin at the most; the others wait', async () => {
    const { url, received, connections } = await subscriber()
    const sender = testDeliverer({ connectionsPerOrigin: 3 })
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => attempt(sender, url)))
    expect(outcomes).toEqual(Array(50).fill(expect.objectContaining({ verdict: 'delivered' })))
    expect(received).toHaveLength(50)
    expect(connections()).toBe(3)
  })

  test('an answer longer than responseBytesMax costs its connection, a shorter one does not', async () => {
    const { url, connections } = await subscriber((response, { path }) =>
      response.writeHead(200).end('x'.repeat(path === '/long' ? 2000 : 900)),
    )
    const sender = testDeliverer({ responseBytesMax: 1000 })
    for (const path of ['', '', 'long', '']) {
      expect(await attempt(sender, url + path)).toMatchObject({ verdict: 'delivered', status: 200 })
      await turn()
    }
    expect(connections()).toBe(2)
  })

  test('one whose answer came before its request was read is not used again: the next one would wait behind the rest', async () => {
    const { url, connections } = await rawSubscriber(({ socket }) => {
      socket.once('data', () => {
        socket.pause()
        socket.write(ACCEPTED)
      })
    })
    const sender = testDeliverer({ clock: manualClock() })
    for (const bytes of [16 * 1024 * 1024, 20]) {
      expect(await attempt(sender, url, { event: orderPlaced(bytes) })).toMatchObject({ verdict: 'delivered' })
      await turn()
    }
    expect(connections).toHaveLength(2)
  })

  test('fault 41: older than connectionAgeMaxMs take one event more, and then make way for a fresh lookup', async () => {
    const clock = manualClock()
    const { url, received, connections } = await subscriber()
    const sender = testDeliverer({ clock, connectionAgeMaxMs: 300_000, keepAliveMs: 3_600_000 })
    for (let n = 1; n <= 4; n++) {
      expect(await attempt(sender, url)).toMatchObject({ verdict: 'delivered' })
      await turn()
      clock.advance(150_001)
    }
    expect(received.map(({ headers }) => headers.connection)).toEqual([
      'keep-alive',
      'keep-alive',
      'close',
      'keep-alive',
    ])
    expect(connections()).toBe(2)
  })

  test('that nothing was sent to for originIdleMs are closed', async () => {
    const clock = manualClock()
    const { url, connections } = await rawSubscriber(async ({ request, socket }) => {
      for (let n = 1; ; n++) {
        await request(n)
        socket.write(ACCEPTED)
      }
    })
    const sender = testDeliverer({ clock, originIdleMs: 600_000, keepAliveMs: 3_600_000 })
    await attempt(sender, url)
    await turn()
    clock.advance(599_000)
    await attempt(sender, url)
    clock.advance(590_000)
    await turn()
    expect(connections.map(({ socket }) => socket.destroyed)).toEqual([false])
    clock.advance(400_000)
    await connections[0]!.closed
    expect(clock.pending).toBe(0)
    expect(await attempt(sender, url)).toMatchObject({ verdict: 'delivered' })
    expect(connections).toHaveLength(2)
  })
})

describe('closing', () => {
  test('waits for the attempts under way, and takes no more', async () => {
    const { url, connections } = await rawSubscriber(() => {})
    const sender = testDeliverer()
    const outcome = attempt(sender, url)
    while (connections.length === 0) await turn()
    await connections[0]!.request()
    let isClosed = false
    const closed = sender.close({ deadlineMs: 60_000 }).then(() => (isClosed = true))
    expect(sender.inFlight).toBe(1)
    expect(await attempt(sender, url)).toMatchObject({ verdict: 'retry', status: 0, pressure: false })
    expect(isClosed).toBe(false)
    connections[0]!.socket.write(ACCEPTED)
    expect(await outcome).toMatchObject({ verdict: 'delivered' })
    await closed
    await connections[0]!.closed
    expect(sender.inFlight).toBe(0)
  })

  test('breaks off what is still there at the deadline: it is to be tried again', async () => {
    const clock = manualClock()
    const { url, connections } = await rawSubscriber(() => {})
    const sender = testDeliverer({ clock, connectionsPerOrigin: 1 })
    const outcomes = Promise.all([attempt(sender, url), attempt(sender, url)])
    while (connections.length === 0) await turn()
    await connections[0]!.request()
    const closed = sender.close({ deadlineMs: 5000 })
    clock.advance(5000)
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ verdict: 'retry', status: 0, pressure: false })
      expect(outcome.error).toContain('Sluice is shutting down')
    }
    await closed
    await connections[0]!.closed
    expect(clock.pending).toBe(0)
    expect(sender.inFlight).toBe(0)
  })

  test('twice is once', async () => {
    const sender = testDeliverer()
    expect(sender.close({ deadlineMs: 0 })).toBe(sender.close({ deadlineMs: 0 }))
  })
})

test('what the callback throws comes out as a fault of its own, and the attempt is over', async () => {
  const { url } = await subscriber()
  const sender = testDeliverer()
  const thrown = new Promise<unknown>((resolve) => process.prependOnceListener('uncaughtException', resolve))
  const others = process.listeners('uncaughtException').slice(1)
  for (const each of others) process.removeListener('uncaughtException', each)
  const { attempt: _, ...rest } = { attempt: 0, timeoutMs: 1000, format: 'binary', headers: [], reply: true } as const
  const { origin, pathname: path } = new URL(url)
  sender.send({ ...rest, event: orderPlaced(), target: { url, origin, path } }, () => {
    throw new Error('of the broker')
  })
  expect(await thrown).toMatchObject({ message: 'of the broker' })
  for (const each of others) process.on('uncaughtException', each)
  expect(sender.inFlight).toBe(0)
  expect(await attempt(sender, url)).toMatchObject({ verdict: 'delivered' })
})
