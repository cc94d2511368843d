// A simulated disk: what it keeps when its process is killed, when its operations complete, that a seed repeats it.

import { describe, expect, test } from 'vitest'
import { manualClock } from '@sluice/clock'
import { seededRandom, simulatedDisk, type SimulatedDisk } from '@sluice/segments/simulation'
import { putDurably, SECTOR, sectors, SEEDS } from './simulated-disk-support.ts'

describe('after kill -9', () => {
  test('all that had completed is there, and none of it is durable for that', async () => {
    const afterPower = new Set<string>()
    for (const seed of SEEDS) {
      const disk = simulatedDisk({ seed })
      const file = await putDurably(disk, '/file', Buffer.from('old'))
      await file.write(Buffer.from('new'), 0)
      await disk.open('/other', 'create')
      const next = disk.crash({ power: false })
      const read = (): string => Array.from(next.files(), ([path, bytes]) => `${path}=${bytes.toString()}`).join(' ')
      expect(read()).toBe('/file=new /other=')
      afterPower.add(next.crash({ power: true }).files().get('/file')!.toString())
    }
    expect([...afterPower].toSorted()).toEqual(['new', 'old'])
  })

  test('a write that was under way is there wholly, in part or not at all', async () => {
    const seen = new Set<string>()
    for (const seed of SEEDS) {
      const disk = simulatedDisk({ seed })
      const file = await putDurably(disk, '/file', Buffer.from('----'))
      void file.write(Buffer.from('abcd'), 0)
      seen.add(disk.crash({ power: false }).files().get('/file')!.toString())
    }
    expect([...seen].toSorted()).toEqual(['----', 'a---', 'ab--', 'abc-', 'abcd'])
  })

  test('of the folders that makeFolder was making some may be there, the outer ones first', async () => {
    const seen = new Set<string>()
    for (const seed of SEEDS) {
      const disk = simulatedDisk({ seed })
      void disk.makeFolder('/a/b/c')
      const next = disk.crash({ power: false })
      let path = ''
      for (let [name] = await next.list('/'); name !== undefined; [name] = await next.list(path)) path += `/${name}`
      seen.add(path)
    }
    expect(seen).toEqual(new Set(['', '/a', '/a/b', '/a/b/c']))
  })

  test('the process is over: what was under way never resolves, and every call rejects with EBADF', async () => {
    const disk = simulatedDisk()
    const file = await putDurably(disk, '/file', Buffer.from('old'))
    let ended = 0
    const count = (): void => void ended++
    for (const call of [file.write(Buffer.from('new'), 0), file.sync(), disk.list('/'), disk.remove('/file')]) {
      call.then(count, count)
    }
    expect(disk.pending).toBe(4)
    const next = disk.crash({ power: false })
    expect(disk.pending).toBe(0)
    const calls = [
      file.size(),
      file.read(Buffer.alloc(1), 0),
      file.write(Buffer.from('x'), 0),
      file.sync(),
      file.truncate(0),
      disk.open('/file', 'read'),
      disk.list('/'),
      disk.makeFolder('/a'),
      disk.rename('/file', '/b'),
      disk.remove('/file'),
      disk.syncFolder('/'),
    ]
    await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject({ code: 'EBADF' })))
    await file.close()
    expect(() => disk.files()).toThrow('crash() returned')
    expect(() => disk.crash({ power: true })).toThrow('crash() returned')
    // Whatever the next process does, nothing of the first one moves.
    await next.list('/')
    await next.list('/')
    expect(ended).toBe(0)
  })
})

