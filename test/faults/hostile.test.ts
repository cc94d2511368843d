// Every bad sort of subscriber at once, beside two good ones: what becomes of the events of each, and of the others.

import { describe, expect, test, vi } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { readMetric } from '../support/ops.ts'
import { startSluice } from '../support/sluice.ts'
import { header, idsOf, subscriber } from '../support/subscriber.ts'
import { peakOf } from './backlog.ts'
import { HOSTILES, startHostile, type Hostile } from './hostile.ts'
import { startProducers } from './producers.ts'
import { openScene } from './scene.ts'

// The floods come from this process.
vi.setConfig({ testTimeout: 120_000 })

/** Triggers' names are no sentences. */
const nameOf = (hostile: Hostile): string => `bad${HOSTILES.indexOf(hostile)}`

/** Triggers for all of them, with one try for each event; the dead letters of each go to a path of its own. */
async function triggers(sink: string): Promise<string> {
  const all = HOSTILES.map(async (hostile) =>
    trigger(nameOf(hostile), await startHostile(hostile), [
      `delivery: {retry: 0, timeout: ${hostile.hangs ? 'PT3S' : 'PT1M'}, deadLetterSink: {uri: "${sink}${nameOf(hostile)}"}}`,
    ]),
  )
  return (await Promise.all(all)).join('')
}

const CATALOGUE = 'faults 21, 23, 24, 25, 26, 27, 28, 29, 30, threats 3, 4, 10, 13'

describe.each(['log', 'memory'] as const)('%s', (channel) => {
  test(`an event to each bad subscriber ends as it has to, in time (${CATALOGUE})`, async () => {
    const sink = await subscriber()
    const well = await subscriber()
    const yaml = broker() + (await triggers(sink.url)) + trigger('well', well.url)
    const sluice = await startSluice({ 'a.yaml': yaml }, ['--channel', channel])
    const ids = ['1', '2']
    for (const id of ids) {
      expect((await exchange(sluice.broker, binary([['ce-id', id]], Buffer.alloc(300_000, 'x')))).status).toBe(202)
    }
    while ((await readMetric(sluice.api, 'sluice_subscription_lag_events')) > 0);
    expect(idsOf(well)).toEqual(new Set(ids))
    const codes = new Map<string, string[]>()
    for (const dead of sink.all) {
      const name = dead.path.slice(1)
      codes.set(name, [...(codes.get(name) ?? []), header(dead, 'ce-knativeerrorcode')!])
    }
    const ends = HOSTILES.map((each) => [each.name, codes.get(nameOf(each)) ?? 'taken'])
    const expected = HOSTILES.map(({ name, end }) => [name, end === 'taken' ? end : ids.map(() => String(end))])
    expect(ends).toEqual(expected)
    expect(await readMetric(sluice.api, 'sluice_dead_letter_box_events')).toBe(0)
    await sluice.stop('SIGKILL')
  })

  test(`under load, beside all of them, the others get everything, within bounds of memory (${CATALOGUE}, fault 39)`, async () => {
    const sink = await subscriber()
    const scene = await openScene({ channel, more: await triggers(sink.url) })
    const { ledger } = scene
    const sluice = await scene.start()
    const producers = startProducers(ledger, sluice.broker, { keys: 8, each: 8, bytes: () => 1000 })
    await producers.ended
    await ledger.allEnded()
    expect(ledger.check()).toMatchObject({ violations: [], acked: 64, duplicates: 0 })
    expect((await fetch(`${sluice.api}/livez`)).status).toBe(200)
    expect(peakOf(sluice)).toBeLessThan(400)
    await sluice.stop('SIGKILL')
  })
})
