// An event becomes the headers of a binary-mode HTTP message; its body is `event.data` as it is. On the hot path
// (bench/codec.ts). Next: delivery, which sends it.

import type { Event } from './event.ts'
import { encodeHeaderValue } from './header-value.ts'

/**
 * The headers of the event in binary mode: name, value, name, value, lower-case and ready to send. First specversion,
 * id, source and type, then the others in the order they came in, last `content-type` if there is a datacontenttype.
 * CloudEvents HTTP binding §3.1. Forwarded headers (`event.headers`) are not among them.
 */
export function encodeBinary(event: Event): string[] {
  const attributes = event.attributes
  const pairs: string[] = [
    'ce-specversion',
    encodeHeaderValue(event.specversion),
    'ce-id',
    encodeHeaderValue(event.id),
    'ce-source',
    encodeHeaderValue(event.source),
    'ce-type',
    encodeHeaderValue(event.type),
  ]
  let contentType: string | undefined
  for (const [name, value] of attributes) {
    switch (name) {
      case 'specversion':
      case 'id':
      case 'source':
      case 'type':
        break
      case 'datacontenttype':
        contentType = `${value}`
        break
      default:
        pairs.push(headerNames.get(name) ?? headerName(name), encodeHeaderValue(`${value}`))
    }
  }
  if (contentType !== undefined) pairs.push('content-type', contentType)
  return pairs
}

/** Bytes that {@link encodeBinary}'s headers take in a request: for a subscriber that caps its headers (CE-14). */
export function binaryHeaderBytes(event: Event): number {
  const pairs = event.binaryHeaders(encodeBinary)
  let bytes = 0
  for (const text of pairs) bytes += text.length
  return bytes + pairs.length * 2 // ": " after each name, CRLF after each value
}

// Saves putting `ce-` before the same few names for every event, and gives the HTTP client strings it has seen.
const headerNames = new Map<string, string>()
const NAMES_MAX = 1024
const NAME_LENGTH_CACHED_MAX = 64

function headerName(attribute: string): string {
  const header = `ce-${attribute}`
  if (attribute.length <= NAME_LENGTH_CACHED_MAX) {
    if (headerNames.size >= NAMES_MAX) headerNames.clear()
    headerNames.set(attribute, header)
  }
  return header
}
