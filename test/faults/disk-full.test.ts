// A disk that is full, in a volume of the process's own (faults 9, 10).

import { describe, expect, test } from 'vitest'
import { acceptedEvents, conditionOf, readMetric, readResource } from '../support/ops.ts'
import type { Sluice } from '../support/sluice.ts'
import { MOUNTING } from './machine.ts'
import { startProducers } from './producers.ts'
import { openScene, type Scene } from './scene.ts'
import { mountVolume, type Volume } from './volume.ts'

const MIB = 1024 * 1024
const KEYS = 8

/** A process on a volume of 8 MiB. What is delivered is not kept, so that its space comes back. */
async function onSmallVolume(): Promise<{ volume: Volume; scene: Scene; sluice: Sluice }> {
  const volume = await mountVolume(8 * MIB)
  const scene = await openScene({ data: `${volume.path}/data`, limits: '{retention: {bytes: 1}}' })
  return { volume, scene, sluice: await scene.start(volume.inside) }
}

/** Resolves once so many more events were refused with 503, and none was acknowledged after the first of these. */
async function refused(sluice: Sluice, n: number): Promise<void> {
  const count = (): Promise<number> => readMetric(sluice.api, 'sluice_events_refused_total', { code: '503' })
  const before = await count()
  while ((await count()) < before + n);
}

describe.skipIf(MOUNTING.isMissing)(`the disk is full${MOUNTING.why}`, () => {
  test('new events get 503, what is stored is delivered, the status says why, and it goes on by itself (fault 9)', async () => {
    const { volume, scene, sluice } = await onSmallVolume()
    const { ledger, plain, ordered } = scene
    const gate = Promise.withResolvers<number>()
    plain.answer(() => gate.promise)
    ordered.answer(() => gate.promise)
    const producers = startProducers(ledger, sluice.broker, { keys: KEYS, bytes: () => 2000 })
    await ledger.ackedAtLeast(300)
    volume.fill()
    await refused(sluice, 20)
    const stored = ledger.acked
    await refused(sluice, 5)
    expect(ledger.acked).toBe(stored)
    const status = await readResource(sluice.api, 'brokers', 'default')
    expect(conditionOf(status, 'Ready')).toBe('False ChannelNotReady')
    expect(JSON.stringify(status.status)).toContain('the disk is full. Make space; Sluice goes on by itself.')

    gate.resolve(202) // all that was stored is delivered meanwhile
    await ledger.allEnded()
    expect(ledger.acked).toBe(stored)

    volume.free()
    await ledger.ackedAtLeast(stored + 300)
    await producers.stop()
    expect((await scene.verify(sluice)).duplicates).toBe(0)
    expect(conditionOf(await readResource(sluice.api, 'brokers', 'default'), 'Ready')).toBe('True')
  })

  test('also when it fills up while segments and journals roll, the process is killed, and starts on it (fault 10)', async () => {
    const { volume, scene, sluice } = await onSmallVolume()
    const { ledger } = scene
    const producers = startProducers(ledger, sluice.broker, { keys: KEYS, bytes: () => 4000 })
    await ledger.ackedAtLeast(100)
    for (const more of [300, 700]) {
      volume.fill(64 * 1024 * Math.floor(8 * Math.random())) // with more or less left for what is smaller
      await refused(sluice, 5)
      volume.free()
      await ledger.ackedAtLeast(more)
    }
    volume.fill()
    await refused(sluice, 5)
    await scene.kill(sluice)

    producers.aim(undefined)
    const again = await scene.start(volume.inside)
    producers.aim(again.broker)
    await refused(again, 5)
    volume.free()
    await ledger.ackedAtLeast(ledger.acked + 300)
    await producers.stop()
    await scene.verify(again)
  })

  test('of what is delivered and kept to be read again: that gives way, and nobody has to do anything (fault 9)', async () => {
    const volume = await mountVolume(8 * MIB)
    const scene = await openScene({ data: `${volume.path}/data` }) // retention, by default, is 1 GiB
    const { ledger } = scene
    const sluice = await scene.start(volume.inside)
    const producers = startProducers(ledger, sluice.broker, { keys: KEYS, each: 150, bytes: () => 16_000 })
    await producers.ended // 18 MiB
    expect(ledger.acked).toBe(KEYS * 150)
    expect((await scene.verify(sluice)).duplicates).toBe(0)
  })

  test('while a webhook is noted as taken: what was cut off spoils no later note, over a kill too (fault 9)', async () => {
    const volume = await mountVolume(8 * MIB)
    const scene = await openScene({ data: `${volume.path}/data`, more: HOOK })
    const sluice = await scene.start(volume.inside)
    // A note has 24 bytes and the file system pages of 4096: the 171st begins in the first page and ends in a second one.
    for (let n = 1; n <= 170; n++) await hook(sluice, n)
    volume.fill()
    await hook(sluice, 171)
    volume.free()
    for (let n = 172; n <= 200; n++) await hook(sluice, n)
    expect(await acceptedEvents(sluice.api)).toBe(200)
    await scene.kill(sluice)

    const again = await scene.start(volume.inside)
    for (let n = 200; n > 0; n--) await hook(again, n)
    expect(await acceptedEvents(again.api)).toBe(1) // the one of which there is no note
  })
})

const HOOK = `---
apiVersion: sources.sluice.dev/v1alpha1
kind: WebhookSource
metadata: { name: hook }
spec:
  verify: { scheme: none }
  event: { type: t, source: /s, id: '{header.x-id}' }
  sink: { ref: { apiVersion: eventing.knative.dev/v1, kind: Broker, name: default } }
`

async function hook({ ingress }: Sluice, n: number): Promise<void> {
  const { status } = await fetch(`${ingress}/webhooks/default/hook`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-id': String(n) },
    body: '{}',
  })
  expect(status).toBe(202)
}
