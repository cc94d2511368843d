// Crash images of a store (fault 4; ALICE, OSDI'14): after every operation of a recorded life the power goes, with any
// part of what was not synced left on the disk. Whatever is left, the store opens, has all that was told to be stored,
// in order and whole, nothing that was never appended, and says nothing of damage. Then the power goes in the recovery.

import { describe, expect, test } from 'vitest'
import { manualClock } from '@sluice/clock'
import { seededRandom, type SimulatedDisk } from '@sluice/segments/simulation'
import { append, find, opened, pass, recordedDisk, texts, type Found, type Options } from './store-support.ts'

const FILES = /(\.seg|prepared)$/
const SMALL: Options = {
  segmentBytes: { first: 2048, max: 4096 },
  slabBytes: 2048,
  recentBytes: 8192,
}

/** A life that was recorded: what was told when. */
interface Life {
  readonly disk: SimulatedDisk
  /** In the order of appending. */
  readonly appended: string[]
  /** `7 seven`, and after how many operations it was told to be stored. */
  readonly stored: { readonly entry: string; readonly after: number }[]
  /** Entries before this number were removed, or were about to be, after so many operations. */
  readonly removed: { readonly before: number; readonly after: number }[]
}

async function live(
  seed: number,
  script: (life: Life, to: Awaited<ReturnType<typeof opened>>) => Promise<void>,
): Promise<Life> {
  const disk = recordedDisk(seed)
  const life: Life = { disk, appended: [], stored: [], removed: [] }
  const to = await opened(disk, {
    ...SMALL,
    committed: ({ entries, first }) => {
      entries.forEach((text, i) => life.stored.push({ entry: `${first + i} ${text}`, after: disk.recorded.length }))
    },
  })
  await script(life, to)
  return life
}

function appendTo(life: Life, to: Awaited<ReturnType<typeof opened>>, text: string, bytes: number): void {
  life.appended.push(text)
  append(to, text, bytes)
}

/** What whoever opens the disk finds holds what the life had promised after `n` operations. */
function check(life: Life, n: number, { entries, lost, recovery, next }: Found, where: string): void {
  const gone = life.removed.findLast(({ after }) => after <= n)?.before ?? 0
  const promised = life.stored.filter(({ entry, after }) => after <= n && Number(entry.split(' ')[0]) >= gone)
  const found = new Set(entries)
  expect(
    promised.filter(({ entry }) => !found.has(entry)),
    `${where}: lost`,
  ).toEqual([])
  const order = entries.map((entry) => life.appended.indexOf(entry.split(' ')[1]!))
  expect(order.includes(-1), `${where}: never appended`).toBe(false)
  expect(order, `${where}: order`).toEqual(order.toSorted((one, other) => one - other))
  const numbers = entries.map((entry) => Number(entry.split(' ')[0]))
  expect(numbers, `${where}: numbers`).toEqual(numbers.map((_, i) => numbers[0]! + i))
  if (numbers.length > 0) expect(next, where).toBe(numbers.at(-1)! + 1)
  expect({ lost, problems: recovery.problems }, `${where}: damage`).toEqual({ lost: [], problems: [] })
}

async function checkImages(life: Life, seeds: number): Promise<void> {
  const { disk } = life
  for (let n = 0; n <= disk.recorded.length; n++) {
    for (let seed = 0; seed < seeds; seed++) {
      const choose = seed === 0 ? () => 0 : seed === 1 ? () => 0.999 : seededRandom(n * 1000 + seed)
      const image = disk.imageAfter(n, choose)
      const where = `image ${n}, seed ${seed}`
      check(life, n, await find(image, SMALL), where)
      if ((n + seed) % 4 > 0) continue
      for (let m = 0; m <= image.recorded.length; m++) {
        const again = image.imageAfter(m, seededRandom(n * 7919 + m))
        check(life, n, await find(again, SMALL), `${where}, recovery ${m}`)
      }
    }
  }
}

describe('after a power cut at any moment (fault 4)', () => {
  test('of appends and new segments, all that was told to be stored is there', { timeout: 60_000 }, async () => {
    for (const seed of [1, 2]) {
      const life = await live(seed, async (each, to) => {
        for (const text of texts(12)) {
          appendTo(each, to, text, 300)
          if (text.endsWith('2')) await to.store.flushed()
        }
        await to.store.flushed()
        for (const text of texts(8, 'large')) appendTo(each, to, text, 1500)
        await to.store.flushed()
        to.store.roll()
        for (const text of texts(8, 'small')) {
          appendTo(each, to, text, 10)
          await to.store.flushed()
        }
        await to.store.close()
      })
      await checkImages(life, 5)
    }
  })

  test('of writes and syncs that fail, it is too (fault 11)', { timeout: 60_000 }, async () => {
    for (const [seed, operation] of (['write', 'sync', 'syncFolder', 'rename', 'truncate'] as const).entries()) {
      const life = await live(seed, async (each, to) => {
        const clock = manualClock()
        for (const text of texts(4)) appendTo(each, to, text, 200)
        await to.store.flushed()
        await pass(clock, 0)
        const lift = each.disk.fail({ operation, path: /store/, error: 'EIO' })
        for (const text of texts(6, 'b')) appendTo(each, to, text, 500)
        await to.store.flushed()
        lift()
        for (const text of texts(4, 'c')) {
          appendTo(each, to, text, 500)
          await to.store.flushed()
        }
        await to.store.close()
      })
      await checkImages(life, 4)
    }
  })

  test('of a disk that fails until nothing can be stored, and works again', { timeout: 60_000 }, async () => {
    const clock = manualClock()
    const disk = recordedDisk(7)
    const life: Life = { disk, appended: [], stored: [], removed: [] }
    const to = await opened(disk, {
      ...SMALL,
      clock,
      committed: ({ entries, first }) => {
        entries.forEach((text, i) => life.stored.push({ entry: `${first + i} ${text}`, after: disk.recorded.length }))
      },
    })
    for (const text of texts(4)) appendTo(life, to, text, 200)
    await to.store.flushed()
    await pass(clock, 0)
    disk.fail({ operation: 'sync', path: FILES, error: 'EIO', times: 2 })
    for (const text of texts(3, 'refused')) appendTo(life, to, text, 200)
    await to.store.flushed()
    expect(to.failed).toHaveLength(3)
    await pass(clock, 1000)
    disk.fail({ operation: 'write', path: FILES, error: 'ENOSPC', times: 2 })
    for (const text of texts(3, 'again')) appendTo(life, to, text, 200)
    await to.store.flushed()
    await pass(clock, 1000)
    for (const text of texts(4, 'c')) appendTo(life, to, text, 200)
    await to.store.flushed()
    await to.store.close()
    await checkImages(life, 6)
  })

  test(
    'of segments that are removed, what is left begins with one of them and has no gap',
    { timeout: 60_000 },
    async () => {
      const life = await live(5, async (each, to) => {
        for (const text of texts(40)) {
          appendTo(each, to, text, 300)
          await to.store.flushed()
        }
        while (to.store.segments.length > 1) {
          each.removed.push({ before: to.store.segments[1]!.first, after: each.disk.recorded.length })
          await to.store.removeOldest()
          appendTo(each, to, `after${each.appended.length}`, 100)
          await to.store.flushed()
        }
        await to.store.close()
      })
      await checkImages(life, 3)
    },
  )
})
