// The data directory: one process at a time, one format, and a trash that is emptied after a day.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { manualClock, type ManualClock } from '@sluice/clock'
import { dataDirectory, type DataDirectory } from '@sluice/controller'
import { contentOf, temporaryFolder } from './folders.ts'
import { settle } from './scene.ts'

const HOUR_MS = 3600 * 1000
const SHOP = { kind: 'Broker', uid: '5a1d2c3b-0000-5000-8000-000000000001', namespace: 'default', name: 'shop' }
const OTHER = { kind: 'Broker', uid: '5a1d2c3b-0000-5000-8000-000000000002', namespace: 'default', name: 'other' }

function directory(path: string, clock: ManualClock = manualClock()): DataDirectory {
  const data = dataDirectory({ path, clock })
  onTestFinished(() => data.close())
  return data
}

describe('opening', () => {
  test('makes it, with its lock and its format; not asked for, nothing is made', async () => {
    const path = join(temporaryFolder(), 'a', 'data')
    const data = directory(path)
    expect(existsSync(path)).toBe(false)
    await data.open()
    expect(readdirSync(path)).toEqual(['LOCK', 'format'])
    expect(readFileSync(join(path, 'format'), 'utf8')).toBe('1\n')
  })

  test('fault 17: a second one is refused, in words, and may have it after the first', async () => {
    const path = temporaryFolder()
    const [first, second] = [directory(path), directory(path)]
    await first.open()
    await expect(second.open()).rejects.toMatchObject({
      code: 'SLUICE_DATA_LOCKED',
      message:
        `The data directory ${path} is in use by another process, and serves one at a time. ` +
        'Stop that one, or name another data directory (--data).',
    })
    expect(second.isOpen).toBe(false)
    await first.close()
    await second.open()
    expect(second.isOpen).toBe(true)
  })

  test.each(['2\n', '1.1\n', '', '{"format":2}', 'x'.repeat(10_000)])(
    'fault 18: a format that is not known, such as %j, is refused, and nothing is changed',
    async (format) => {
      const path = temporaryFolder()
      mkdirSync(join(path, 'brokers'))
      writeFileSync(join(path, 'format'), format)
      const before = contentOf(path)
      await expect(directory(path).open()).rejects.toMatchObject({
        code: 'SLUICE_DATA_FORMAT',
        message: expect.stringMatching(
          /format says ".{0,20}", and this version of Sluice knows only "1"\. Nothing was/,
        ),
      })
      expect(contentOf(path)).toEqual(before)
    },
  )

  test('goes on where an earlier one was killed before its format was whole', async () => {
    const path = temporaryFolder()
    for (const left of ['LOCK', 'format.new']) writeFileSync(join(path, left), '')
    await directory(path).open()
    expect(readFileSync(join(path, 'format'), 'utf8')).toBe('1\n')
  })

  test('says what is wrong where it can’t be made, and works once it can', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'file'), '')
    const path = join(folder, 'file', 'data')
    const data = directory(path)
    await expect(data.open()).rejects.toMatchObject({
      code: 'SLUICE_DISK',
      retryable: true,
      message: expect.stringMatching(/^The data directory .* can't be used: ENOTDIR.*\. Make it writable, or name/),
    })
    const later = directory(join(folder, 'data'))
    writeFileSync(join(folder, 'data'), '')
    await expect(later.open()).rejects.toThrow("can't be used")
    rmSync(join(folder, 'data'))
    await later.open()
  })
})

test('a Broker’s folder says whose it is', async () => {
  const path = temporaryFolder()
  const data = directory(path)
  const folder = await data.makeBrokerFolder(SHOP)
  expect(folder).toBe(`${path}/brokers/${SHOP.uid}`)
  expect(readFileSync(join(folder, 'name'), 'utf8')).toBe('default/shop\n')
  expect([data.holds(SHOP), data.holds(OTHER)]).toEqual([true, false])
})

describe('the trash', () => {
  const inTrash = (path: string): string[] => (existsSync(join(path, 'trash')) ? readdirSync(join(path, 'trash')) : [])

  test('has the data of a Broker for 24 h, whatever the wall clock does meanwhile (fault 19)', async () => {
    const path = temporaryFolder()
    const clock = manualClock(Date.UTC(2026, 10, 24, 20, 40, 57, 377))
    const data = directory(path, clock)
    writeFileSync(join(await data.makeBrokerFolder(SHOP), 'events'), 'kept')
    const folder = `${path}/trash/${SHOP.uid}-20261124T204057377Z`
    expect(await data.discard(SHOP)).toEqual({
      of: 'Broker',
      broker: 'default/shop',
      folder,
      untilMs: clock.now() + 24 * HOUR_MS,
    })
    expect(data.holds(SHOP)).toBe(false)
    expect(readFileSync(join(folder, 'events'), 'utf8')).toBe('kept')

    clock.jump(365 * 24 * HOUR_MS)
    await data.makeBrokerFolder(OTHER)
    await data.discard(OTHER) // which looks at the others
    expect(existsSync(folder)).toBe(true)
    clock.advance(24 * HOUR_MS - 1)
    await settle()
    expect(existsSync(folder)).toBe(true)
    clock.advance(1)
    while (existsSync(folder)) await settle()
    expect(clock.pending).toBe(0)
  })

  test('is emptied by a later process as well, of what is due', async () => {
    const path = temporaryFolder()
    const clock = manualClock()
    const first = directory(path, clock)
    await first.makeBrokerFolder(SHOP)
    await first.makeBrokerFolder(OTHER)
    await first.discard(SHOP)
    clock.advance(HOUR_MS)
    await first.discard(OTHER)
    await first.close()
    expect(clock.pending).toBe(0)
    clock.advance(23 * HOUR_MS)

    await directory(path, clock).open()
    expect(inTrash(path)).toHaveLength(1)
    expect(inTrash(path)[0]).toContain(OTHER.uid)
    clock.advance(HOUR_MS)
    while (inTrash(path).length > 0) await settle()
  })

  test('takes the same Broker twice in a moment, and leaves alone what is not its own', async () => {
    const path = temporaryFolder()
    mkdirSync(join(path, 'trash', 'notes'), { recursive: true })
    const clock = manualClock()
    const data = directory(path, clock)
    for (let times = 0; times < 2; times++) {
      await data.makeBrokerFolder(SHOP)
      await data.discard(SHOP)
    }
    expect(inTrash(path)).toHaveLength(3)
    clock.advance(25 * HOUR_MS)
    while (inTrash(path).length > 1) await settle()
    expect(inTrash(path)).toEqual(['notes'])
  })

  test('takes all Brokers but those that are named', async () => {
    const path = temporaryFolder()
    const data = directory(path)
    await data.makeBrokerFolder(SHOP)
    await data.makeBrokerFolder(OTHER)
    writeFileSync(`${data.brokerFolder(OTHER)}/name`, 'damaged')
    const discarded = await data.discardOthers(new Set([SHOP.uid]))
    expect(discarded.map(({ broker }) => broker)).toEqual([OTHER.uid])
    expect([data.holds(SHOP), data.holds(OTHER)]).toEqual([true, false])
  })

  test('takes nothing of a Broker that has no data', async () => {
    const data = directory(temporaryFolder())
    expect(await data.discard(SHOP)).toBeUndefined()
    await data.open()
    expect(await data.discard(SHOP)).toBeUndefined()
    expect(await data.discardOthers(new Set())).toEqual([])
  })
})
