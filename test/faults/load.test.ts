// More than the process can take: little memory, a burst, a channel that is full, a large backlog (faults 8, 37, 38, 47).

import { describe, expect, test } from 'vitest'
import { conditionOf, readMetric, readResource } from '../support/ops.ts'
import type { Sluice } from '../support/sluice.ts'
import { peakOf, runBacklog } from './backlog.ts'
import { waitMs } from './ledger.ts'
import { startProducers } from './producers.ts'
import { openScene, type Channel, type Scene, type SceneOptions } from './scene.ts'

const KIB = 1024

function refused(sluice: Sluice, code = '429'): Promise<number> {
  return readMetric(sluice.api, 'sluice_events_refused_total', { code })
}

/** A channel that is full at this size. */
function bounded(channel: Channel, size: string): SceneOptions {
  return channel === 'log'
    ? { channel, limits: `{maxBytes: ${size}, retention: {bytes: 1}}` }
    : { channel, words: ['--memory-bytes', size] }
}

describe.each(['log', 'memory'] as const)('%s', (channel) => {
  test('with a heap of 64 MiB, ten times the load and sinks that take nothing meanwhile: it stays within its memory, refuses what it has no room for, and loses nothing (fault 8)', async () => {
    const scene = await openScene(channel === 'memory' ? bounded(channel, '16Mi') : {})
    const { ledger } = scene
    const gate = holdBoth(scene)
    const sluice = await scene.start({ env: { NODE_OPTIONS: '--max-old-space-size=64' } })
    const producers = startProducers(ledger, sluice.broker, { keys: 200, each: 15, bytes: () => 16 * KIB })
    if (channel === 'memory') while ((await refused(sluice)) < 200);
    else await ledger.ackedAtLeast(200 * 15) // 48 MiB
    gate.resolve(202)
    await ledger.ackedAtLeast(200 * 15)
    await producers.stop()
    expect((await scene.verify(sluice)).duplicates).toBe(0)
    expect(peakOf(sluice)).toBeLessThan(320)
  })

  test('a burst of twenty times the senders is answered, with 202 or 429, none of which waits for the others, and then all is as it was (fault 37)', async () => {
    const scene = await openScene(bounded(channel, '2Mi'))
    const { ledger } = scene
    const sluice = await scene.start()
    const steady = startProducers(ledger, sluice.broker, { keys: 8, bytes: () => KIB })
    await ledger.ackedAtLeast(300)
    expect(await refused(sluice)).toBe(0)
    const usualMs = waitMs(ledger.answers.slice(-200), 0.5)
    const answersBefore = ledger.answers.length
    const burst = startProducers(ledger, sluice.broker, { keys: 160, prefix: 'burst', each: 20, bytes: () => 4 * KIB })
    const gate = holdBoth(scene) // nobody could take so much: the rest comes to stand
    while ((await refused(sluice)) < 160);
    const refusals = ledger.answers.slice(answersBefore).filter(({ status }) => status === 429)
    // Twenty times as many share the processor; one that stood in a queue would wait for all of them, or until there is room.
    expect(waitMs(refusals, 0.5) / usualMs).toBeLessThan(5 * 20)
    gate.resolve(202)
    await burst.ended
    const [before, acked] = [await refused(sluice), ledger.acked]
    await ledger.ackedAtLeast(acked + 100)
    expect(await refused(sluice)).toBe(before)
    // Nobody is slower for good. (0.95 would measure who else uses the machine.)
    while (waitMs(ledger.answers.slice(-100), 0.5) > 2 * usualMs) await ledger.ackedAtLeast(ledger.acked + 50)
    await steady.stop()
    expect((await scene.verify(sluice)).duplicates).toBe(0)
  })

  test('a trigger that is stuck fills the channel: 429, a condition that names it, and the other one has all; then it drains (fault 38)', async () => {
    const scene = await openScene(bounded(channel, '1Mi'))
    const { ledger, plain, ordered } = scene
    const gate = Promise.withResolvers<number>()
    plain.answer(() => gate.promise)
    let sluice = await scene.start()
    const producers = startProducers(ledger, sluice.broker, { keys: 8, bytes: () => KIB })
    while ((await refused(sluice)) < 20);
    await expectFull(sluice)
    await ledger.until(() => ledger.takenBy('ordered') === ledger.acked)
    if (channel === 'log') {
      producers.aim(undefined)
      await scene.kill(sluice)
      ordered.answer(() => 202)
      sluice = await scene.start()
      producers.aim(sluice.broker)
      while ((await refused(sluice)) < 20);
      await expectFull(sluice) // as before
    }
    gate.resolve(202)
    await ledger.ackedAtLeast(ledger.acked + 100)
    await producers.stop()
    await scene.verify(sluice)
    expect(conditionOf(await readResource(sluice.api, 'brokers', 'default'), 'ChannelHasRoom')).toBeUndefined()
  })
})

test('a backlog outlives a kill: the process is ready over it, and delivers all of it once (fault 47)', async () => {
  const { lost, duplicates, peakMiB } = await runBacklog(20_000)
  expect({ lost, duplicates }).toEqual({ lost: 0, duplicates: 0 })
  expect(peakMiB).toBeLessThan(320)
})

/** Neither sink answers until the gate opens. */
function holdBoth({ plain, ordered }: Scene): PromiseWithResolvers<number> {
  const gate = Promise.withResolvers<number>()
  for (const sink of [plain, ordered]) sink.answer(() => gate.promise)
  return gate
}

async function expectFull(sluice: Sluice): Promise<void> {
  const status = await readResource(sluice.api, 'brokers', 'default')
  expect(conditionOf(status, 'ChannelHasRoom')).toBe('False ChannelFull')
  expect(JSON.stringify(status)).toMatch(/Trigger default\/plain \(subscriber \w+\) has most of them to deliver/)
}
