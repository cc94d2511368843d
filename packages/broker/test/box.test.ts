// The dead-letter box, in memory and on the disk alike (DESIGN "The dead-letter box").

import { describe, expect, test } from 'vitest'
import { manualClock } from '@sluice/clock'
import type { DeadLetter, NewDeadLetter } from '@sluice/channel'
import { memoryBox } from '@sluice/broker'
import { BOXES, entry, eventsIn, put } from './boxes.ts'
import { event } from './scene.ts'

const MIB = 1024 * 1024

test('the box in memory has 64 MiB, and a quarter of them for each trigger, unless told otherwise', () => {
  const box = memoryBox({ clock: manualClock() })
  expect(box.usage().bytesMax).toBe(64 * MIB)
  expect(box.usage('default/billing').bytesMax).toBe(16 * MIB)
})

describe.each(BOXES)('the box: %s', (_name, open) => {
  test('an entry comes out as it went in, with its id and when it came', async () => {
    const clock = manualClock(1000)
    const box = await open({ clock })
    const whole: NewDeadLetter = {
      event: event({ id: 'ä', count: 7, flag: true }, Buffer.from('{"a":1}'), ['traceparent', '00-1']),
      trigger: 'default/büro',
      triggerId: 'uid-ü',
      reason: 'loop',
      attempts: 123_456,
      code: 502,
      error: 'zu spät',
      response: Buffer.from('nö'),
    }
    whole.event.hops = 3
    const bare: NewDeadLetter = { ...whole, event: event({ id: '2' }), reason: 'sink', response: undefined, error: '' }
    const ids = [await box.append(whole), await box.append(bare)].map((each) => (each.stored ? each.id : 'refused'))
    const found = await Promise.all(ids.map((id) => box.get(id)))
    expect(found.map((each) => plain(each!))).toEqual([
      { ...plain({ ...whole, id: ids[0]!, time: 1000 }) },
      { ...plain({ ...bare, id: ids[1]!, time: 1000 }) },
    ])
    expect(await box.list()).toEqual(found)
  })

  test('entries are listed in the order they came, by trigger, and page by page', async () => {
    const box = await open({})
    const ids: string[] = []
    for (const id of ['1', '2', '3', '4']) ids.push(await put(box, id, id === '2' ? 'audit' : 'billing'))
    const listed = async (options: Parameters<typeof box.list>[0]): Promise<string[]> =>
      (await box.list(options)).map((each) => each.event.id)
    expect(await listed({})).toEqual(['1', '2', '3', '4'])
    expect(await listed({ trigger: 'default/billing', limit: 2 })).toEqual(['1', '3'])
    expect(await listed({ trigger: 'default/billing', after: ids[2]! })).toEqual(['4'])
    expect(await listed({ trigger: 'default/nobody' })).toEqual([])
    await box.remove(ids[2]!)
    expect(await listed({ after: ids[2]! })).toEqual(['4'])
    expect(await eventsIn(box, undefined, 1)).toEqual(['1', '2', '4'])
  })

  test.each(['999', 'x', '', '-1', '1.5', '__proto__'])('there is no entry "%s"', async (id) => {
    const box = await open({})
    await put(box, '1')
    expect(await box.get(id)).toBeUndefined()
    expect(await box.remove(id)).toBe(false)
    expect(await box.replace(id, entry('2'))).toBe(false)
    expect(await eventsIn(box)).toEqual(['1'])
  })

  test('a full box refuses, and stores again what fits once an entry is gone', async () => {
    const size = await sizeOf(open)
    const box = await open({ bytesMax: size * 2, triggerBytesMax: size * 2 })
    const first = await put(box, '1')
    await put(box, '2')
    expect(await box.append(entry('3'))).toEqual({ stored: false, reason: 'full' })
    expect(await box.remove(first)).toBe(true)
    expect(await box.remove(first)).toBe(false)
    expect(await box.append(entry('3'))).toMatchObject({ stored: true })
    expect(await eventsIn(box)).toEqual(['2', '3'])
  })

  test('appends that come at once do not fill it beyond its bounds', async () => {
    const size = await sizeOf(open)
    const box = await open({ bytesMax: size * 3, triggerBytesMax: size * 2 })
    const names = ['billing', 'billing', 'billing', 'audit', 'audit']
    const appended = await Promise.all(names.map((name, i) => box.append(entry(String(i), name))))
    expect(appended.map(({ stored }) => stored)).toEqual([true, true, false, true, false])
  })

  test('one trigger fills its share and no more', async () => {
    const size = await sizeOf(open)
    const box = await open({ bytesMax: size * 4, triggerBytesMax: size })
    const first = await put(box, '1')
    expect(await box.append(entry('2', 'billing'))).toMatchObject({ stored: false })
    expect(await box.append(entry('3', 'audit'))).toMatchObject({ stored: true })
    await box.remove(first)
    expect(await box.append(entry('2', 'billing'))).toMatchObject({ stored: true })
  })

  test('an entry larger than the bound is taken alone, so that no trigger stands still for ever', async () => {
    const box = await open({ bytesMax: 1000, triggerBytesMax: 100 })
    const large = await put(box, '1', 'billing', 5000)
    expect(await box.append(entry('1', 'billing', 5000))).toMatchObject({ stored: false })
    expect(await box.append(entry('2', 'audit'))).toMatchObject({ stored: false })
    await box.remove(large)
    expect(await box.append(entry('2', 'audit'))).toMatchObject({ stored: true })
  })

  test('a replaced entry keeps its id, its place and its time, and counts with its new size, in a full box too', async () => {
    const clock = manualClock(1000)
    const size = await sizeOf(open)
    const box = await open({ clock, bytesMax: size * 2, triggerBytesMax: size * 2 })
    const first = await put(box, '1')
    await put(box, '2')
    clock.advance(5000)
    const before = box.usage().bytes
    const words = 'it failed once more, and it took longer to say so'
    expect(await box.replace(first, { ...entry('1'), attempts: 6, error: words })).toBe(true)
    expect((await box.list()).map(({ id, time, attempts, error }) => [id, time, attempts, error])).toMatchObject([
      [first, 1000, 6, words],
      [expect.anything(), 1000, 3, 'full'],
    ])
    const { events, bytes } = box.usage()
    expect(events).toBe(2)
    expect(bytes).toBeGreaterThan(before + 40)
    await box.clear()
    expect(box.usage()).toMatchObject({ events: 0, bytes: 0 })
  })

  test('what was removed can not be replaced, and is not there again', async () => {
    const box = await open({})
    const id = await put(box, '1')
    const [removed, replaced] = await Promise.all([box.remove(id), box.replace(id, entry('1'))])
    expect(removed).toBe(true)
    expect(await box.get(id)).toBeUndefined()
    expect(await box.replace(id, entry('1'))).toBe(false)
    expect(box.usage()).toMatchObject({ events: 0, bytes: 0 })
    expect(typeof replaced).toBe('boolean') // it came before, or it didn't count
  })

  test('of two that remove one entry at once, one is told that it was there', async () => {
    const box = await open({})
    const id = await put(box, '1')
    expect(await Promise.all([box.remove(id), box.remove(id)])).toEqual([true, false])
  })

  test('a box is cleared of one trigger, or of everything', async () => {
    const box = await open({})
    for (const id of ['1', '2', '3', '4', '5']) await put(box, id, Number(id) % 2 ? 'billing' : 'audit')
    expect(await box.clear('default/nobody')).toBe(0)
    expect(await box.clear('default/billing')).toBe(3)
    expect(await eventsIn(box)).toEqual(['2', '4'])
    expect(await box.clear()).toBe(2)
    expect(await box.clear()).toBe(0)
    expect(await eventsIn(box)).toEqual([])
  })

  test('usage tells of all, and of one trigger; an empty box holds no bytes', async () => {
    const box = await open({ bytesMax: MIB, triggerBytesMax: MIB / 2 })
    const id = await put(box, '1', 'billing')
    await put(box, '2', 'audit')
    const { bytes } = box.usage()
    expect(box.usage()).toEqual({ events: 2, bytes, bytesMax: MIB })
    const billing = box.usage('default/billing')
    expect(billing).toEqual({ events: 1, bytes: billing.bytes, bytesMax: MIB / 2 })
    expect(billing.bytes + box.usage('default/audit').bytes).toBe(bytes)
    await box.remove(id)
    await box.clear()
    expect(box.usage()).toEqual({ events: 0, bytes: 0, bytesMax: MIB })
    expect(box.usage('default/billing')).toEqual({ events: 0, bytes: 0, bytesMax: MIB / 2 })
  })

  test('ids of one life of the box are never given again', async () => {
    const box = await open({})
    const seen = new Set<string>()
    for (let i = 0; i < 10; i++) {
      seen.add(await put(box, String(i)))
      await box.clear()
    }
    expect(seen.size).toBe(10)
  })
})

type Open = (typeof BOXES)[number][1]

/** What one entry of {@link entry} takes, as that box counts. */
async function sizeOf(open: Open): Promise<number> {
  const box = await open({})
  await put(box, '1')
  return box.usage().bytes
}

function plain({ event: kept, ...rest }: DeadLetter): Record<string, unknown> {
  const { attributes, data, hops, headers } = kept
  return { ...rest, attributes: Object.fromEntries(attributes), data: data?.toString(), hops, headers: [...headers] }
}
