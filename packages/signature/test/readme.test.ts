import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readmeOf } from '../../../test/support/readme.ts'

const { text, block, run } = readmeOf(import.meta.dirname)

test('the example of the README prints what the README says', () => {
  expect(run(block('ts'))).toBe(block('text'))
})

test('the README lists the code that there is', () => {
  const source = readFileSync(join(import.meta.dirname, '../src/keys.ts'), 'utf8')
  expect(new Set(text.match(/SLUICE_[A-Z_]+/g))).toEqual(new Set(source.match(/SLUICE_[A-Z_]+/g)))
})
