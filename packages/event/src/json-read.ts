// A structured event or a batch in JSON becomes events (CloudEvents JSON format). On the hot path (bench/codec.ts):
// attributes are read, data stays the bytes it was within the body. From: http.ts. Next: the broker.

import { isUtf8 } from 'node:buffer'
import { badName, checkCore, INTEGER_RULE, refused, TEXT_RULE } from './attributes.ts'
import { decodeBase64, encodeText } from './data.ts'
import {
  eventTooLarge,
  invalidAttribute,
  invalidBatch,
  invalidData,
  invalidJson,
  invalidName,
  SluiceError,
  tooLarge,
} from './errors.ts'
import { Event, type AttributeValue } from './event.ts'
import { jsonFault, Members, NOT_JSON, scanObject, skipBlank, skipValue } from './json-scan.ts'
import { withDefaults, type DecodeLimits } from './limits.ts'
import { readMediaType } from './media-type.ts'
import { forbiddenAt, isAttributeName, isInteger, quote } from './text.ts'

/**
 * The event that the bytes hold as `application/cloudevents+json`. JSON data is not parsed: it is the very bytes that
 * stood in the text, so `1.0` and large integers stay as they were written, and it shares `bytes`.
 * Data without a datacontenttype is JSON, and the event then says so: its datacontenttype is `application/json`.
 *
 * @throws SluiceError 400, or 413 for more than `maxEventBytes`.
 */
export function decodeStructured(bytes: Buffer, limits?: Partial<DecodeLimits>): Event {
  const bounds = withDefaults(limits)
  if (bytes.length > bounds.maxEventBytes) throw eventTooLarge(bytes.length, bounds.maxEventBytes)
  const start = textStart(bytes)
  if (!(start < bytes.length && bytes[start] === OPEN_OBJECT)) {
    throw invalidJson('The body is no JSON object; a structured event is one object with the attributes as members.')
  }
  const end = scanObject(bytes, start, bytes.length, bounds, members)
  if (end === NOT_JSON) throw notJson(bounds)
  checkEnd(bytes, end)
  return readEvent(bytes)
}

/**
 * The events of an `application/cloudevents-batch+json` array, all or none. They share `bytes`.
 *
 * @throws SluiceError as {@link decodeStructured} does, `subject` with the event's index: `[1].type`.
 */
export function decodeBatch(bytes: Buffer, limits?: Partial<DecodeLimits>): Event[] {
  const bounds = withDefaults(limits)
  const inner = { maxDepth: bounds.maxDepth - 1, maxMembers: bounds.maxMembers }
  const events: Event[] = []
  let i = textStart(bytes)
  if (!(i < bytes.length && bytes[i] === OPEN_ARRAY)) {
    throw invalidBatch(
      'The body is no JSON array; a batch is an array of events, and one event is sent as ' + ONE_EVENT,
    )
  }
  i = skipBlank(bytes, i + 1, bytes.length)
  let more = !(i < bytes.length && bytes[i] === CLOSE_ARRAY)
  if (!more) i++
  while (more) {
    if (events.length >= bounds.maxBatchEvents) {
      throw tooLarge(`The batch has more than ${bounds.maxBatchEvents} events; send smaller ones.`)
    }
    try {
      const start = skipBlank(bytes, i, bytes.length)
      i = scanElement(bytes, start, inner, bounds)
      if (i - start > bounds.maxEventBytes) throw eventTooLarge(i - start, bounds.maxEventBytes)
      events.push(readEvent(bytes))
    } catch (error) {
      throw error instanceof SluiceError ? inBatch(error, events.length) : error
    }
    i = skipBlank(bytes, i, bytes.length)
    const next = i < bytes.length ? bytes[i] : 0
    if (next !== COMMA && next !== CLOSE_ARRAY) {
      throw invalidJson(`The body is no JSON: expected "," or "]" at byte ${i}.`)
    }
    more = next === COMMA
    i++
  }
  checkEnd(bytes, i)
  checkOneVersion(events)
  return events
}

const ONE_EVENT = 'application/cloudevents+json.'

/** Scans one event of a batch into `members`. */
function scanElement(
  bytes: Buffer,
  start: number,
  limits: { maxDepth: number; maxMembers: number },
  bounds: Readonly<DecodeLimits>,
): number {
  const isObject = start < bytes.length && bytes[start] === OPEN_OBJECT
  const end = isObject
    ? scanObject(bytes, start, bytes.length, limits, members)
    : skipValue(bytes, start, bytes.length, limits.maxDepth)
  if (end === NOT_JSON) throw notJson(bounds)
  if (!isObject) throw invalidBatch('It is no JSON object; every element of a batch is one event.')
  return end
}

/** Where the JSON text begins, after a byte order mark and blanks. Throws when the bytes are no UTF-8. */
function textStart(bytes: Buffer): number {
  if (!isUtf8(bytes)) throw invalidJson('The body is not UTF-8, which JSON has to be; encode it as UTF-8.')
  const mark = bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  return skipBlank(bytes, mark ? 3 : 0, bytes.length)
}

function checkEnd(bytes: Buffer, end: number): void {
  const rest = skipBlank(bytes, end, bytes.length)
  if (rest < bytes.length) throw invalidJson(`The body goes on after its JSON text ends, at byte ${rest}.`)
}

// All events of one message have the same version (CloudEvents 1.0, "Message").
function checkOneVersion(events: readonly Event[]): void {
  const first = events[0]?.specversion
  for (let i = 1; i < events.length; i++) {
    const specversion = events[i]!.specversion
    if (specversion === first) continue
    const problem = `Its specversion is "${specversion}" and that of event 0 is "${first}"; send a batch of each.`
    throw inBatch(invalidAttribute('specversion', problem), i)
  }
}

