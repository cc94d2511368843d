import { expect, test } from 'vitest'
import { readmeOf } from '../../../test/support/readme.ts'

test('the example of the README prints what the README says', () => {
  const readme = readmeOf(import.meta.dirname)
  expect(readme.run(readme.block('ts'))).toBe(readme.block('text'))
})
