// Where removed triggers stood: kept for 24 h, bounded, and written once for many.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { manualClock } from '@sluice/clock'
import { Tombstones } from '../src/tombstones.ts'
import { temporaryFolder } from './folders.ts'

const DAY_MS = 24 * 3600 * 1000

test('one is there for 24 h, after a restart as well, and not any longer', async () => {
  const folder = temporaryFolder()
  const clock = manualClock()
  const first = await Tombstones.open(folder, clock)
  await first.keep('a', '42')
  clock.advance(DAY_MS)
  const next = await Tombstones.open(folder, clock)
  expect([first.of('a'), next.of('a'), next.of('b')]).toEqual(['42', '42', undefined])
  clock.advance(1)
  expect(next.of('a')).toBeUndefined()
})

test('ten thousand removals at once are one write or two; beyond that many the oldest are forgotten', async () => {
  const folder = temporaryFolder()
  const all = await Tombstones.open(folder, manualClock())
  const kept = Array.from({ length: 10_001 }, (_, n) => all.keep(`trigger-${n}`, String(n)))
  expect(new Set(kept).size).toBe(1)
  await Promise.all(kept)
  expect(all.size).toBe(10_000)
  expect([all.of('trigger-0'), all.of('trigger-10000')]).toEqual([undefined, '10000'])
  expect(Object.keys(JSON.parse(readFileSync(join(folder, 'removed.json'), 'utf8')) as object)).toHaveLength(10_000)
})

test('a file that can’t be read is as good as none, and is replaced', async () => {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'removed.json'), '{"a": {"posi')
  const all = await Tombstones.open(folder, manualClock())
  expect(all.size).toBe(0)
  await all.keep('a', '1')
  expect((await Tombstones.open(folder, manualClock())).of('a')).toBe('1')
})

test('where the disk does not take it, that is said, and the next one is tried', async () => {
  const folder = temporaryFolder()
  const all = await Tombstones.open(join(folder, 'gone'), manualClock())
  await expect(all.keep('a', '1')).rejects.toThrow(/ENOENT/)
  await expect(all.keep('b', '1')).rejects.toThrow(/ENOENT/)
})
