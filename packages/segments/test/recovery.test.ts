// What an open makes of what it finds: torn tails, damage, files that are missing, swapped or left over.

import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { manualClock } from '@sluice/clock'
import type { SimulatedDisk } from '@sluice/segments/simulation'
import {
  FOLDER,
  append,
  appendAll,
  appendEach,
  file,
  find,
  names,
  numbered,
  offsetOf,
  opened,
  pass,
  quickDisk,
  read,
  texts,
  type Options,
} from './store-support.ts'

/** A store that was closed, of one segment. */
async function closedStore(all: readonly string[], bytes?: number, options?: Options): Promise<SimulatedDisk> {
  const disk = quickDisk()
  const to = await opened(disk, options)
  await appendEach(to, all, bytes)
  await to.store.close()
  return disk
}

/** A store whose process was killed: its files as they were while it ran. */
async function killedStore(all: readonly string[], bytes?: number, options?: Options): Promise<SimulatedDisk> {
  const disk = quickDisk()
  const to = await opened(disk, options)
  await appendEach(to, all, bytes)
  return disk.crash({ power: false })
}

function size(disk: SimulatedDisk, number: number): number {
  return disk.files().get(file(number))!.length
}

/** Puts another content in the place of a file. */
function replace(disk: SimulatedDisk, path: string, content: Buffer): SimulatedDisk {
  const files = disk.files()
  files.set(path, content)
  const changed = quickDisk()
  changed.copyFrom(files)
  return changed
}

function without(disk: SimulatedDisk, ...paths: string[]): SimulatedDisk {
  const files = disk.files()
  for (const path of paths) files.delete(path)
  const changed = quickDisk()
  changed.copyFrom(files)
  return changed
}

