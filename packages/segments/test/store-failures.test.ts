// A store on a disk that fails: what is told to whom, what is tried again, and what is never tried again.

import { describe, expect, test } from 'vitest'
import { manualClock } from '@sluice/clock'
import { simulatedDisk } from '@sluice/segments/simulation'
import {
  append,
  appendAll,
  appendEach,
  file,
  find,
  names,
  numbered,
  opened,
  pass,
  quickDisk,
  recordedDisk,
  texts,
} from './store-support.ts'

const SEGMENTS = /\.seg$/
/** And those that were prepared under another name. */
const FILES = /(\.seg|prepared)$/

describe('after a write or a sync that failed', () => {
  test.each([
    ['write', 'EIO'],
    ['write', 'SHORT_WRITE'],
    ['write', 'EFBIG'],
    ['sync', 'EIO'],
  ] as const)('a batch goes into a new segment, once: %s %s (faults 11, 13)', async (operation, error) => {
    const disk = quickDisk()
    const to = await opened(disk)
    await appendEach(to, texts(3))
    disk.fail({ operation, path: SEGMENTS, error })
    await appendAll(to, texts(3, 'b'))
    const committed = numbered([...texts(3), ...texts(3, 'b')])
    expect(to).toMatchObject({ committed, failed: [], states: [], retried: [error] }) // told, though nobody missed it
    expect(to.store.segments.map(({ number, first }) => [number, first])).toEqual([
      [1, 1],
      [2, 4],
    ])
    await appendEach(to, texts(2, 'c'))
    const after = disk.crash({ power: true })
    const { entries, lost } = await find(after)
    expect({ entries, lost }).toEqual({
      entries: numbered([...texts(3), ...texts(3, 'b'), ...texts(2, 'c')]),
      lost: [],
    })
  })

  test('the same file is never written or synced again (fault 11)', async () => {
    for (const operation of ['write', 'sync'] as const) {
      const disk = recordedDisk()
      const to = await opened(disk)
      await appendEach(to, texts(3))
      disk.fail({ operation, path: SEGMENTS, error: 'EIO' })
      await appendAll(to, ['b'])
      const before = disk.recorded.length
      await appendEach(to, texts(5, 'c'))
      await to.store.close()
      const used = disk.recorded.slice(before).filter((done) => done.path === file(1))
      expect(used.map((done) => done.operation).filter((name) => name === 'write' || name === 'sync')).toEqual([])
    }
  })

  test('what a later sync of that file would have covered is not told to be durable (fault 11)', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const disk = simulatedDisk({ seed, turn: 'microtask' })
      const to = await opened(disk)
      await appendEach(to, ['one', 'two'])
      disk.fail({ operation: 'sync', path: SEGMENTS, error: 'EIO' })
      await appendAll(to, ['three'])
      expect(to.committed).toEqual(numbered(['one', 'two', 'three']))
      const { entries } = await find(disk.crash({ power: true }))
      expect(entries, `seed ${seed}`).toEqual(numbered(['one', 'two', 'three']))
    }
  })

  test('everything that waits behind it moves along, in order', async () => {
    const disk = quickDisk()
    const to = await opened(disk, { recentBytes: 8192 })
    await appendAll(to, ['one'])
    disk.fail({ operation: 'sync', path: SEGMENTS, error: 'EIO' })
    const all = texts(100, 'b')
    for (const text of all) append(to, text, 300)
    await to.store.flushed()
    expect(to.committed).toEqual(numbered(['one', ...all]))
    await to.store.close()
    const { entries, lost } = await find(disk)
    expect({ entries, lost }).toEqual({ entries: numbered(['one', ...all]), lost: [] })
  })

  test('the bytes of each entry are its own, however little of them may stay in memory', async () => {
    const disk = quickDisk()
    const to = await opened(disk, { slabBytes: 1024, recentBytes: 2048 })
    await appendAll(to, ['one'])
    const stop = disk.fail({ operation: 'sync', path: SEGMENTS, error: 'EIO', times: 1 })
    const all = texts(300, 'entry-')
    for (const text of all) append(to, text, 200)
    await to.store.flushed()
    stop()
    expect(to.failed).toEqual([])
    await to.store.close()
    expect((await find(disk)).entries).toEqual(numbered(['one', ...all]))
  })

  test('of the folder, the segment that was to be named is given up as well', async () => {
    const disk = quickDisk()
    const to = await opened(disk)
    disk.fail({ operation: 'syncFolder', path: /store$/, error: 'EIO' })
    await appendAll(to, ['one'])
    expect(to.committed).toEqual(['1 one'])
    const { entries, lost } = await find(disk.crash({ power: true }))
    expect({ entries, lost }).toEqual({ entries: ['1 one'], lost: [] })
  })
})

