// A store that syncs every so often, instead of before what it takes is committed.

import { expect, test } from 'vitest'
import { manualClock, type ManualClock } from '@sluice/clock'
import { simulatedDisk, type SimulatedDisk } from '@sluice/segments/simulation'
import { append, appendEach, find, numbered, opened, texts, type Opened } from './store-support.ts'

const SYNC_MS = 1000

async function interval(disk: SimulatedDisk): Promise<{ to: Opened; clock: ManualClock; syncs: () => number }> {
  const clock = manualClock()
  const to = await opened(disk, { clock, syncMs: SYNC_MS })
  const syncs = (): number => disk.recorded.filter(({ operation }) => operation === 'sync').length
  return { to, clock, syncs }
}

/** Resolves once nothing is under way on the disk. */
async function quiet(disk: SimulatedDisk): Promise<void> {
  do await new Promise(setImmediate)
  while (disk.pending > 0)
}

test('what is taken is committed without a sync of its own; one follows for all of it', async () => {
  const disk = simulatedDisk({ record: true })
  const { to, clock, syncs } = await interval(disk)
  await appendEach(to, texts(1)) // the first of a segment is synced, and so is its name
  await quiet(disk)
  const before = syncs()
  await appendEach(to, texts(9, 'b'))
  await quiet(disk)
  expect(to.committed).toHaveLength(10)
  expect(syncs()).toBe(before)
  clock.advance(SYNC_MS)
  await quiet(disk)
  expect(syncs()).toBe(before + 1)
  clock.advance(10 * SYNC_MS)
  await quiet(disk)
  expect(syncs()).toBe(before + 1) // nothing new, nothing to sync
})

test('the end of the process alone costs nothing', async () => {
  const disk = simulatedDisk()
  const { to } = await interval(disk)
  await appendEach(to, texts(5))
  expect((await find(disk.crash({ power: false }))).entries).toEqual(numbered(texts(5)))
})

test('a power loss costs at most what was committed since the last sync', async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const disk = simulatedDisk({ seed })
    const { to, clock } = await interval(disk)
    await appendEach(to, texts(4))
    clock.advance(SYNC_MS)
    await quiet(disk)
    await appendEach(to, texts(4, 'b'))
    const { entries } = await find(disk.crash({ power: true }))
    const all = numbered([...texts(4), ...texts(4, 'b')])
    expect(entries.length).toBeGreaterThanOrEqual(4)
    expect(entries).toEqual(all.slice(0, entries.length))
  }
})

test('a segment is synced before the next one begins: what is missing is missing at the end', async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const disk = simulatedDisk({ seed })
    const { to } = await interval(disk)
    await appendEach(to, texts(12), 1000) // several segments
    const { entries } = await find(disk.crash({ power: true }))
    expect(entries).toEqual(numbered(texts(12)).slice(0, entries.length))
    expect(to.store.segments.length).toBeGreaterThan(1)
  }
})

test('closing syncs what is not synced yet', async () => {
  const disk = simulatedDisk()
  const { to } = await interval(disk)
  await appendEach(to, texts(5))
  await to.store.close()
  expect((await find(disk.crash({ power: true }))).entries).toEqual(numbered(texts(5)))
})

test('a sync that fails is told, and nothing more goes into that file', async () => {
  const disk = simulatedDisk()
  const { to, clock } = await interval(disk)
  await appendEach(to, texts(3))
  await quiet(disk)
  append(to, 'b1')
  await to.store.flushed()
  disk.fail({ error: 'EIO', operation: 'sync' })
  clock.advance(SYNC_MS)
  await quiet(disk)
  expect(to.retried).toEqual(['EIO'])
  expect(to.store.segments).toHaveLength(1)
  await appendEach(to, texts(2, 'c'))
  expect(to.store.segments).toHaveLength(2)
  expect(to.failed).toEqual([])
  await to.store.close()
  expect((await find(disk)).entries).toEqual(numbered([...texts(3), 'b1', ...texts(2, 'c')]))
})
