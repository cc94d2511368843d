// Crash images: a power cut after each operation of a recorded course, whatever it leaves (fault 4; ALICE, OSDI'14).

import { describe, expect, test } from 'vitest'
import type { Disk } from '@sluice/segments'
import { seededRandom, simulatedDisk, type SimulatedDisk } from '@sluice/segments/simulation'

const OLD = Buffer.alloc(3000, 'old;')
const NEW = Buffer.alloc(4000, 'new;')
const KEEP_LEAST = (): number => 0
const KEEP_ALL = (): number => 0.999

/** Replaces a file as a whole: written beside it, synced, renamed over it, and its name synced. */
async function replace(disk: Disk, leftOut?: 'sync' | 'syncFolder'): Promise<void> {
  const file = await disk.open('/data/next', 'create')
  await Promise.all([file.write(NEW.subarray(0, 2000), 0), file.write(NEW.subarray(2000), 2000)])
  if (leftOut !== 'sync') await file.sync()
  await file.close()
  await disk.rename('/data/next', '/data/file')
  if (leftOut !== 'syncFolder') await disk.syncFolder('/data')
}

async function recorded(leftOut?: 'sync' | 'syncFolder', seed: number = 1): Promise<SimulatedDisk> {
  const disk = simulatedDisk({ record: true, seed })
  disk.copyFrom(new Map([['/data/file', OLD]]))
  await replace(disk, leftOut)
  return disk
}

/** What `/data/file` is in images after each operation from the first `start` on: `old`, `new`, `torn` or `gone`. */
function found(disk: SimulatedDisk, start: number = 1): Set<string> {
  const seen = new Set<string>()
  for (let n = start; n <= disk.recorded.length; n++) {
    for (let seed = 0; seed < 40; seed++) {
      const content = disk.imageAfter(n, seededRandom(seed)).files().get('/data/file')
      const what = content === undefined ? 'gone' : content.equals(OLD) ? 'old' : content.equals(NEW) ? 'new' : 'torn'
      seen.add(what)
    }
  }
  return seen
}

describe('images after every operation', () => {
  test('hold the old file or the new one, where it is replaced as it should be', async () => {
    const disk = await recorded()
    expect(found(disk)).toEqual(new Set(['old', 'new']))
    expect(found(disk, disk.recorded.length)).toEqual(new Set(['new']))
  })

  test('show what goes wrong where the file is not synced before it is renamed', async () => {
    expect(found(await recorded('sync'))).toEqual(new Set(['old', 'new', 'torn']))
  })

  test('show what goes wrong where the folder is not synced in the end', async () => {
    const disk = await recorded('syncFolder')
    expect(found(disk, disk.recorded.length)).toEqual(new Set(['old', 'new']))
  })
})

