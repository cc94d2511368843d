// URIs and URI-references as RFC 3986 writes them. On the hot path: `source` of every event. Each function goes over
// its text once and allocates nothing, but for a host in brackets.

import { isIPv6 } from 'node:net'

/** Whether the text is a URI-reference (RFC 3986 §4.1): ASCII only, `%` only before two hex digits. May be empty. */
export function isUriReference(text: string): boolean {
  const colon = schemeEnd(text)
  return colon !== BAD_SCHEME && isHierarchy(text, colon + 1)
}

/** Whether the text is a URI with a scheme (RFC 3986 §3). A fragment is accepted, since real `dataschema`s have one. */
export function isUri(text: string): boolean {
  const colon = schemeEnd(text)
  return colon > 0 && isHierarchy(text, colon + 1)
}

const BAD_SCHEME = -2

/** The index of the colon after the scheme; -1 without a scheme. A colon in the first segment makes it a scheme. */
function schemeEnd(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === COLON) return i > 0 && (classOf(text.charCodeAt(0)) & ALPHA) !== 0 ? i : BAD_SCHEME
    if (unit === SLASH || unit === QUESTION || unit === HASH) return -1
    if ((classOf(unit) & SCHEME) === 0) return withoutScheme(text, i)
  }
  return -1
}

/** After a character that no scheme may have: a colon that comes before `/`, `?` and `#` is a mistake. */
function withoutScheme(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === COLON) return BAD_SCHEME
    if (unit === SLASH || unit === QUESTION || unit === HASH) return -1
  }
  return -1
}

/** Everything after the scheme: authority, path, query, fragment. */
function isHierarchy(text: string, start: number): boolean {
  let i = start
  if (text.charCodeAt(i) === SLASH && text.charCodeAt(i + 1) === SLASH) {
    i = authorityEnd(text, i + 2)
    if (i < 0) return false
  }
  let allowed = PATH
  for (; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if ((classOf(unit) & allowed) !== 0) continue
    if (unit === PERCENT && isEscape(text, i)) i += 2
    else if (unit === QUESTION && allowed === PATH) allowed = QUERY
    else if (unit === HASH && allowed !== FRAGMENT) allowed = FRAGMENT
    else return false
  }
  return true
}

/** The index after `userinfo@host:port`, or -1 when it is malformed (RFC 3986 §3.2). */
function authorityEnd(text: string, start: number): number {
  let host = start
  let colon = -1
  let i = start
  for (; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === SLASH || unit === QUESTION || unit === HASH) break
    if (unit === AT) {
      if (host !== start) return -1
      host = i + 1
      colon = -1
    } else if (unit === COLON) {
      if (colon < 0) colon = i
    } else if (unit === OPEN) {
      if (i !== host) return -1
      const close = text.indexOf(']', i)
      if (close < 0 || !isIpLiteral(text.slice(i + 1, close))) return -1
      i = close
      const next = text.charCodeAt(i + 1)
      if (i + 1 < text.length && next !== COLON && next !== SLASH && next !== QUESTION && next !== HASH) return -1
    } else if (unit === PERCENT) {
      if (!isEscape(text, i)) return -1
      i += 2
    } else if ((classOf(unit) & NAME) === 0) return -1
  }
  // A colon that no `@` followed starts the port; a second one is caught here, as it is no digit.
  if (colon >= 0) for (let k = colon + 1; k < i; k++) if ((classOf(text.charCodeAt(k)) & DIGIT) === 0) return -1
  return i
}

function isIpLiteral(text: string): boolean {
  return (isIPv6(text) && !text.includes('%')) || /^v[0-9a-f]{1,8}\.[\w.~!$&'()*+,;=:-]{1,64}$/i.test(text)
}

function isEscape(text: string, at: number): boolean {
  return (classOf(text.charCodeAt(at + 1)) & HEX) !== 0 && (classOf(text.charCodeAt(at + 2)) & HEX) !== 0
}

const [COLON, SLASH, QUESTION, HASH, PERCENT, AT, OPEN] = [0x3a, 0x2f, 0x3f, 0x23, 0x25, 0x40, 0x5b]

// Classes of ASCII characters, a bit each.
const [ALPHA, DIGIT, HEX, SCHEME, NAME, PATH, QUERY, FRAGMENT] = [1, 2, 4, 8, 16, 32, 64, 128]

const CLASSES = new Uint8Array(128)
mark('abcdefABCDEF', HEX)
mark('ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZabcdefABCDEF', ALPHA | SCHEME | NAME | PATH | QUERY | FRAGMENT)
mark('0123456789', DIGIT | HEX | SCHEME | NAME | PATH | QUERY | FRAGMENT)
mark("-._~!$&'()*+,;=", NAME | PATH | QUERY | FRAGMENT)
mark('+-.', SCHEME)
mark(':@/', PATH | QUERY | FRAGMENT)
mark('?', QUERY | FRAGMENT)

function mark(characters: string, classes: number): void {
  for (const character of characters) CLASSES[character.charCodeAt(0)]! |= classes
}

/** 0 for what is not ASCII, and past the end of a text. */
function classOf(unit: number): number {
  return unit < 128 ? CLASSES[unit]! : 0
}
