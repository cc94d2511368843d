// The README's example runs, and prints what the README says; its list of codes is the list in the source.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_LIMITS } from '@sluice/event'
import { expect, test } from 'vitest'
import { readmeOf } from '../../../test/support/readme.ts'

const { text, block, run } = readmeOf(import.meta.dirname)

test('the example prints what the README says', () => {
  expect(run(block('ts'))).toBe(block('text'))
})

test('the README lists every code, and no other', () => {
  const source = readFileSync(join(import.meta.dirname, '../src/errors.ts'), 'utf8')
  const inSource = new Set([...source.matchAll(/'(SLUICE_[A-Z_]+)'/g)].map(([, code]) => code))
  for (const [, name] of source.matchAll(/case '([a-z]+)':/g))
    inSource.add(`SLUICE_EVENT_INVALID_${name!.toUpperCase()}`)
  const listed = new Set<string>()
  for (const [, full, short] of text.matchAll(/`(?:(SLUICE_[A-Z_]+)|(_[A-Z]+))`/g)) {
    listed.add(full ?? `SLUICE_EVENT_INVALID${short}`)
  }
  expect(listed).toEqual(inSource)
})

test('the README says the default limits', () => {
  for (const limit of [DEFAULT_LIMITS.maxDepth, DEFAULT_LIMITS.maxMembers, DEFAULT_LIMITS.maxBatchEvents]) {
    expect(text).toContain(`| ${limit.toLocaleString('en')} |`)
  }
  expect([DEFAULT_LIMITS.maxEventBytes, text.includes('| 1 MiB |')]).toEqual([1024 ** 2, true])
})
