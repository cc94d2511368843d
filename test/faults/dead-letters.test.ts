// Dead letters whose own sink fails (fault 31).

import { describe, expect, test, vi } from 'vitest'
import { join } from 'node:path'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { conditionOf, readMetric, readResource } from '../support/ops.ts'
import { folderOf, runSluice, startSluice, type Sluice } from '../support/sluice.ts'
import { header, idsOf, subscriber, type Subscriber } from '../support/subscriber.ts'

// A sink that was down is asked again 10 s later or so.
vi.setConfig({ testTimeout: 60_000 })

const IDS = ['1', '2', '3']

describe.each(['log', 'memory'])('%s', (channel) => {
  async function start(refusing: Subscriber, sink: Subscriber): Promise<{ sluice: Sluice; again(): Promise<Sluice> }> {
    const delivery = `delivery: {retry: 2, backoffPolicy: linear, backoffDelay: PT0.05S, deadLetterSink: {uri: "${sink.url}"}}`
    const yaml = { 'a.yaml': broker() + trigger('refused', refusing.url, [delivery]) }
    const data = join(folderOf({}), 'data')
    const again = (): Promise<Sluice> => startSluice(yaml, ['--channel', channel, '--data', data])
    const sluice = await again()
    for (const id of IDS) expect((await exchange(sluice.broker, binary([['ce-id', id]]))).status).toBe(202)
    return { sluice, again }
  }
  const parked = (sluice: Sluice): Promise<number> => readMetric(sluice.api, 'sluice_subscription_parked')
  const boxed = (sluice: Sluice): Promise<number> => readMetric(sluice.api, 'sluice_dead_letter_box_events')

  test('a sink that is down: its events wait for it and use up no tries, over a kill too (fault 31)', async () => {
    const refusing = await subscriber(() => 400)
    const gone = await subscriber()
    await gone.close()
    const { sluice, again } = await start(refusing, gone)
    while ((await parked(sluice)) < IDS.length);
    let now = sluice
    if (channel === 'log') {
      await sluice.stop('SIGKILL')
      now = await again()
      while ((await parked(now)) < IDS.length);
    }
    expect(await boxed(now)).toBe(0)
    const sink = await subscriber(() => 202, { port: gone.port })
    // The first one asks whether the sink is back; the others come back by themselves, 10 s later or so.
    const dead = await sink.received(channel === 'log' ? IDS.length : 1)
    for (const each of dead) expect(header(each, 'ce-knativeerrorcode')).toBe('400')
    expect(dead.length + (await readMetric(now.api, 'sluice_subscription_lag_events'))).toBe(IDS.length)
    expect(await boxed(now)).toBe(0)
  })

  test.each([
    ['refuses', 400, 1],
    ['fails until the tries are used up', 500, 3],
  ])('a sink that %s: its events are kept in the box, and counted (fault 31)', async (_, status, tries) => {
    const refusing = await subscriber(() => 400)
    const sink = await subscriber(() => status)
    const { sluice, again } = await start(refusing, sink)
    while ((await boxed(sluice)) < IDS.length);
    expect(idsOf(sink)).toEqual(new Set(IDS))
    expect(sink.all).toHaveLength(IDS.length * tries)
    await sluice.stderr.until(/kept in the dead-letter box .*reason=sink/)
    const { code, stdout } = await runSluice(['dead-letters', 'list', '--server', sluice.api])
    expect(code).toBe(0)
    expect(stdout.match(/^default\.default\.\d+ +refused +t +400 /gm)).toHaveLength(IDS.length)
    const isTold = async (now: Sluice): Promise<boolean> => {
      const trigger = await readResource(now.api, 'triggers', 'refused')
      expect(conditionOf(trigger, 'Ready')).toBe('True')
      return conditionOf(trigger, 'DeadLetterBoxEmpty') === 'False DeadLettersKept'
    }
    while (!(await isTold(sluice)));
    if (channel === 'memory') return
    await sluice.stop('SIGKILL')
    const next = await again()
    expect(await boxed(next)).toBe(IDS.length)
    expect(await isTold(next)).toBe(true)
  })
})
