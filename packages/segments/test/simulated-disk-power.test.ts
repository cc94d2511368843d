// What a simulated disk keeps when its power is cut (fault 4).

import { describe, expect, test } from 'vitest'
import type { Disk } from '@sluice/segments'
import { simulatedDisk, type SimulatedDisk } from '@sluice/segments/simulation'
import { putDurably, SECTOR, sectors, SEEDS } from './simulated-disk-support.ts'

/** What a power cut leaves, over many seeds: each result once, sorted. */
async function outcomes(
  prepare: (disk: SimulatedDisk) => Promise<void>,
  look: (disk: SimulatedDisk) => string,
): Promise<string[]> {
  const seen = new Set<string>()
  for (const seed of SEEDS) {
    const disk = simulatedDisk({ seed })
    await prepare(disk)
    seen.add(look(disk.crash({ power: true })))
  }
  return [...seen].toSorted()
}

describe('after a power cut', () => {
  test('each sector of a write that was not synced is old or new, independently', async () => {
    const left = await outcomes(
      async (disk) => {
        const file = await putDurably(disk, '/file', Buffer.alloc(3 * SECTOR, 'a'))
        await file.write(Buffer.alloc(3 * SECTOR, 'b'), 0)
      },
      (disk) => sectors(disk.files().get('/file')),
    )
    expect(left).toEqual(['aaa', 'aab', 'aba', 'abb', 'baa', 'bab', 'bba', 'bbb'])
  })

  test('a sector is whole: any of the contents that it had since its last sync', async () => {
    const left = await outcomes(
      async (disk) => {
        const file = await putDurably(disk, '/file', Buffer.from('----'))
        await file.write(Buffer.from('1'), 0)
        await file.write(Buffer.from('2'), 2)
        await file.write(Buffer.from('3'), 0)
      },
      (disk) => disk.files().get('/file')!.toString(),
    )
    expect(left).toEqual(['----', '1---', '1-2-', '3-2-'])
  })

  test('what was synced is there, also where it was overwritten and not synced again', async () => {
    const left = await outcomes(
      async (disk) => {
        const file = await putDurably(disk, '/file', Buffer.alloc(2 * SECTOR, 'a'))
        await file.write(Buffer.alloc(SECTOR, 'b'), 0)
        await file.sync()
        await file.write(Buffer.alloc(SECTOR, 'c'), SECTOR)
      },
      (disk) => sectors(disk.files().get('/file')),
    )
    expect(left).toEqual(['ba', 'bc'])
  })

  test('a file that grew has its old size or a new one, and zeros where its data didn’t follow', async () => {
    const left = await outcomes(
      async (disk) => {
        const file = await putDurably(disk, '/file', Buffer.alloc(SECTOR, 'a'))
        await file.write(Buffer.alloc(SECTOR, 'b'), SECTOR)
        await file.write(Buffer.alloc(SECTOR, 'c'), 2 * SECTOR)
      },
      (disk) => sectors(disk.files().get('/file')),
    )
    expect(left).toEqual(['a', 'a0', 'a00', 'a0c', 'ab', 'ab0', 'abc'])
  })

  test('a file that was cut off has its old size or the new one; beyond that it is zeros when it grows again', async () => {
    const sizes = new Set<number>()
    for (const seed of SEEDS) {
      const disk = simulatedDisk({ seed })
      const file = await putDurably(disk, '/file', Buffer.alloc(3 * SECTOR, 'a'))
      await file.truncate(700)
      const next = disk.crash({ power: true })
      sizes.add(next.files().get('/file')!.length)
      const again = await next.open('/file', 'write')
      await again.truncate(700)
      await again.truncate(3 * SECTOR)
      const content = next.files().get('/file')!
      expect(content.subarray(700).equals(Buffer.alloc(3 * SECTOR - 700))).toBe(true)
      await again.sync()
      expect(next.crash({ power: true }).files().get('/file')).toEqual(content)
    }
    expect([...sizes].toSorted((a, b) => a - b)).toEqual([700, 3 * SECTOR])
  })

  test('a sync covers what had completed when it was called, not what completed while it was under way', async () => {
    const left = new Set<string>()
    for (const seed of SEEDS) {
      const disk = simulatedDisk({ seed })
      const file = await putDurably(disk, '/file', Buffer.alloc(2 * SECTOR, 'a'))
      await file.write(Buffer.alloc(SECTOR, 'b'), 0)
      const order: string[] = []
      const write = file.write(Buffer.alloc(SECTOR, 'b'), SECTOR).then(() => order.push('write'))
      await Promise.all([write, file.sync().then(() => order.push('sync'))])
      if (order[0] === 'write') left.add(sectors(disk.crash({ power: true }).files().get('/file')))
    }
    expect(left).toEqual(new Set(['ba', 'bb']))
  })

  test('a folder’s sync covers what had completed when it was called', async () => {
    const left = new Set<string>()
    for (const seed of SEEDS) {
      const disk = simulatedDisk({ seed })
      await disk.open('/a', 'create')
      const order: string[] = []
      const create = disk.open('/b', 'create').then(() => order.push('create'))
      await Promise.all([create, disk.syncFolder('/').then(() => order.push('sync'))])
      if (order[0] === 'create') left.add([...disk.crash({ power: true }).files().keys()].join(' '))
    }
    expect(left).toEqual(new Set(['/a', '/a /b']))
  })

  test('a file that was synced may have no name, until its folder is synced', async () => {
    const create = async (disk: Disk): Promise<void> => {
      const file = await disk.open('/file', 'create')
      await file.write(Buffer.from('synced'), 0)
      await file.sync()
    }
    const look = (disk: SimulatedDisk): string => disk.files().get('/file')?.toString() ?? 'gone'
    expect(await outcomes(create, look)).toEqual(['gone', 'synced'])
    const createAndSync = async (disk: Disk): Promise<void> => {
      await create(disk)
      await disk.syncFolder('/')
    }
    expect(await outcomes(createAndSync, look)).toEqual(['synced'])
  })

  test('a name that was synced may lead to an empty file, until the file is synced', async () => {
    const left = await outcomes(
      async (disk) => {
        const file = await disk.open('/file', 'create')
        await file.write(Buffer.from('new'), 0)
        await disk.syncFolder('/')
      },
      (disk) => JSON.stringify(disk.files().get('/file')!.toString()),
    )
    expect(left).toEqual(['""', String.raw`"\u0000\u0000\u0000"`, '"new"'])
  })

  test('of a folder’s changes a beginning is there, in their order', async () => {
    const left = await outcomes(
      async (disk) => {
        for (const name of ['a', 'b', 'c']) await disk.open(`/${name}`, 'create')
        await disk.syncFolder('/')
        await disk.remove('/a')
        await disk.rename('/b', '/d')
        await disk.rename('/c', '/d')
      },
      (disk) => [...disk.files().keys()].join(' '),
    )
    expect(left).toEqual(['/a /b /c', '/b /c', '/c /d', '/d'])
  })

  test('what a rename replaced is there, or what replaced it: never neither', async () => {
    const left = await outcomes(
      async (disk) => {
        await putDurably(disk, '/file', Buffer.from('old'))
        await putDurably(disk, '/new', Buffer.from('new'))
        await disk.rename('/new', '/file')
      },
      (disk) => Array.from(disk.files(), ([path, content]) => `${path}=${content.toString()}`).join(' '),
    )
    expect(left).toEqual(['/file=new', '/file=old /new=new'])
  })

  test('a file that moved to another folder is there, or here, or at both: never nowhere', async () => {
    const move = async (disk: Disk): Promise<void> => {
      await disk.makeFolder('/here')
      await disk.makeFolder('/there')
      await putDurably(disk, '/here/file', Buffer.from('content'))
      await disk.rename('/here/file', '/there/file')
    }
    const look = (disk: SimulatedDisk): string => [...disk.files().keys()].join(' ')
    const [both, here, there] = ['/here/file /there/file', '/here/file', '/there/file'] as const
    expect(await outcomes(move, look)).toEqual([here, both, there])
    const moveAndSync = (folder: string) => async (disk: Disk) => {
      await move(disk)
      await disk.syncFolder(folder)
    }
    expect(await outcomes(moveAndSync('/there'), look)).toEqual([both, there])
    expect(await outcomes(moveAndSync('/here'), look)).toEqual([there])
  })

  test('a folder that moved is at one of its two places', async () => {
    const left = await outcomes(
      async (disk) => {
        await disk.makeFolder('/data/broker')
        await disk.makeFolder('/trash')
        await putDurably(disk, '/data/broker/file', Buffer.from('content'))
        await disk.rename('/data/broker', '/trash/broker')
      },
      (disk) => [...disk.files().keys()].join(' '),
    )
    expect(left).toEqual(['/data/broker/file', '/trash/broker/file'])
  })

  test('a removed file is back, unless its folder was synced', async () => {
    const remove = async (disk: Disk): Promise<void> => {
      const file = await putDurably(disk, '/file', Buffer.from('content'))
      await file.close()
      await disk.remove('/file')
    }
    const look = (disk: SimulatedDisk): string => disk.files().get('/file')?.toString() ?? 'gone'
    expect(await outcomes(remove, look)).toEqual(['content', 'gone'])
    const removeAndSyncAnother = async (disk: Disk): Promise<void> => {
      await disk.makeFolder('/another')
      await remove(disk)
      await disk.syncFolder('/another')
    }
    expect(await outcomes(removeAndSyncAnother, look)).toEqual(['content', 'gone'])
    const removeAndSync = async (disk: Disk): Promise<void> => {
      await remove(disk)
      await disk.syncFolder('/')
    }
    expect(await outcomes(removeAndSync, look)).toEqual(['gone'])
  })

  test('a folder made by makeFolder is there with those above it, also where an earlier process was killed over it', async () => {
    for (const seed of SEEDS) {
      const first = simulatedDisk({ seed })
      void first.makeFolder('/a/b/c')
      const second = first.crash({ power: false })
      await second.makeFolder('/a/b/c')
      await putDurably(second, '/a/b/c/file', Buffer.from('kept'))
      expect([...second.crash({ power: true }).files().keys()]).toEqual(['/a/b/c/file'])
    }
  })

  test('a file that was made and removed may be there, although nobody has it open', async () => {
    const left = await outcomes(
      async (disk) => {
        await disk.makeFolder('/another')
        const file = await disk.open('/file', 'create')
        await file.close()
        await disk.remove('/file')
        await disk.syncFolder('/another')
      },
      (disk) => [...disk.files().keys()].join(' '),
    )
    expect(left).toEqual(['', '/file'])
  })

  test('what survived is durable', async () => {
    for (const seed of SEEDS) {
      const disk = simulatedDisk({ seed })
      const file = await putDurably(disk, '/file', Buffer.alloc(4 * SECTOR, 'a'))
      await file.write(Buffer.alloc(5 * SECTOR, 'b'), SECTOR)
      await disk.open('/other', 'create')
      const next = disk.crash({ power: true })
      const found = next.files()
      expect(next.crash({ power: true }).files()).toEqual(found)
    }
  })
})
