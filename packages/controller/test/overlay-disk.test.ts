// A disk that reads from another one and keeps to itself what is written.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemDisk, type Disk, type DiskFile } from '@sluice/segments'
import { overlayDisk } from '../src/overlay-disk.ts'
import { contentOf, temporaryFolder } from './folders.ts'

async function textOf(file: DiskFile): Promise<string> {
  const target = Buffer.alloc(100)
  return target.toString('latin1', 0, await file.read(target, 0))
}

async function read(disk: Disk, path: string): Promise<string> {
  const file = await disk.open(path, 'read')
  const text = await textOf(file)
  await file.close()
  return text
}

test('what is there is read; what is written over it is read back, and stays off the disk', async () => {
  const folder = temporaryFolder()
  const path = join(folder, 'a')
  writeFileSync(path, '0123456789')
  const before = contentOf(folder)
  const disk = overlayDisk(systemDisk)
  const file = await disk.open(path, 'write')
  expect(await textOf(file)).toBe('0123456789')
  const bytes = Buffer.from('abc')
  await file.write(bytes, 2)
  bytes.fill('x') // its owner may use it again
  await file.write(Buffer.from('Z'), 4)
  await file.write(Buffer.from('end'), 12)
  await file.sync()
  expect([await file.size(), await textOf(file)]).toEqual([15, '01abZ56789\0\0end'])
  expect(await read(disk, path)).toBe('01abZ56789\0\0end') // by another handle as well
  const part = Buffer.alloc(3)
  expect([await file.read(part, 3), part.toString()]).toEqual([3, 'bZ5'])
  expect(await file.read(part, 15)).toBe(0)
  await file.close()
  expect(contentOf(folder)).toEqual(before)
})

test('a file that is cut off and made longer again has zeros there', async () => {
  const path = join(temporaryFolder(), 'a')
  writeFileSync(path, '0123456789')
  const file = await overlayDisk(systemDisk).open(path, 'write')
  await file.write(Buffer.from('abcd'), 4)
  await file.truncate(6)
  expect(await textOf(file)).toBe('0123ab')
  await file.truncate(8)
  expect(await textOf(file)).toBe('0123ab\0\0')
  await file.truncate(2)
  await file.write(Buffer.from('!'), 3)
  expect(await textOf(file)).toBe('01\0!')
  await file.close()
})

test('files are made, renamed and removed in it alone', async () => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'sub'))
  for (const name of ['a', 'b']) writeFileSync(join(folder, name), name)
  const before = contentOf(folder)
  const disk = overlayDisk(systemDisk)
  const made = await disk.open(join(folder, 'new'), 'create')
  await made.write(Buffer.from('new'), 0)
  await made.close()
  await disk.rename(join(folder, 'new'), join(folder, 'b'))
  await disk.rename(join(folder, 'a'), join(folder, 'c'))
  await disk.makeFolder(join(folder, 'made'))
  expect(await disk.list(folder)).toEqual(['b', 'c', 'made', 'sub'])
  expect([await read(disk, join(folder, 'b')), await read(disk, join(folder, 'c'))]).toEqual(['new', 'a'])
  expect(await disk.list(join(folder, 'made'))).toEqual([])
  await disk.remove(join(folder, 'c'))
  await expect(disk.open(join(folder, 'c'), 'read')).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(disk.remove(join(folder, 'a'))).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(disk.open(join(folder, 'b'), 'create')).rejects.toMatchObject({ code: 'EEXIST' })
  await (await disk.open(join(folder, 'a'), 'create')).close() // it is gone
  await expect(disk.list(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'ENOENT' })
  expect(contentOf(folder)).toEqual(before)
})
