// Files read again in their thread, as a difference to what was applied; and how it is noticed that they have changed.

import { appendFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '@sluice/clock'
import { loadFiles, rereader, watchFiles, type Declared, type Loaded, type Rereader } from '../src/index.ts'
import { BROKER, folderOf, triggerOf } from './files.ts'

vi.mock(import('node:fs'), async (original) => {
  const fs = await original()
  return { ...fs, watch: vi.fn<() => unknown>(fs.watch as () => unknown) as unknown as typeof fs.watch }
})

const of = (name: string, type: string): string =>
  triggerOf(
    `broker: default\nfilter: {attributes: {type: ${type}}}\nsubscriber: {uri: "http://127.0.0.1:9/"}`,
    `name: ${name}`,
  )

async function opened(files: Record<string, string>): Promise<{ folder: string; loaded: Loaded; reader: Rereader }> {
  const folder = await folderOf(files)
  const loaded = await loadFiles([folder])
  const reader = rereader([folder], loaded)
  onTestFinished(() => reader.close())
  return { folder, loaded, reader }
}

function names(declared: readonly Declared[]): string[] {
  return declared.map(({ resource }) => resource.metadata.name)
}

test('the difference is to what was applied, until that is said of what was read', async () => {
  const { folder, reader } = await opened({ 'a.yaml': BROKER, 'b.yaml': of('b', 'x'), 'c.yaml': of('c', 'x') })
  expect(await reader.read()).toMatchObject({ added: [], changed: [], removed: [], movedCount: 0, problems: [] })
  await writeFile(join(folder, 'b.yaml'), `# moved by a line\n${of('b', 'x')}`)
  await writeFile(join(folder, 'c.yaml'), of('c', 'y'))
  await writeFile(join(folder, 'd.yaml'), of('d', 'x'))
  await rename(join(folder, 'a.yaml'), join(folder, '.a.yaml'))
  for (let round = 0; round < 2; round++) {
    const reading = await reader.read()
    expect([names(reading.added), names(reading.changed)]).toEqual([['d'], ['c']])
    expect(reading.removed).toEqual([{ group: 'eventing.knative.dev', kind: 'Broker', ...DEFAULT }])
    const place = { file: join(folder, 'b.yaml'), line: 2, column: 1 }
    expect([...reading.moved]).toEqual([['eventing.knative.dev/Trigger/default/b', place]])
    expect([reading.movedCount, reading.isNew]).toEqual([1, round === 0])
  }
  await reader.applied()
  expect(await reader.read()).toMatchObject({ added: [], changed: [], removed: [], movedCount: 0 })
})

const DEFAULT = { namespace: 'default', name: 'default' }

test('a change among a thousand others is read, and so is one of the same length made at once after it', async () => {
  const many = Array.from({ length: 1000 }, (_, n) => of(`t${n}`, 'x')).join('---\n')
  const { folder, reader } = await opened({ 'a.yaml': many, 'b.yaml': of('b', 'x'), 'broker.yaml': BROKER })
  for (const type of ['y', 'z', 'y']) {
    await writeFile(join(folder, 'a.yaml'), many.replace('{type: x}', `{type: ${type}}`))
    await writeFile(join(folder, 'b.yaml'), of('b', type))
    const { changed, problems } = await reader.read()
    expect(problems).toEqual([])
    expect(names(changed)).toEqual(['t0', 'b'])
    expect(changed[1]!.resource['spec']).toMatchObject({ filter: { attributes: { type } } })
  }
})

test('fault 46: files that are edited again and again leave no earlier version of themselves behind', async () => {
  const comment = `# ${'x'.repeat(40_000)}\n`
  let many = Array.from({ length: 100 }, (_, n) => comment + of(`t${n}`, 'com.example.something-long')).join('---\n')
  const { folder, reader } = await opened({ 'a.yaml': many, 'broker.yaml': BROKER })
  let before = 0
  for (let edit = 0; edit < 40; edit++) {
    many = many.replace(`name: t${edit}\n`, `name: edited-${edit}\n`)
    await writeFile(join(folder, 'a.yaml'), many)
    const { added } = await reader.read()
    expect(names(added)).toEqual([`edited-${edit}`])
    await reader.applied()
    if (edit === 10) before = process.memoryUsage().rss
  }
  // 30 versions of 4 MB, in strings of the heap, were 170 MB.
  expect(process.memoryUsage().rss - before).toBeLessThan(110 * 1024 * 1024)
}, 60_000)

test('a place is found in the text that was read last', async () => {
  const { folder, reader } = await opened({ 'a.yaml': of('a', 'x') })
  await writeFile(join(folder, 'a.yaml'), `\n\n${of('a', 'y')}`)
  const { changed } = await reader.read()
  expect(await reader.locate(changed[0]!, ['spec', 'filter', 'attributes', 'type'])).toMatchObject({
    line: 9,
    column: 31,
  })
})

test('a thread that is gone is followed by another, which knows what was applied', async () => {
  const { folder, reader } = await opened({ 'a.yaml': of('a', 'x') })
  await writeFile(join(folder, 'b.yaml'), of('b', 'x'))
  await reader.read()
  await reader.applied()
  await reader.close()
  await writeFile(join(folder, 'c.yaml'), of('c', 'x'))
  const { added, changed, removed } = await reader.read()
  expect([names(added), changed, removed]).toEqual([['c'], [], []])
})

/** Resolves as often as changes were told since the last call. */
async function watched(folder: string): Promise<{ change: () => Promise<void>; looking: string[] }> {
  let told = Promise.withResolvers<void>()
  const looking: string[] = []
  const loaded = await loadFiles([folder])
  const reader = rereader([folder], loaded)
  const watch = watchFiles({
    clock: systemClock,
    changed: () => told.resolve(),
    isAsSeen: () => reader.isAsSeen(),
    looking: (_path, why) => looking.push(why),
  })
  onTestFinished(() => watch.close())
  await watch.set(loaded.sight)
  return {
    looking,
    async change() {
      await told.promise
      told = Promise.withResolvers()
    },
  }
}

test('a file behind a link in another folder is watched there, and so is every link on the way', async () => {
  const folder = await folderOf({ 'v1/shop.yaml': BROKER, 'v2/shop.yaml': BROKER, 'etc/.keep': '' })
  await symlink('v1', join(folder, 'current'))
  await symlink('../current/shop.yaml', join(folder, 'etc/shop.yaml'))
  const { change } = await watched(join(folder, 'etc'))
  await appendFile(join(folder, 'v1/shop.yaml'), '# edited\n')
  await change()
  await symlink('v2', join(folder, 'next'))
  await rename(join(folder, 'next'), join(folder, 'current'))
  await change()
})

test('what has changed between the reading and the watching is told as well', async () => {
  const folder = await folderOf({ 'a.yaml': BROKER })
  const loaded = await loadFiles([folder])
  const reader = rereader([folder], loaded)
  await appendFile(join(folder, 'a.yaml'), '# edited\n')
  const told = Promise.withResolvers<void>()
  const watch = watchFiles({ clock: systemClock, changed: told.resolve, isAsSeen: () => reader.isAsSeen() })
  onTestFinished(() => watch.close())
  await watch.set(loaded.sight)
  await told.promise
})

test('where the system has no watches left, changes are looked for, and that is told once', async () => {
  const { watch } = await import('node:fs')
  vi.mocked(watch).mockImplementation(() => {
    throw new Error('ENOSPC: System limit for number of file watchers reached')
  })
  onTestFinished(() => void vi.mocked(watch).mockReset())
  const folder = await folderOf({ 'a.yaml': BROKER, 'more/b.yaml': '' })
  const { change, looking } = await watched(folder)
  expect(looking).toEqual(['ENOSPC: System limit for number of file watchers reached'])
  await appendFile(join(folder, 'more/b.yaml'), BROKER)
  await change()
})
