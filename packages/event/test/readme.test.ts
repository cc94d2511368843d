// The README's example runs, and prints what the README says; its list of codes is the list in the source.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_LIMITS } from '@sluice/event'
import { expect, test } from 'vitest'

const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')

test('the example prints what the README says', () => {
  const [, code, output] = /```ts\n(.*?)```.*?```text\n(.*?)```/s.exec(readme)!
  const folder = mkdtempSync(join(import.meta.dirname, 'readme-'))
  try {
    const file = join(folder, 'example.ts')
    writeFileSync(file, code!)
    expect(execFileSync(process.execPath, [file], { encoding: 'utf8' })).toBe(output)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the README lists every code, and no other', () => {
  const source = readFileSync(join(import.meta.dirname, '../src/errors.ts'), 'utf8')
  const inSource = new Set([...source.matchAll(/'(SLUICE_[A-Z_]+)'/g)].map(([, code]) => code))
  for (const [, name] of source.matchAll(/case '([a-z]+)':/g))
    inSource.add(`SLUICE_EVENT_INVALID_${name!.toUpperCase()}`)
  const listed = new Set<string>()
  for (const [, full, short] of readme.matchAll(/`(?:(SLUICE_[A-Z_]+)|(_[A-Z]+))`/g)) {
    listed.add(full ?? `SLUICE_EVENT_INVALID${short}`)
  }
  expect(listed).toEqual(inSource)
})

test('the README says the default limits', () => {
  for (const limit of [DEFAULT_LIMITS.maxDepth, DEFAULT_LIMITS.maxMembers, DEFAULT_LIMITS.maxBatchEvents]) {
    expect(readme).toContain(`| ${limit.toLocaleString('en')} |`)
  }
  expect([DEFAULT_LIMITS.maxEventBytes, readme.includes('| 1 MiB |')]).toEqual([1024 ** 2, true])
})
