// Faults that a test makes on a simulated disk.

import { describe, expect, test } from 'vitest'
import type { DiskFile } from '@sluice/segments'
import { simulatedDisk, type DiskOperation, type SimulatedDisk } from '@sluice/segments/simulation'

const SEEDS = Array.from({ length: 40 }, (_, i) => i + 1)

async function withFile(content: string, seed: number = 1): Promise<{ disk: SimulatedDisk; file: DiskFile }> {
  const disk = simulatedDisk({ seed })
  disk.copyFrom(new Map([['/file', Buffer.from(content)]]))
  return { disk, file: await disk.open('/file', 'write') }
}

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'done',
    (error: NodeJS.ErrnoException) => error.code!,
  )

describe('a rule', () => {
  test('makes one operation fail, with its code and path, and nothing after it', async () => {
    const { disk, file } = await withFile('old')
    disk.fail({ operation: 'truncate', error: 'EIO' })
    await expect(file.truncate(1)).rejects.toMatchObject({
      code: 'EIO',
      path: '/file',
      message: expect.stringMatching(/EIO.*'\/file'/),
    })
    expect(disk.files().get('/file')!.toString()).toBe('old')
    await file.truncate(1)
    expect(disk.files().get('/file')!.toString()).toBe('o')
  })

  test('lets as many pass as it says, counted as they are called, and then makes as many fail', async () => {
    const { disk, file } = await withFile('old')
    disk.fail({ operation: 'write', error: 'EIO', after: 2, times: 3 })
    const writes = Array.from({ length: 7 }, (_, i) => codeOf(file.write(Buffer.from('x'), i)))
    expect(await Promise.all(writes)).toEqual(['done', 'done', 'EIO', 'EIO', 'EIO', 'done', 'done'])
  })

  test('holds until it is lifted', async () => {
    const { disk, file } = await withFile('old')
    const lift = disk.fail({ operation: ['write', 'sync'], error: 'EIO', times: Infinity })
    for (let i = 0; i < 3; i++) {
      expect(await codeOf(file.write(Buffer.from('x'), 0))).toBe('EIO')
      expect(await codeOf(file.sync())).toBe('EIO')
    }
    expect(await file.size()).toBe(3)
    lift()
    await file.write(Buffer.from('x'), 0)
    await file.sync()
  })

  test('concerns the paths that it says; a rename by either', async () => {
    const { disk } = await withFile('old')
    disk.copyFrom(new Map([['/other', Buffer.from('')]]))
    disk.fail({ path: /^\/other/g, error: 'EACCES', times: Infinity })
    await disk.open('/file', 'read')
    for (let i = 0; i < 2; i++) expect(await codeOf(disk.open('/other', 'read'))).toBe('EACCES')
    expect(await codeOf(disk.rename('/file', '/other'))).toBe('EACCES')
    expect(await codeOf(disk.rename('/other', '/file'))).toBe('EACCES')
    await disk.rename('/file', '/new')
  })

  test.each<[DiskOperation, (disk: SimulatedDisk, file: DiskFile) => Promise<unknown>]>([
    ['open', (disk) => disk.open('/file', 'read')],
    ['open', (disk) => disk.open('/new', 'create')],
    ['list', (disk) => disk.list('/')],
    ['makeFolder', (disk) => disk.makeFolder('/folder')],
    ['rename', (disk) => disk.rename('/file', '/new')],
    ['remove', (disk) => disk.remove('/file')],
    ['syncFolder', (disk) => disk.syncFolder('/')],
    ['size', (_, file) => file.size()],
    ['read', (_, file) => file.read(Buffer.alloc(3), 0)],
    ['truncate', (_, file) => file.truncate(0)],
    ['sync', (_, file) => file.sync()],
  ])('can concern %s, which then changes nothing', async (operation, call) => {
    const { disk, file } = await withFile('old')
    disk.fail({ operation, error: 'EIO' })
    expect(await codeOf(call(disk, file))).toBe('EIO')
    expect(await disk.list('/')).toEqual(['file'])
    expect(disk.files().get('/file')!.toString()).toBe('old')
    expect(await codeOf(call(disk, file))).toBe('done')
  })

  test('with EROFS spares what only reads (fault 59)', async () => {
    const { disk, file } = await withFile('old')
    disk.fail({ error: 'EROFS', times: Infinity })
    await disk.open('/file', 'read')
    await disk.list('/')
    await file.size()
    await file.read(Buffer.alloc(3), 0)
    const calls = [
      disk.open('/file', 'write'),
      disk.open('/new', 'create'),
      file.write(Buffer.from('x'), 0),
      file.sync(),
      disk.remove('/file'),
    ]
    expect(new Set(await Promise.all(calls.map(codeOf)))).toEqual(new Set(['EROFS']))
  })

  test('stays with the disk when the process is killed', async () => {
    const { disk } = await withFile('old')
    const lift = disk.fail({ operation: 'list', error: 'EIO', times: Infinity })
    const next = disk.crash({ power: false })
    expect(await codeOf(next.list('/'))).toBe('EIO')
    lift()
    expect(await next.list('/')).toEqual(['file'])
  })
})

describe('a write that fails', () => {
  test('may have written any part of it', async () => {
    const left = new Set<string>()
    for (const seed of SEEDS) {
      const { disk, file } = await withFile('----', seed)
      disk.fail({ operation: 'write', error: 'EIO' })
      expect(await codeOf(file.write(Buffer.from('abcd'), 0))).toBe('EIO')
      left.add(disk.files().get('/file')!.toString())
    }
    expect([...left].toSorted()).toEqual(['----', 'a---', 'ab--', 'abc-', 'abcd'])
  })

  test('has written as much as the rule says (fault 13)', async () => {
    const { disk, file } = await withFile('----')
    disk.fail({ operation: 'write', error: 'SHORT_WRITE', written: 2 })
    expect(await codeOf(file.write(Buffer.from('abcd'), 1))).toBe('SHORT_WRITE')
    expect(disk.files().get('/file')!.toString()).toBe('-ab-')
  })
})