describe('the tail (fault 14)', () => {
  test('is cut off where the file ends too early, and what is before stays', async () => {
    const disk = await closedStore(texts(10), 100)
    const bytes = disk.files().get(file(1))!
    for (const cut of [1, 8, 24, 60, 125, 130, 300]) {
      const found = await find(replace(disk, file(1), bytes.subarray(0, bytes.length - cut)))
      const left = numbered(texts(10)).slice(0, 10 - Math.ceil((cut - 4) / 128)) // a frame ends with 4 zeros here
      expect(found, `${cut} bytes`).toMatchObject({ entries: left, next: left.length + 1, recovery: { problems: [] } })
    }
  })

  test('of garbage is cut off, counted and told', async () => {
    const disk = await closedStore(texts(10), 100)
    const bytes = disk.files().get(file(1))!
    const garbage = Buffer.from(Array.from({ length: 999 }, (_, i) => (i * 97 + 13) % 255 || 1))
    const changed = replace(disk, file(1), Buffer.concat([bytes, garbage]))
    const to = await opened(changed)
    expect(to.recovery).toMatchObject({ tornBytes: 999, problems: [] })
    await appendAll(to, ['next'])
    await to.store.close()
    expect(await find(changed)).toMatchObject({
      entries: numbered([...texts(10), 'next']),
      lost: [],
      recovery: { tornBytes: 0 },
    })
  })

  test('of zeros is no damage, and given back to the disk', async () => {
    const disk = await killedStore(texts(40), 100)
    expect(size(disk, 2)).toBe(8192)
    const { entries, recovery } = await find(disk)
    expect({ entries, recovery }).toMatchObject({
      entries: numbered(texts(40)),
      recovery: { tornBytes: 0, problems: [] },
    })
    expect(size(disk, 2)).toBeLessThan(2000)
  })

  test('that was written in part is cut off at the last whole entry: no half entry is visible (fault 2)', async () => {
    const disk = await closedStore(texts(5), 100)
    const to = await opened(disk)
    await appendAll(to, texts(10, 'batch-'), 100) // one write
    await to.store.close()
    const bytes = disk.files().get(file(2))!
    for (let written = 0; written <= bytes.length; written += 56) {
      const torn = Buffer.alloc(bytes.length)
      bytes.copy(torn, 0, 0, written)
      const { entries, lost, next } = await find(replace(disk, file(2), torn))
      expect(lost).toEqual([])
      expect(entries).toEqual(numbered([...texts(5), ...texts(10, 'batch-')]).slice(0, entries.length))
      expect(next).toBe(entries.length + 1)
    }
  })

  test('of which the later sectors came and the earlier ones did not is cut off as a whole', async () => {
    const disk = await closedStore(texts(5), 100)
    const to = await opened(disk)
    await appendAll(to, ['first'], 100)
    await appendAll(to, texts(10, 'batch-'), 100)
    await to.store.close()
    const at = offsetOf(disk, file(2), 'batch-1')
    disk.damage(file(2), at, Buffer.alloc(10))
    const { entries, lost, recovery } = await find(disk)
    expect({ entries, lost }).toEqual({ entries: numbered([...texts(5), 'first']), lost: [] })
    expect(recovery.tornBytes).toBeGreaterThan(1000)
    expect(recovery.problems).toEqual([])
  })

  test('of which only the first write came, without its head, leaves no gap in the numbers', async () => {
    const disk = await closedStore(texts(5), 100)
    const to = await opened(disk)
    await appendAll(to, texts(10, 'batch-'), 100)
    await to.store.close()
    disk.damage(file(2), 0, Buffer.alloc(512))
    const again = await opened(disk)
    expect(again.recovery.problems).toEqual([])
    expect(again.store.next).toBe(6)
    await appendAll(again, ['six'])
    await again.store.close()
    expect(await find(disk)).toMatchObject({ entries: numbered([...texts(5), 'six']), lost: [] })
  })

  test('in a segment that came after one that was given up leaves no gap in the numbers either (faults 4, 9)', async () => {
    const disk = await closedStore(texts(5), 100)
    const to = await opened(disk)
    disk.fail({ error: 'ENOSPC', operation: 'write', path: /0000000002/ })
    await appendAll(to, texts(10, 'batch-'), 100)
    await to.store.close()
    expect(await names(disk)).toContain('0000000003.seg')
    disk.damage(file(3), 0, Buffer.alloc(512))
    const again = await opened(disk)
    expect(again.recovery.problems).toEqual([])
    expect(again.store.next).toBe(6)
  })

  test('that is known to have been durable is damage, and nothing of it is cut off', async () => {
    const disk = await closedStore(texts(10), 100)
    disk.damage(file(1), offsetOf(disk, file(1), 'a9 '))
    const before = disk.files().get(file(1))!
    const to = await opened(disk, { durable: 10 })
    expect(to.recovery).toMatchObject({ tornBytes: 0, problems: [{ path: file(1), lost: [9, 9] }] })
    expect(to.recovered).toEqual(numbered([...texts(8)]).concat('10 a10'))
    expect(to.store.next).toBe(11)
    await appendAll(to, ['eleven'])
    await to.store.close()
    expect(disk.files().get(file(1))).toEqual(before)
    expect(await find(disk)).toMatchObject({ entries: [...numbered(texts(8)), '10 a10', '11 eleven'], lost: [[9, 9]] })
  })

  test('that is gone up to a number that is known to have been durable is told, and its numbers are used up', async () => {
    const disk = await closedStore(texts(10), 100)
    const bytes = disk.files().get(file(1))!
    const changed = replace(disk, file(1), bytes.subarray(0, bytes.length - 3 * 128))
    const to = await opened(changed, { durable: 10 })
    expect(to.recovery.problems).toMatchObject([{ path: file(1), lost: [8, 10] }])
    await appendAll(to, ['eleven'])
    expect(to.committed).toEqual(['11 eleven'])
    await to.store.close()
    expect(await find(changed)).toMatchObject({ entries: [...numbered(texts(7)), '11 eleven'], lost: [[8, 10]] })
  })
})

