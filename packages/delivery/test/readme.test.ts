import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readmeOf } from '../../../test/support/readme.ts'

const readme = readmeOf(import.meta.dirname)

test('the example of the README prints what the README says', () => {
  const example = readme.block('ts')
  const printed = [...example.matchAll(/^console\.log\(.*\) \/\/ (.*)$/gm)].map(([, line]) => `${line}\n`).join('')
  expect(readme.run(example)).toBe(printed)
})

test('the README lists the error codes that there are, and no others', () => {
  const source = join(import.meta.dirname, '../src')
  const code = readdirSync(source).map((name) => readFileSync(join(source, name), 'utf8'))
  expect(codesIn(readme.text)).toEqual(codesIn(code.join()))
})

function codesIn(text: string): string[] {
  return [...new Set(text.match(/SLUICE_[A-Z_]+/g))].toSorted()
}
