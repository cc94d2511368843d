// How many connections a subscriber gets, when, and which of them is used.

import { manualClock } from '@sluice/clock'
import { expect, test } from 'vitest'
import { CONNECTIONS_AT_ONCE, CONNECTIONS_PACE_MS } from '../src/connections.ts'
import { attempt, subscriber, testDeliverer, turn } from './subscribers.ts'

test('a burst goes over a few connections, if they are free again soon enough', async () => {
  const { url, connections } = await subscriber()
  const sender = testDeliverer({ clock: manualClock() })
  const outcomes = await Promise.all(Array.from({ length: 200 }, () => attempt(sender, url)))
  expect(new Set(outcomes.map(({ verdict }) => verdict))).toEqual(new Set(['delivered']))
  expect(connections()).toBe(CONNECTIONS_AT_ONCE)
})

test('while attempts wait, a few connections more are made now and then, until there is one for each', async () => {
  const clock = manualClock()
  const held: (() => void)[] = []
  const { url, connections } = await subscriber((response) => held.push(() => response.writeHead(202).end()))
  const sender = testDeliverer({ clock })
  const wanted = 3 * CONNECTIONS_AT_ONCE + 2
  const outcomes = Array.from({ length: wanted }, () => attempt(sender, url))
  for (const sent of [1, 2, 3].map((times) => times * CONNECTIONS_AT_ONCE).concat(wanted)) {
    while (held.length < sent) await turn()
    for (let turns = 0; turns < 10; turns++) await turn()
    expect(held).toHaveLength(sent)
    clock.advance(CONNECTIONS_PACE_MS)
  }
  expect(connections()).toBe(wanted)
  for (const answer of held) answer()
  for (const outcome of await Promise.all(outcomes)) expect(outcome).toMatchObject({ verdict: 'delivered' })
})

test('one attempt after the other goes over the connection that was used last', async () => {
  const ports: number[] = []
  const { url, connections } = await subscriber((response) => {
    ports.push(response.socket!.remotePort!)
    response.writeHead(202).end()
  })
  const sender = testDeliverer()
  await Promise.all([attempt(sender, url), attempt(sender, url), attempt(sender, url)])
  await turn()
  ports.length = 0
  for (let i = 0; i < 10; i++) {
    await attempt(sender, url)
    await turn()
  }
  expect(connections()).toBe(3)
  expect(new Set(ports).size).toBe(1)
})

test('a connection that breaks while attempts wait serves them with a new socket', async () => {
  let requests = 0
  const { url } = await subscriber((response) => {
    if (++requests === 1) response.socket!.destroy()
    else response.writeHead(202).end()
  })
  const sender = testDeliverer({ connectionsPerOrigin: 1 })
  const [first, second, third] = await Promise.all([attempt(sender, url), attempt(sender, url), attempt(sender, url)])
  expect(first).toMatchObject({ verdict: 'retry' })
  expect(second).toMatchObject({ verdict: 'delivered' })
  expect(third).toMatchObject({ verdict: 'delivered' })
})
