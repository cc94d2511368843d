// What a write through the API promises: in turn, on the disk before it is answered, and there again at the next start.

import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { manualClock } from '@sluice/clock'
import { describe, expect, test } from 'vitest'
import {
  admit,
  identityOf,
  keyOf,
  resourceFolder,
  resourceStore,
  resourceWriter,
  type Declared,
  type Resource,
  type ResourceStore,
  type ResourceWriter,
} from '../src/index.ts'
import { folderOf } from './files.ts'

interface Writing {
  readonly store: ResourceStore
  readonly writer: ResourceWriter
  readonly path: string
}

async function open(path?: string): Promise<Writing> {
  const folder = path ?? join(await folderOf({}), 'resources')
  const store = resourceStore({ clock: manualClock() })
  const writer = resourceWriter({ store, folder: async () => resourceFolder(folder) })
  return { store, writer, path: folder }
}

function configMap(value: string, metadata: object = {}): Resource {
  const written = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', ...metadata }, data: { a: value } }
  const { resource } = admit(structuredClone(written))
  return { ...resource!, metadata: { ...resource!.metadata, uid: 'u-1' } }
}

const C = identityOf(configMap(''))
const KEY = keyOf(configMap(''))

describe('a write', () => {
  test('is on the disk, whole and for this user alone, before anybody is told that it is stored', async () => {
    const { store, writer, path } = await open()
    const seen: string[][] = []
    store.subscribe(() => seen.push(readdirSync(path)))
    const { resource } = await writer.write(C, () => configMap('b'))
    expect(resource?.metadata).toMatchObject({ uid: 'u-1', generation: 1, resourceVersion: '1' })
    expect(seen).toEqual([['configmap.default.c.u-1.json']])
    const file = join(path, seen[0]![0]!)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ metadata: { uid: 'u-1' }, data: { a: 'b' } })
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test('sees what the one before it has made', async () => {
    const { store, writer } = await open()
    const append = (): Promise<unknown> =>
      writer.write(C, (current) => configMap(`${(current?.['data'] as { a: string } | undefined)?.a ?? ''}x`))
    await Promise.all(Array.from({ length: 10 }, append))
    expect(store.get(KEY)).toMatchObject({ data: { a: 'x'.repeat(10) }, metadata: { generation: 10 } })
  })

  test('that its disk refuses changes nothing, and the next one works', async () => {
    const { store, path } = await open()
    let broken = true
    const folder = resourceFolder(path)
    const save = async (resource: Resource): Promise<void> => {
      if (broken) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
      await folder.save(resource)
    }
    const writer = resourceWriter({ store, folder: async () => ({ ...folder, save }) })
    await expect(writer.write(C, () => configMap('b'))).rejects.toMatchObject({
      code: 'SLUICE_DISK',
      status: 503,
      message: "ConfigMap default/c can't be written to the disk (ENOSPC). Nothing was changed.",
    })
    expect(store.list()).toEqual([])
    broken = false
    await writer.write(C, () => configMap('b'))
    expect(store.list()).toHaveLength(1)
  })

  test('to be tried only says what would be, and changes nothing', async () => {
    const { store, writer, path } = await open()
    const { resource } = await writer.write(C, () => configMap('b'), { dryRun: true })
    expect(resource).toMatchObject({ metadata: { generation: 1 }, data: { a: 'b' } })
    expect([store.list(), existsSync(path)]).toEqual([[], false])
  })

  test('by an old resourceVersion is refused; a status that comes while it is written is kept', async () => {
    const { store, writer } = await open()
    await writer.write(C, () => configMap('b'))
    const next = (resourceVersion: string): Resource => {
      const resource = configMap('c')
      return { ...resource, metadata: { ...resource.metadata, resourceVersion } }
    }
    const { problems } = await writer.write(C, () => next('77'))
    expect(problems?.map(({ code }) => code)).toEqual(['SLUICE_RESOURCE_CONFLICT'])
    const status = { observedGeneration: 1, conditions: [] }
    const written = writer.write(C, (current) => {
      queueMicrotask(() => store.setStatus(KEY, status))
      return next(current!.metadata.resourceVersion)
    })
    expect((await written).resource).toMatchObject({ data: { a: 'c' }, status, metadata: { resourceVersion: '3' } })
  })

  test('of a resource from a file is refused, naming file and line, and so is its removal', async () => {
    const { store, writer } = await open()
    const declared: Declared = { resource: configMap('b'), origin: { file: 'shop.yaml', line: 7, column: 1 } }
    store.apply([declared], { source: 'files' })
    for (const next of [configMap('c'), undefined]) {
      const { problems } = await writer.write(C, () => next)
      expect(problems).toMatchObject([
        { code: 'SLUICE_RESOURCE_OWNED', message: 'It belongs to shop.yaml:7 already.', file: 'shop.yaml', line: 7 },
      ])
    }
    expect(store.get(KEY)).toMatchObject({ data: { a: 'b' } })
  })
})