// Reads run to their end before another begins, so they can share one.
const members = new Members()

/** The event whose object stands in `members`. */
function readEvent(bytes: Buffer): Event {
  const attributes = new Map<string, AttributeValue>()
  let nulls: Set<string> | undefined
  let data = -1
  let base64 = -1
  for (let n = 0; n < members.count; n++) {
    const name = members.names[n]!
    if (name === 'data') {
      if (data >= 0) throw repeated(name)
      data = n
      continue
    }
    if (name === 'data_base64') {
      if (base64 >= 0) throw repeated(name)
      base64 = n
      continue
    }
    if (!isAttributeName(name)) throw invalidName(shorten(name), `Member ${badName(name)}`)
    const value = readValue(bytes, members.starts[n]!, members.ends[n]!, name)
    // null says that the attribute is not set (JSON format §2.2), which may be said once as well.
    if (value === null) {
      if (attributes.has(name) || nulls?.has(name)) throw repeated(name)
      nulls ??= new Set()
      nulls.add(name)
      continue
    }
    const before = attributes.size
    attributes.set(name, value)
    if (attributes.size === before || nulls?.has(name)) throw repeated(name)
  }
  checkCore(attributes)
  return new Event(attributes, readData(bytes, attributes, data, base64))
}

function readValue(bytes: Buffer, start: number, end: number, name: string): AttributeValue | null {
  switch (bytes[start]) {
    case QUOTE: {
      const text = readString(bytes, start, end)
      if (forbiddenAt(text) >= 0) throw refused(name, text, TEXT_RULE)
      return text
    }
    case LOWER_T:
      return true
    case LOWER_F:
      return false
    case LOWER_N:
      return null
    case OPEN_OBJECT:
    case OPEN_ARRAY:
      throw invalidAttribute(name, `Attribute "${shorten(name)}" is an object or array; it has to be ${INTEGER_RULE}.`)
    case undefined:
    default: {
      const text = bytes.toString('latin1', start, end)
      const number = Number(text)
      if (!isInteger(number)) {
        throw invalidAttribute(name, `Attribute "${shorten(name)}" is ${shorten(text)}; it has to be ${INTEGER_RULE}.`)
      }
      return number | 0 // -0 is 0
    }
  }
}

/** The string literal between `start` and `end`, both quotes included. */
function readString(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start + 1, end - 1)
  if (!text.includes('\\')) return text
  const unescaped: string = JSON.parse(`"${text}"`)
  return unescaped
}

/** The data, of the members with these numbers; -1 for a member that is not there. */
function readData(
  bytes: Buffer,
  attributes: Map<string, AttributeValue>,
  data: number,
  base64: number,
): Buffer | undefined {
  if (base64 >= 0) {
    if (attributes.get('specversion') === '0.3') {
      throw invalidName('data_base64', `Member ${badName('data_base64')} In 0.3, use datacontentencoding.`)
    }
    if (bytes[members.starts[base64]!] !== LOWER_N) {
      if (data >= 0) throw invalidData('data', 'The event has both "data" and "data_base64"; send one of them.')
      return readBase64(bytes, base64, 'data_base64')
    }
  }
  if (data < 0) return undefined
  if (attributes.has('datacontentencoding') && attributes.get('specversion') === '0.3') {
    // The bytes are decoded now, so nothing says any more that they are not.
    attributes.delete('datacontentencoding')
    return readBase64(bytes, data, 'data')
  }
  const start = members.starts[data]!
  const end = members.ends[data]!
  const contentType = attributes.get('datacontenttype')
  if (typeof contentType !== 'string') {
    // What the JSON format implies has to be said once the event leaves it (JSON format §3.1.1), and here it does.
    attributes.set('datacontenttype', 'application/json')
    return bytes.subarray(start, end)
  }
  const mediaType = readMediaType(contentType)
  if (mediaType?.kind === 'json') return bytes.subarray(start, end)
  if (bytes[start] === LOWER_N) return undefined
  if (bytes[start] !== QUOTE) {
    throw invalidData(
      'data',
      `"data" is no string, but the datacontenttype ${quote(contentType)} is not JSON; send a string, or ` +
        'the bytes as "data_base64".',
    )
  }
  return encodeText(readString(bytes, start, end), mediaType?.charset)
}

function readBase64(bytes: Buffer, member: number, name: 'data' | 'data_base64'): Buffer {
  const start = members.starts[member]!
  const end = members.ends[member]!
  const decoded = bytes[start] === QUOTE ? decodeBase64(readString(bytes, start, end)) : undefined
  if (decoded !== undefined) return decoded
  throw invalidData(name, `"${name}" is no base64; it has to be a string in base64 with its padding (RFC 4648 §4).`)
}

function repeated(name: string): SluiceError {
  const problem = `Member "${shorten(name)}" is there more than once; send each member once.`
  return name.startsWith('data') && name !== 'datacontenttype' && name !== 'dataschema'
    ? invalidData(name, problem)
    : invalidAttribute(name, problem)
}

function notJson({ maxDepth, maxMembers }: Readonly<DecodeLimits>): SluiceError {
  return invalidJson(
    `The body is no JSON that is taken here: ${jsonFault()} (maxDepth ${maxDepth}, maxMembers ${maxMembers}).`,
  )
}

function inBatch(error: SluiceError, index: number): SluiceError {
  return new SluiceError(error.code, `Event ${index} of the batch: ${error.message}`, {
    status: error.status,
    subject: error.subject === undefined ? `[${index}]` : `[${index}].${error.subject}`,
  })
}

function shorten(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}…` : text
}

const [QUOTE, COMMA, LOWER_T, LOWER_F, LOWER_N] = [0x22, 0x2c, 0x74, 0x66, 0x6e]
const [OPEN_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x5b, 0x5d]
