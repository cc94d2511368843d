// Finds where JSON values end, and checks every byte of them, without building anything. Hot path (bench/codec.ts):
// structured events pass here byte by byte, and what is passed over is handed on as the bytes it was.
// JSON as in RFC 8259. Whether the bytes are UTF-8 is the caller's to check, once for the whole text.

/** What {@link skipValue} and {@link scanObject} return when the text is no JSON. {@link jsonFault} says why. */
export const NOT_JSON: number = -1

/** Why the last scan returned {@link NOT_JSON}: what was wrong, and at which byte. */
export function jsonFault(): string {
  return `${faultWhat} at byte ${faultAt}`
}

let faultWhat = ''
let faultAt = 0

function fail(what: string, at: number): number {
  faultWhat = what
  faultAt = at
  return NOT_JSON
}

/**
 * The index after the JSON value that begins at `start` (blanks before it are passed over), or {@link NOT_JSON}.
 * Never reads at or past `end`. More than `maxDepth` objects and arrays within each other are refused; the stack is a
 * row of bytes, so depth costs no recursion.
 */
export function skipValue(bytes: Uint8Array, start: number, end: number, maxDepth: number): number {
  return skipAny(bytes, viewOf(bytes), start, end, maxDepth)
}

/** What is wrong with a text that is no JSON. */
export interface JsonFault {
  readonly what: string
  /** The byte. */
  readonly at: number
  /** It may be JSON, nested deeper than was allowed. */
  readonly tooDeep: boolean
}

