// Subscribers that go away and come back, somewhere else perhaps, and a process that stands still (faults 6, 41).

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { readMetric, settled } from '../support/ops.ts'
import { startSluice } from '../support/sluice.ts'
import { subscriber } from '../support/subscriber.ts'
import { MOUNTING } from './machine.ts'
import { startProducers } from './producers.ts'
import { openScene } from './scene.ts'
import { mountVolume } from './volume.ts'

/** As the metric has it. */
const DOWN = 2
const DEFAULT_DELIVERY = '{retry: 10, backoffPolicy: exponential, backoffDelay: PT0.2S}'

describe.each(['log', 'memory'] as const)('%s', (channel) => {
  test('subscribers that go to zero and come back, again and again under load: all is delivered, and fewer than ten are dead letters (fault 41)', async () => {
    const scene = await openScene({ channel, delivery: DEFAULT_DELIVERY })
    const { ledger, plain, ordered } = scene
    const sluice = await scene.start()
    const producers = startProducers(ledger, sluice.broker, { keys: 16 })
    for (let outage = 0; outage < 2; outage++) {
      await ledger.ackedAtLeast(ledger.acked + 200)
      await Promise.all([plain.close(), ordered.close()])
      await ledger.ackedAtLeast(ledger.acked + 500) // without anybody to take them
      expect(await readMetric(sluice.api, 'sluice_subscription_state')).toBe(2 * DOWN)
      await Promise.all([plain.open(), ordered.open()])
      const missing = ledger.acked
      await ledger.until(() => ledger.takenBy('plain') >= missing && ledger.takenBy('ordered') >= missing)
    }
    await producers.stop()
    await scene.verify(sluice)
    expect(await readMetric(sluice.api, 'sluice_dead_letter_box_events')).toBe(0)
  })
})

test.skipIf(MOUNTING.isMissing)(
  `a subscriber that moves to another address behind its name is found there, and nothing is lost (fault 41)${MOUNTING.why}`,
  async () => {
    const volume = await mountVolume(1024 * 1024)
    const hosts = volume.cover('/etc/hosts', '127.0.0.1 subscriber.test\n')
    const before = await takerAt('127.0.0.1', 0)
    const after = await takerAt('127.0.0.2', before.port)
    const yaml = broker() + trigger('moving', `http://subscriber.test:${before.port}/`)
    const sluice = await startSluice({ 'a.yaml': yaml }, ['--channel', 'memory'], volume.inside)
    const send = async (id: string): Promise<void> => {
      expect((await exchange(sluice.broker, binary([['ce-id', id]]))).status).toBe(202)
    }
    for (const id of ['1', '2', '3']) await send(id)
    await settled(sluice.api)
    expect(before.ids).toEqual(new Set(['1', '2', '3']))
    writeFileSync(hosts, '127.0.0.2 subscriber.test\n')
    await before.close()
    for (const id of ['4', '5', '6']) await send(id)
    await settled(sluice.api)
    expect(after.ids).toEqual(new Set(['4', '5', '6']))
    expect(await readMetric(sluice.api, 'sluice_dead_letter_box_events')).toBe(0)
  },
)

/** A subscriber at an address of this machine other than the usual one. */
async function takerAt(
  host: string,
  port: number,
): Promise<{ port: number; ids: Set<string>; close: () => Promise<void> }> {
  const ids = new Set<string>()
  const server = createServer((request, response) => {
    ids.add(String(request.headers['ce-id']))
    request.resume().on('end', () => response.writeHead(202).end())
  })
  server.listen(port, host)
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  onTestFinished(close)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address is no string
  return { port: (server.address() as AddressInfo).port, ids, close }
}

test('stopped for longer than its timeouts, and continued: what was answered meanwhile is delivered, once, and nothing is a dead letter (fault 6)', async () => {
  const gate = Promise.withResolvers<number>()
  const taker = await subscriber(() => gate.promise)
  const sink = await subscriber()
  const delivery = `delivery: {retry: 0, timeout: PT2S, deadLetterSink: {uri: "${sink.url}"}}`
  const sluice = await startSluice({ 'a.yaml': broker() + trigger('taker', taker.url, [delivery]) })
  const ids = Array.from({ length: 50 }, (_, n) => String(n))
  await Promise.all(ids.map((id) => exchange(sluice.broker, binary([['ce-id', id]]))))
  await taker.received(ids.length)
  sluice.process.kill('SIGSTOP')
  gate.resolve(202)
  await setTimeout(2500) // the pause is what this is about
  sluice.process.kill('SIGCONT')
  await settled(sluice.api)
  expect({ taken: taker.all.length, dead: sink.all.length }).toEqual({ taken: ids.length, dead: 0 })
})
