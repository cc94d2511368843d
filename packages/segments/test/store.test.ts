// A store on a disk that works: what becomes durable together, in which order, in which files, and how it is read.

import { describe, expect, test } from 'vitest'
import {
  append,
  appendAll,
  appendEach,
  file,
  find,
  names,
  numbered,
  opened,
  quickDisk,
  recordedDisk,
  texts,
} from './store-support.ts'

describe('what is appended', () => {
  test('while the disk is busy becomes durable together: one write and one sync', async () => {
    const disk = recordedDisk()
    const to = await opened(disk)
    await appendAll(to, ['first'])
    const before = disk.recorded.length
    append(to, 'second')
    const busy = to.store.flushed() // its write is under way
    for (const text of texts(20)) append(to, text)
    await busy
    const done = disk.recorded.slice(before).filter(({ path }) => path.endsWith('.seg'))
    expect(done.map(({ operation }) => operation)).toEqual(['write', 'sync', 'write', 'sync'])
    expect(to.committed).toEqual(numbered(['first', 'second', ...texts(20)]))
  })

  test('is told to be durable in the order of appending, without a gap in its numbers', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const to = await opened(quickDisk(seed))
      const all = texts(200)
      for (const [i, text] of all.entries()) {
        append(to, text, i % 7 === 0 ? 3000 : 20)
        if (i % 13 === 0) await Promise.resolve()
        if (i % 29 === 0) await to.store.flushed()
      }
      await to.store.flushed()
      expect(to.committed, `seed ${seed}`).toEqual(numbered(all))
    }
  })

  test('is not durable before its sync: nothing is told before the disk has answered', async () => {
    const disk = recordedDisk()
    const to = await opened(disk, {
      committed: () => {
        const done = disk.recorded.map(({ operation }) => operation)
        expect(done.lastIndexOf('sync')).toBeGreaterThan(done.lastIndexOf('write'))
      },
    })
    for (const text of texts(5)) await appendAll(to, [text])
    expect.assertions(5)
  })

  test('is found again by whoever opens the store next, and the numbers go on', async () => {
    const disk = quickDisk()
    const first = await opened(disk)
    await appendEach(first, texts(10))
    await first.store.close()
    const second = await opened(disk)
    expect(second.recovery).toMatchObject({ tornBytes: 0, problems: [] })
    expect(second.recovered).toEqual(numbered(texts(10)))
    expect(second.store.last).toBe(10)
    await appendAll(second, ['eleven'])
    expect(second.committed).toEqual(['11 eleven'])
    await second.store.close()
    expect(await find(disk)).toMatchObject({ entries: numbered([...texts(10), 'eleven']), lost: [], next: 12 })
  })

  test('counts as pending until it is durable', async () => {
    const to = await opened(quickDisk())
    append(to, 'one', 100)
    append(to, 'two', 100)
    expect(to.store.pendingBytes).toBeGreaterThanOrEqual(200)
    await to.store.flushed()
    expect(to.store.pendingBytes).toBe(0)
  })

  test('and given up in the middle leaves the store as it was', async () => {
    const to = await opened(quickDisk())
    to.store.begin(100) // whoever wanted to write failed to
    await to.store.flushed()
    await appendAll(to, ['one'])
    to.store.begin(4000)
    await to.store.flushed()
    await appendAll(to, ['two'])
    await to.store.close()
    expect(to.committed).toEqual(['1 one', '2 two'])
  })
})

describe('segments', () => {
  test('are begun when one is full, and each is twice as large as the one before, up to the maximum', async () => {
    const disk = quickDisk()
    const to = await opened(disk)
    await appendEach(to, texts(120), 500)
    const sizes = to.store.segments.map(({ size }) => size)
    expect(sizes.slice(0, 4)).toEqual([4096, 8192, 16384, 16384])
    for (const { bytes, size } of to.store.segments) expect(bytes).toBeLessThanOrEqual(size)
    const firsts = to.store.segments.map(({ first }) => first)
    expect(firsts).toEqual(firsts.toSorted((one, other) => one - other))
    await to.store.close()
    expect(await find(disk)).toMatchObject({ entries: numbered(texts(120)), lost: [] })
  })

  test('hold an entry that is larger than any of them, alone', async () => {
    const disk = quickDisk()
    const to = await opened(disk)
    await appendEach(to, ['small', 'large'], 50)
    await appendEach(to, ['huge'], 100_000)
    await appendEach(to, ['small again'], 50)
    await to.store.close()
    expect((await find(disk)).entries).toEqual(numbered(['small', 'large', 'huge', 'small again']))
  })

  test('are cut to what is in them once they are full, and when the store closes', async () => {
    const disk = quickDisk()
    const to = await opened(disk)
    await appendEach(to, texts(30), 500)
    const bytes = to.store.segments.map((segment) => segment.bytes)
    await to.store.close()
    expect(to.store.segments.map(({ path }) => disk.files().get(path)!.length)).toEqual(bytes)
  })

  test('that are removed are gone, the oldest first, and durably', async () => {
    const disk = quickDisk()
    const to = await opened(disk)
    await appendEach(to, texts(40), 500)
    const [, , third] = to.store.segments
    await to.store.removeOldest()
    await to.store.removeOldest()
    const after = disk.crash({ power: true })
    expect((await find(after)).entries[0]).toBe(`${third!.first} a${third!.first}`)
    expect(await names(after)).not.toContain('0000000001.seg')
  })

  test('begin anew when they are told to', async () => {
    const disk = quickDisk()
    const to = await opened(disk)
    append(to, 'one')
    to.store.roll()
    append(to, 'two')
    await to.store.flushed()
    to.store.roll()
    to.store.roll()
    await appendAll(to, ['three'])
    expect(to.store.segments.map(({ first }) => first)).toEqual([1, 2, 3])
    await to.store.close()
    expect((await find(disk)).entries).toEqual(numbered(['one', 'two', 'three']))
  })

  test('that are finished need no more than their heads to be read at an open, the last one more only to be written again', async () => {
    const disk = quickDisk()
    const to = await opened(disk)
    await appendEach(to, texts(200), 500)
    await to.store.close()
    let read = 0
    let written = 0
    const counted: typeof disk = Object.assign(Object.create(disk), {
      open: async (path: string, mode: 'create' | 'write' | 'read') => {
        const handle = await disk.open(path, mode)
        const counting = Object.create(handle) as typeof handle
        counting.size = () => handle.size()
        counting.close = () => handle.close()
        counting.sync = () => handle.sync()
        counting.truncate = (size) => handle.truncate(size)
        counting.write = (bytes, at) => {
          if (mode === 'write') written += bytes.length
          return handle.write(bytes, at)
        }
        counting.read = (target, at) => {
          read += target.length
          return handle.read(target, at)
        }
        return counting
      },
    })
    for (const method of ['list', 'makeFolder', 'rename', 'remove', 'syncFolder'] as const) {
      Object.assign(counted, { [method]: disk[method].bind(disk) })
    }
    const { segments, last } = to.store
    const tail = segments.at(-1)!.bytes
    await (await opened(counted, { durable: last })).store.close()
    expect(read).toBeLessThanOrEqual(4096 * segments.length + tail)
    expect(written).toBe(0)
    read = 0
    await (await opened(counted)).store.close()
    expect(read).toBeLessThanOrEqual(4096 * segments.length + 2 * tail)
    expect(written).toBe(tail)
  })
})