describe('damage in the middle (fault 15)', () => {
  test('wherever a bit flips: only the entry that it hits is lost, and that is told with its number', async () => {
    const disk = await closedStore(texts(20), 40)
    const { length } = disk.files().get(file(1))!
    const headEnd = offsetOf(disk, file(1), 'a1 ') - 24
    for (let at = 0; at < length - 64; at += 3) {
      const changed = replace(disk, file(1), disk.files().get(file(1))!)
      changed.damage(file(1), at)
      const { entries, lost, next } = await find(changed, { durable: 20 })
      const hit = Math.floor((at - headEnd) / 64) + 1
      const isPadding =
        at >= headEnd &&
        changed
          .files()
          .get(file(1))!
          .subarray(at, at + 1)[0] === 1 &&
        entries.length === 20
      if (at < headEnd || isPadding) expect(entries, `byte ${at}`).toEqual(numbered(texts(20)))
      else {
        expect(entries, `byte ${at}`).toEqual(numbered(texts(20)).filter((_, i) => i !== hit - 1))
        expect(lost, `byte ${at}`).toEqual([[hit, hit]])
      }
      expect(next).toBe(21)
    }
  })

  test('in a batch of many entries costs no more than the entry that is hit', async () => {
    const disk = quickDisk()
    const to = await opened(disk)
    await appendAll(to, texts(20), 100)
    await appendAll(to, ['later'], 100)
    await to.store.close()
    disk.damage(file(1), offsetOf(disk, file(1), 'a5 '))
    expect(await find(disk)).toMatchObject({
      entries: numbered([...texts(20), 'later']).filter((entry) => entry !== '5 a5'),
      lost: [[5, 5]],
      recovery: { problems: [{ lost: [5, 5] }] },
    })
  })

  test('in the last batch of a segment that is not the last is damage, for what follows was written later', async () => {
    const disk = quickDisk()
    const to = await opened(disk)
    await appendAll(to, texts(10), 100)
    to.store.roll()
    await appendAll(to, ['later'], 100)
    await to.store.close()
    disk.damage(file(1), offsetOf(disk, file(1), 'a4 '))
    disk.damage(file(1), offsetOf(disk, file(1), 'a9 '))
    disk.damage(file(1), offsetOf(disk, file(1), 'a10'))
    const { entries, lost } = await find(disk)
    expect(entries).toEqual(numbered([...texts(10), 'later']).filter((_, i) => ![3, 8, 9].includes(i)))
    expect(lost).toEqual([
      [4, 4],
      [9, 10],
    ])
  })

  test('of a length field hides nothing behind it', async () => {
    const disk = await closedStore(texts(20), 100)
    for (const length of [0, 1, 101, 5000, 2 ** 20, 2 ** 31, 2 ** 32 - 1]) {
      const changed = replace(disk, file(1), disk.files().get(file(1))!)
      const field = Buffer.alloc(4)
      field.writeUInt32LE(length)
      changed.damage(file(1), offsetOf(changed, file(1), 'a7 ') - 20, field)
      const { entries, recovery } = await find(changed)
      expect(entries, `length ${length}`).toEqual(numbered(texts(20)).filter((_, i) => i !== 6))
      expect(recovery.problems).toMatchObject([{ lost: [7, 7] }])
    }
  })

  test('of many sectors loses what was in them, and tells how much that was', async () => {
    const disk = await closedStore(texts(30), 100, { segmentBytes: { first: 8192, max: 8192 } })
    disk.damage(file(1), 1024, Buffer.alloc(1024))
    const { entries, recovery } = await find(disk)
    const [first, last] = recovery.problems[0]!.lost
    expect(last - first + 1).toBeGreaterThanOrEqual(8)
    expect(entries).toEqual(numbered(texts(30)).filter((_, i) => i + 1 < first || i + 1 > last))
    expect(entries.length + last - first + 1).toBe(30)
  })

  test('of a head costs no entry', async () => {
    const disk = await closedStore(texts(60), 200)
    for (const number of [1, 2, 3]) disk.damage(file(number), 30)
    const { entries, lost, next } = await find(disk)
    expect(entries).toEqual(numbered(texts(60)))
    expect(next).toBe(61)
    for (const [first, last] of lost) expect(last).toBe(first - 1)
  })

  test('of the entry that is at one place twice is told, not read twice', async () => {
    const disk = await closedStore(texts(10), 100)
    const bytes = disk.files().get(file(1))!
    const third = offsetOf(disk, file(1), 'a3 ') - 24
    disk.damage(file(1), third + 128, bytes.subarray(third, third + 128)) // a write that went astray
    const { entries, recovery } = await find(disk)
    expect(entries).toEqual(numbered(texts(10)).filter((_, i) => i !== 3))
    expect(recovery.problems).toMatchObject([{ lost: [4, 4] }])
  })

  test('does not bring to life what looks like entries inside of an entry', async () => {
    const disk = await closedStore(texts(10), 100)
    const inner = disk.files().get(file(1))! // somebody sends a copy of a log
    const to = await opened(disk)
    await appendAll(to, ['before'])
    to.store.append(inner, 'outer')
    await to.store.flushed()
    await appendAll(to, ['after'])
    await to.store.close()
    const [path, bytes] = [...disk.files()].findLast(([, content]) => content.includes(inner))!
    disk.damage(path, bytes.indexOf(inner) - 20) // the length of the frame around it
    const { entries } = await find(disk, { durable: 13 })
    expect(entries).toEqual(numbered([...texts(10), 'before']).concat('13 after'))
  })
})

