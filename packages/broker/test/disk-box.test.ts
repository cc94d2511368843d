// The dead-letter box on the disk: what outlives the process, and what a broken disk does to it.

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { manualClock, type ManualClock } from '@sluice/clock'
import type { DeadLetterBox } from '@sluice/channel'
import type { Problem } from '@sluice/segments'
import { simulatedDisk, type SimulatedDisk } from '@sluice/segments/simulation'
import { diskBox } from '@sluice/broker'
import { FOLDER, entry, eventsIn, openDiskBox, put } from './boxes.ts'

const SMALL = { segmentBytes: { first: 2048, max: 2048 }, deadBytesMax: 2048 }

describe('after a restart', () => {
  test('everything is there that was stored, with its id, and nothing that was removed', async () => {
    const disk = simulatedDisk()
    const { box } = await openDiskBox(disk)
    const ids = [await put(box, '1'), await put(box, '2', 'audit'), await put(box, '3')]
    await box.remove(ids[0]!)
    await box.replace(ids[2]!, { ...entry('3'), attempts: 9 })
    const before = await box.list()
    const usage = [box.usage(), box.usage('default/audit')]
    await box.close()
    const { box: again, recovery } = await openDiskBox(disk)
    expect(await again.list()).toEqual(before)
    expect(before.map(({ id, attempts }) => [id, attempts])).toEqual([
      [ids[1], 3],
      [ids[2], 9],
    ])
    expect([again.usage(), again.usage('default/audit')]).toEqual(usage)
    expect(recovery).toMatchObject({ entries: 2, tornBytes: 0, problems: [] })
    expect(ids).not.toContain(await put(again, '4'))
  })

  test('by kill -9 between an append and its answer, what was answered is there and the rest may be (fault 2)', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const disk = simulatedDisk({ seed })
      const { box } = await openDiskBox(disk)
      await put(box, '1')
      void put(box, '2').catch(() => {})
      for (let turn = 0; turn < seed % 5; turn++) await setImmediate()
      const { box: again } = await openDiskBox(disk.crash({ power: seed % 2 === 0 }))
      expect(['1', '1 2']).toContain((await eventsIn(again)).join(' '))
    }
  })

  test('a torn end is cut off, counted, and nothing before it is missing (fault 14)', async () => {
    const disk = simulatedDisk()
    const { box } = await openDiskBox(disk)
    await put(box, '1')
    const end =
      disk
        .files()
        .get(`${FOLDER}/0000000001.seg`)!
        .findLastIndex((byte) => byte !== 0) + 1
    await put(box, '2')
    await box.close()
    const { length } = disk.files().get(`${FOLDER}/0000000001.seg`)!
    disk.damage(`${FOLDER}/0000000001.seg`, end + 60)
    const { box: again, recovery } = await openDiskBox(disk)
    expect(await eventsIn(again)).toEqual(['1'])
    expect(recovery.tornBytes).toBeGreaterThan(0)
    expect(recovery.tornBytes).toBeLessThanOrEqual(length - end)
  })

  test('what is damaged is told with its numbers, and what follows is there (fault 15)', async () => {
    const disk = simulatedDisk()
    const { box } = await openDiskBox(disk, { ...SMALL, deadBytesMax: 1e9 })
    const ids: string[] = []
    for (let i = 0; i < 20; i++) ids.push(await put(box, String(i), 'billing', 300))
    await box.close()
    const paths = [...disk.files().keys()].filter((path) => path.endsWith('.seg'))
    expect(paths.length).toBeGreaterThan(4)
    disk.damage(paths[1]!, 1000)
    const { length } = disk.files().get(paths[2]!)!
    disk.damage(paths[2]!, length - 100)
    const { box: again, recovery } = await openDiskBox(disk, SMALL)
    const lost = recovery.problems.map(({ path, lost: [first, last] }) => [path, first === last && String(first)])
    expect(lost.map(([path]) => path)).toEqual([paths[1], paths[2]])
    const left = ids.filter((id) => !lost.some(([, gone]) => gone === id))
    expect((await again.list()).map(({ id }) => id)).toEqual(left)
    expect(left).toHaveLength(18)
  })

  test('a segment of a later version is refused, and nothing is changed (fault 18)', async () => {
    const disk = simulatedDisk()
    const { store } = await (
      await import('@sluice/segments')
    ).openStore({
      disk,
      clock: manualClock(),
      folder: FOLDER,
      name: 'dead-letters',
      segmentBytes: { first: 4096, max: 4096 },
      slabBytes: 4096,
      recentBytes: 4096,
      cacheBytes: 4096,
      committed: () => {},
      failed: () => {},
    })
    store.append(Buffer.alloc(64, 9), undefined)
    await store.close()
    const before = disk.files()
    await expect(openDiskBox(disk)).rejects.toMatchObject({ code: 'SLUICE_DATA_FORMAT' })
    expect(disk.files()).toEqual(before)
  })
})