describe('after the second failure', () => {
  test('whoever appended is told, once, and the store says why nothing can be stored', async () => {
    const disk = quickDisk()
    const clock = manualClock()
    const to = await opened(disk, { clock })
    await appendEach(to, texts(2))
    await pass(clock, 0) // the next file is prepared by now
    disk.fail({ operation: 'sync', path: FILES, error: 'EIO', times: 2 })
    await appendAll(to, texts(3, 'b'))
    expect(to.failed).toEqual(texts(3, 'b'))
    expect(to.committed).toEqual(numbered(texts(2)))
    expect(to.states).toEqual(['EIO'])
    expect(to.store.failure).toMatchObject({ code: 'SLUICE_DISK', status: 503, retryable: true, retryAfterMs: 1000 })
    expect(to.store.pendingBytes).toBe(0)
    await to.store.close()
  })

  test('a new file is tried every second until there is one; then the store goes on by itself', async () => {
    const clock = manualClock()
    const disk = quickDisk()
    const to = await opened(disk, { clock })
    await appendEach(to, texts(2))
    const lift = disk.fail({ operation: ['open', 'write', 'rename'], error: 'EROFS', times: Infinity })
    await appendAll(to, ['b'])
    expect(to.failed).toEqual(['b'])
    for (let i = 0; i < 5; i++) await pass(clock, 1000)
    expect(to.store.failure).toBeDefined()
    lift()
    await pass(clock, 999)
    expect(to.store.failure).toBeDefined()
    await pass(clock, 1)
    expect(to.store.failure).toBeUndefined()
    expect(to.states.at(-1)).toBe('ok')
    await appendAll(to, ['c'])
    expect(to.committed).toEqual(numbered([...texts(2), 'c']))
    await to.store.close()
    expect(clock.pending).toBe(0)
    const { entries, lost } = await find(disk)
    expect({ entries, lost }).toEqual({ entries: numbered([...texts(2), 'c']), lost: [] })
  })

  test('the numbers of what was not stored go to what is stored next', async () => {
    const clock = manualClock()
    const disk = quickDisk()
    const to = await opened(disk, { clock })
    await appendEach(to, texts(2))
    await pass(clock, 0)
    disk.fail({ operation: 'write', path: FILES, error: 'EIO', times: 2, written: 1_000_000 })
    await appendAll(to, texts(3, 'lost-'))
    expect(to.failed).toHaveLength(3)
    await pass(clock, 1000)
    await appendAll(to, texts(3, 'c'))
    expect(to.committed).toEqual(numbered([...texts(2), ...texts(3, 'c')]))
    for (const power of [false, true]) {
      const after = simulatedDisk({ turn: 'microtask' })
      after.copyFrom(disk.files())
      const { entries, lost } = await find(after.crash({ power }))
      expect({ entries, lost }).toEqual({ entries: numbered([...texts(2), ...texts(3, 'c')]), lost: [] })
    }
  })

  test('no empty files pile up while it lasts', async () => {
    const clock = manualClock()
    const disk = quickDisk()
    const to = await opened(disk, { clock })
    await appendAll(to, ['one'])
    const lift = disk.fail({ operation: 'write', error: 'ENOSPC', times: Infinity, written: 0 })
    for (let i = 0; i < 20; i++) {
      await appendAll(to, ['b'])
      await pass(clock, 1000)
    }
    lift()
    await pass(clock, 1000)
    await appendAll(to, ['c'])
    await pass(clock, 0)
    expect((await names(disk)).filter((name) => name.endsWith('.seg'))).toHaveLength(2)
    await to.store.close()
  })

  test('what is left of it does not come back once the segments before it are removed', async () => {
    const clock = manualClock()
    const disk = quickDisk()
    const to = await opened(disk, { clock })
    await appendAll(to, ['one'])
    await pass(clock, 0)
    disk.fail({ operation: 'sync', path: FILES, error: 'EIO', times: 2 })
    const lift = disk.fail({ operation: ['truncate', 'remove'], path: FILES, error: 'EIO', times: Infinity })
    await appendAll(to, ['ghost'])
    expect(to.failed).toEqual(['ghost'])
    await pass(clock, 1000)
    await appendEach(to, texts(80), 500)
    await expect(to.store.removeOldest()).rejects.toMatchObject({ code: 'EIO' })
    const kept = simulatedDisk({ turn: 'microtask' })
    kept.copyFrom(disk.files())
    expect((await find(kept)).entries).toEqual(numbered(['one', ...texts(80)]))
    lift()
    while (to.store.segments.length > 1) await to.store.removeOldest()
    const { first } = to.store.segments[0]!
    await to.store.close()
    const { entries, recovery } = await find(disk)
    expect(entries[0]).toBe(`${first} a${first - 1}`)
    expect(recovery.problems).toEqual([])
  })
})

