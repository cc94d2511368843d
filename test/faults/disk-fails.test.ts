// A disk that fails, is slow, or goes away (faults 11, 12, 13, 59). System calls fail by strace; what they do to the store
// alone is in packages/segments.

import { chmodSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { binary } from '../support/events.ts'
import { dial, exchange } from '../support/exchange.ts'
import { conditionOf, readMetric, readResource } from '../support/ops.ts'
import type { Sluice, StartOptions } from '../support/sluice.ts'
import { MOUNTING, RIGHTS, TRACING, WITHOUT_RIGHTS } from './machine.ts'
import { waitMs } from './ledger.ts'
import { startProducers } from './producers.ts'
import { openScene, type Scene } from './scene.ts'
import { traced } from './trace.ts'
import { mountVolume } from './volume.ts'

const KEYS = 8

/** Runs events through a process that is started so, kills it, and has another one deliver what is left. */
async function survives(
  options: StartOptions,
  meanwhile?: (scene: Scene, sluice: Sluice) => Promise<void>,
): Promise<Sluice> {
  const scene = await openScene()
  const { ledger } = scene
  const sluice = await scene.start(options)
  const producers = startProducers(ledger, sluice.broker, { keys: KEYS, each: 60, bytes: () => 4000 })
  await meanwhile?.(scene, sluice)
  await ledger.ackedAtLeast(KEYS * 60)
  await producers.stop()
  await scene.kill(sluice)
  await scene.verify(await scene.start())
  return sluice
}

/** A command that runs another one under a limit of the shell. */
function limited(limit: string): StartOptions {
  return { through: ['sh', '-c', `ulimit ${limit}; exec "$0" "$@"`] }
}

describe.skipIf(TRACING.isMissing)(`a system call fails${TRACING.why}`, () => {
  test.each([
    ['one sync', 'fdatasync:error=EIO:when=25'],
    ['two syncs, one after the other', 'fdatasync:error=EIO:when=25..26'],
    ['every tenth sync', 'fdatasync:error=EIO:when=10+10'],
  ])('%s: what it should have made durable is not trusted, and nothing is lost (fault 11)', async (_, injection) => {
    const { stderr } = await survives(traced([injection]))
    expect(stderr.soFar()).toMatch(/WARN {2}the disk failed.*\(EIO\)/)
  })

  test.each([
    ['writes that are interrupted', 'pwrite64:error=EINTR:when=3+7'],
    ['writes that come to nothing', 'pwrite64:retval=0:when=20+20'],
    ['connections while the machine has too many files open', 'accept4:error=ENFILE:when=1..5'],
  ])('%s: nothing is lost, and it goes on (fault 13)', async (_, injection) => {
    const { stderr } = await survives(traced([injection], { told: true }))
    expect(stderr.soFar()).toContain('(INJECTED)')
  })

  test('each sync takes 300 ms: more events share one, in the order they had, and each waits for few (fault 12)', async () => {
    const scene = await openScene()
    const { ledger } = scene
    const sluice = await scene.start(traced(['fdatasync:delay_enter=300000']))
    const count = (): Promise<number> => readMetric(sluice.api, 'sluice_log_sync_seconds_count')
    const total = (): Promise<number> => readMetric(sluice.api, 'sluice_log_sync_seconds_sum')
    const [before, secondsBefore] = [await count(), await total()]
    const producers = startProducers(ledger, sluice.broker, { keys: 32, each: 5 })
    await ledger.ackedAtLeast(32 * 5)
    const syncs = (await count()) - before
    expect(ledger.acked / syncs).toBeGreaterThan(5)
    // An event comes while one sync is under way, and is part of the next one.
    const syncMs = (((await total()) - secondsBefore) / syncs) * 1000
    expect(syncMs).toBeGreaterThan(300)
    expect(waitMs(ledger.answers, 0.99) / syncMs).toBeLessThan(4)
    await producers.stop()
    expect((await scene.verify(sluice)).duplicates).toBe(0)
  })
})

test('no file may be larger than 1 MiB: the log is made of more of them (fault 13)', async () => {
  const { stderr } = await survives(limited('-f 2048'))
  expect(stderr.soFar()).toMatch(/WARN {2}the disk failed.*\(EFBIG\)/)
})

test('no more files may be open: connections are turned away, and taken again once there are fewer (fault 13)', async () => {
  await survives(limited('-n 64'), async ({ ledger }, { broker }) => {
    await ledger.ackedAtLeast(10)
    const idle = await Promise.all(Array.from({ length: 100 }, () => dial(broker)))
    await Promise.race(idle.map(({ closed }) => closed))
    await ledger.ackedAtLeast(ledger.acked + 1) // who has a connection is served
    for (const { socket } of idle) socket.destroy()
  })
})

interface Trouble {
  readonly name: string
  readonly how?: StartOptions
  begin(segments: string): void
  end(segments: string): void
  readonly told: string
}

const TROUBLES: readonly (Trouble & { skip?: boolean; why?: string })[] = [
  {
    name: 'its folder is moved away',
    begin: (segments) => renameSync(segments, `${segments}-away`),
    end: (segments) => renameSync(`${segments}-away`, segments),
    told: 'the folder is gone. Put it back, or restart Sluice.',
  },
  {
    name: 'it may not be written any more',
    skip: RIGHTS.isMissing,
    why: RIGHTS.why,
    how: { through: WITHOUT_RIGHTS },
    begin: (segments) => chmodSync(segments, 0o555),
    end: (segments) => chmodSync(segments, 0o755),
    told: 'this user may not write there. Give it the right; Sluice goes on by itself.',
  },
]

describe.each(TROUBLES)('$name', ({ skip = false, why = '', how, begin, end, told }) => {
  test.skipIf(skip)(`503 and a status that says so, until it is well again (fault 59)${why}`, async () => {
    const scene = await openScene()
    const { ledger } = scene
    const sluice = await scene.start(how)
    const producers = startProducers(ledger, sluice.broker, { keys: KEYS, bytes: () => 4000 })
    await ledger.ackedAtLeast(100)
    const brokers = join(scene.data, 'brokers')
    const segments = join(brokers, readdirSync(brokers)[0]!, 'segments')
    begin(segments)
    while ((await readMetric(sluice.api, 'sluice_events_refused_total', { code: '503' })) < 10);
    const status = await readResource(sluice.api, 'brokers', 'default')
    expect(conditionOf(status, 'Ready')).toBe('False ChannelNotReady')
    expect(JSON.stringify(status.status)).toContain(told)
    end(segments)
    await ledger.ackedAtLeast(ledger.acked + 300)
    await producers.stop()
    await scene.kill(sluice)
    await scene.verify(await scene.start())
  })
})

test.skipIf(MOUNTING.isMissing)(
  `a start on a file system that is read-only: 503 and a status that says so; what is stored is delivered once it can be written (fault 59)${MOUNTING.why}`,
  async () => {
    const volume = await mountVolume(32 * 1024 * 1024)
    const scene = await openScene({ data: `${volume.path}/data` })
    const { ledger, plain, ordered } = scene
    for (const sink of [plain, ordered]) sink.answer(() => new Promise(() => {}))
    const first = await scene.start(volume.inside)
    const producers = startProducers(ledger, first.broker, { keys: KEYS })
    await ledger.ackedAtLeast(100)
    producers.aim(undefined)
    await scene.kill(first)
    for (const sink of [plain, ordered]) sink.answer(() => 202)

    volume.remount('ro')
    const sluice = await scene.start(volume.inside)
    const { status, headers } = await exchange(sluice.broker, binary())
    expect([status, Number(headers['retry-after']) > 0]).toEqual([503, true])
    const told = JSON.stringify((await readResource(sluice.api, 'brokers', 'default')).status)
    expect(told).toContain('the file system is read-only. Mount it for writing; Sluice goes on by itself.')
    volume.remount('rw')
    producers.aim(sluice.broker)
    await ledger.ackedAtLeast(ledger.acked + 100)
    await producers.stop()
    await scene.verify(sluice)
  },
)
