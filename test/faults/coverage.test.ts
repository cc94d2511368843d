// The README's table of faults: it has all that concern what is stored, and each test that it names proves its fault.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { testNamesIn } from '../support/test-names.ts'

const ROOT = join(import.meta.dirname, '../..')
const REQUIRED = [
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
  33, 34, 35, 36, 37, 38, 39, 40, 41, 47, 59, 60,
]

/** `| 38 | what | tests | tests |`: a test is the path of its file, from the root on; `-` where a channel has no such fault. */
const rows = Array.from(
  readFileSync(join(import.meta.dirname, 'README.md'), 'utf8').matchAll(/^\| (\d+) \|[^|]*\|([^|]*)\|([^|]*)\|$/gm),
  ([, fault, ...cells]) => ({
    fault: Number(fault),
    cells: cells.map((cell) => cell.match(/[\w./-]+\.test\.ts/g) ?? []),
  }),
)

test('the table has every fault once', () => {
  expect(rows.map(({ fault }) => fault)).toEqual(REQUIRED)
})

test.each(rows)('fault $fault is proved by the tests that the table names', ({ fault, cells }) => {
  const files = cells.flat()
  expect(files.length).toBeGreaterThan(0)
  expect(files.filter((file) => !faultsIn(join(ROOT, file)).has(fault))).toEqual([])
})

/** The faults that the names of its tests prove: `fault 5`, `faults 1, 2, 3`. */
function faultsIn(path: string): Set<number> {
  const lists = testNamesIn(path).flatMap((name) => name.match(/\bfaults? \d+(?:, \d+)*/g) ?? [])
  return new Set(lists.flatMap((list) => list.match(/\d+/g) ?? []).map(Number))
}
