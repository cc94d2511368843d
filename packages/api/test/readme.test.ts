import { expect, test } from 'vitest'
import { readmeOf } from '../../../test/support/readme.ts'
import { API_LIMITS } from '@sluice/api'

const { text, block, run } = readmeOf(import.meta.dirname)

test('the example of the README prints what the README says', () => {
  expect(run(block('ts'))).toBe(block('text'))
})

test('the limits and their defaults are those of the source', () => {
  const units: Record<string, number> = { MiB: 1024 ** 2, '': 1 }
  const told = Array.from(text.matchAll(/^\| `(\w+)` \| ([\d,]+)(.*?) \|/gm), ([, name, number, unit]) => [
    name!,
    Number(number!.replaceAll(',', '')) * units[unit!.trim()]!,
  ])
  expect(Object.fromEntries(told)).toEqual(API_LIMITS)
})
