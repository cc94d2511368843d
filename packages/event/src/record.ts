// An event as one run of bytes, for as long as it waits: in the slabs of the memory channel and in the log. Hot path
// under a backlog (bench/codec.ts). It holds no checksum; who stores it where bytes may rot adds one.
//
//   byte  0      version, 1
//         1      flags: 1 = there is data (it may be empty)
//         2..5   hops, signed, little endian like the two lengths that follow
//         6..9   bytes of the whole record
//        10..13  bytes of the text
//        14..    table, in varints: count of attributes, count of headers,
//                for each attribute  name  = index in CORE, or 16 + its length
//                                    value = length · 4 + kind,
//                for each header     length of its name, length of its value
//                text, UTF-8: all names that are not in CORE and all values, one after the other in this order;
//                lengths above count its UTF-16 units, so that no text can be mistaken for a boundary
//                data

import { recordDamaged } from './errors.ts'
import { Event, type AttributeValue } from './event.ts'

/** The record of the event, in bytes of its own. */
export function encodeRecord(event: Event): Buffer {
  const bytes = Buffer.allocUnsafe(recordBytes(event))
  return bytes.subarray(0, writeRecord(event, bytes, 0))
}

/** How many bytes {@link writeRecord} needs for the event: exact, unless a value ends in half of a surrogate pair. */
export function recordBytes(event: Event): number {
  const { attributes, data, headers } = event
  let bytes = TABLE + varintBytes(attributes.size) + varintBytes(headers.length >> 1)
  for (const [name, value] of attributes) {
    if (CORE_INDEX.has(name)) bytes++
    else bytes += varintBytes(CORE_MAX + name.length) + utf8Bytes(name)
    if (typeof value === 'boolean') bytes++
    else {
      const text = typeof value === 'string' ? value : `${value}`
      bytes += varintBytes(text.length * 4) + utf8Bytes(text)
    }
  }
  for (const text of headers) bytes += varintBytes(text.length) + utf8Bytes(text)
  return data === undefined ? bytes : bytes + data.length
}

/**
 * Writes the event's record into `target` from `offset` on and returns the offset after it. Nothing of the event is
 * kept: its bytes are copied.
 *
 * @throws RangeError when there is no room for {@link recordBytes}; what stands in `target` after `offset` is undefined.
 */
export function writeRecord(event: Event, target: Buffer, offset: number): number {
  const { attributes, data, headers } = event
  const dataBytes = data === undefined ? 0 : data.length
  let text = ''
  let at = offset + TABLE
  at = writeVarint(target, at, attributes.size)
  at = writeVarint(target, at, headers.length >> 1)
  for (const [name, value] of attributes) {
    const index = CORE_INDEX.get(name)
    if (index === undefined) {
      at = writeVarint(target, at, CORE_MAX + name.length)
      text += name
    } else target[at++] = index
    if (typeof value === 'boolean') target[at++] = value ? KIND_TRUE : KIND_FALSE
    else {
      const shown = typeof value === 'string' ? value : `${value}`
      at = writeVarint(target, at, shown.length * 4 + (typeof value === 'string' ? KIND_STRING : KIND_INTEGER))
      text += shown
    }
  }
  for (const part of headers) {
    at = writeVarint(target, at, part.length)
    text += part
  }
  // Typed arrays ignore what is written past their end, and a text is cut there: no room has to be noticed here.
  if (!fits(text, target.length - at - dataBytes)) throw new RangeError(`no room for ${recordBytes(event)} bytes`)
  const textBytes = text.length === 0 ? 0 : target.write(text, at)
  at += textBytes
  if (data !== undefined) at += data.copy(target, at)
  target[offset] = VERSION
  target[offset + 1] = data === undefined ? 0 : HAS_DATA
  writeInt32(target, offset + 2, event.hops)
  writeInt32(target, offset + 6, at - offset)
  writeInt32(target, offset + 10, textBytes)
  return at
}

/**
 * The event of a record. Its data shares `bytes`: whoever owns them must neither change nor reuse them while the event
 * is in use. `bytes` is one record and nothing else.
 *
 * @throws SluiceError `SLUICE_RECORD_DAMAGED` when the bytes are no record.
 */