describe('a sync that fails (fault 11)', () => {
  /** The first sector and the last of what was written before the failed sync, after a power cut; over the seeds. */
  async function leftAfter(course: (disk: SimulatedDisk, file: DiskFile) => Promise<unknown>): Promise<string[]> {
    const left = new Set<string>()
    for (const seed of SEEDS) {
      const { disk, file } = await withFile('o'.repeat(1024), seed)
      disk.fail({ operation: 'sync', error: 'EIO' })
      await file.write(Buffer.alloc(1024, 'n'), 0)
      expect(await codeOf(file.sync())).toBe('EIO')
      await course(disk, file)
      const content = disk.crash({ power: true }).files().get('/file')!
      left.add(content.toString('latin1', 0, 1) + content.toString('latin1', 1023))
    }
    return [...left].toSorted()
  }

  test('leaves what was written to be read, but after a power cut it is old or new', async () => {
    const course = async (disk: SimulatedDisk): Promise<void> => {
      expect(disk.files().get('/file')!.toString()).toBe('n'.repeat(1024))
    }
    expect(await leftAfter(course)).toEqual(['nn', 'no', 'on', 'oo'])
  })

  test('is not made good by a later one that succeeds', async () => {
    expect(await leftAfter((_, file) => file.sync())).toEqual(['nn', 'no', 'on', 'oo'])
  })

  test('is not made good by the next process, which can read all of it after kill -9', async () => {
    const left = new Set<string>()
    for (const seed of SEEDS) {
      const { disk, file } = await withFile('old', seed)
      disk.fail({ operation: 'sync', error: 'EIO' })
      await file.write(Buffer.from('new'), 0)
      expect(await codeOf(file.sync())).toBe('EIO')
      const next = disk.crash({ power: false })
      expect(next.files().get('/file')!.toString()).toBe('new')
      await (await next.open('/file', 'write')).sync()
      left.add(next.crash({ power: true }).files().get('/file')!.toString())
    }
    expect([...left].toSorted()).toEqual(['new', 'old'])
  })

  test('is over for a sector that is written and synced again', async () => {
    const course = async (_: SimulatedDisk, file: DiskFile): Promise<void> => {
      await file.write(Buffer.alloc(512, 'n'), 512)
      await file.sync()
    }
    expect(await leftAfter(course)).toEqual(['nn', 'on'])
  })

  test('may lose the size as well', async () => {
    const sizes = new Set<number>()
    for (const seed of SEEDS) {
      const { disk, file } = await withFile('old', seed)
      disk.fail({ operation: 'sync', error: 'EIO' })
      await file.write(Buffer.from('longer'), 0)
      expect(await codeOf(file.sync())).toBe('EIO')
      await file.sync()
      sizes.add(disk.crash({ power: true }).files().get('/file')!.length)
    }
    expect(sizes).toEqual(new Set([3, 6]))
  })
})

describe('a disk with a capacity (faults 9, 10)', () => {
  test('rejects with ENOSPC what doesn’t fit, and takes the part that does', async () => {
    const disk = simulatedDisk({ capacityBytes: 2048 })
    const file = await disk.open('/file', 'create')
    await file.write(Buffer.alloc(1024, 'a'), 0)
    await expect(file.write(Buffer.alloc(2000, 'b'), 1024)).rejects.toMatchObject({ code: 'ENOSPC', path: '/file' })
    expect(await file.size()).toBe(2048)
    expect(await codeOf(file.write(Buffer.from('x'), 2048))).toBe('ENOSPC')
    await file.write(Buffer.alloc(2048, 'c'), 0) // it has this space already
    await file.sync()
  })

  test('gives space back when a file is cut off, removed or replaced, but not while it is open', async () => {
    const disk = simulatedDisk({ capacityBytes: 1024 })
    const file = await disk.open('/file', 'create')
    const other = await disk.open('/other', 'create')
    const write = (): Promise<string> => codeOf(other.write(Buffer.alloc(512), 0))
    await file.write(Buffer.alloc(1024), 0)
    expect(await write()).toBe('ENOSPC')
    await file.truncate(512)
    expect(await write()).toBe('done')
    await other.truncate(0)
    await file.write(Buffer.alloc(1024), 0)
    await disk.remove('/file')
    expect(await write()).toBe('ENOSPC')
    await file.close()
    expect(await write()).toBe('done')
    await disk.open('/third', 'create')
    await disk.rename('/third', '/other')
    await other.close()
    const last = await disk.open('/last', 'create')
    expect(await codeOf(last.write(Buffer.alloc(1024), 0))).toBe('done')
  })

  test('can grow and shrink while it is used; what was lengthened by zeros takes no space yet', async () => {
    const disk = simulatedDisk()
    const file = await disk.open('/file', 'create')
    await file.write(Buffer.alloc(1024), 0)
    disk.capacityBytes = 512
    expect(await codeOf(file.write(Buffer.alloc(1), 1024))).toBe('ENOSPC')
    await file.truncate(10_000)
    await file.write(Buffer.from('x'), 100)
    expect(await codeOf(file.write(Buffer.alloc(1), 5000))).toBe('ENOSPC')
    disk.capacityBytes = 2048
    expect(await codeOf(file.write(Buffer.alloc(1), 5000))).toBe('done')
    disk.capacityBytes = 1024
    const next = disk.crash({ power: false })
    const again = await next.open('/file', 'write')
    expect(await codeOf(again.write(Buffer.alloc(1), 8000))).toBe('ENOSPC')
  })
})
