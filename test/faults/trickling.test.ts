// Senders that hold connections and send next to nothing, 10,000 at once (fault 36): they get their time and no more, and
// whoever sends events meanwhile does not notice.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { binary, broker } from '../support/events.ts'
import { dial, encode, exchange } from '../support/exchange.ts'
import { acceptedEvents, readMetric } from '../support/ops.ts'
import { memoryOf } from '../support/machine.ts'
import { startSluice } from '../support/sluice.ts'

const HEAD =
  'POST /default/default HTTP/1.1\r\nHost: a\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\n'
/** What each does with its connection, byte by byte. */
const WAYS = ['', HEAD, `${HEAD}Content-Length: 100\r\n\r\n${'x'.repeat(99)}`]
const EACH = 5000

/** Connections from one address that trickle until they are closed; resolves once all have been tried. */
async function trickle(url: string, from: string): Promise<{ open: Set<Socket>; closed: Promise<unknown> }> {
  const { port } = new URL(url)
  const open = new Set<Socket>()
  const closed: Promise<unknown>[] = []
  for (let n = 0; n < EACH; n++) {
    const socket = connect({ host: '127.0.0.1', port: Number(port), localAddress: from })
    socket.on('error', () => {})
    const opened = Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => {})
    closed.push(new Promise((resolve) => socket.once('close', resolve)))
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    socket.resume()
    const way = WAYS[n % WAYS.length]!
    socket.write(way.slice(0, 200))
    if (n % 100 === 0) await opened
  }
  let at = 200
  const timer = setInterval(() => {
    at++
    let n = 0
    for (const socket of open) socket.write(WAYS[n++ % WAYS.length]!.slice(at, at + 1) || 'x')
  }, 2000)
  onTestFinished(() => {
    clearInterval(timer)
    for (const socket of open) socket.destroy()
  })
  return { open, closed: Promise.all(closed) }
}

test.runIf(process.platform === 'linux')(
  'fault 36: 10,000 connections that trickle are closed when their time is over, and nobody else waits (threat 11; needs Linux)',
  { timeout: 120_000 },
  async () => {
    const sluice = await startSluice({ 'a.yaml': broker() })
    const before = memoryOf(sluice.process.pid!)
    const friend = await dial(sluice.broker, '127.0.0.9') // who is there already
    const message = Buffer.from(encode(sluice.broker, binary()).toString('latin1').replace('Connection: close\r\n', ''))
    friend.write(message)
    expect((await friend.answer()).status).toBe(202)

    const crowds = await Promise.all(['127.0.0.2', '127.0.0.3'].map((from) => trickle(sluice.ingress, from)))
    let sent = 1
    while (crowds.some(({ open }) => open.size > 0)) {
      friend.write(message)
      expect((await friend.answer(++sent)).status).toBe(202)
      await new Promise((resolve) => setTimeout(resolve, 20)) // a friend that sends 50 events a second
    }
    await Promise.all(crowds.map(({ closed }) => closed))
    expect(sent).toBeGreaterThan(50)
    expect(memoryOf(sluice.process.pid!) - before).toBeLessThan(400 * 1024 * 1024)
    expect(await acceptedEvents(sluice.api)).toBe(sent) // nothing of theirs
    expect((await exchange(sluice.broker, binary())).status).toBe(202)
    friend.socket.destroy()
  },
)

test.runIf(process.platform === 'linux')(
  'fault 36: one address that opens all it can keeps none of the others out (threat 11; needs Linux)',
  async () => {
    const sluice = await startSluice({ 'a.yaml': broker() }, ['--max-connections', '100'])
    const crowd: Socket[] = []
    const { port } = new URL(sluice.ingress)
    for (let n = 0; n < 100; n++) {
      const socket = connect({ host: '127.0.0.1', port: Number(port), localAddress: '127.0.0.2' })
      socket.on('error', () => {})
      await once(socket, 'connect')
      crowd.push(socket)
    }
    expect((await exchange(sluice.broker, binary())).status).toBe(202)
    while ((await readMetric(sluice.api, 'sluice_connections_refused_total', { crowd: 'address' })) < 50);
    await sluice.stderr.until(/one address has as many as it may have/)
    crowd.forEach((socket) => socket.destroy())
  },
)