describe('an image', () => {
  test('has the operations in the order of completion before it; what only reads is none', async () => {
    const disk = await recorded()
    await disk.list('/data')
    expect(disk.recorded.map(({ operation, path }) => `${operation} ${path}`)).toEqual([
      'copyFrom /data/file',
      'open /data/next',
      'write /data/next',
      'write /data/next',
      'sync /data/next',
      'rename /data/next',
      'syncFolder /data',
    ])
    const names = (n: number): string[] => [...disk.imageAfter(n, KEEP_ALL).files().keys()]
    expect(Array.from({ length: 8 }, (_, n) => names(n).length)).toEqual([1, 2, 2, 2, 2, 1, 1, 1])
  })

  test('with a choice near 0 keeps no more than has to be, near 1 all, what was under way included', async () => {
    const disk = simulatedDisk({ record: true })
    const file = await disk.open('/file', 'create')
    await file.write(Buffer.from('1'), 0)
    await file.sync()
    await disk.syncFolder('/')
    const started = disk.recorded.length
    await Promise.all([file.write(Buffer.from('2'), 1), file.write(Buffer.from('3'), 2)])
    const content = (choose: () => number): string =>
      disk.imageAfter(started, choose).files().get('/file')!.toString().replaceAll('\0', '.')
    expect(content(KEEP_LEAST)).toBe('1')
    expect(content(KEEP_ALL)).toBe('123')
    const all = new Set(Array.from({ length: 500 }, (_, seed) => content(seededRandom(seed))))
    expect(all).toEqual(new Set(['1', '1.', '1..', '1.3', '12', '12.', '123']))
  })

  test('after writes that were not synced has each sector old or new', async () => {
    const disk = simulatedDisk({ record: true })
    disk.copyFrom(new Map([['/file', Buffer.alloc(1024, 'a')]]))
    const file = await disk.open('/file', 'write')
    await file.write(Buffer.alloc(1024, 'b'), 0)
    const content = (choose: () => number): string => {
      const bytes = disk.imageAfter(2, choose).files().get('/file')!
      return bytes.toString('latin1', 511, 513)
    }
    expect(content(KEEP_LEAST)).toBe('aa')
    const all = new Set(Array.from({ length: 60 }, (_, seed) => content(seededRandom(seed))))
    expect(all).toEqual(new Set(['aa', 'ab', 'ba', 'bb']))
  })

  test('makes durable by a sync what that sync covered when it was called, after calls that failed as well', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const first = simulatedDisk({ seed, record: true })
      first.copyFrom(new Map([['/file', Buffer.from('aa')]]))
      const disk = first.crash({ power: false })
      for (let i = 0; i < 3; i++) await expect(disk.remove('/none')).rejects.toThrow('ENOENT')
      const file = await disk.open('/file', 'write')
      await file.write(Buffer.from('b'), 0)
      await Promise.all([file.write(Buffer.from('b'), 1), file.sync()])
      const content = disk.imageAfter(disk.recorded.length, KEEP_LEAST).files().get('/file')!
      expect(content.toString()).toBe('ba')
    }
  })

  test('counts as under way what was called by then, not what was called later', async () => {
    const disk = simulatedDisk({ record: true })
    const file = await disk.open('/file', 'create')
    await disk.syncFolder('/')
    const called = disk.recorded.length
    await file.write(Buffer.from('1'), 0)
    await file.write(Buffer.from('2'), 1)
    expect(disk.imageAfter(called, KEEP_ALL).files().get('/file')!.toString()).toBe('1')
  })

  test('can be taken of what never completed, when the process has ended', async () => {
    const disk = simulatedDisk({ record: true })
    const file = await disk.open('/file', 'create')
    await disk.syncFolder('/')
    void file.write(Buffer.from('1'), 0)
    disk.crash({ power: true })
    const { length } = disk.recorded
    expect(disk.imageAfter(length, KEEP_ALL).files().get('/file')!.toString()).toBe('1')
    expect(disk.imageAfter(length, KEEP_LEAST).files().get('/file')!.toString()).toBe('')
    expect(disk.imageAfter(0, KEEP_ALL).files().size).toBe(1)
    expect(disk.imageAfter(0, KEEP_LEAST).files().size).toBe(0)
  })

  test('is the same for the same choices, in whatever order images are taken, and changes nothing', async () => {
    const disk = await recorded(undefined, 3)
    const before = disk.files()
    const ns = Array.from(disk.recorded, (_, n) => n)
    const take = (n: number): unknown => disk.imageAfter(n, seededRandom(n)).files()
    const ascending = ns.map(take)
    expect(ns.toReversed().map(take).toReversed()).toEqual(ascending)
    expect(disk.files()).toEqual(before)
  })

  test('holds what was written, though the writer used its buffer again', async () => {
    const disk = simulatedDisk({ record: true })
    const file = await disk.open('/file', 'create')
    const buffer = Buffer.from('first')
    await file.write(buffer, 0)
    buffer.write('other')
    const content = disk.imageAfter(2, KEEP_ALL).files().get('/file')!
    expect(content.toString()).toBe('first')
  })

  test('knows the faults of its past: a sync that failed made nothing durable, a write that failed a part', async () => {
    const disk = simulatedDisk({ record: true })
    const file = await disk.open('/file', 'create')
    await disk.syncFolder('/')
    disk.fail({ operation: 'write', error: 'EIO', written: 3 })
    await expect(file.write(Buffer.from('content'), 0)).rejects.toThrow('EIO')
    disk.fail({ operation: 'sync', error: 'EIO' })
    await expect(file.sync()).rejects.toThrow('EIO')
    await file.sync()
    const { length } = disk.recorded
    expect(disk.imageAfter(length, KEEP_ALL).files().get('/file')!.toString()).toBe('con')
    expect(disk.imageAfter(length, KEEP_LEAST).files().get('/file')!.toString()).toBe('')
    // The faults themselves are not the image's.
    disk.fail({ error: 'EIO', times: Infinity })
    expect(await disk.imageAfter(length, KEEP_ALL).list('/')).toEqual(['file'])
  })

  test('records what the next process does to it in turn (fault 3)', async () => {
    const disk = await recorded('sync')
    const image = disk.imageAfter(disk.recorded.length - 1, KEEP_LEAST)
    expect(image.files().get('/data/file')).toEqual(OLD)
    expect(image.recorded).toEqual([])
    await image.remove('/data/next').catch(() => {})
    await replace(image)
    expect(found(image, 0)).toEqual(new Set(['old', 'new']))
  })

  test('is refused without a past, or beyond it', async () => {
    expect(() => simulatedDisk().imageAfter(0, KEEP_ALL)).toThrow('record: true')
    const disk = await recorded()
    expect(() => disk.imageAfter(disk.recorded.length + 1, KEEP_ALL)).toThrow(RangeError)
    expect(() => disk.imageAfter(-1, KEEP_ALL)).toThrow(RangeError)
  })
})