test('a second process is refused while the first one has it, and not after that (fault 17)', async () => {
  const disk = simulatedDisk()
  const { box } = await openDiskBox(disk)
  await expect(openDiskBox(disk)).rejects.toMatchObject({ code: 'SLUICE_DATA_LOCKED' })
  await box.close()
  await (await openDiskBox(disk)).box.close()
})

test('once it is closed, nothing is stored, removed or read, and whoever asks is told so', async () => {
  const { box } = await openDiskBox(simulatedDisk())
  const id = await put(box, '1')
  await box.close()
  const refused = { code: 'SLUICE_DEAD_LETTER_BOX_CLOSED', status: 503, retryable: true }
  await expect(box.append(entry('2'))).rejects.toMatchObject(refused)
  await expect(box.remove(id)).rejects.toMatchObject(refused)
  await expect(box.get(id)).rejects.toMatchObject(refused)
  await expect(box.list()).rejects.toMatchObject(refused)
})

describe('space', () => {
  test('a segment goes once all its entries and those of older ones are removed', async () => {
    const disk = simulatedDisk()
    const { box } = await openDiskBox(disk, { ...SMALL, deadBytesMax: 1e9 })
    const ids: string[] = []
    for (let i = 0; i < 20; i++) ids.push(await put(box, String(i), 'billing', 300))
    const before = segments(disk)
    for (const id of ids.slice(5, 15)) await box.remove(id)
    await settled(disk)
    expect(segments(disk)[0]).toBe(before[0])
    for (const id of ids.slice(0, 5)) await box.remove(id)
    await settled(disk)
    expect(before.filter((path) => segments(disk).includes(path))).toEqual(before.slice(-2))
    expect(await eventsIn(box)).toEqual(ids.slice(15).map((_, i) => String(i + 15)))
  })

  test('an old entry among removed ones is written again under its id, and its segment goes', async () => {
    const disk = simulatedDisk()
    const { box } = await openDiskBox(disk, SMALL)
    const old = await put(box, 'old')
    for (let i = 0; i < 100; i++) await box.remove(await put(box, String(i), 'billing', 300))
    await settled(disk)
    expect(segments(disk).length).toBeLessThan(5)
    expect(await box.get(old)).toMatchObject({ id: old, event: { id: 'old' } })
    await box.close()
    const { box: again } = await openDiskBox(disk, SMALL)
    expect(await again.list()).toMatchObject([{ id: old, event: { id: 'old' } }])
  })

  test('a single segment that is mostly dead is left behind as well', async () => {
    const disk = simulatedDisk()
    const options = { segmentBytes: { first: 1e6, max: 1e6 }, deadBytesMax: 2048 }
    const { box } = await openDiskBox(disk, options)
    await put(box, 'old')
    for (let i = 0; i < 8; i++) await box.remove(await put(box, String(i), 'billing', 300))
    await settled(disk)
    await put(box, 'new')
    await settled(disk)
    expect(segments(disk)).toEqual([`${FOLDER}/0000000002.seg`])
    expect(await eventsIn(box)).toEqual(['old', 'new'])
  })

  test('whoever lists while entries move sees each of them, once', async () => {
    const disk = simulatedDisk()
    const { box } = await openDiskBox(disk, SMALL)
    const kept = new Set<string>()
    for (let i = 0; i < 60; i++) {
      const id = await put(box, String(i), 'billing', 300)
      if (i % 5 === 0) kept.add(String(i))
      else void box.remove(id)
      const found = (await eventsIn(box)).filter((each) => kept.has(each))
      expect(found).toEqual([...kept])
    }
  })

  test('while more is dead than a whole box holds and can not be given back, it is full', async () => {
    const disk = simulatedDisk()
    const { box: before } = await openDiskBox(disk)
    await put(before, 'old', 'billing', 300)
    await before.close()
    const { box } = await openDiskBox(disk, { ...SMALL, bytesMax: 8000, triggerBytesMax: 8000 })
    const lift = disk.fail({ error: 'EIO', operation: 'read', times: Infinity })
    let appended = 0
    for (; appended < 100; appended++) {
      const result = await box.append(entry('x', 'billing', 300))
      if (!result.stored) break
      await box.remove(result.id)
    }
    expect(appended).toBeLessThan(40)
    lift()
    await settled(disk)
    await box.append(entry('y')) // it looks again
    await settled(disk)
    expect(await box.append(entry('z'))).toMatchObject({ stored: true })
    expect(await eventsIn(box)).toContain('old')
  })

  test('a segment that can not be removed brings nothing back, whatever goes after it (fault 10)', async () => {
    const disk = simulatedDisk()
    const { box } = await openDiskBox(disk, SMALL)
    disk.fail({ error: 'EIO', operation: 'remove', path: /0000000001\.seg$/, times: 2 })
    for (let i = 0; i < 40; i++) {
      await box.remove(await put(box, String(i), 'billing', 300))
      const { box: again } = await openDiskBox(copyOf(disk), SMALL)
      expect(await eventsIn(again)).toEqual([])
    }
    await settled(disk)
    expect(segments(disk)).not.toContain(`${FOLDER}/0000000001.seg`)
  })

  test('on a full disk compaction leaves everything as it is, and goes on when there is room (fault 10)', async () => {
    const disk = simulatedDisk()
    const { box } = await openDiskBox(disk, { ...SMALL, deadBytesMax: 1e9 })
    const ids: string[] = []
    for (let i = 0; i < 30; i++) ids.push(await put(box, String(i), 'billing', 300))
    for (const id of ids.slice(1)) await box.remove(id)
    await box.close()
    disk.capacityBytes = 0
    const clock = manualClock()
    const { box: again } = await openDiskBox(disk, { ...SMALL, clock })
    await settled(disk)
    expect(await eventsIn(again)).toEqual(['0'])
    const before = segments(disk).length
    disk.capacityBytes = Infinity
    clock.advance(1000)
    await settled(disk)
    expect(segments(disk).length).toBeLessThan(before)
    expect(await eventsIn(again)).toEqual(['0'])
  })
})