/** Why the bytes from `start` on, which are UTF-8, are not one JSON text (RFC 8259); `undefined` where they are. */
export function jsonTextFault(bytes: Uint8Array, start: number, maxDepth: number): JsonFault | undefined {
  let end = skipValue(bytes, start, bytes.length, maxDepth)
  if (end !== NOT_JSON) {
    end = skipBlank(bytes, end, bytes.length)
    if (end === bytes.length) return undefined
    fail('something follows after the end', end)
  }
  return { what: faultWhat, at: faultAt, tooDeep: faultWhat === TOO_DEEP }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function skipAny(bytes: Uint8Array, view: DataView, start: number, end: number, maxDepth: number): number {
  if (maxDepth > stack.length) stack = new Uint8Array(maxDepth)
  const open = stack // which containers are open: OPEN_OBJECT or OPEN_ARRAY
  let depth = 0
  let i = start
  for (;;) {
    i = skipBlank(bytes, i, end)
    const first = i < end ? bytes[i]! : 0
    if (first === QUOTE) {
      i = skipString(bytes, view, i, end)
    } else if (first === OPEN_OBJECT) {
      if (depth >= maxDepth) return fail(TOO_DEEP, i)
      open[depth++] = OPEN_OBJECT
      i = skipBlank(bytes, i + 1, end)
      if (i < end && bytes[i] === CLOSE_OBJECT) {
        depth--
        i++
      } else {
        i = skipKey(bytes, view, i, end)
        if (i < 0) return i
        continue
      }
    } else if (first === OPEN_ARRAY) {
      if (depth >= maxDepth) return fail(TOO_DEEP, i)
      open[depth++] = OPEN_ARRAY
      i = skipBlank(bytes, i + 1, end)
      if (!(i < end && bytes[i] === CLOSE_ARRAY)) continue
      depth--
      i++
    } else if (first === MINUS || (first >= ZERO && first <= NINE)) {
      i = skipNumber(bytes, i, end)
    } else {
      i = skipWord(bytes, i, end)
    }
    if (i < 0) return i
    // A value has ended: go on in what holds it, or leave that too.
    for (;;) {
      if (depth === 0) return i
      i = skipBlank(bytes, i, end)
      const next = i < end ? bytes[i]! : 0
      const inObject = open[depth - 1] === OPEN_OBJECT
      if (next === COMMA) {
        i++
        if (!inObject) break
        i = skipKey(bytes, view, skipBlank(bytes, i, end), end)
        if (i < 0) return i
        break
      }
      if (next !== (inObject ? CLOSE_OBJECT : CLOSE_ARRAY)) {
        return fail(inObject ? 'expected "," or "}"' : 'expected "," or "]"', i)
      }
      depth--
      i++
    }
  }
}

const TOO_DEEP = 'objects and arrays are nested deeper than maxDepth allows'

// Shared by all scans: each runs to its end before another begins.
let stack = new Uint8Array(64)

/** The index of the first byte from `start` that is no JSON white space. */
export function skipBlank(bytes: Uint8Array, start: number, end: number): number {
  let i = start
  if (i < end && bytes[i]! > SPACE) return i // nearly always
  while (i < end) {
    const byte = bytes[i]!
    if (byte > SPACE || (byte !== SPACE && byte !== LINE_FEED && byte !== RETURN && byte !== TAB)) break
    i++
  }
  return i
}

/** A member's name and its colon. */
function skipKey(bytes: Uint8Array, view: DataView, start: number, end: number): number {
  if (!(start < end && bytes[start] === QUOTE)) return fail('expected a member name in double quotes', start)
  const name = skipString(bytes, view, start, end)
  if (name < 0) return name
  const colon = skipBlank(bytes, name, end)
  return colon < end && bytes[colon] === COLON ? colon + 1 : fail('expected ":"', colon)
}

/**
 * The index after the string whose opening quote stands at `start`. Most are short and passed over byte by byte; of a
 * longer one eight bytes are looked at in one go, which takes a quarter of the time.
 */
function skipString(bytes: Uint8Array, view: DataView, start: number, end: number): number {
  let i = start + 1
  for (;;) {
    const near = i + SHORT_STRING < end ? i + SHORT_STRING : end
    while (i < near && SPECIAL[bytes[i]!] === 0) i++
    if (i === near) i = skipPlain(view, i, end)
    if (i >= end) return fail('a string is not closed', start)
    const byte = bytes[i]!
    if (byte === QUOTE) return i + 1
    if (byte === BACKSLASH) {
      i = skipEscape(view, i, end)
      if (i < 0) return i
    } else if (byte < SPACE) {
      return fail('a control character stands in a string; write it as \\u00XX', i)
    } else i++
  }
}

const SHORT_STRING = 24
/** 1 for the bytes that end the plain part of a string: quote, backslash, control characters. */
const SPECIAL = new Uint8Array(256).fill(1, 0, 0x20)
SPECIAL[0x22] = 1
SPECIAL[0x5c] = 1

/** The index of the first special byte from `start`, or one a little before it where the text ends. */
function skipPlain(view: DataView, start: number, end: number): number {
  let i = start
  while (i + 8 <= end) {
    const first = special(view.getInt32(i, true))
    const second = special(view.getInt32(i + 4, true))
    if ((first | second) !== 0) return i + (first !== 0 ? lowest(first) : 4 + lowest(second))
    i += 8
  }
  return i
}

/** Which of the four bytes the lowest mark stands for. */
function lowest(marks: number): number {
  return (31 - Math.clz32(marks & -marks)) >> 3
}

/**
 * The high bit of each of the four bytes that is a quote, a backslash or below 0x20; 0 when none is. Each test borrows
 * into that bit; a borrow may mark a byte above one that is marked rightly, so only the lowest mark counts.
 */
function special(word: number): number {
  const quote = word ^ 0x22222222
  const backslash = word ^ 0x5c5c5c5c
  const control = (word - 0x20202020) & ~word
  return (control | ((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash)) & 0x80808080
}

function skipEscape(view: DataView, i: number, end: number): number {
  const escape = i + 1 < end ? view.getUint8(i + 1) : 0
  if (escape !== LOWER_U) {
    return ESCAPE[escape] === 1 ? i + 2 : fail('a backslash is followed by no escape of JSON', i)
  }
  const hex = i + 6 <= end && isHex(view, i + 2) && isHex(view, i + 3) && isHex(view, i + 4) && isHex(view, i + 5)
  return hex ? i + 6 : fail('\\u is not followed by four hex digits', i)
}

function isHex(view: DataView, at: number): boolean {
  const byte = view.getUint8(at)
  return (byte >= ZERO && byte <= NINE) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66)
}

function skipNumber(bytes: Uint8Array, start: number, end: number): number {
  let i = bytes[start] === MINUS ? start + 1 : start
  const first = i
  i = skipDigits(bytes, i, end)
  if (i === first || (bytes[first] === ZERO && i > first + 1)) return fail('a number is malformed', start)
  if (i < end && bytes[i] === DOT) {
    const fraction = i + 1
    i = skipDigits(bytes, fraction, end)
    if (i === fraction) return fail('a number is malformed', start)
  }
  if (i < end && (bytes[i]! | 0x20) === LOWER_E) {
    i++
    if (i < end && (bytes[i] === PLUS || bytes[i] === MINUS)) i++
    const exponent = i
    i = skipDigits(bytes, exponent, end)
    if (i === exponent) return fail('a number is malformed', start)
  }
  return i
}

function skipDigits(bytes: Uint8Array, start: number, end: number): number {
  let i = start
  while (i < end) {
    const byte = bytes[i]!
    if (byte < ZERO || byte > NINE) break
    i++
  }
  return i
}

function skipWord(bytes: Uint8Array, start: number, end: number): number {
  const word = start < end ? WORDS[bytes[start]!] : undefined
  if (word === undefined) return fail(start < end ? 'expected a JSON value' : 'the text ends too early', start)
  for (let k = 0; k < word.length; k++) {
    if (start + k >= end || bytes[start + k] !== word[k]) return fail('expected a JSON value', start)
  }
  return start + word.length
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const COMMA = 0x2c
const DOT = 0x2e
const PLUS = 0x2b
const MINUS = 0x2d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const SPACE = 0x20
const TAB = 0x09
const LINE_FEED = 0x0a
const RETURN = 0x0d
const ZERO = 0x30
const NINE = 0x39
const LOWER_E = 0x65
const LOWER_U = 0x75

const ESCAPE = new Uint8Array(256)
for (const c of '"\\/bfnrt') ESCAPE[c.charCodeAt(0)] = 1

const WORDS: Record<number, Uint8Array> = {
  0x74: Buffer.from('true'),
  0x66: Buffer.from('false'),
  0x6e: Buffer.from('null'),
}

/** The members of one object: names, and where their values lie in the text. Used again and again. */
export class Members {
  readonly names: string[] = []
  readonly starts: number[] = []
  readonly ends: number[] = []
  count = 0
}

/**
 * Reads the object that begins at `start` into `members`: names, and the bounds of each value without the blanks
 * around it. Repeated names stand there repeatedly.
 *
 * @returns the index after the object, or {@link NOT_JSON}.
 */
export function scanObject(
  bytes: Buffer,
  start: number,
  end: number,
  limits: { readonly maxDepth: number; readonly maxMembers: number },
  members: Members,
): number {
  const view = viewOf(bytes)
  members.count = 0
  let i = skipBlank(bytes, start + 1, end)
  if (i < end && bytes[i] === CLOSE_OBJECT) return i + 1
  for (;;) {
    if (members.count >= limits.maxMembers) return fail('the event has more members than maxMembers allows', i)
    const key = skipBlank(bytes, i, end)
    const colon = skipKey(bytes, view, key, end)
    if (colon < 0) return colon
    const value = skipBlank(bytes, colon, end)
    const valueEnd = skipAny(bytes, view, value, end, limits.maxDepth - 1)
    if (valueEnd < 0) return valueEnd
    const n = members.count++
    members.names[n] = readName(bytes, key + 1, colon)
    members.starts[n] = value
    members.ends[n] = valueEnd
    i = skipBlank(bytes, valueEnd, end)
    const next = i < end ? bytes[i] : 0
    if (next === CLOSE_OBJECT) return i + 1
    if (next !== COMMA) return fail('expected "," or "}"', i)
    i++
  }
}

/** The name that begins at `start`, after its quote; it has been checked. */
function readName(bytes: Buffer, start: number, colon: number): string {
  let hash = 0
  let i = start
  for (; i - start <= NAME_LENGTH_CACHED_MAX; i++) {
    const byte = bytes[i]!
    if (byte === QUOTE) {
      const slot = hash & (NAMES - 1)
      const known = names[slot]
      if (known !== undefined && isName(bytes, start, i, known)) return known
      return (names[slot] = bytes.toString('latin1', start, i))
    }
    if (byte === BACKSLASH || byte > 0x7e) break
    hash = (hash * 31 + byte) | 0
  }
  const quoted = bytes.toString('utf8', start - 1, bytes.lastIndexOf(QUOTE, colon - 1) + 1)
  const name: string = JSON.parse(quoted)
  return name
}

function isName(bytes: Buffer, start: number, end: number, name: string): boolean {
  if (name.length !== end - start) return false
  for (let k = 0; k < name.length; k++) if (bytes[start + k] !== name.charCodeAt(k)) return false
  return true
}

// Making a string of bytes costs a call out of the engine; events have the same few names over and over.
const NAMES = 256
const NAME_LENGTH_CACHED_MAX = 64
const names: (string | undefined)[] = Array.from({ length: NAMES }, () => undefined)
