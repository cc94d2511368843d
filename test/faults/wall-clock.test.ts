// A wall clock that is set while events wait for their next try, and between two processes (fault 19).

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { readMetric, settled } from '../support/ops.ts'
import { folderOf, startSluice, type Sluice } from '../support/sluice.ts'
import { subscriber } from '../support/subscriber.ts'

// Processes start several times; a busy machine has its time.
vi.setConfig({ testTimeout: 60_000 })

const PRELOAD = pathToFileURL(join(import.meta.dirname, 'programs/wall-clock.mjs')).href
const HOUR = 3_600_000
const YEAR = 365 * 24 * HOUR
const WAIT_MS = 200
const IDS = ['1', '2', '3']

describe.each(['log', 'memory'])('%s', (channel) => {
  test('set forward by a year, and back by more, it makes no retry early and none late, and nothing that waits goes (fault 19)', async () => {
    const triedMs: number[] = []
    let status = 500
    const taker = await subscriber(() => {
      triedMs.push(performance.now())
      return status
    })
    const delivery = `delivery: {retry: 1000, backoffPolicy: linear, backoffDelay: PT${WAIT_MS / 1000}S}`
    const data = join(folderOf({}), 'data')
    const start = (offMs: number): Promise<Sluice> =>
      startSluice(
        { 'a.yaml': broker() + trigger('failing', taker.url, [delivery]) },
        ['--channel', channel, '--data', data],
        {
          env: {
            NODE_OPTIONS: `--import ${PRELOAD}`,
            WALL_CLOCK_OFF: String(offMs),
            WALL_CLOCK_STEPS: `${YEAR},${-2 * YEAR}`,
          },
        },
      )
    /** Each tries once more, none sooner than the policy lets it. */
    let rounds = 1
    const nextRound = async (): Promise<void> => {
      const last = triedMs.slice(-IDS.length)
      await taker.received(++rounds * IDS.length)
      const soonestMs = triedMs[triedMs.length - IDS.length]! - Math.min(...last)
      expect(soonestMs).toBeGreaterThan(0.9 * WAIT_MS * (rounds - 1))
      expect(triedMs).toHaveLength(rounds * IDS.length)
    }

    let sluice = await start(0)
    for (const id of IDS) expect((await exchange(sluice.broker, binary([['ce-id', id]]))).status).toBe(202)
    await taker.received(IDS.length)
    await nextRound()
    sluice.process.kill('SIGUSR2')
    await nextRound()
    sluice.process.kill('SIGUSR2')
    await nextRound()
    expect(await readMetric(sluice.api, 'sluice_subscription_lag_events')).toBe(IDS.length)
    if (channel === 'log') {
      // The next process has the right time again: what the last one noted lies a year back, or an hour ahead.
      for (const offMs of [0, -HOUR]) {
        await sluice.stop('SIGKILL')
        sluice = await start(offMs)
        await taker.received(++rounds * IDS.length)
      }
    }
    status = 202
    await settled(sluice.api)
    expect(await readMetric(sluice.api, 'sluice_dead_letter_box_events')).toBe(0)
  })
})