export function decodeRecord(bytes: Buffer): Event {
  const length = bytes.length
  if (length < TABLE + 2) throw recordDamaged(`it has ${length} bytes`)
  if (bytes[0] !== VERSION) throw recordDamaged(`its version is ${bytes[0]}, and only ${VERSION} is known`)
  if (readInt32(bytes, 6) !== length) throw recordDamaged(`it has ${length} bytes and says ${readInt32(bytes, 6)}`)
  const textBytes = readInt32(bytes, 10)
  table.bytes = bytes
  table.at = TABLE
  const attributeCount = readVarint()
  const headerCount = readVarint()
  // The text begins where the table ends, so the table is passed over first; each entry has two varints.
  const entries = table.at
  if (attributeCount + headerCount > length) throw recordDamaged('its counts are larger than it is')
  for (let n = attributeCount + headerCount; n > 0; n--) {
    readVarint()
    readVarint()
  }
  const textStart = table.at
  if (textBytes < 0 || textStart + textBytes > length) throw recordDamaged('its text ends behind it')
  const text = textBytes === 0 ? '' : bytes.toString('utf8', textStart, textStart + textBytes)
  const hasData = bytes[1] === HAS_DATA
  if (!hasData && (bytes[1] !== 0 || textStart + textBytes !== length)) throw recordDamaged('its flags are wrong')

  table.at = entries
  table.unit = 0
  const attributes = new Map<string, AttributeValue>()
  for (let n = 0; n < attributeCount; n++) {
    const code = readVarint()
    const name = code < CORE_MAX ? CORE[code] : take(text, code - CORE_MAX)
    if (name === undefined) throw recordDamaged('it has an attribute without a name')
    attributes.set(name, readValue(text))
  }
  let headers: string[] = NO_HEADERS
  if (headerCount > 0) {
    headers = []
    for (let n = headerCount * 2; n > 0; n--) headers.push(take(text, readVarint()))
  }
  if (table.unit !== text.length) throw recordDamaged('its text is longer than its parts')
  for (let n = 0; n < REQUIRED; n++) {
    if (typeof attributes.get(CORE[n]!) !== 'string') throw recordDamaged(`it has no ${CORE[n]}`)
  }
  const data = hasData ? bytes.subarray(textStart + textBytes) : undefined
  return new Event(attributes, data, readInt32(bytes, 2), headers)
}

// Where the reading of a record stands. One record is read to its end before another, so one will do.
const table: { bytes: Buffer; at: number; unit: number } = { bytes: Buffer.alloc(0), at: 0, unit: 0 }

function readValue(text: string): AttributeValue {
  const code = readVarint()
  const value = take(text, code >>> 2)
  switch (code & 3) {
    case KIND_STRING:
      return value
    case KIND_INTEGER: {
      const number = Number(value)
      if ((number | 0) !== number || `${number}` !== value) throw recordDamaged('it has a number that is none')
      return number
    }
    default:
      if (value !== '') throw recordDamaged('it has a boolean with text')
      return (code & 3) === KIND_TRUE
  }
}

function take(text: string, units: number): string {
  const start = table.unit
  table.unit += units
  if (table.unit > text.length) throw recordDamaged('its parts are longer than its text')
  return text.slice(start, table.unit)
}

function readVarint(): number {
  const { bytes } = table
  let value = 0
  for (let shift = 0; shift <= 28; shift += 7) {
    if (table.at >= bytes.length) break
    const byte = bytes[table.at++]!
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      if (value >= 0) return value
      break
    }
  }
  throw recordDamaged('its table ends too early')
}

function writeVarint(target: Buffer, offset: number, value: number): number {
  let at = offset
  let rest = value
  while (rest >= 0x80) {
    target[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  target[at++] = rest
  return at
}

function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5
}

function writeInt32(target: Buffer, at: number, value: number): void {
  target[at] = value
  target[at + 1] = value >> 8
  target[at + 2] = value >> 16
  target[at + 3] = value >> 24
}

function readInt32(bytes: Buffer, at: number): number {
  const high = (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
  return bytes[at]! | (bytes[at + 1]! << 8) | high
}

function fits(text: string, room: number): boolean {
  return text.length * 3 <= room || Buffer.byteLength(text) <= room
}

/** Bytes of the text in UTF-8. */
function utf8Bytes(text: string): number {
  if (text.length > SHORT) return Buffer.byteLength(text)
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text)
  return text.length
}

const SHORT = 64
const VERSION = 1
const HAS_DATA = 1
const TABLE = 14
const KIND_STRING = 0
const KIND_INTEGER = 1
const KIND_FALSE = 2
const KIND_TRUE = 3

// Names that nearly every event has are a byte each. The order is part of the format: only ever append, up to CORE_MAX.
const CORE: readonly string[] = [
  'specversion',
  'id',
  'source',
  'type',
  'time',
  'subject',
  'datacontenttype',
  'dataschema',
  'knativearrivaltime',
]
const CORE_MAX = 16
const REQUIRED = 4
const CORE_INDEX: ReadonlyMap<string, number> = new Map(CORE.map((name, index) => [name, index]))
const NO_HEADERS: string[] = []
