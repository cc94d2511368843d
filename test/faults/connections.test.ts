// 10,000 connections to subscribers that take them and never answer (fault 26).

import { expect, test, vi } from 'vitest'
import { broker, trigger } from '../support/events.ts'
import { load } from '../support/load.ts'
import { startSluice } from '../support/sluice.ts'
import { idsOf, subscriber } from '../support/subscriber.ts'
import { peakOf } from './backlog.ts'
import { startHostile } from './hostile.ts'
import { SOCKETS } from './machine.ts'

vi.setConfig({ testTimeout: 120_000 })

const SUBSCRIBERS = 40
/** Of each trigger, by default. */
const CONCURRENCY = 256

test.skipIf(SOCKETS.isMissing)(
  `forty subscribers hang in 256 requests each: another one gets every event meanwhile, and memory has a bound (fault 26)${SOCKETS.why}`,
  async () => {
    let hanging = 0
    let changed = Promise.withResolvers<void>()
    const hang = await Promise.all(
      Array.from({ length: SUBSCRIBERS }, () =>
        startHostile({
          name: 'hangs',
          end: 500,
          behave: (socket) => {
            socket.once('data', () => {
              hanging++
              changed.resolve()
              changed = Promise.withResolvers()
            })
          },
        }),
      ),
    )
    const well = await subscriber()
    const bad = hang.map((url, n) => trigger(`bad${n}`, url, ['delivery: {retry: 10, timeout: PT10M}']))
    const sluice = await startSluice({ 'a.yaml': broker() + bad.join('') + trigger('well', well.url) })
    const senders = load(sluice.broker, 8)
    while (hanging < SUBSCRIBERS * CONCURRENCY) await changed.promise
    await senders.acceptedAtLeast(senders.accepted.size + 500)
    const ids = [...senders.accepted]
    await well.received(ids.length)
    while (!ids.every((id) => idsOf(well).has(id))) await well.received(well.all.length + 1)
    expect(peakOf(sluice)).toBeLessThan(700)
    await sluice.stop('SIGKILL')
    await senders.over
  },
)
