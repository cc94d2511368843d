// An event's data as what it means: JSON, text, base64. Bytes are decoded here, when somebody asks, and nowhere else.

import { isAscii, isUtf8 } from 'node:buffer'
import { invalidData } from './errors.ts'
import type { Event } from './event.ts'
import { jsonTextFault } from './json-scan.ts'
import { readMediaType } from './media-type.ts'

/** How much JSON is parsed for whoever asks for {@link parseJsonData}. */
export interface JsonDataLimits {
  /** Most bytes of data. Default 1 MiB. */
  maxBytes: number
  /** Deepest nesting of objects and arrays. Default 64. */
  maxDepth: number
}

const DEFAULT_JSON_LIMITS: Readonly<JsonDataLimits> = { maxBytes: 1024 * 1024, maxDepth: 64 }

/**
 * The data parsed as JSON; `undefined` when there is none, its datacontenttype is not JSON (JSON format §3.1), it is
 * no valid JSON in UTF-8, or it goes beyond the limits. Never throws. `Event.json()` keeps the answer.
 */
export function parseJsonData(event: Event, limits?: Partial<JsonDataLimits>): unknown {
  const data = event.data
  const contentType = event.attribute('datacontenttype')
  if (data === undefined || typeof contentType !== 'string') return undefined
  if (readMediaType(contentType)?.kind !== 'json') return undefined
  const { maxBytes, maxDepth } = limits === undefined ? DEFAULT_JSON_LIMITS : { ...DEFAULT_JSON_LIMITS, ...limits }
  if (data.length > maxBytes) return undefined
  // JSON.parse takes any depth, and whatever walks its result afterwards would not.
  const start = hasByteOrderMark(data) ? 3 : 0
  if (!isJsonText(data, start, maxDepth)) return undefined
  return JSON.parse(data.toString('utf8', start)) as unknown
}

/** Whether all bytes from `start` on are one JSON text in UTF-8, not nested deeper than `maxDepth`. */
export function isJsonText(bytes: Buffer, start: number, maxDepth: number): boolean {
  return isUtf8(bytes) && jsonTextFault(bytes, start, maxDepth) === undefined
}

function hasByteOrderMark(bytes: Buffer): boolean {
  return bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
}

/** The bytes, or `undefined` unless the text is base64 with its padding (RFC 4648 §4). Node's decoder takes anything. */
export function decodeBase64(text: string): Buffer | undefined {
  if (text.length % 4 !== 0) return undefined
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  for (let i = 0; i < text.length - padding; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7e || BASE64[unit] === 0) return undefined
  }
  return Buffer.from(text, 'base64')
}

const BASE64 = new Uint8Array(128)
for (const c of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/') BASE64[c.charCodeAt(0)] = 1

/**
 * The text as bytes in the charset; UTF-8 where none is named. Throws a SluiceError 400 on `data` when the charset is
 * not known here or lacks one of the characters: the sender has to use `data_base64` then.
 */
export function encodeText(text: string, charset: string | undefined): Buffer {
  const encoding = encodingOf(charset)
  if (encoding === undefined) {
    throw invalidData('data', `The charset ${charset} is not known here; send the bytes as "data_base64".`)
  }
  const fits =
    encoding === 'utf8'
      ? text.isWellFormed()
      : encoding === 'ascii'
        ? !/[^\0-\x7f]/.test(text)
        : !/[^\0-\xff]/.test(text)
  if (!fits) {
    throw invalidData(
      'data',
      `"data" has characters that ${charset ?? 'utf-8'} does not have; send the bytes as "data_base64".`,
    )
  }
  return Buffer.from(text, encoding)
}

/** The bytes as text in the charset, or `undefined` when they are none or the charset is not known here. */
export function decodeText(bytes: Buffer, charset: string | undefined): string | undefined {
  const encoding = encodingOf(charset)
  if (encoding === undefined) return undefined
  const fits = encoding === 'utf8' ? isUtf8(bytes) : encoding === 'latin1' || isAscii(bytes)
  return fits ? bytes.toString(encoding) : undefined
}

function encodingOf(charset: string | undefined): 'utf8' | 'ascii' | 'latin1' | undefined {
  switch (charset) {
    case undefined:
    case 'utf-8':
    case 'utf8':
      return 'utf8'
    case 'us-ascii':
    case 'ascii':
      return 'ascii'
    case 'iso-8859-1':
    case 'latin1':
      return 'latin1'
    default:
      return undefined
  }
}