describe('on a full disk', () => {
  test('the prepared file is the reserve; when it is used up, appends fail until there is space (faults 9, 10)', async () => {
    const clock = manualClock()
    const disk = simulatedDisk({ turn: 'microtask' })
    const to = await opened(disk, { clock, segmentBytes: { first: 4096, max: 4096 } })
    await appendAll(to, ['one'], 1000)
    await pass(clock, 0) // the next file is prepared by now
    disk.capacityBytes = 0
    const accepted = ['one']
    for (const text of texts(20)) {
      await appendAll(to, [text], 1000)
      if (!to.failed.includes(text)) accepted.push(text)
    }
    // What was left of the first file, and the reserve; the file that the first append made could not be preallocated.
    expect(accepted.length).toBeGreaterThanOrEqual(4)
    expect(to.failed.length).toBeGreaterThanOrEqual(10)
    expect(to.states.at(-1)).toBe('ENOSPC')
    await pass(clock, 5000)
    expect(to.store.failure?.message).toContain('the disk is full')
    // What is stored can be read all the while.
    expect((await find(copyOf(disk))).entries).toEqual(numbered(accepted))
    disk.capacityBytes = Infinity
    await pass(clock, 1000)
    expect(to.store.failure).toBeUndefined()
    await appendAll(to, ['after'], 1000)
    await to.store.close()
    const { entries, lost } = await find(disk)
    expect({ entries, lost }).toEqual({ entries: numbered([...accepted, 'after']), lost: [] })
  })

  function copyOf(disk: ReturnType<typeof quickDisk>): ReturnType<typeof quickDisk> {
    const copy = quickDisk()
    copy.copyFrom(disk.files())
    return copy
  }
})

test('on a file system that is read-only nothing is stored, all is told, and no file is made (fault 59)', async () => {
  const clock = manualClock()
  const disk = recordedDisk()
  const to = await opened(disk, { clock })
  await appendAll(to, ['one'])
  await pass(clock, 0)
  const lift = disk.fail({ error: 'EROFS', times: Infinity })
  await appendAll(to, ['b'])
  expect(to.failed).toEqual(['b'])
  expect(to.store.failure?.message).toContain('read-only')
  const before = disk.recorded.length
  for (let i = 0; i < 10; i++) await pass(clock, 1000)
  expect(disk.recorded.length).toBe(before)
  lift()
  await pass(clock, 1000)
  await appendAll(to, ['c'])
  await to.store.close()
  expect((await find(disk)).entries).toEqual(numbered(['one', 'c']))
})

test('when no more files may be open, appends go on in the open one, and reads come back (fault 13)', async () => {
  const clock = manualClock()
  const disk = quickDisk()
  const to = await opened(disk, { clock })
  await appendAll(to, ['one'])
  const lift = disk.fail({ operation: 'open', error: 'EMFILE', times: Infinity })
  await appendAll(to, ['two'])
  expect(to.committed).toEqual(numbered(['one', 'two']))
  const segment = to.store.segments[0]!
  await expect(to.store.scan(segment, () => {})).rejects.toMatchObject({ code: 'EMFILE' })
  lift()
  expect((await to.store.scan(segment, () => {})).last).toBe(2)
  await to.store.close()
})

test('closing while the disk fails ends, and tells what was not stored', async () => {
  const disk = quickDisk()
  const to = await opened(disk)
  await appendAll(to, ['one'])
  disk.fail({ error: 'EIO', times: Infinity })
  append(to, 'b')
  await to.store.close()
  expect(to.failed).toEqual(['b'])
})

test('a segment that can not be removed stays, and the next is not removed before it', async () => {
  const disk = quickDisk()
  const to = await opened(disk)
  await appendEach(to, texts(40), 500)
  const lift = disk.fail({ operation: 'remove', error: 'EIO', times: 1 })
  await expect(to.store.removeOldest()).rejects.toMatchObject({ code: 'EIO' })
  lift()
  await to.store.removeOldest()
  const { first } = to.store.segments[0]!
  const { entries, recovery } = await find(disk.crash({ power: true }))
  expect(recovery.problems).toEqual([])
  expect(Number(entries[0]!.split(' ')[0])).toBe(first)
})