describe('files (fault 15)', () => {
  async function threeSegments(): Promise<SimulatedDisk> {
    return await closedStore(texts(60), 200, { segmentBytes: { first: 4096, max: 4096 } })
  }

  async function firsts(): Promise<number[]> {
    const to = await opened(await threeSegments(), { segmentBytes: { first: 4096, max: 4096 } })
    return to.store.segments.map(({ first }) => first)
  }

  test('that are swapped are told, and read in their own order', async () => {
    const disk = await threeSegments()
    const one = disk.files().get(file(1))!
    const two = disk.files().get(file(2))!
    const swapped = replace(replace(disk, file(1), two), file(2), one)
    const to = await opened(swapped)
    expect(to.recovery.problems.map(({ path }) => path)).toEqual([file(1), file(2)])
    for (const { lost } of to.recovery.problems) expect(lost[1]).toBe(lost[0] - 1)
    expect((await read(to)).entries).toEqual(numbered(texts(60)))
    await to.store.removeOldest()
    await to.store.close()
    expect((await find(swapped)).entries[0]).toBe(`${(await firsts())[1]} a${(await firsts())[1]}`)
  })

  test('that are there twice count once, by the one that has its own name', async () => {
    const disk = await threeSegments()
    const doubled = replace(disk, file(9), disk.files().get(file(2))!)
    const { entries, lost, recovery } = await find(doubled)
    expect({ entries, lost }).toEqual({ entries: numbered(texts(60)), lost: [] })
    expect(recovery.problems.some(({ what }) => what.includes('copy of segment 2'))).toBe(true)
    expect(await names(doubled, `${FOLDER}/damaged`)).toHaveLength(1)
    expect((await find(doubled)).recovery.problems).toEqual([])
  })

  test('that are missing in the middle are told with their numbers, and what follows is there', async () => {
    const disk = await threeSegments()
    const [, second, third] = await firsts()
    const { entries, recovery } = await find(without(disk, file(2)))
    expect(recovery.problems).toMatchObject([{ path: file(2), what: 'missing', lost: [second, third! - 1] }])
    expect(entries).toEqual(numbered(texts(60)).filter((_, i) => i + 1 < second! || i + 1 >= third!))
  })

  test('that are missing at the end are told where it is known that there was more', async () => {
    const disk = await threeSegments()
    const all = await firsts()
    const last = all.at(-1)!
    const cut = without(disk, file(all.length))
    expect((await find(cut, { durable: 60 })).recovery.problems).toMatchObject([{ lost: [last, 60] }])
    const none = without(disk, ...all.map((_, i) => file(i + 1)))
    const found = await find(none, { durable: 60 })
    expect(found.recovery.problems).toMatchObject([{ lost: [1, 60] }])
    expect(found.next).toBe(61)
  })

  test('of which nothing can be read are kept, and what they held is told to be lost', async () => {
    const disk = await threeSegments()
    const [, second, third] = await firsts()
    const garbage = Buffer.alloc(size(disk, 2), 'garbage')
    const broken = replace(disk, file(2), garbage)
    const { entries, recovery } = await find(broken)
    expect(recovery.problems).toMatchObject([{ path: file(2), lost: [second, third! - 1] }])
    expect(entries).toEqual(numbered(texts(60)).filter((_, i) => i + 1 < second! || i + 1 >= third!))
    const [kept] = await names(broken, `${FOLDER}/damaged`)
    expect(broken.files().get(`${FOLDER}/damaged/${kept}`)).toEqual(garbage)
    expect((await find(broken)).recovery.problems).toMatchObject([{ what: 'missing', lost: [second, third! - 1] }])
  })

  test('with damage in them are kept in a folder beside when they are removed, and the newest ten stay', async () => {
    const clock = manualClock()
    const disk = quickDisk()
    const small: Options = { segmentBytes: { first: 1024, max: 1024 }, clock }
    const first = await opened(disk, small)
    await appendEach(first, texts(60), 200)
    await first.store.close()
    for (let i = 1; i <= 12; i++) disk.damage(file(i), offsetOf(disk, file(i), ' '.repeat(100)))
    const to = await opened(disk, small)
    for (const segment of to.store.segments) await to.store.scan(segment, () => {})
    for (let i = 0; i < 13; i++) {
      clock.advance(1)
      await to.store.removeOldest()
    }
    const kept = await names(disk, `${FOLDER}/damaged`)
    expect(kept.map((name) => Number(name.split('-')[1]!.slice(0, 10)))).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    expect(await names(disk)).not.toContain('0000000013.seg')
    await to.store.close()
  })

  test('with damage in them are kept beside also where only the open has met it', async () => {
    const disk = quickDisk()
    const first = await opened(disk)
    await appendEach(first, texts(5), 200)
    await first.store.close()
    disk.damage(file(1), offsetOf(disk, file(1), ' '.repeat(100)))
    const to = await opened(disk)
    expect(to.recovery.problems).toMatchObject([{ path: file(1), lost: [1, 1] }])
    await appendAll(to, ['later'])
    await to.store.scan(to.store.segments[0]!, () => {})
    expect(to.damaged).toEqual([]) // it was told by the open
    await to.store.removeOldest()
    expect(await names(disk, `${FOLDER}/damaged`)).toHaveLength(1)
    await to.store.close()
  })

  test('with damage that the open has not read are told once somebody reads them, once', async () => {
    const disk = quickDisk()
    const small: Options = { segmentBytes: { first: 1024, max: 1024 } }
    const first = await opened(disk, small)
    await appendEach(first, texts(20), 200)
    await first.store.close()
    const at = offsetOf(disk, file(2), ' '.repeat(100))
    disk.damage(file(2), at)
    const to = await opened(disk, small)
    expect([to.recovery.problems, to.damaged]).toEqual([[], []])
    const [, second] = to.store.segments
    const lost: [number, number] = [second!.first, second!.first]
    for (let times = 0; times < 2; times++) {
      await to.store.scan(second!, () => {})
      expect(to.damaged).toMatchObject([{ path: file(2), what: expect.stringMatching(/^damaged from byte/), lost }])
    }
    await to.store.close()

    const again = await opened(disk, small)
    const segment = again.store.segments[1]!
    const offset = at - 27 // its frame's head, and its text
    for (let times = 0; times < 2; times++) {
      await expect(again.store.load(segment, offset, segment.first)).rejects.toMatchObject({
        code: 'SLUICE_RECORD_DAMAGED',
      })
      expect(again.damaged).toEqual([{ path: file(2), what: `the entry at byte ${offset} is damaged`, lost }])
    }
    await again.store.close()
  })

  test('that were given up count for nothing, even where nothing was stored before and nothing in them can be read', async () => {
    const disk = quickDisk()
    const to = await opened(disk)
    disk.fail({ operation: 'write', path: /0000000001/, error: 'SHORT_WRITE', written: 20 })
    const lift = disk.fail({ operation: ['truncate', 'remove'], path: /0000000001/, error: 'EIO', times: Infinity })
    await appendAll(to, ['one'])
    lift()
    expect(to.committed).toEqual(['1 one'])
    const after = disk.crash({ power: false })
    expect(await names(after)).toContain('0000000001.seg')
    const { entries, recovery } = await find(after)
    expect(entries).toEqual(['1 one'])
    expect(recovery.problems).toEqual([])
  })

  test('that were given up count for nothing, even where their beginning is gone', async () => {
    const clock = manualClock()
    const disk = quickDisk()
    const to = await opened(disk, { clock, slabBytes: 16_384, recentBytes: 65_536 })
    await appendEach(to, texts(5), 300)
    await pass(clock, 0)
    const files = /(\.seg|prepared)$/
    disk.fail({ operation: 'sync', path: files, error: 'EIO', times: 2 })
    disk.fail({ operation: 'truncate', path: /prepared$/, after: 1, error: 'EIO' }) // the first one lengthens it
    const lift = disk.fail({ operation: 'remove', path: /\.seg$/, error: 'EIO', times: Infinity })
    await appendAll(to, texts(6, 'refused'), 300)
    expect(to.failed).toHaveLength(6)
    await pass(clock, 1000)
    await appendAll(to, ['six'], 300)
    lift()
    const counting = new Set(to.store.segments.map(({ path }) => path))
    const left = [...disk.files().keys()].filter((path) => path.endsWith('.seg') && !counting.has(path))
    expect(left).toHaveLength(1)
    disk.damage(left[0]!, 0, Buffer.alloc(512)) // its head, and its first entry
    const { entries, lost, recovery } = await find(disk.crash({ power: false }))
    expect({ entries, lost }).toEqual({ entries: numbered([...texts(5), 'six']), lost: [] })
    expect(recovery.problems).toEqual([])
  })

  test('of another format are refused, and nothing is changed (fault 18)', async () => {
    const disk = await closedStore(texts(10), 100)
    const head = Buffer.from(disk.files().get(file(1))!)
    const future = quickDisk()
    const next = await opened(future, { name: 'x', segmentBytes: { first: 4096, max: 4096 } })
    await appendAll(next, ['from the future'])
    await next.store.close()
    expect(head.indexOf('"format":1')).toBeGreaterThan(0)
    const torn = replace(disk, file(2), Buffer.alloc(100, 'torn'))
    // The checksum is made again, as the other version would have.
    const newer = replace(torn, file(3), withFormat(future.files().get(file(1))!, 2))
    const before = newer.files()
    await expect(find(newer)).rejects.toMatchObject({ code: 'SLUICE_DATA_FORMAT' })
    expect(newer.files()).toEqual(before)
  })

  test('of another store are refused', async () => {
    const disk = await closedStore(texts(3), 100, { name: 'others' })
    await expect(find(disk)).rejects.toMatchObject({ code: 'SLUICE_DATA_FORMAT' })
  })
})

