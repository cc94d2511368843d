// What disk.ts promises, held against the machine's disk and the simulated one. What a power cut leaves can only be
// tested on the latter (simulated-disk.test.ts).

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemDisk, type Disk, type DiskFile } from '@sluice/segments'
import { simulatedDisk } from '@sluice/segments/simulation'

interface Place {
  readonly disk: Disk
  /** An empty folder. */
  readonly folder: string
}

const PLACES: readonly (readonly [string, () => Promise<Place>])[] = [
  ['the system’s disk', systemPlace],
  ['a simulated disk', () => simulatedPlace('immediate')],
  ['a simulated disk with turns of microtasks', () => simulatedPlace('microtask')],
]

async function systemPlace(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-disk-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return { disk: systemDisk, folder }
}

async function simulatedPlace(turn: 'immediate' | 'microtask'): Promise<Place> {
  const disk = simulatedDisk({ turn })
  await disk.makeFolder('/data')
  return { disk, folder: '/data' }
}

async function put(disk: Disk, path: string, text: string): Promise<void> {
  const file = await disk.open(path, 'create')
  await file.write(Buffer.from(text), 0)
  await file.sync()
  await file.close()
}

async function contentOf(disk: Disk, path: string): Promise<string> {
  const file = await disk.open(path, 'read')
  const content = await textOf(file)
  await file.close()
  return content
}

async function textOf(file: DiskFile): Promise<string> {
  const bytes = Buffer.alloc((await file.size()) + 10, '-')
  return bytes.toString('latin1', 0, await file.read(bytes, 0))
}

