// Sizes as people write them.

import { expect, test } from 'vitest'
import { parseBytes } from '@sluice/resource/quantity'

test.each([
  ['1', 1],
  ['1048576', 1_048_576],
  ['512Ki', 524_288],
  ['1Mi', 1_048_576],
  ['2Gi', 2_147_483_648],
  ['64k', 64_000],
  ['64K', 64_000],
  ['3M', 3_000_000],
  ['1G', 1_000_000_000],
  ['2T', 2_000_000_000_000],
  ['1Ti', 1_099_511_627_776],
])('%s is %i bytes', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes)
})

test.each([
  '',
  '0',
  '0Mi',
  '-1',
  '1.5Mi',
  '1 Mi',
  '1mi',
  '1MB',
  '1MiB',
  'Mi',
  'lots',
  '1e3',
  '99999999999999999999',
  '9007199Gi',
])('%j is none, and the error says how to write one', (text) => {
  expect(() => parseBytes(text)).toThrow(/no size.*512Ki/)
})
