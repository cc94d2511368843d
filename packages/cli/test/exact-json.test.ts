// Numbers that are shown are those that were sent.

import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { parseExact, plainNumber } from '../src/exact-json.ts'

const TEXT = '{"a":12345678901234567890,"b":[1.0,-0,1e2,0.1,7],"c":"1.0"}'

test('what is parsed and written again has every number as it was', () => {
  expect(JSON.stringify(parseExact(TEXT))).toBe(TEXT)
})

test('numbers that JavaScript writes as they came are numbers', () => {
  expect(parseExact('[0, -1, 2.5, "x", null]')).toEqual([0, -1, 2.5, 'x', null])
})

test('in YAML whole numbers have all their digits', () => {
  const yaml = stringify(parseExact(TEXT), (_key, value: unknown) => plainNumber(value))
  expect(yaml).toBe('a: 12345678901234567890\nb:\n  - 1\n  - 0\n  - 100\n  - 0.1\n  - 7\nc: "1.0"\n')
})
