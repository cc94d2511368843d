// What the codecs cost per event, in microseconds, beside JSON.parse and JSON.stringify of the same body (goal G6).
// Run: node packages/event/bench/codec.ts

import {
  decodeHttp,
  decodeRecord,
  encodeBinary,
  encodeStructured,
  recordBytes,
  STRUCTURED_CONTENT_TYPE,
  writeRecord,
} from '@sluice/event'

const ROUNDS = 5
const ROUND_MS = 200

const REQUEST = `Host: broker.example.com:8080
User-Agent: curl/8.5.0
Accept: */*
Connection: keep-alive
ce-specversion: 1.0
ce-id: 4b1f6c0e-6a0b-4a5e-9a4e-2d7b7d8fID
ce-source: https://shop.example.com/orders
ce-type: com.example.order.created
ce-time: 2026-11-24T18:48:23.123Z
Content-Type: application/json
Content-Length: 1024`

// Node makes new strings for each request, so no two requests here share one: their hashes are not known beforehand.
const requests = Array.from({ length: 2000 }, (_, n) => freshHeaders(n))
const body1k = Buffer.from(JSON.stringify(dataOf(1024)))
const events = requests.map((headers) => decodeHttp(headers, body1k)[0]!)
const structuredHeaders = ['content-type', STRUCTURED_CONTENT_TYPE]
const record = Buffer.alloc(64 * 1024)
const records = events.map((event) => Buffer.from(record.subarray(0, writeRecord(event, record, 0))))

let n = 0
const next = (): number => (n = (n + 1) % requests.length)

report('decode binary 1 KiB', () => decodeHttp(requests[next()]!, body1k))
report('encode binary', () => encodeBinary(events[next()]!))
report('encode structured 1 KiB', () => encodeStructured(events[next()]!))
report('record size', () => recordBytes(events[next()]!))
report('record write 1 KiB', () => writeRecord(events[next()]!, record, 0))
report('record read 1 KiB', () => decodeRecord(records[next()]!))
for (const [name, data] of [
  ['1 KiB', dataOf(1024)],
  ['64 KiB of objects', dataOf(65536)],
  ['64 KiB in one string', { padding: 'x'.repeat(65536) }],
] as const) {
  const body = Buffer.from(
    JSON.stringify({
      specversion: '1.0',
      id: '4b1f6c0e-6a0b-4a5e-9a4e-2d7b7d8f8f10',
      source: 'https://shop.example.com/orders',
      type: 'com.example.order.created',
      time: '2026-11-24T18:48:23.123Z',
      datacontenttype: 'application/json',
      data,
    }),
  )
  const ours = (): unknown => encodeBinary(decodeHttp(structuredHeaders, body)[0]!)
  const theirs = (): unknown => Buffer.from(JSON.stringify(JSON.parse(body.toString())))
  // One round of each in turn, so that a busy machine slows both.
  const rounds = Array.from({ length: ROUNDS + 1 }, () => [measure(ours), measure(theirs)] as const).slice(1)
  const ourMicros = median(rounds.map(([micros]) => micros))
  const theirMicros = median(rounds.map(([, micros]) => micros))
  print(line(`structured in, binary out ${name}`, ourMicros))
  print(`${line(`JSON.parse + JSON.stringify ${name}`, theirMicros)}   ratio ${(ourMicros / theirMicros).toFixed(2)}`)
}

function report(name: string, run: () => unknown): void {
  print(line(name, median(Array.from({ length: ROUNDS + 1 }, () => measure(run)).slice(1))))
}

function line(name: string, micros: number): string {
  return `${name.padEnd(50)} ${micros.toFixed(3).padStart(9)} µs`
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

/** CPU microseconds of one run. */
function measure(run: () => unknown): number {
  const start = process.cpuUsage()
  const end = performance.now() + ROUND_MS
  let count = 0
  while (performance.now() < end) {
    for (let i = 0; i < 50; i++) run()
    count += 50
  }
  const { user, system } = process.cpuUsage(start)
  return (user + system) / count
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** An object that is about so many bytes of JSON: many small members, as events have. */
function dataOf(bytes: number): Record<string, unknown> {
  const items = []
  for (let size = 0; size < bytes; size += 88) {
    items.push({ sku: `sku-${size}`, name: 'A thing with a name', price: 12.5, count: size, gift: false, note: null })
  }
  return { order: '1234', items }
}

function freshHeaders(index: number): string[] {
  const pairs = REQUEST.replace('ID', String(index)).split(/: |\n/)
  return pairs.map((text) => Buffer.from(text).toString('latin1'))
}
