// The README does what it says.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { serverLimits } from '@sluice/server'
import { broker } from '../../../test/support/events.ts'
import { readmeOf } from '../../../test/support/readme.ts'

const SOURCE = join(import.meta.dirname, '../src')
const { text, block, run } = readmeOf(import.meta.dirname)

test('the example of the README prints what the README says', () => {
  const printed = run(block('ts'), { 'shop.yaml': broker() })
  expect(printed.replaceAll('\n\n', '\n')).toBe(block('text'))
})

test('the limits and their defaults are those of the source', () => {
  const units: Record<string, number> = { MiB: 1024 ** 2, KiB: 1024, s: 1000, '': 1, '× `eventBytesMax`': 1024 ** 2 }
  const section = /## Limits\n([^]*?)\n## /.exec(text)![1]!
  const told = Array.from(section.matchAll(/^\| `(\w+)` \| ([\d,]+)(.*?) \|/gm), ([, name, number, unit]) => [
    name!,
    Number(number!.replaceAll(',', '')) * units[unit!.trim()]!,
  ])
  expect(Object.fromEntries(told)).toEqual(serverLimits())
})

test('the codes are those of the source', () => {
  const source = readdirSync(SOURCE)
    .map((file) => readFileSync(join(SOURCE, file), 'utf8'))
    .join('\n')
  const used = new Set(Array.from(source.matchAll(/'(SLUICE_[A-Z_]+)'/g), ([, code]) => code!))
  const told = new Set(Array.from(text.matchAll(/`(SLUICE_[A-Z_]+)`/g), ([, code]) => code!))
  expect([...used].filter((code) => !told.has(code))).toEqual([])
  const elsewhere = ['SLUICE_CHANNEL_UNAVAILABLE', 'SLUICE_STARTING', 'SLUICE_DRAINING'] // the channel's; made of the state
  expect([...told].filter((code) => !used.has(code) && !elsewhere.includes(code))).toEqual([])
})
