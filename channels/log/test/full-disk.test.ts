// A disk that is full: what is kept only to be read again gives way to events that come, and nothing else does.

import { expect, test } from 'vitest'
import { openTestLog, quickDisk, receive, type TestLog } from './support.ts'

const KIB = 1024
const SMALL = { segmentBytes: { first: 8 * KIB, max: 8 * KIB } }
/** Bytes of a stored event, about. */
const EVENT_BYTES = 100

/** Publishes events until so many are stored, or none is for 5 s; returns the ids of those that are. */
async function fill(log: TestLog, events: number): Promise<string[]> {
  const stored: string[] = []
  for (let n = 0, failures = 0; stored.length < events && failures < 5; n++) {
    const ids = Array.from({ length: 20 }, (_, i) => `a${n}-${i}`)
    const results = await log.publish(...ids)
    const refused = results.filter((result) => result === 'SLUICE_DISK')
    stored.push(...ids.filter((_, i) => results[i] !== 'SLUICE_DISK'))
    failures = refused.length === ids.length ? failures + 1 : 0
    await log.pass(refused.length > 0 ? 1000 : 50)
  }
  return stored
}

test('what is delivered gives way a segment at a time, so that ten times the disk goes through it', async () => {
  const capacityBytes = 128 * KIB
  const log = await openTestLog(quickDisk({ capacityBytes }), SMALL) // retention, by default, is 1 GiB
  const { ids } = await receive(log, 's')
  const stored = await fill(log, (10 * capacityBytes) / EVENT_BYTES)
  expect(stored.length).toBeGreaterThanOrEqual((10 * capacityBytes) / EVENT_BYTES)
  expect(ids).toEqual(stored)
  expect(log.channel.usage().events).toBeGreaterThan(capacityBytes / EVENT_BYTES / 4) // no more of it went than had to
  await log.close()
})

test('what is not delivered does not', async () => {
  const capacityBytes = 128 * KIB
  const disk = quickDisk({ capacityBytes })
  const log = await openTestLog(disk, SMALL)
  await receive(log, 's', { settles: false })
  const stored = await fill(log, (2 * capacityBytes) / EVENT_BYTES)
  expect(stored.length).toBeGreaterThan(capacityBytes / EVENT_BYTES / 2)
  expect(stored.length).toBeLessThan(capacityBytes / EVENT_BYTES)
  await log.close()
  disk.capacityBytes = Infinity
  const again = await openTestLog(disk, SMALL)
  const { ids } = await receive(again, 's')
  while (ids.length < stored.length) await again.pass(50)
  expect(ids).toEqual(stored)
  await again.close()
})
