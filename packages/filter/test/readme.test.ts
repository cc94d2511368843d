import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const README = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')

test('the example of the README prints what the README says', () => {
  const [, example, printed] = /```ts\n(.*?)```.*?```text\n(.*?)```/s.exec(README)!
  const file = join(import.meta.dirname, `readme-${process.pid}.tmp.ts`)
  writeFileSync(file, example!)
  try {
    expect(execFileSync(process.execPath, [file], { encoding: 'utf8' })).toBe(printed)
  } finally {
    rmSync(file)
  }
})

test('the README lists the codes that exist, and no others', () => {
  const source = readFileSync(join(import.meta.dirname, '../src/errors.ts'), 'utf8')
  expect(codesIn(README)).toEqual(codesIn(source))
})

function codesIn(text: string): string[] {
  return [...new Set(text.match(/SLUICE_FILTER_\w+/g))].toSorted()
}