describe('the order in which operations complete', () => {
  async function order(disk: SimulatedDisk): Promise<string> {
    const file = await disk.open('/file', 'create')
    let done = ''
    const write = async (name: string): Promise<void> => {
      await file.write(Buffer.from(name), 0)
      done += name
    }
    await Promise.all(['a', 'b', 'c', 'd'].map(write))
    expect(disk.files().get('/file')!.toString()).toBe(done.at(-1))
    return done
  }

  test.each(['immediate', 'microtask'] as const)('is any (%s), and the same for the same seed', async (turn) => {
    const orders = await Promise.all(SEEDS.map((seed) => order(simulatedDisk({ seed, turn }))))
    expect(new Set(orders).size).toBeGreaterThan(10)
    expect(await Promise.all(SEEDS.map((seed) => order(simulatedDisk({ seed, turn }))))).toEqual(orders)
  })

  test('follows from delays on the clock, up to the latency, which may change', async () => {
    const clock = manualClock()
    const disk = simulatedDisk({ clock, latencyMs: 10 })
    disk.copyFrom(new Map([['/file', Buffer.from('old')]]))
    const opening = disk.open('/file', 'write')
    clock.advance(10)
    const file = await opening
    const ended: number[] = []
    for (let i = 0; i < 50; i++) void file.write(Buffer.from('x'), i).then(() => ended.push(i))
    expect(disk.pending).toBe(50)
    clock.advance(5)
    await Promise.resolve()
    expect(disk.pending).toBeGreaterThan(10)
    expect(disk.pending).toBeLessThan(40)
    clock.advance(5)
    expect(disk.pending).toBe(0)
    await Promise.resolve()
    expect(ended).toHaveLength(50)
    expect(ended).not.toEqual(ended.toSorted((a, b) => a - b))

    disk.latencyMs = 10_000 // fault 12
    for (let i = 0; i < 50; i++) void file.sync()
    clock.advance(5000)
    expect(disk.pending).toBeGreaterThan(10)
    disk.crash({ power: false })
    await file.close()
    expect(clock.pending).toBe(0)
  })
})

test('the same seed and the same calls leave the same after a crash', async () => {
  const course = async (seed: number): Promise<string> => {
    const disk = simulatedDisk({ seed })
    const file = await putDurably(disk, '/file', Buffer.alloc(8 * SECTOR, 'a'))
    void file.write(Buffer.alloc(8 * SECTOR, 'b'), 0)
    await file.write(Buffer.alloc(4 * SECTOR, 'c'), 0)
    const killed = disk.crash({ power: false })
    const again = await killed.open('/file', 'write')
    await again.write(Buffer.alloc(2 * SECTOR, 'd'), 0)
    return sectors(killed.crash({ power: true }).files().get('/file'))
  }
  const courses = await Promise.all(SEEDS.map(course))
  expect(new Set(courses).size).toBeGreaterThan(30)
  expect(await Promise.all(SEEDS.map(course))).toEqual(courses)
})

test('seeded random numbers spread from 0 up to 1', () => {
  const random = seededRandom(7)
  const tenths = Array.from({ length: 10 }, () => 0)
  for (let i = 0; i < 10_000; i++) tenths[Math.floor(random() * 10)]!++
  expect(tenths).toHaveLength(10)
  for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150)
})

describe('helpers', () => {
  test('files can be taken out, put back and damaged, and all of it is durable', async () => {
    const disk = simulatedDisk()
    disk.copyFrom(
      new Map([
        ['/data/a/1', Buffer.alloc(1500, 'x')],
        ['/data/2', Buffer.alloc(0)],
      ]),
    )
    expect(await disk.list('/data')).toEqual(['2', 'a'])
    disk.damage('/data/a/1', 1000, Buffer.from('damage'))
    disk.damage('/data/a/1', 3)
    const files = disk.files()
    const expected = Buffer.alloc(1500, 'x')
    expected.write('damage', 1000)
    expected[3] = 'x'.charCodeAt(0) ^ 1
    expect(files.get('/data/a/1')!.equals(expected)).toBe(true)
    expect(() => disk.damage('/data/a/1', 1499, Buffer.from('ab'))).toThrow(RangeError)
    expect(() => disk.damage('/data/2', 0)).toThrow(RangeError)
    expect(() => disk.damage('/data/none', 0)).toThrow('ENOENT')
    const next = disk.crash({ power: true })
    expect(next.files()).toEqual(files)
    const copy = simulatedDisk()
    copy.copyFrom(files)
    expect(copy.files()).toEqual(files)
    copy.copyFrom(new Map([['/data/2', Buffer.from('more')]]))
    expect(copy.files().get('/data/2')!.toString()).toBe('more')
    expect(copy.files().size).toBe(2)
  })

  test('damage stays, whatever a power cut makes of what was written before', async () => {
    for (const seed of SEEDS) {
      const disk = simulatedDisk({ seed })
      const file = await putDurably(disk, '/file', Buffer.from('old'))
      await file.write(Buffer.from('new'), 0)
      disk.damage('/file', 1, Buffer.from('!'))
      expect(disk.crash({ power: true }).files().get('/file')!.toString()).toMatch(/^(o!d|n!w)$/)
    }
  })
})
