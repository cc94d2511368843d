// The source of the README, in a folder that is no part of this repository, run by the program.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { broker, trigger } from '../../../test/support/events.ts'
import { readmeOf } from '../../../test/support/readme.ts'
import { folderOf, ready, runSluice, startProgram, type Sluice } from '../../../test/support/sluice.ts'
import { ceHeaders, subscriber } from '../../../test/support/subscriber.ts'

const readme = readmeOf(import.meta.dirname)
const js = readme.block('js')
const yaml = readme.block('yaml')

test('the source of the README is of thirty lines', () => {
  expect(js.trimEnd().split('\n').length).toBeLessThanOrEqual(34)
})

test('the source of the README sends an event for each file, and after a restart none again', async () => {
  const sink = await subscriber()
  const cwd = folderOf({
    'folder-source.mjs': js,
    'app/sluice.yaml': `${broker()}${trigger('t', sink.url)}---\n${yaml}`,
  })
  mkdirSync(join(cwd, 'inbox'))
  writeFileSync(join(cwd, 'inbox/first.txt'), 'one')
  const start = (): Promise<Sluice> => {
    const words = ['up', '--source', './folder-source.mjs', 'app', '--listen', '127.0.0.1:0', '--api', '127.0.0.1:0']
    return ready(startProgram(words, { cwd }), join(cwd, 'app'))
  }
  const before = await start()
  const first = await sink.next()
  expect(ceHeaders(first)).toMatchObject({ type: 'com.example.file.added', source: '/folders/inbox', id: 'first.txt' })
  await before.stop()

  const after = await start()
  writeFileSync(join(cwd, 'inbox/second.txt'), 'two')
  const second = await sink.next()
  expect(ceHeaders(second)).toMatchObject({ id: 'second.txt' })
  const path = '/apis/sources.example.com/v1/namespaces/default/foldersources/inbox'
  const { status } = (await (await fetch(after.api + path)).json()) as {
    status: { conditions: object[]; seen: number }
  }
  expect(status.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }))
  expect(status).toMatchObject({ sinkUri: after.broker })
  await after.stop()
})

test('its fields are held to its schema, with their place', async () => {
  const cwd = folderOf({ 'folder-source.mjs': js, 'sluice.yaml': yaml.replace('  folder: inbox', '  foldr: inbox') })
  const { code, stderr } = await runSluice(['validate', '--source', 'folder-source.mjs', 'sluice.yaml'], { cwd })
  expect(code).toBe(1)
  expect(stderr).toContain('sluice.yaml:5:3, FolderSource default/inbox')
  expect(stderr).toContain('unknown field "spec.foldr". Did you mean folder?')
})

test.each([
  ['nothing.mjs', 'can’t be loaded', "--source nothing.mjs can't be loaded: "],
  ['empty.mjs', 'exports nothing', '--source empty.mjs: its default export has to be a source'],
  [
    'twice.mjs',
    'claims a kind that is there',
    '--source twice.mjs: There is a Broker of eventing.knative.dev already.',
  ],
])('a module %s that %s is told, and nothing starts', async (file, _, message) => {
  const cwd = folderOf({
    'empty.mjs': 'export const x = 1\n',
    'twice.mjs': "export default { kinds: [{ apiVersion: 'eventing.knative.dev/v1', kind: 'Broker' }], open() {} }\n",
    'sluice.yaml': broker(),
  })
  const { code, stderr } = await runSluice(['validate', '--source', file, 'sluice.yaml'], { cwd })
  expect(code).toBe(1)
  expect(stderr).toContain(message)
})
