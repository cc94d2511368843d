import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readmeOf } from '../../../test/support/readme.ts'

const { text, block, run } = readmeOf(import.meta.dirname)

test('the example of the README prints what the README says', () => {
  expect(run(block('ts'))).toBe(block('text'))
})

test('the README lists the codes that exist, and no others', () => {
  const source = readFileSync(join(import.meta.dirname, '../src/errors.ts'), 'utf8')
  expect(codesIn(text)).toEqual(codesIn(source))
})

function codesIn(of: string): string[] {
  return [...new Set(of.match(/SLUICE_FILTER_\w+/g))].toSorted()
}
