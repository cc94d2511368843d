// How an attribute's text travels in an HTTP header (CloudEvents HTTP binding §3.1.3.2). Hot path (bench/codec.ts):
// nearly every value needs nothing done, and that is found out in one pass over its characters.

import { isUtf8 } from 'node:buffer'
import { forbiddenAt } from './text.ts'

/** Why a header's value is no attribute. */
export interface HeaderFault {
  /** The end of a sentence that begins "its value …". */
  readonly why: string
}

/**
 * The text that a `ce-` header's value stands for: blanks around it and quotes that wrap it go, `%XX` is decoded once.
 * `raw` holds a byte per character, as Node hands header values out; bytes above 0x7E are read as UTF-8, which SDKs
 * send raw. A `%` before anything but two hex digits, and a quote that does not wrap the whole value, stay as they are.
 */
export function decodeHeaderValue(raw: string): string | HeaderFault {
  const length = raw.length
  if (length === 0) return raw
  for (let i = 0; i < length; i++) {
    const unit = raw.charCodeAt(i)
    if (unit === PERCENT || unit < SPACE || unit > 0x7e) return decodeSlowly(raw)
  }
  const first = raw.charCodeAt(0)
  return first === QUOTE || first === SPACE || raw.charCodeAt(length - 1) === SPACE ? decodeSlowly(raw) : raw
}

function decodeSlowly(raw: string): string | HeaderFault {
  let text = raw.slice(blankEnd(raw), blankStart(raw))
  if (/[^\0-\x7e]/.test(text)) {
    const bytes = Buffer.from(text, 'latin1')
    if (/[^\0-\xff]/.test(text) || !isUtf8(bytes)) return BAD_BYTES
    text = bytes.toString('utf8')
  }
  if (text.charCodeAt(0) === QUOTE) {
    const close = closingQuote(text)
    if (close < 0) return UNCLOSED
    if (close === text.length - 1) text = text.slice(1, close).replace(/\\(.)/gs, '$1')
  }
  if (text.includes('%')) {
    try {
      text = text.replace(/(?:%[0-9a-f]{2})+/gi, decodeURIComponent)
    } catch {
      return BAD_ESCAPES
    }
  }
  return forbiddenAt(text) < 0 ? text : FORBIDDEN
}

const BAD_BYTES: HeaderFault = {
  why: 'holds bytes that are not UTF-8; write everything outside of ASCII as %XX of its UTF-8 bytes',
}
const BAD_ESCAPES: HeaderFault = {
  why: 'holds %XX escapes that are not valid UTF-8; write the UTF-8 bytes of each character as %XX',
}
const UNCLOSED: HeaderFault = { why: 'begins with a double quote that is never closed; write %22 for a quote' }
const FORBIDDEN: HeaderFault = {
  why: 'holds a control character, a noncharacter or half of a surrogate pair, which no attribute may have',
}

/** The index of the quote that closes the one at 0, or -1. */
function closingQuote(text: string): number {
  for (let i = 1; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === QUOTE) return i
    if (unit === BACKSLASH) i++
  }
  return -1
}

function blankEnd(text: string): number {
  let i = 0
  while (text.charCodeAt(i) === SPACE || text.charCodeAt(i) === TAB) i++
  return i
}

function blankStart(text: string): number {
  let i = text.length
  while (i > 0 && (text.charCodeAt(i - 1) === SPACE || text.charCodeAt(i - 1) === TAB)) i--
  return i
}

/**
 * The text as a `ce-` header's value: space, `"`, `%` and everything outside of U+0021 to U+007E become `%XX` of their
 * UTF-8 bytes, upper-case, and nothing else changes. No value can end its header, so none can smuggle one in.
 */
export function encodeHeaderValue(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x21 || unit > 0x7e || unit === QUOTE || unit === PERCENT) {
      // Everything that encodeURIComponent leaves alone lies outside of these runs.
      return text.toWellFormed().replace(/[^\x21\x23\x24\x26-\x7e]+/gu, encodeURIComponent)
    }
  }
  return text
}

const [SPACE, TAB, QUOTE, PERCENT, BACKSLASH] = [0x20, 0x09, 0x22, 0x25, 0x5c]
