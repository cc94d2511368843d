// A name that leads to a subscriber, and then somewhere inside (threats 1, 2): as the machine's own resolver tells it.

import { writeFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { settled } from '../support/ops.ts'
import { startSluice } from '../support/sluice.ts'
import { header, subscriber } from '../support/subscriber.ts'
import { MOUNTING } from './machine.ts'
import { mountVolume } from './volume.ts'

vi.setConfig({ testTimeout: 60_000 })

test.skipIf(MOUNTING.isMissing).each([
  ['169.254.169.254', '169.254.169.254 is in 169.254.0.0/16 (link-local, cloud metadata)'],
  ['::ffff:169.254.169.254', 'is in 169.254.0.0/16 (link-local, cloud metadata)'],
  ['fe80::1', 'fe80::1 is in fe80::/10 (link-local)'],
])(
  `a name that comes to mean %s is connected to no more, and its events are dead letters that say so (threat 1, threat 2)${MOUNTING.why}`,
  async (address, words) => {
    const volume = await mountVolume(1024 * 1024)
    const hosts = volume.cover('/etc/hosts', '127.0.0.1 rebound.test\n')
    const taker = await subscriber(() => ({ status: 202, headers: ['connection', 'close'] }))
    const sink = await subscriber()
    const yaml =
      broker() +
      trigger('rebound', `http://rebound.test:${taker.port}/`, [`delivery: {deadLetterSink: {uri: "${sink.url}"}}`])
    const sluice = await startSluice({ 'a.yaml': yaml }, ['--channel', 'memory'], volume.inside)
    const send = async (id: string): Promise<void> => {
      expect((await exchange(sluice.broker, binary([['ce-id', id]]))).status).toBe(202)
    }
    await send('before')
    await taker.received(1)
    writeFileSync(hosts, `${address} rebound.test\n`)
    await send('after')
    const dead = await sink.next()
    await settled(sluice.api)
    expect(header(dead, 'ce-id')).toBe('after')
    expect(Buffer.from(header(dead, 'ce-knativeerrordata')!, 'base64').toString()).toContain(words)
    expect(taker.all).toHaveLength(1)
    await sluice.stop('SIGKILL')
  },
)
