import { expect, test } from 'vitest'
import { readmeOf } from '../../../test/support/readme.ts'
import { folderOf, runSluice } from '../../../test/support/sluice.ts'

test('the YAML of the README is valid', async () => {
  const folder = folderOf({ 'sluice.yaml': readmeOf(import.meta.dirname).block('yaml') })
  const { stdout, code } = await runSluice(['validate', folder])
  expect([code, stdout]).toEqual([0, expect.stringContaining('valid')])
})

test('the other way of proof is valid as it stands there', async () => {
  const { text } = readmeOf(import.meta.dirname)
  const spec = Array.from(text.matchAll(/```yaml\n(.*?)```/gs), ([, yaml]) => yaml!).find((yaml) =>
    yaml.startsWith('spec:'),
  )
  const head = 'apiVersion: sources.sluice.dev/v1alpha1\nkind: WebhookSource\nmetadata: { name: shop }\n'
  const folder = folderOf({ 'sluice.yaml': `${head}${spec}  sink: { uri: "http://127.0.0.1:9000/" }\n` })
  const { stderr, code } = await runSluice(['validate', folder])
  expect([code, stderr.match(/error/g)]).toEqual([0, null])
})
