import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readmeOf } from '../../../test/support/readme.ts'

test('the example of the README prints what the README says', () => {
  const readme = readmeOf(import.meta.dirname)
  // Where the driver that it uses can be found.
  const { run } = readmeOf(join(import.meta.dirname, '../../../channels/memory/test'))
  expect(run(readme.block('ts'))).toBe(readme.block('text'))
})