describe('a disk that fails', () => {
  test('is told apart from a full box: it rejects, says what to do, and takes entries again by itself (fault 9)', async () => {
    const disk = simulatedDisk()
    const clock = manualClock()
    const { box } = await openDiskBox(disk, { clock, segmentBytes: { first: 4096, max: 4096 } })
    await put(box, '1')
    disk.capacityBytes = 0
    let failure: unknown
    for (let i = 0; i < 100 && failure === undefined; i++) {
      await box.append(entry('x', 'billing', 1000)).catch((error: unknown) => (failure = error))
    }
    expect(failure).toMatchObject({ code: 'SLUICE_DISK', retryable: true, message: expect.stringContaining('full') })
    const { events } = box.usage()
    expect(await eventsIn(box)).toHaveLength(events)
    disk.capacityBytes = Infinity
    clock.advance(1000)
    await settled(disk)
    await put(box, '2')
    await box.close()
    expect((await openDiskBox(disk)).recovery.entries).toBe(events + 1)
  })

  test('a removal that it does not take leaves the entry where it is, and can be asked for again', async () => {
    const disk = simulatedDisk()
    const { box } = await openDiskBox(disk)
    const id = await put(box, '1')
    disk.fail({ error: 'EIO', operation: ['write', 'open'], times: 6 })
    await expect(box.remove(id)).rejects.toMatchObject({ code: 'SLUICE_DISK' })
    expect(await eventsIn(box)).toEqual(['1'])
    await settled(disk)
    expect(await removeUntilTaken(box, id)).toBe(true)
    expect(await eventsIn(box)).toEqual([])
  })

  test('a replacement that it does not take leaves the entry as it was', async () => {
    const disk = simulatedDisk()
    const { box } = await openDiskBox(disk)
    const id = await put(box, '1')
    disk.fail({ error: 'EIO', operation: ['write', 'open'], times: 6 })
    await expect(box.replace(id, { ...entry('1'), attempts: 9 })).rejects.toMatchObject({ code: 'SLUICE_DISK' })
    expect(await box.list()).toMatchObject([{ id, attempts: 3 }])
  })

  test('an entry that rots is named, the others are listed, and a purge is rid of it', async () => {
    const disk = simulatedDisk()
    const problems: Problem[] = []
    const { box: before } = await openDiskBox(disk)
    for (const id of ['1', '2', '3']) await put(before, id)
    await before.close()
    const { box } = await openDiskBox(disk, { problem: (each) => problems.push(each) })
    const path = `${FOLDER}/0000000001.seg`
    disk.damage(
      path,
      disk
        .files()
        .get(path)!
        .indexOf('try later', disk.files().get(path)!.indexOf('try later') + 1),
    )
    expect(await eventsIn(box)).toEqual(['1', '3'])
    expect(problems).toMatchObject([{ path, lost: [2, 2] }])
    await expect(box.get('2')).rejects.toMatchObject({ code: 'SLUICE_RECORD_DAMAGED' })
    expect(await box.remove('2')).toBe(true)
    expect(await box.get('2')).toBeUndefined()
  })
})

