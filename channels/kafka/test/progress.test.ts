// Progress by itself: the settled set, the mark, and what a commit's metadata keeps of both.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { METADATA_MAX, Progress, readMetadata } from '../src/progress.ts'

/** Reads `count` records on end. */
function read(progress: Progress<number>, count: number): number[] {
  const fresh: number[] = []
  for (let offset = progress.next, left = count; left > 0; offset++, left--) {
    if (!progress.receive(offset)) continue
    progress.add(offset, offset)
    fresh.push(offset)
  }
  return fresh
}

function again(progress: Progress<number>): Progress<number> {
  const { mark } = progress
  const next = new Progress<number>()
  next.goTo(mark, readMetadata(progress.metadata('id'), mark)!.settled)
  return next
}

describe('progress of a partition', () => {
  test('the mark stays before the first event that is not settled (fault 52)', () => {
    const progress = new Progress<number>()
    read(progress, 5)
    for (const offset of [1, 2, 4]) progress.settle(offset)
    expect(progress.mark).toBe(0)
    progress.settle(0)
    expect(progress.mark).toBe(3)
    progress.settle(3)
    expect(progress.mark).toBe(5)
  })

  test('what was settled behind the mark is known after a restart, in any order of settling', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.array(fc.nat(300)), fc.nat(50), (count, settled, more) => {
        const progress = new Progress<number>()
        read(progress, count)
        for (const offset of settled) if (offset < count) progress.settle(offset)
        const restarted = again(progress)
        const open = Array.from({ length: count }, (_, at) => at).filter((at) => !settled.includes(at))
        const fresh = Array.from({ length: more }, (_, at) => count + at)
        expect(read(restarted, count - restarted.next + more)).toEqual([...open, ...fresh])
        // And once more, before it has read as far as it had been.
        expect(read(again(again(progress)), count - progress.mark)).toEqual(open)
      }),
    )
  })

  test('offsets that never were a record, and what somebody else has read, are no events', () => {
    const progress = new Progress<number>()
    progress.goTo(10)
    expect(progress.receive(9)).toBe(false)
    expect(progress.receive(14)).toBe(true)
    progress.add(14, 14)
    progress.settle(14)
    expect(progress.mark).toBe(15)
    expect(read(again(progress), 1)).toEqual([15])
  })

  test('back to the first: what is out is not new again, and settles as it should', () => {
    const progress = new Progress<number>()
    read(progress, 6)
    for (const offset of [0, 1, 2, 5]) progress.settle(offset)
    progress.goTo(0)
    expect(progress.mark).toBe(0)
    progress.settle(4)
    expect(read(progress, 7)).toEqual([0, 1, 2, 5, 6])
    for (const offset of [0, 1, 2, 5, 6]) progress.settle(offset)
    expect(progress.mark).toBe(3)
    progress.settle(3)
    expect(progress.mark).toBe(7)
  })

  test('forward: what lies before counts as settled', () => {
    const progress = new Progress<number>()
    read(progress, 3)
    progress.goTo(100)
    progress.settle(1)
    expect(progress.mark).toBe(100)
  })

  test('what the server has no more is missing, but for what was settled', () => {
    const progress = new Progress<number>()
    progress.goTo(10, [12, 13, 30])
    expect(progress.missing(20)).toBe(8)
    progress.pass(20)
    expect(progress).toMatchObject({ mark: 20, next: 20 })
    expect(progress.missing(31)).toBe(10)
  })

  test('the metadata has a bound, and what lies beyond is handed out again', () => {
    const progress = new Progress<number>()
    read(progress, 200_000)
    let random = 1
    for (let offset = 1; offset < 200_000; offset++) {
      random = (random * 48271) % 2147483647
      if (random % 2 === 0) progress.settle(offset)
    }
    const text = progress.metadata('id')
    expect(text.length).toBeLessThanOrEqual(METADATA_MAX)
    expect(readMetadata(text, 0)!.settled.length).toBeGreaterThan(5000)
    expect(progress.metadata('id', 500).length).toBeLessThanOrEqual(500)
  })

  test('metadata of others, and what is damaged, is not read', () => {
    for (const text of ['', 'consumer-7', 'sluice1', 'sluice1 id !!!', 'sluice1 %zz']) {
      expect(readMetadata(text, 0)).toBeUndefined()
    }
    expect(readMetadata('sluice1 a%20b', 0)).toEqual({ id: 'a b', settled: [] })
  })
})
