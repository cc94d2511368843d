// The stored form of an event.

import { decodeRecord, encodeRecord, Event, newEvent, recordBytes, writeRecord } from '@sluice/event'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyEvent, contentOf } from './arbitrary.ts'
import { thrownBy } from './message.ts'

const event = newEvent({
  ...{ type: 't', source: '/s', id: '1', time: '2026-11-24T18:48:23Z', subject: 'é€😀' },
  extensions: { n: -5, yes: true, no: false, x: '' },
  data: Buffer.from('data'),
})

describe('a record', () => {
  test('keeps types of attributes, hops and headers', () => {
    event.hops = 254
    event.headers = ['traceparent', 'p\xe9', 'x-request-id', '']
    const back = decodeRecord(encodeRecord(event))
    expect([...back.attributes]).toEqual([...event.attributes])
    expect([back.hops, back.headers, back.data?.toString()]).toEqual([254, event.headers, 'data'])
  })

  test('CE-10: tells no data, empty data and data apart', () => {
    for (const data of [undefined, Buffer.alloc(0), Buffer.from('null')]) {
      expect(decodeRecord(encodeRecord(new Event(event.attributes, data))).data).toEqual(data)
    }
  })

  test('takes exactly the bytes that were announced', () => {
    fc.assert(
      fc.property(anyEvent({ textOnly: false }), (one) => {
        const bytes = recordBytes(one)
        const target = Buffer.alloc(bytes + 20)
        expect(writeRecord(one, target, 7)).toBe(7 + bytes)
        expect(contentOf(decodeRecord(target.subarray(7, 7 + bytes)))).toEqual(contentOf(one))
      }),
    )
  })

  test('of texts around every length boundary comes back', () => {
    for (const length of [0, 1, 31, 32, 111, 112, 127, 128, 4095, 4096, 16383, 16384, 600_000]) {
      const one = event.with({
        long: 'x'.repeat(length),
        [`n${'a'.repeat(Math.min(length, 200))}`]: 'é'.repeat(length),
      })
      expect(encodeRecord(one)).toHaveLength(recordBytes(one))
      expect(contentOf(decodeRecord(encodeRecord(one)))).toEqual(contentOf(one))
    }
  })

  test('cannot be forged by what a text holds', () => {
    const one = event.with({ subject: 'a\0type\0evil\u0001\u0002', x: '\u{10ffff}' })
    expect([...decodeRecord(encodeRecord(one)).attributes]).toEqual([...one.attributes])
  })

  test('takes halves of surrogate pairs that a careless transform left, and stays readable', () => {
    const one = event.with({ a: 'x\ud83d', b: '\ude00y' })
    expect(decodeRecord(encodeRecord(one)).attribute('type')).toBe('t')
    expect(encodeRecord(one).length).toBeLessThanOrEqual(recordBytes(one))
  })

  test('shares its bytes with the data that is read, and copies the data that is written', () => {
    const bytes = encodeRecord(event)
    const back = decodeRecord(bytes)
    bytes[bytes.length - 1] = 0x21
    expect([back.data?.toString(), event.data?.toString()]).toEqual(['dat!', 'data'])
  })

  test('that has no room is refused, and what stands before it is not touched', () => {
    const bytes = recordBytes(event)
    for (let room = 0; room < bytes; room++) {
      const target = Buffer.alloc(room + 3, 0xaa)
      expect(() => writeRecord(event, target, 3)).toThrow(RangeError)
      expect([...target.subarray(0, 3)]).toEqual([0xaa, 0xaa, 0xaa])
    }
  })
})

describe('a damaged record', () => {
  const good = encodeRecord(event)

  test('is refused when it is cut or goes on', () => {
    for (let length = 0; length < good.length; length++) {
      expect(thrownBy(() => decodeRecord(good.subarray(0, length)))?.code).toBe('SLUICE_RECORD_DAMAGED')
    }
    expect(thrownBy(() => decodeRecord(Buffer.concat([good, Buffer.alloc(1)])))?.code).toBe('SLUICE_RECORD_DAMAGED')
  })

  test('whose parts do not fill its text is refused', () => {
    const record = encodeRecord(newEvent({ type: 't', source: '/s', id: '1', extensions: { x: 'abc' } }))
    const last = record.length - record.readInt32LE(10) - 1
    expect(record[last]).toBe('abc'.length * 4)
    for (const length of [2, 4]) {
      record[last] = length * 4
      expect(thrownBy(() => decodeRecord(record))?.code).toBe('SLUICE_RECORD_DAMAGED')
    }
  })

  test('of another version is refused', () => {
    const other = Buffer.from(good)
    other[0] = 2
    expect(thrownBy(() => decodeRecord(other))?.message).toContain('version')
  })

  test('is an event or a SluiceError whatever byte changed', () => {
    for (let at = 0; at < good.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        const damaged = Buffer.from(good)
        damaged[at] = byte
        const error = thrownBy(() => decodeRecord(damaged))
        if (error !== undefined) expect(error.code).toBe('SLUICE_RECORD_DAMAGED')
      }
    }
  })

  test('of random bytes is an event or a SluiceError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const record = Buffer.from(bytes)
        // Past the first checks, or nothing but them would be tried.
        if (record.length >= 14) {
          record[0] = 1
          record.writeInt32LE(record.length, 6)
        }
        expect(thrownBy(() => decodeRecord(record))?.code ?? 'SLUICE_RECORD_DAMAGED').toBe('SLUICE_RECORD_DAMAGED')
      }),
      { numRuns: 5000 },
    )
  })
})
