// An event becomes a structured event in JSON, alone or in a batch (CloudEvents JSON format). Data that is JSON is
// copied in as the bytes it is. Hot path for subscribers that asked for `format: json` (bench/codec.ts).

import { decodeBase64, decodeText, isJsonText } from './data.ts'
import { invalidAttribute } from './errors.ts'
import type { AttributeValue, Event } from './event.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { readMediaType } from './media-type.ts'

/** The Content-Type of {@link encodeStructured}'s result, spelled as every SDK recognises it. */
export const STRUCTURED_CONTENT_TYPE = 'application/cloudevents+json'

/** The Content-Type of {@link encodeBatch}'s result. */
export const BATCH_CONTENT_TYPE = 'application/cloudevents-batch+json'

/**
 * The event as a JSON object in UTF-8. JSON content that is valid stands in `data` byte for byte, text that is valid
 * in its charset as a string, everything else and data without a datacontenttype in `data_base64`; a 0.3 event has
 * `data` with `datacontentencoding` instead. JSON data nested deeper than a receiver with our own limits would take
 * goes as base64 too. White space around JSON data is copied, though a reader of JSON will not see it as data.
 */
export function encodeStructured(event: Event): Buffer {
  const parts = partsOf(event)
  const bytes = Buffer.allocUnsafe(sizeOf(parts))
  writeParts(parts, bytes, 0)
  return bytes
}

/**
 * The events as a JSON array, which may be empty.
 *
 * @throws SluiceError when they are not all of one specversion: a batch has a single one.
 */
export function encodeBatch(events: readonly Event[]): Buffer {
  const all: Parts[] = []
  let size = 2
  for (const event of events) {
    if (event.specversion !== events[0]?.specversion) {
      throw invalidAttribute('specversion', 'A batch has events of one specversion only; make a batch of each.')
    }
    const parts = partsOf(event)
    all.push(parts)
    size += sizeOf(parts) + 1
  }
  const bytes = Buffer.allocUnsafe(Math.max(2, size - 1))
  let at = 1
  bytes[0] = OPEN_ARRAY
  for (const parts of all) {
    if (at > 1) bytes[at++] = COMMA
    at = writeParts(parts, bytes, at)
  }
  bytes[at] = CLOSE_ARRAY
  return bytes
}

/** An event's JSON: text, then perhaps bytes that are JSON themselves, then the closing brace. */
interface Parts {
  readonly text: string
  readonly json: Buffer | undefined
}

function partsOf(event: Event): Parts {
  const data = event.data
  const version3 = event.specversion === '0.3'
  let text = `{"specversion":${encodeString(event.specversion)},"id":${encodeString(event.id)}`
  text += `,"source":${encodeString(event.source)},"type":${encodeString(event.type)}`
  for (const [name, value] of event.attributes) {
    switch (name) {
      case 'specversion':
      case 'id':
      case 'source':
      case 'type':
        break
      default:
        // In 0.3 the way that data is written says datacontentencoding, below.
        if (name === 'datacontentencoding' && version3 && data !== undefined) break
        text += `,"${name}":${encodeValue(value)}`
    }
  }
  if (data === undefined) return { text, json: undefined }
  if (version3 && event.attributes.has('datacontentencoding')) {
    // It came in binary mode with that attribute: then its data is base64 already, or else it is encoded now.
    const base64 = data.toString('latin1')
    const known = decodeBase64(base64) !== undefined
    return { text: text + dataOf3(known ? base64 : data.toString('base64')), json: undefined }
  }
  const contentType = event.attribute('datacontenttype')
  const mediaType = typeof contentType === 'string' ? readMediaType(contentType) : undefined
  if (mediaType?.kind === 'json') {
    // The event's own object is a level, and so is the array of a batch.
    if (isJsonText(data, 0, DEFAULT_LIMITS.maxDepth - 2)) return { text: `${text},"data":`, json: data }
  } else if (mediaType !== undefined && (mediaType.kind === 'text' || mediaType.charset !== undefined)) {
    const decoded = decodeText(data, mediaType.charset)
    if (decoded !== undefined) return { text: `${text},"data":${encodeString(decoded)}`, json: undefined }
  }
  if (version3) return { text: text + dataOf3(data.toString('base64')), json: undefined }
  return { text: `${text},"data_base64":"${data.toString('base64')}"`, json: undefined }
}

/** Base64 as 0.3 has it. */
function dataOf3(base64: string): string {
  return `,"datacontentencoding":"base64","data":"${base64}"`
}

function encodeValue(value: AttributeValue): string {
  return typeof value === 'string' ? encodeString(value) : `${value}`
}

function encodeString(text: string): string {
  if (text.length > SHORT) return JSON.stringify(text)
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x20 || unit > 0x7e || unit === QUOTE || unit === BACKSLASH) return JSON.stringify(text)
  }
  return `"${text}"`
}

// Up to here a look at each character costs less than the call of JSON.stringify.
const SHORT = 128

function sizeOf(parts: Parts): number {
  return Buffer.byteLength(parts.text) + (parts.json?.length ?? 0) + 1
}

function writeParts(parts: Parts, target: Buffer, offset: number): number {
  let at = offset + target.write(parts.text, offset)
  if (parts.json !== undefined) at += parts.json.copy(target, at)
  target[at] = CLOSE_OBJECT
  return at + 1
}

const [QUOTE, BACKSLASH, COMMA, OPEN_ARRAY, CLOSE_ARRAY, CLOSE_OBJECT] = [0x22, 0x5c, 0x2c, 0x5b, 0x5d, 0x7d]
