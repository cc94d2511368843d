// The README does what it says.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readmeOf } from '../../../test/support/readme.ts'

const SOURCE = join(import.meta.dirname, '../src')
const { text, block, run } = readmeOf(import.meta.dirname)

test('the example prints what stands under it', () => {
  expect(run(block('ts'), { 'shop.yaml': block('yaml') }).trim()).toBe(block('text').trim())
})

test('and applies the file once its mistake is gone', () => {
  const corrected = block('yaml').replace('subscribr', 'subscriber')
  expect(run(block('ts'), { 'shop.yaml': corrected })).toContain("[ 'Trigger big-orders' ]")
})

test('the codes in the README are those in the source', () => {
  const source = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(SOURCE, file), 'utf8'))
    .join('\n')
  const used = new Set(Array.from(source.matchAll(/'SLUICE_RESOURCE_([A-Z_]+)'/g), ([, code]) => code!))
  const section = /## Codes\n([^]*?)\n## /.exec(text)![1]!
  const told = new Set(
    Array.from(section.matchAll(/`([A-Z_]+)`/g), ([, code]) => code!).filter((code) => code !== 'SLUICE_RESOURCE_'),
  )
  expect([...told].toSorted()).toEqual([...used].toSorted())
})
