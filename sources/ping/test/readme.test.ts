import { expect, test } from 'vitest'
import { readmeOf } from '../../../test/support/readme.ts'
import { folderOf, runSluice } from '../../../test/support/sluice.ts'

test('the YAML of the README is valid', async () => {
  const folder = folderOf({ 'sluice.yaml': readmeOf(import.meta.dirname).block('yaml') })
  const { stdout, code } = await runSluice(['validate', folder])
  expect([code, stdout]).toEqual([0, expect.stringContaining('valid')])
})
