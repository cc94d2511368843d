import { expect, test } from 'vitest'
import { EVENT_TYPE, ID_DIGITS, payload, writeId } from '../load/payload.ts'
import { eventNumberOf, MessageReader } from '../load/message.ts'

const ADDRESS = new URL('http://127.0.0.1:8080/default/bench')

test.for([1024, 64 * 1024])('a binary event has exactly %i bytes of JSON as its body, and says so', (dataBytes) => {
  const { request, data } = payload(ADDRESS, { mode: 'binary', dataBytes })
  const { head, body } = readOne(request)
  expect(data).toHaveLength(dataBytes)
  expect(body).toBe(data.toString())
  expect(JSON.stringify(JSON.parse(body))).toBe(body)
  expect(head).toContain('POST /default/bench HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n')
  expect(head).toContain(`\r\nce-type: ${EVENT_TYPE}\r\n`)
  expect(head).toContain('\r\ncontent-type: application/json\r\n')
})

test('a structured event is one JSON object with the same data, and a relay writes that data byte for byte', () => {
  const { request, data } = payload(ADDRESS, { mode: 'structured', dataBytes: 4096 })
  const event: Record<string, unknown> = JSON.parse(readOne(request).body)
  expect(event).toMatchObject({ specversion: '1.0', type: EVENT_TYPE, datacontenttype: 'application/json' })
  expect(JSON.stringify(event['data'])).toBe(data.toString())
})

test('an event number is written as the id and read back by the sink', () => {
  const binary = payload(ADDRESS, { mode: 'binary', dataBytes: 1024 })
  for (const eventNumber of [0, 7, 64_000_123, 10 ** ID_DIGITS - 1]) {
    writeId(binary.request, binary.idAt, eventNumber)
    expect(eventNumberOf(readOne(binary.request).head)).toBe(eventNumber)
  }
  const structured = payload(ADDRESS, { mode: 'structured', dataBytes: 1024 })
  writeId(structured.request, structured.idAt, 42)
  expect(JSON.parse(readOne(structured.request).body)).toMatchObject({ id: '000000000042' })
})

test('the raw bytes of an event are its data and the names and values of its attributes', () => {
  const { rawBytes, request } = payload(ADDRESS, { mode: 'structured', dataBytes: 1024 })
  const event: Record<string, string> = JSON.parse(readOne(request).body)
  const { data: _, ...attributes } = event
  const text = Object.entries(attributes).flat().join('')
  expect(rawBytes).toBe(1024 + text.length)
})

test('data that is too small for an order is refused', () => {
  expect(() => payload(ADDRESS, { mode: 'binary', dataBytes: 10 })).toThrow(RangeError)
})

function readOne(request: Buffer): { head: string; body: string } {
  let head = ''
  let body = ''
  let ended = 0
  const reader = new MessageReader({
    head: (text) => (head = text),
    body: (bytes, start, end) => (body += bytes.toString('utf8', start, end)),
    end: () => ended++,
  })
  reader.read(request, request.length)
  expect(ended).toBe(1)
  return { head, body }
}
