// What the tests of simulated disks share.

import type { Disk, DiskFile } from '@sluice/segments'

export const SECTOR = 512
export const SEEDS: readonly number[] = Array.from({ length: 60 }, (_, i) => i + 1)

/** A durable file with a durable name. */
export async function putDurably(disk: Disk, path: string, content: Buffer): Promise<DiskFile> {
  const file = await disk.open(path, 'create')
  await file.write(content, 0)
  await file.sync()
  await disk.syncFolder(path.slice(0, path.lastIndexOf('/')) || '/')
  return file
}

/** `aabb`: the first letter of each sector. */
export const sectors = (content: Buffer | undefined): string =>
  content === undefined
    ? 'gone'
    : Array.from({ length: Math.ceil(content.length / SECTOR) }, (_, i) => letter(content[i * SECTOR]!)).join('')
const letter = (byte: number): string => (byte === 0 ? '0' : String.fromCharCode(byte))
