import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

test('the example of the README prints what the README says', () => {
  const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')
  const [, example, printed] = /```ts\n(.*?)```.*?```text\n(.*?)```/s.exec(readme)!
  const file = join(import.meta.dirname, `readme-${process.pid}.tmp.ts`)
  writeFileSync(file, example!)
  try {
    expect(execFileSync(process.execPath, [file], { encoding: 'utf8' })).toBe(printed)
  } finally {
    rmSync(file)
  }
})
