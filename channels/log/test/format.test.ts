// The page on the files in the README is enough to read a log: nothing here comes from the code that writes it.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { openLogChannel } from '@sluice/channel-log'
import { Event } from '@sluice/event'
import { compileAttributes } from '@sluice/filter'
import { expect, onTestFinished, test } from 'vitest'

test('events, and whom they are for, are read from the files by what the README says of them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-log-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const { channel } = await openLogChannel({ folder })
  for (const [id, type] of [
    ['first', 'order'],
    ['second', 'refund'],
  ] as const) {
    await channel.subscribe({ id, filter: compileAttributes({ type }), paused: true }, () => {})
  }
  const before = Date.now()
  const attributes = {
    specversion: '1.0',
    id: '1',
    source: '/shöp',
    type: 'order',
    count: 5,
    paid: true,
    note: 'für 🍰',
  }
  const event = new Event(new Map(Object.entries(attributes)), Buffer.from('{"a":1}'), 7, ['traceparent', '00-1'])
  await channel.publish([event], { lane: 'ingress' })
  const bare = { specversion: '1.0', id: '2', source: '/shöp', type: 'unknown' }
  await channel.publish([new Event(new Map(Object.entries(bare)), undefined)], { lane: 'ingress' })
  await channel.close({ deadlineMs: 0 })

  const entries = await readEntries(join(folder, 'segments'))
  expect(entries.map(({ sequence }) => sequence)).toEqual([1, 2])
  expect(entries[0]).toMatchObject({
    takers: [1],
    attributes,
    data: '{"a":1}',
    hops: 7,
    headers: ['traceparent', '00-1'],
  })
  expect(entries[0]!.time).toBeGreaterThanOrEqual(before)
  expect(entries[0]!.time).toBeLessThanOrEqual(Date.now())
  expect(entries[1]).toMatchObject({ takers: [], attributes: bare, data: undefined, headers: [] })
})

interface Read {
  readonly sequence: number
  readonly time: number
  readonly takers: readonly number[]
  readonly attributes: Readonly<Record<string, string | number | boolean>>
  readonly headers: readonly string[]
  readonly hops: number
  readonly data: string | undefined
}

async function readEntries(folder: string): Promise<Read[]> {
  const entries: Read[] = []
  for (const name of (await readdir(folder)).filter((each) => each.endsWith('.seg')).toSorted()) {
    const bytes = await readFile(join(folder, name))
    for (let at = 0; at < bytes.length && bytes.readUInt32LE(at + 4) > 0;) {
      const end = at + 24 + bytes.readUInt32LE(at + 4)
      expect(bytes.readUInt32LE(at)).toBe(crc32(bytes.subarray(at + 4, end)))
      const payload = bytes.subarray(at + 24, end)
      if (bytes[at + 14] === 1) expect(JSON.parse(payload.toString())).toMatchObject({ format: 1, store: 'events' })
      else entries.push(readEntry(bytes.readUIntLE(at + 8, 6), payload))
      at = end + ((8 - (end % 8)) % 8)
    }
  }
  return entries
}

function readEntry(sequence: number, payload: Buffer): Read {
  const varint = varintsOf(payload, 8)
  const takers = Array.from({ length: varint() }, () => varint())
  return { sequence, time: payload.readDoubleLE(0), takers, ...readRecord(payload.subarray(varint.at())) }
}

const NAMES = 'specversion id source type time subject datacontenttype dataschema knativearrivaltime'.split(' ')

function readRecord(record: Buffer): Omit<Read, 'sequence' | 'time' | 'takers'> {
  expect([record[0], record.readUInt32LE(6)]).toEqual([1, record.length])
  const varint = varintsOf(record, 14)
  const [attributeCount, headerCount] = [varint(), varint()]
  const table = Array.from({ length: attributeCount }, () => [varint(), varint()] as const)
  const lengths = Array.from({ length: headerCount * 2 }, () => varint())
  const textEnd = varint.at() + record.readUInt32LE(10)
  const text = record.toString('utf8', varint.at(), textEnd)
  let unit = 0
  const take = (length: number): string => text.slice(unit, (unit += length))
  const attributes = table.map(([name, value]) => {
    const called = name < 16 ? NAMES[name]! : take(name - 16)
    const written = take(value >> 2)
    return [called, [written, Number(written), false, true][value & 3]!] as const
  })
  return {
    attributes: Object.fromEntries(attributes),
    headers: lengths.map(take),
    hops: record.readInt32LE(2),
    data: record[1] === 1 ? record.toString('utf8', textEnd) : undefined,
  }
}

function varintsOf(bytes: Buffer, from: number): { (): number; at: () => number } {
  let at = from
  const next = (): number => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  return Object.assign(next, { at: () => at })
}