describe.each(PLACES)('%s', (_, place) => {
  test('what was written can be read, wherever in the file it is', async () => {
    const { disk, folder } = await place()
    const file = await disk.open(`${folder}/file`, 'create')
    expect(await file.size()).toBe(0)
    const bytes = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251))
    await file.write(bytes, 0)
    await file.write(Buffer.from('between'), 1020)
    bytes.write('between', 1020)
    const all = Buffer.alloc(5000)
    expect(await file.read(all, 0)).toBe(5000)
    expect(all.equals(bytes)).toBe(true)
    const part = Buffer.alloc(700)
    expect(await file.read(part, 900)).toBe(700)
    expect(part.equals(bytes.subarray(900, 1600))).toBe(true)
    await file.close()
  })

  test('a read comes to fewer bytes only at the end of the file, and leaves the rest of its target alone', async () => {
    const { disk, folder } = await place()
    const file = await disk.open(`${folder}/file`, 'create')
    await file.write(Buffer.from('0123456789'), 0)
    const target = Buffer.from('------')
    expect(await file.read(target, 7)).toBe(3)
    expect(target.toString()).toBe('789---')
    expect(await file.read(target, 10)).toBe(0)
    expect(await file.read(target, 5000)).toBe(0)
    expect(await file.read(Buffer.alloc(0), 0)).toBe(0)
    await file.close()
  })

  test('bytes that were never written, before others that were, are zeros', async () => {
    const { disk, folder } = await place()
    const file = await disk.open(`${folder}/file`, 'create')
    await file.write(Buffer.from('end'), 1500)
    expect(await file.size()).toBe(1503)
    expect(await textOf(file)).toBe(`${'\0'.repeat(1500)}end`)
    await file.write(Buffer.alloc(0), 9000)
    expect(await file.size()).toBe(1503)
    await file.close()
  })

  test('truncate cuts off, and lengthens by zeros: what was cut off never comes back', async () => {
    const { disk, folder } = await place()
    const file = await disk.open(`${folder}/file`, 'create')
    await file.write(Buffer.alloc(2000, 'x'), 0)
    await file.truncate(700)
    expect(await file.size()).toBe(700)
    await file.truncate(1800)
    expect(await textOf(file)).toBe('x'.repeat(700) + '\0'.repeat(1100))
    await file.close()
  })

  test('create refuses a file that is there, write and read one that is not', async () => {
    const { disk, folder } = await place()
    const path = `${folder}/file`
    await expect(disk.open(path, 'write')).rejects.toMatchObject({ code: 'ENOENT', path })
    await expect(disk.open(path, 'read')).rejects.toMatchObject({ code: 'ENOENT', path })
    await put(disk, path, 'old')
    await expect(disk.open(path, 'create')).rejects.toMatchObject({ code: 'EEXIST', path })
    expect(await contentOf(disk, path)).toBe('old')
    await expect(disk.open(`${folder}/none/file`, 'create')).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(disk.open(`${path}/file`, 'create')).rejects.toMatchObject({ code: 'ENOTDIR' })
  })

  test('a file opened to be read refuses what would change it', async () => {
    const { disk, folder } = await place()
    await put(disk, `${folder}/file`, 'old')
    const file = await disk.open(`${folder}/file`, 'read')
    await expect(file.write(Buffer.from('new'), 0)).rejects.toMatchObject({ code: 'EBADF', path: `${folder}/file` })
    await expect(file.truncate(0)).rejects.toThrow(`${folder}/file`)
    await file.sync()
    expect(await textOf(file)).toBe('old')
    await file.close()
  })

  test('a folder is listed by name, sorted', async () => {
    const { disk, folder } = await place()
    expect(await disk.list(folder)).toEqual([])
    for (const name of ['b', '10', 'a', '9', 'B']) await put(disk, `${folder}/${name}`, '')
    await disk.makeFolder(`${folder}/aa`)
    expect(await disk.list(folder)).toEqual(['10', '9', 'B', 'a', 'aa', 'b'])
    await expect(disk.list(`${folder}/none`)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(disk.list(`${folder}/a`)).rejects.toMatchObject({ code: 'ENOTDIR' })
  })

  test('a folder is made with those above it, and making it again is no error', async () => {
    const { disk, folder } = await place()
    await disk.makeFolder(`${folder}/a/b/c`)
    expect(await disk.list(`${folder}/a/b`)).toEqual(['c'])
    await disk.makeFolder(`${folder}/a/b/c`)
    await Promise.all([disk.makeFolder(`${folder}/x/y/z`), disk.makeFolder(`${folder}/x/y/z`)])
    expect(await disk.list(`${folder}/x/y`)).toEqual(['z'])
    await put(disk, `${folder}/file`, '')
    await expect(disk.makeFolder(`${folder}/file`)).rejects.toMatchObject({ code: 'EEXIST' })
    await expect(disk.makeFolder(`${folder}/file/in/it`)).rejects.toMatchObject({
      code: expect.stringMatching(/EEXIST|ENOTDIR/),
    })
  })

  test('a rename replaces what stood there; what is open stays open', async () => {
    const { disk, folder } = await place()
    await put(disk, `${folder}/old`, 'old')
    const file = await disk.open(`${folder}/new`, 'create')
    const replaced = await disk.open(`${folder}/old`, 'read')
    await disk.rename(`${folder}/new`, `${folder}/old`)
    await file.write(Buffer.from('new'), 0)
    expect(await disk.list(folder)).toEqual(['old'])
    expect(await contentOf(disk, `${folder}/old`)).toBe('new')
    expect(await textOf(replaced)).toBe('old')
    await disk.syncFolder(folder)
    await file.close()
    await replaced.close()
    await expect(disk.rename(`${folder}/new`, `${folder}/old`)).rejects.toMatchObject({ code: 'ENOENT' })
    await disk.rename(`${folder}/old`, `${folder}/old`)
    expect(await contentOf(disk, `${folder}/old`)).toBe('new')
  })

  test('a folder is renamed with all that is in it, but not over one that holds something, and not into itself', async () => {
    const { disk, folder } = await place()
    await disk.makeFolder(`${folder}/a/b`)
    await disk.makeFolder(`${folder}/trash`)
    await put(disk, `${folder}/a/b/file`, 'kept')
    await expect(disk.rename(`${folder}/trash`, `${folder}/a`)).rejects.toMatchObject({
      code: expect.stringMatching(/ENOTEMPTY|EEXIST/),
    })
    await expect(disk.rename(`${folder}/a`, `${folder}/a/b/a`)).rejects.toMatchObject({ code: 'EINVAL' })
    await expect(disk.rename(`${folder}/a/b/file`, `${folder}/trash`)).rejects.toMatchObject({ code: 'EISDIR' })
    await expect(disk.rename(`${folder}/trash`, `${folder}/a/b/file`)).rejects.toMatchObject({ code: 'ENOTDIR' })
    await disk.rename(`${folder}/a`, `${folder}/a`)
    await disk.rename(`${folder}/a`, `${folder}/trash/a`)
    expect(await disk.list(folder)).toEqual(['trash'])
    expect(await contentOf(disk, `${folder}/trash/a/b/file`)).toBe('kept')
    await disk.makeFolder(`${folder}/empty`)
    await disk.rename(`${folder}/trash`, `${folder}/empty`)
    expect(await contentOf(disk, `${folder}/empty/a/b/file`)).toBe('kept')
  })

  test('a file that is removed can be used by whoever has it open', async () => {
    const { disk, folder } = await place()
    const file = await disk.open(`${folder}/file`, 'create')
    await file.write(Buffer.from('still '), 0)
    await disk.remove(`${folder}/file`)
    await disk.syncFolder(folder)
    await file.write(Buffer.from('there'), 6)
    await file.sync()
    expect(await textOf(file)).toBe('still there')
    expect(await disk.list(folder)).toEqual([])
    await file.close()
    await expect(disk.remove(`${folder}/file`)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(disk.remove(folder)).rejects.toMatchObject({ code: expect.stringMatching(/EISDIR|EPERM/) })
    await put(disk, `${folder}/file`, 'another')
    expect(await contentOf(disk, `${folder}/file`)).toBe('another')
  })

  test('only a folder that is there can be synced', async () => {
    const { disk, folder } = await place()
    await put(disk, `${folder}/file`, '')
    await disk.syncFolder(folder)
    await expect(disk.syncFolder(`${folder}/none`)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(disk.syncFolder(`${folder}/file`)).rejects.toMatchObject({ code: 'ENOTDIR' })
  })

  test('close waits for what is under way; afterwards every call is refused, and another close is not', async () => {
    const { disk, folder } = await place()
    const path = `${folder}/file`
    const file = await disk.open(path, 'create')
    const ended: string[] = []
    const write = file.write(Buffer.alloc(1_000_000, 'x'), 0).then(() => ended.push('write'))
    const sync = file.sync().then(() => ended.push('sync'))
    await file.close()
    expect(ended.toSorted()).toEqual(['sync', 'write'])
    await Promise.all([write, sync])
    const calls = [
      file.size(),
      file.read(Buffer.alloc(1), 0),
      file.write(Buffer.alloc(1), 0),
      file.sync(),
      file.truncate(0),
    ]
    await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject({ code: 'EBADF', path })))
    await file.close()
    expect(await contentOf(disk, path)).toBe('x'.repeat(1_000_000))
  })

  test('files don’t mix, however many are written at once', async () => {
    const { disk, folder } = await place()
    const names = Array.from({ length: 20 }, (_, i) => `${folder}/${i}`)
    await Promise.all(
      names.map(async (name, i) => {
        const file = await disk.open(name, 'create')
        const parts = Array.from({ length: 10 }, (_, part) => file.write(Buffer.alloc(1000, `${i};`), part * 1000))
        await Promise.all(parts)
        await file.sync()
        await file.close()
      }),
    )
    await disk.syncFolder(folder)
    for (const [i, name] of names.entries()) {
      expect(await contentOf(disk, name)).toBe(Buffer.alloc(1000, `${i};`).toString().repeat(10))
    }
  })
})
