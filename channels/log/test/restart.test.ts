// What a subscription has after a restart, whenever the process before it ended and whatever its filter is now.

import type { SimulatedDisk } from '@sluice/segments/simulation'
import { describe, expect, test } from 'vitest'
import { openTestLog, quickDisk, receive } from './support.ts'

/** More than are stated in one entry of the progress. */
const MANY = 102

test('an open that ends at any moment leaves every subscription what waits for it (faults 1, 3)', async () => {
  const disk = quickDisk()
  const before = await openTestLog(disk)
  for (let i = 0; i < MANY; i++) await receive(before, `s${i}`, { settles: false })
  await before.publish('a1')
  const found = quickDisk({ record: true }) // none of them had it saved that it waits
  found.copyFrom(disk.crash({ power: true }).files())
  await openTestLog(found)
  const { length } = found.recorded

  for (let n = 1; n <= length; n++) {
    const log = await openTestLog(found.imageAfter(n, () => 0.999))
    const first = await receive(log, 's0')
    const last = await receive(log, `s${MANY - 1}`)
    await log.pass(100)
    expect([first.ids, last.ids], `after ${n} operations`).toEqual([['a1'], ['a1']])
  }
})

describe('after restarts an event that was judged when it was stored', () => {
  test('is not judged again, however often the subscription was behind, and missed others', async () => {
    const disk = quickDisk()
    await life(disk, '', 'a1', 'a2')
    await life(disk, 'a3', 'b1')
    await life(disk, 'a4', 'b2')
    const log = await openTestLog(disk)
    await log.publish('b3')
    const { ids } = await receive(log, 's', { types: 'ab' })
    await log.pass(100)
    expect(ids).toEqual(['a1', 'a2', 'a3', 'a4', 'b3'])
  })

  /** A life in which `missed` comes before the subscription is open, for `a`, and it settles nothing. */
  async function life(disk: SimulatedDisk, missed: string, ...ids: string[]): Promise<void> {
    const log = await openTestLog(disk)
    if (missed !== '') await log.publish(missed)
    await receive(log, 's', { settles: false, window: { events: 1, bytes: 1e9 } })
    await log.publish(...ids)
    await log.pass(100)
    await log.close()
  }
})

test('an open says how much is left to deliver, each event once for each subscription that has still to settle it', async () => {
  const disk = quickDisk()
  const log = await openTestLog(disk)
  const { out } = await receive(log, 's', { settles: false })
  await receive(log, 't', { settles: false, paused: true })
  await log.publish('a1', 'a2', 'a3')
  out[0]!.settle()
  out[1]!.release(60_000)
  await log.pass(100)
  const found = disk.crash({ power: true })
  const next = await openTestLog(found)
  expect(next.recovery.toDeliver).toEqual({ events: 5, bound: 'exact' })
  // Nobody has opened them, and judged for them what comes meanwhile: each may want it.
  await next.publish('a4')
  await next.pass(100)
  const last = await openTestLog(found.crash({ power: true }))
  expect(last.recovery.toDeliver).toEqual({ events: 7, bound: 'atMost' })
})

test.each(['an empty log', 'a log with events'])(
  'who begins at the earliest event, or at a time, gets what is being stored at that moment too: %s',
  async (what) => {
    const log = await openTestLog(quickDisk())
    if (what !== 'an empty log') await log.publish('a1', 'a2')
    const before = what === 'an empty log' ? [] : ['a1', 'a2']
    await log.pass(100)
    const time = log.clock.now()
    const published = log.publish('a3', 'a4')
    const [earliest, since] = await Promise.all([
      receive(log, 's', { start: 'earliest' }),
      receive(log, 't', { start: { time } }),
    ])
    await published
    await log.pass(100)
    expect(earliest.ids).toEqual([...before, 'a3', 'a4'])
    expect(since.ids).toEqual(['a3', 'a4'])
  },
)

test('a read that the end of the log interrupts says so, and not that there is no more', async () => {
  const disk = quickDisk()
  const log = await openTestLog(disk)
  await log.publish('a1', 'a2')
  await log.close()
  const next = await openTestLog(disk)
  const read = expect(next.channel.read({})).rejects.toMatchObject({ code: 'SLUICE_CHANNEL_UNAVAILABLE' })
  await next.close()
  await read
})

test('where an entry of the progress is damaged, who stood in it is not taken for one that stood still (fault 16)', async () => {
  const disk = quickDisk()
  const log = await openTestLog(disk)
  await receive(log, 's', { types: 'a', settles: false })
  await receive(log, 't', { types: 'b', settles: false })
  await log.pass(100)
  const from = written(disk)
  await log.publish('a1')
  await log.pass(100) // says that one is out to s
  const to = written(disk)
  await log.publish('b1')
  await log.pass(100) // says nothing of s
  const after = disk.crash({ power: true })
  after.damage(progress(after), (from + to) >> 1)

  const next = await openTestLog(after)
  const { ids } = await receive(next, 's')
  await next.pass(100)
  expect(ids).toEqual(['a1'])
})

/** The file with the progress. */
function progress(disk: SimulatedDisk): string {
  return [...disk.files().keys()].findLast((path) => path.startsWith('/log/progress/') && path.endsWith('.seg'))!
}

/** How much of it is written. */
function written(disk: SimulatedDisk): number {
  return disk
    .files()
    .get(progress(disk))!
    .findLastIndex((byte) => byte !== 0)
}