test('who appends more than 16 MiB at once waits for the disk before the event is copied', async () => {
  const clock = manualClock()
  const disk = simulatedDisk({ clock })
  const { box } = await inTime(clock, openDiskBox(disk))
  const appends = Array.from({ length: 40 }, (_, i) => put(box, String(i), 'billing', 1024 * 1024))
  await setImmediate()
  expect(box.usage().events).toBe(16)
  await inTime(clock, Promise.all(appends))
  expect(box.usage().events).toBe(40)
})

test('a page is no larger than 16 MiB and an entry, and the next one goes on after it', async () => {
  const { box } = await openDiskBox(simulatedDisk())
  for (const id of ['1', '2', '3']) await put(box, id, 'billing', 9 * 1024 * 1024)
  expect(await box.list()).toHaveLength(2)
  expect(await eventsIn(box)).toEqual(['1', '2', '3'])
})

test('on the machine’s own disk it is there after a close, and its folder holds nothing else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-box-'))
  try {
    const { box } = await diskBox({ folder: join(folder, 'dead-letters') })
    for (let i = 0; i < 50; i++) await put(box, String(i))
    await box.close()
    const { box: again } = await diskBox({ folder: join(folder, 'dead-letters') })
    expect(await eventsIn(again, undefined, 20)).toHaveLength(50)
    await again.close()
    const files = await readdir(join(folder, 'dead-letters'))
    expect(files.filter((file) => !/^(LOCK|prepared|\d{10}\.seg)$/.test(file))).toEqual([])
  } finally {
    await rm(folder, { recursive: true })
  }
})

function segments(disk: SimulatedDisk): string[] {
  return [...disk.files().keys()].filter((path) => path.endsWith('.seg'))
}

/** Lets the box do what it does in the background. */
async function settled(disk: SimulatedDisk): Promise<void> {
  for (let quiet = 0; quiet < 20; quiet++) {
    if (disk.pending > 0) quiet = 0
    await setImmediate()
  }
}

/** Lets time pass until `work` is done. */
async function inTime<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let isDone = false
  void work.finally(() => (isDone = true))
  while (!isDone) {
    clock.advance(1)
    await setImmediate()
  }
  return await work
}

/** The disk as another process would find it after a kill -9, while this one goes on. */
function copyOf(disk: SimulatedDisk): SimulatedDisk {
  const copy = simulatedDisk()
  copy.copyFrom(disk.files())
  return copy
}

async function removeUntilTaken(box: DeadLetterBox, id: string): Promise<boolean> {
  for (;;) {
    const removed = await box.remove(id).catch(() => undefined)
    if (removed !== undefined) return removed
    await setImmediate()
  }
}