describe('what was written', () => {
  test('is there after a restart with its uid, its generation and its age; what was removed is not', async () => {
    const { writer, path } = await open()
    await writer.write(C, () => configMap('b'))
    await writer.write(C, () => configMap('c'))
    await writer.write({ ...C, name: 'd' }, () => configMap('b', { name: 'd' }))
    await writer.write({ ...C, name: 'd' }, () => undefined)
    writeFileSync(join(path, 'half.json.new'), '{')

    const { resources, problems } = await resourceFolder(path).load()
    expect(problems).toEqual([])
    expect(resources.map(({ resource }) => resource)).toMatchObject([
      { metadata: { uid: 'u-1', generation: 2, creationTimestamp: '2026-01-01T00:00:00Z' }, data: { a: 'c' } },
    ])
    expect(readdirSync(path)).toEqual(['configmap.default.c.u-1.json'])
  })

  test.each([
    ['no JSON', '{"a": ', /no JSON/],
    ['an unknown field', JSON.stringify({ ...configMap('b'), dat: {} }), /unknown field "dat".*remove it/s],
    ['no uid', JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } }), /no metadata\.uid/],
  ])('and was damaged, %s, is a problem that names the file and says what to do', async (_what, text, told) => {
    const folder = await folderOf({ 'configmap.json': text })
    const { resources, problems } = await resourceFolder(folder).load()
    expect(resources).toEqual([])
    expect(problems).toMatchObject([{ severity: 'error', file: join(folder, 'configmap.json') }])
    expect(`${problems[0]!.message} ${problems[0]!.hint}`).toMatch(told)
  })

  test.skipIf(process.getuid?.() === 0)('and can’t be read is a problem', async () => {
    const folder = await folderOf({ 'c.json': '{}' })
    chmodSync(join(folder, 'c.json'), 0)
    expect((await resourceFolder(folder).load()).problems).toHaveLength(1)
  })
})

describe('the changes since a resourceVersion', () => {
  const put = (store: ResourceStore, value: string): void =>
    void store.put({ resource: configMap(value) }, { source: 'api' })

  test('are all that came after it, a removal with a version of its own', () => {
    const store = resourceStore({ clock: manualClock(), version: 100 })
    put(store, 'a')
    put(store, 'b')
    store.remove(KEY)
    expect(
      store.since('101')?.map(({ type, version, resource }) => [type, version, resource.metadata.resourceVersion]),
    ).toEqual([
      ['updated', 102, '102'],
      ['removed', 103, '103'],
    ])
    expect(store.since('100')).toHaveLength(3)
    expect(store.since('103')).toEqual([])
  })

  test('are unknown where they are forgotten, or the number is none of this store', () => {
    const store = resourceStore({ clock: manualClock(), version: 100, historyMax: 3 })
    for (const value of ['a', 'b', 'c', 'd', 'e']) put(store, value)
    expect(store.since('102')?.map(({ version }) => version)).toEqual([103, 104, 105])
    for (const version of ['101', '99', '106', '', 'x', '-1', '1e2']) expect(store.since(version)).toBeUndefined()
  })
})
