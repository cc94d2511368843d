import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')

test('the example of the README prints what the README says', () => {
  const [, example = ''] = /```ts\n(.*?)```/s.exec(readme)!
  const printed = [...example.matchAll(/^console\.log\(.*\) \/\/ (.*)$/gm)].map(([, line]) => `${line}\n`).join('')
  const file = join(import.meta.dirname, `readme-${process.pid}.tmp.mjs`)
  writeFileSync(file, example)
  try {
    expect(execFileSync(process.execPath, [file], { encoding: 'utf8' })).toBe(printed)
  } finally {
    rmSync(file)
  }
})

test('the README lists the error codes that there are, and no others', () => {
  const source = join(import.meta.dirname, '../src')
  const code = readdirSync(source).map((name) => readFileSync(join(source, name), 'utf8'))
  expect(codesIn(readme)).toEqual(codesIn(code.join()))
})

function codesIn(text: string): string[] {
  return [...new Set(text.match(/SLUICE_[A-Z_]+/g))].toSorted()
}
