// The dead-letter box in memory (DESIGN "The dead-letter box").

import { expect, test } from 'vitest'
import { manualClock } from '@sluice/clock'
import type { NewDeadLetter } from '@sluice/channel'
import { recordBytes } from '@sluice/event'
import { memoryBox } from '@sluice/broker'
import { event } from './scene.ts'

test('entries are listed in the order they came, by trigger, and page by page', async () => {
  const clock = manualClock(1000)
  const box = memoryBox({ clock })
  for (const id of ['1', '2', '3', '4']) await box.append(entry(id, id === '2' ? 'audit' : 'billing'))
  const ids = async (options: Parameters<typeof box.list>[0]): Promise<string[]> =>
    (await box.list(options)).map((each) => each.event.id)
  expect(await ids({})).toEqual(['1', '2', '3', '4'])
  expect(await ids({ trigger: 'default/billing', limit: 2 })).toEqual(['1', '3'])
  expect(await ids({ trigger: 'default/billing', after: '3' })).toEqual(['4'])
  expect(await box.get('2')).toMatchObject({ id: '2', time: 1000, reason: 'undeliverable' })
  expect(await box.get('9')).toBeUndefined()
})

test('a full box refuses, and stores again what fits once an entry is gone', async () => {
  const size = sizeOf(entry('1', 'billing'))
  const box = memoryBox({ clock: manualClock(), bytesMax: size * 2, triggerBytesMax: size * 2 })
  expect(await box.append(entry('1', 'billing'))).toEqual({ stored: true, id: '1' })
  expect(await box.append(entry('2', 'billing'))).toEqual({ stored: true, id: '2' })
  expect(await box.append(entry('3', 'billing'))).toEqual({ stored: false, reason: 'full' })
  expect(await box.remove('1')).toBe(true)
  expect(await box.remove('1')).toBe(false)
  expect(await box.append(entry('3', 'billing'))).toEqual({ stored: true, id: '3' })
})

test('one trigger fills its share and no more', async () => {
  const size = sizeOf(entry('1', 'billing'))
  const box = memoryBox({ clock: manualClock(), bytesMax: size * 4 })
  expect(await box.append(entry('1', 'billing'))).toMatchObject({ stored: true })
  expect(await box.append(entry('2', 'billing'))).toMatchObject({ stored: false })
  expect(await box.append(entry('3', 'audit'))).toMatchObject({ stored: true })
  await box.remove('1')
  expect(await box.append(entry('2', 'billing'))).toMatchObject({ stored: true })
})

test('an entry larger than the bound is taken alone, so that no trigger stands still for ever', async () => {
  const box = memoryBox({ clock: manualClock(), bytesMax: 1000, triggerBytesMax: 100 })
  const large = { ...entry('1', 'billing'), event: event({ id: '1' }, Buffer.alloc(5000)) }
  expect(await box.append(large)).toMatchObject({ stored: true })
  expect(await box.append(large)).toMatchObject({ stored: false })
  expect(await box.append(entry('2', 'audit'))).toMatchObject({ stored: false })
  await box.remove('1')
  expect(await box.append(entry('2', 'audit'))).toMatchObject({ stored: true })
})

test('an empty box holds no bytes', async () => {
  const box = memoryBox({ clock: manualClock() })
  await box.append(entry('1', 'billing'))
  expect(box.usage().events).toBe(1)
  await box.remove('1')
  expect(box.usage()).toEqual({ events: 0, bytes: 0, bytesMax: 64 * 1024 * 1024 })
})

function entry(id: string, name: string): NewDeadLetter {
  return {
    event: event({ id }),
    trigger: `default/${name}`,
    triggerId: `uid-${name}`,
    reason: 'undeliverable',
    attempts: 3,
    code: 503,
    error: 'full',
    response: Buffer.from('try later'),
  }
}

/** As the box counts: the event, the answer, the words, and 512 bytes for the rest. */
function sizeOf({ event: kept, response, error }: NewDeadLetter): number {
  return recordBytes(kept) + response!.length + error.length * 2 + 512
}