describe('an open', () => {
  test('that comes again finds the same, as often as it comes (fault 3)', async () => {
    const disk = quickDisk()
    const to = await opened(disk)
    await appendEach(to, texts(30), 300)
    append(to, 'under way', 300)
    let next = disk.crash({ power: true })
    const first = await find(next)
    for (let i = 0; i < 5; i++) {
      next = next.crash({ power: i % 2 === 0 })
      expect(await find(next)).toMatchObject({ entries: first.entries, lost: [], next: first.next })
    }
  })

  test('whose process ends at any moment changes nothing of what the next one finds (fault 3)', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const started = quickDisk(seed)
      const to = await opened(started)
      await appendEach(to, texts(30), 300)
      append(to, 'under way', 300)
      let disk = started.crash({ power: seed % 2 === 0 })
      const limit = seed % 9
      for (let after = 0; after < limit; after++) {
        disk.fail({ error: 'EIO', after: after * 2, times: Infinity }) // from here on nothing works: as if it ended
        await opened(disk).catch(() => {})
        const files = disk.files()
        disk = quickDisk(seed + after)
        disk.copyFrom(files)
        disk = disk.crash({ power: true })
      }
      const { entries, lost, recovery } = await find(disk)
      expect(entries.slice(0, 30), `seed ${seed}`).toEqual(numbered(texts(30)))
      expect(lost).toEqual([])
      expect(recovery.problems).toEqual([])
    }
  })

  test('makes what it has found durable, its name as well', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const disk = quickDisk(seed)
      const to = await opened(disk)
      await appendAll(to, ['one'])
      append(to, 'two')
      void to.store.flushed()
      for (let i = 0; i < seed % 7; i++) await Promise.resolve()
      const killed = disk.crash({ power: false })
      const found = await find(killed)
      const { entries } = await find(killed.crash({ power: true }))
      expect(entries, `seed ${seed}`).toEqual(found.entries)
    }
  })

  test('makes durable what a sync had given up and a kill left to be read, its size too (fault 11)', async () => {
    let given = 0
    for (let seed = 1; seed <= 40; seed++) {
      const disk = quickDisk(seed)
      const to = await opened(disk)
      await appendAll(to, ['one'])
      // Nothing gets its sync any more, nor is any of it cut back or removed.
      const mend = disk.fail({ error: 'EIO', operation: ['sync', 'truncate', 'remove'], times: Infinity })
      await appendAll(to, ['two'], 600)
      mend()
      const killed = disk.crash({ power: false })
      const found = await find(killed)
      const { entries } = await find(killed.crash({ power: true }))
      expect(entries, `seed ${seed}`).toEqual(found.entries)
      if (found.entries.length > 1) given++
    }
    expect(given).toBeGreaterThan(0)
  })

  test('gives no number twice that anybody has seen', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      let disk = quickDisk(seed)
      const seen = new Map<number, string>()
      for (let life = 0; life < 4; life++) {
        const to = await opened(disk, { recentBytes: 4096 })
        for (const entry of (await read(to)).entries) note(entry)
        for (const text of texts(5, `l${life}-`)) append(to, text, 300)
        if (life % 2 === 0) await to.store.flushed()
        else for (let i = 0; i < seed % 11; i++) await Promise.resolve()
        to.committed.forEach(note)
        disk = disk.crash({ power: seed % 3 > 0 })
      }
      function note(entry: string): void {
        const [seq, text] = entry.split(' ') as [string, string]
        expect(seen.get(Number(seq)) ?? text, `seed ${seed}, number ${seq}`).toBe(text)
        seen.set(Number(seq), text)
      }
    }
  })

  test('of a folder that can not be made or read says so', async () => {
    const disk = quickDisk()
    disk.fail({ operation: 'makeFolder', error: 'EACCES' })
    await expect(opened(disk)).rejects.toMatchObject({ code: 'SLUICE_DISK', status: 503 })
    disk.fail({ operation: 'list', error: 'EIO' })
    await expect(opened(disk)).rejects.toMatchObject({ code: 'SLUICE_DISK' })
  })
})

/** The same segment as another version of the format would have written it. */
function withFormat(segment: Buffer, format: number): Buffer {
  const changed = Buffer.from(segment)
  changed.write(`"format":${format}`, changed.indexOf('"format":1'))
  const length = changed.readUInt32LE(4)
  changed.writeUInt32LE(crc32(changed.subarray(4, 24 + length)), 0)
  return changed
}