describe('an entry', () => {
  test('that was written just now is read from memory, an older one from the disk', async () => {
    const disk = quickDisk()
    const places: { segment: (typeof to.store.segments)[number]; at: number; seq: number }[] = []
    const to = await opened(disk, {
      committed: ({ segment, offsets, first }) => {
        offsets.forEach((at, i) => places.push({ segment, at, seq: first + i }))
      },
    })
    await appendEach(to, texts(100), 500)
    const text = (payload: Buffer | undefined): string | undefined => payload?.toString().trimEnd()
    const { segment, at, seq } = places[99]!
    expect(text(to.store.read(segment, at, seq))).toBe('a100')
    const oldest = places[0]!
    expect(to.store.read(oldest.segment, oldest.at, oldest.seq)).toBeUndefined()
    expect(text(await to.store.load(oldest.segment, oldest.at, oldest.seq))).toBe('a1')
    expect(text(to.store.read(oldest.segment, oldest.at, oldest.seq))).toBe('a1') // its neighbours read it too
    for (const [i, place] of places.entries()) {
      expect(text(await to.store.load(place.segment, place.at, place.seq))).toBe(`a${i + 1}`)
    }
    await to.store.close()
  })

  test('is read whole, however large and wherever the blocks of the cache end', async () => {
    const disk = quickDisk()
    const places: { segment: (typeof to.store.segments)[number]; at: number; seq: number }[] = []
    const to = await opened(disk, {
      segmentBytes: { first: 1 << 20, max: 1 << 22 },
      committed: ({ segment, offsets, first }) => {
        offsets.forEach((at, i) => places.push({ segment, at, seq: first + i }))
      },
    })
    const sizes = [10, 65_000, 65_536, 70_000, 200_000, 400_000, 3, 131_072]
    for (const [i, size] of sizes.entries()) append(to, `${i}`, size)
    await to.store.flushed()
    for (const [i, { segment, at, seq }] of places.entries()) {
      const payload = await to.store.load(segment, at, seq)
      expect(payload.toString()).toBe(`${i}`.padEnd(sizes[i]!))
    }
    await to.store.close()
  })

  test('has bytes of its own, which nobody writes over', async () => {
    const to = await opened(quickDisk())
    await appendAll(to, ['one'], 100)
    const segment = to.store.segments[0]!
    let at = 0
    await to.store.scan(segment, (_, __, offset) => (at = offset))
    const payload = to.store.read(segment, at, 1)!
    for (let i = 0; i < 50; i++) await appendAll(to, [`x${i}`], 2000)
    expect(payload.toString().trimEnd()).toBe('one')
  })

  test('that stands at another place, or was never there, is told to be damaged', async () => {
    const to = await opened(quickDisk())
    await appendAll(to, texts(3), 100)
    const segment = to.store.segments[0]!
    const offsets: number[] = []
    await to.store.scan(segment, (_, __, offset) => void offsets.push(offset))
    expect(() => to.store.read(segment, offsets[0]!, 2)).toThrow(
      expect.objectContaining({ code: 'SLUICE_RECORD_DAMAGED' }),
    )
    await expect(to.store.load(segment, 1_000_000, 3)).rejects.toMatchObject({ code: 'SLUICE_RECORD_DAMAGED' })
    await expect(to.store.load(segment, offsets[0]! + 8, 1)).rejects.toMatchObject({ code: 'SLUICE_RECORD_DAMAGED' })
  })
})

test('the file that comes next is there before it is needed', async () => {
  const disk = quickDisk()
  const to = await opened(disk)
  await appendAll(to, ['one'])
  await new Promise(setImmediate)
  expect(await names(disk)).toEqual(['0000000001.seg', 'prepared'])
  expect(disk.files().get('/store/prepared')!.length).toBe(4096)
  await to.store.close()
  expect(disk.files().has(file(1))).toBe(true)
})
