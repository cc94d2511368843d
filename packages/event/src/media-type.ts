// Media types: what kind of content a `datacontenttype` names. On the hot path, answered from a cache there.

/** What the codecs need to know of a media type. */
export interface MediaType {
  /** Type and subtype in lower case, without parameters. */
  readonly essence: string
  /** `json`: subtype `json` or `+json` (CloudEvents JSON format §3.1); `text`: `text/*` and XML; else `other`. */
  readonly kind: 'json' | 'text' | 'other'
  /** The `charset` parameter in lower case, without quotes; `undefined` when there is none. */
  readonly charset: string | undefined
}

/** The media type that the text names, or `undefined` when it breaks RFC 2046 §1 (parameters as in RFC 9110 §5.6.6). */
export function readMediaType(text: string): MediaType | undefined {
  const known = seen.get(text)
  if (known !== undefined) return known
  const read = parse(text)
  if (read !== undefined && text.length <= CACHED_LENGTH_MAX) {
    if (seen.size >= CACHED_MAX) seen.clear()
    seen.set(text, read)
  }
  return read
}

// A sender chooses these texts, so their number and length are bounded; real traffic has a handful.
const CACHED_MAX = 256
const CACHED_LENGTH_MAX = 128
const seen = new Map<string, MediaType>()

function parse(text: string): MediaType | undefined {
  const slash = tokenEnd(text, 0)
  const end = tokenEnd(text, slash + 1)
  if (slash === 0 || text.charCodeAt(slash) !== SLASH || end === slash + 1) return undefined
  const essence = text.slice(0, end).toLowerCase()
  let charset: string | undefined
  let i = blankEnd(text, end)
  while (i < text.length) {
    if (text.charCodeAt(i) !== SEMICOLON) return undefined
    const name = blankEnd(text, i + 1)
    const equals = tokenEnd(text, name)
    if (equals === name) {
      i = name // nothing between two semicolons, or after the last
      continue
    }
    if (text.charCodeAt(equals) !== EQUALS) return undefined
    const value = equals + 1
    const quoted = text.charCodeAt(value) === QUOTE
    const valueEnd = quoted ? quotedEnd(text, value) : tokenEnd(text, value)
    if (valueEnd <= value) return undefined
    if (charset === undefined && text.slice(name, equals).toLowerCase() === 'charset') {
      charset = (quoted ? text.slice(value + 1, valueEnd - 1) : text.slice(value, valueEnd)).toLowerCase()
    }
    i = blankEnd(text, valueEnd)
  }
  return { essence, kind: kindOf(essence), charset }
}

function kindOf(essence: string): MediaType['kind'] {
  if (essence.endsWith('/json') || essence.endsWith('+json')) return 'json'
  return essence.startsWith('text/') || essence.endsWith('/xml') || essence.endsWith('+xml') ? 'text' : 'other'
}

function tokenEnd(text: string, from: number): number {
  let i = from
  while (i < text.length && isTokenUnit(text.charCodeAt(i))) i++
  return i
}

/** Whether the character may stand in a token, such as a header's name (RFC 9110 §5.6.2). */
export function isTokenUnit(unit: number): boolean {
  return unit < 128 && TOKEN[unit] === 1
}

/** The index after the closing quote, or -1. Only ASCII is taken, since the text goes out as a header again. */
function quotedEnd(text: string, open: number): number {
  for (let i = open + 1; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === QUOTE) return i + 1
    if (unit === BACKSLASH) i++
    const shown = text.charCodeAt(i)
    if (!((shown >= 0x20 && shown < 0x7f) || shown === TAB)) return -1
  }
  return -1
}

function blankEnd(text: string, from: number): number {
  let i = from
  while (text.charCodeAt(i) === SPACE || text.charCodeAt(i) === TAB) i++
  return i
}

const [SLASH, SEMICOLON, EQUALS, QUOTE, BACKSLASH, SPACE, TAB] = [0x2f, 0x3b, 0x3d, 0x22, 0x5c, 0x20, 0x09]

const TOKEN = new Uint8Array(128)
for (const c of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  TOKEN[c.charCodeAt(0)] = 1
}
