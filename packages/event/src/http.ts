// One HTTP message becomes events, or a reason why not. On the hot path (bench/codec.ts).
// From: server's ingress, and delivery's replies. Next: the broker, which accepts the events.

import { badName, checkCore } from './attributes.ts'
import { eventTooLarge, invalidAttribute, invalidName, SluiceError, unsupportedFormat } from './errors.ts'
import { Event, HOPS_UNSET, type AttributeValue } from './event.ts'
import { decodeHeaderValue } from './header-value.ts'
import { decodeBatch, decodeStructured } from './json-read.ts'
import { withDefaults, type DecodeLimits } from './limits.ts'
import { isTokenUnit, readMediaType } from './media-type.ts'
import { ATTRIBUTE_NAME_LENGTH_MAX, isAttributeName, quote } from './text.ts'

/**
 * The events of one HTTP request or response: one in binary and structured mode, any number in a batch, which is
 * decoded whole or not at all (CloudEvents HTTP binding §3).
 *
 * @param rawHeaders name, value, name, value, as in node's `rawHeaders`: a byte per character, repeats kept.
 * @param body all bytes of the body; the events share them, so nobody may write to them afterwards. An empty body is
 *   no data in binary mode, where the two can't be told apart.
 * @param limits where not given, {@link DEFAULT_LIMITS}.
 * @throws SluiceError 400, 413 or 415; `subject` names the attribute, `data`, `body` or the header, in a batch with
 *   its index: `[1].type`.
 */
export function decodeHttp(
  rawHeaders: readonly string[],
  body: Buffer | undefined,
  limits?: Partial<DecodeLimits>,
): Event[] {
  try {
    return decodeMessage(readHeaders(rawHeaders), body, withDefaults(limits))
  } catch (error) {
    throw error instanceof SluiceError ? withNothingStored(error) : error
  }
}

/** Whether a message means to be a CloudEvent: any `ce-` header, or a content type of `application/cloudevents…`. */
export function hasEventMarks(rawHeaders: readonly string[]): boolean {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (hasPrefix(name) || (isContentType(name) && isEventFormat(rawHeaders[i + 1]!.trim()))) return true
  }
  return false
}

function decodeMessage(head: Head, body: Buffer | undefined, limits: Readonly<DecodeLimits>): Event[] {
  const contentType = head.contentType
  if (contentType === undefined || !isEventFormat(contentType)) return [decodeBinary(head, body, limits)]
  const mediaType = readMediaType(contentType)
  const batch = mediaType?.essence === 'application/cloudevents-batch+json'
  if (!batch && mediaType?.essence !== 'application/cloudevents+json') {
    // All that makes an event stands in the headers: then it is one of a format that need not be understood.
    if (hasRequired(head.attributes)) return [decodeBinary(head, body, limits)]
    throw unsupportedFormat(
      `Content-Type ${quote(contentType)} is an event format that is not supported here; send ` +
        'application/cloudevents+json, application/cloudevents-batch+json, or binary mode with ce- headers.',
    )
  }
  if (mediaType.charset !== undefined && mediaType.charset !== 'utf-8' && mediaType.charset !== 'utf8') {
    throw unsupportedFormat(`Events in JSON are UTF-8, not ${quote(mediaType.charset)}; encode the body as UTF-8.`)
  }
  const bytes = body ?? EMPTY
  if (batch) {
    const events = decodeBatch(bytes, limits)
    for (const event of events) event.headers = head.forwarded
    return events
  }
  const event = decodeStructured(bytes, limits)
  event.headers = head.forwarded
  return [event]
}

function decodeBinary(head: Head, body: Buffer | undefined, limits: Readonly<DecodeLimits>): Event {
  if (body !== undefined && body.length > limits.maxEventBytes) throw eventTooLarge(body.length, limits.maxEventBytes)
  if (head.fault !== undefined) throw head.fault
  const attributes = head.attributes
  if (attributes.size === 0) {
    throw invalidAttribute(
      'specversion',
      'The request has neither ce- headers nor the content type of an event. Send the headers ce-specversion: 1.0, ' +
        'ce-id, ce-source and ce-type with the data as body, or the whole event as JSON with Content-Type: ' +
        'application/cloudevents+json.',
    )
  }
  if (head.contentType !== undefined) attributes.set('datacontenttype', head.contentType)
  checkCore(attributes)
  return new Event(attributes, body === undefined || body.length === 0 ? undefined : body, HOPS_UNSET, head.forwarded)
}

/** What a message's headers say, read in one pass. */
class Head {
  readonly attributes: Map<string, AttributeValue> = new Map()
  contentType: string | undefined = undefined
  forwarded: string[] = NO_HEADERS
  forwardedBytes = 0
  /** The first mistake in a `ce-` header. In structured mode these headers don't count, and so their mistakes. */
  fault: SluiceError | undefined = undefined
}

function readHeaders(raw: readonly string[]): Head {
  const head = new Head()
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!
    switch (name.charCodeAt(0) | 0x20) {
      case 0x63: // c
        if (hasPrefix(name)) readAttribute(head, name, raw[i + 1]!)
        else if (isContentType(name)) readContentType(head, raw[i + 1]!)
        break
      case 0x6b: // k
      case 0x74: // t
      case 0x78: // x
        forward(head, name, raw[i + 1]!)
        break
      default:
    }
  }
  return head
}

function readAttribute(head: Head, header: string, raw: string): void {
  const name = attributeNames.get(header) ?? attributeName(header)
  if (name === undefined) {
    head.fault ??= invalidHeader(header)
    return
  }
  const value = decodeHeaderValue(raw)
  if (typeof value !== 'string') {
    head.fault ??= invalidAttribute(name, `Header ce-${quoteless(name)} is refused: its value ${value.why}.`)
    return
  }
  const attributes = head.attributes
  const before = attributes.size
  attributes.set(name, value)
  if (attributes.size === before) {
    head.fault ??= invalidAttribute(
      name,
      `Header ce-${quoteless(name)} is there more than once; send each attribute once.`,
    )
  }
}

function readContentType(head: Head, raw: string): void {
  if (head.contentType === undefined) {
    head.contentType = raw.trim()
    return
  }
  head.fault ??= invalidAttribute('datacontenttype', 'Header Content-Type is there more than once; send it once.')
}

/** Keeps a header that goes on with the event, while there is room for it (CE-13). */
function forward(head: Head, header: string, value: string): void {
  const name = header.toLowerCase()
  if (!isForwarded(name)) return
  const bytes = name.length + value.length
  if (head.forwardedBytes + bytes > FORWARDED_BYTES_MAX || !isSendable(name, value)) return
  if (head.forwardedBytes === 0) head.forwarded = []
  head.forwarded.push(name, value)
  head.forwardedBytes += bytes
}

/** Most bytes of names and values of the headers that go on with an event. A header that does not fit is left out. */
export const FORWARDED_BYTES_MAX = 4096

/** Whether a header of this lower-case name goes on with the event it came with. */
export function isForwarded(name: string): boolean {
  switch (name.charCodeAt(0)) {
    case 0x6b:
      return name.startsWith('knative-')
    case 0x74:
      return name === 'traceparent' || name === 'tracestate'
    default:
      return name === 'x-request-id' || name.startsWith('x-b3-')
  }
}

/** A header that an HTTP client would refuse to send would make its event undeliverable for ever. */
export function isSendable(name: string, value: string): boolean {
  for (let i = 0; i < name.length; i++) if (!isTokenUnit(name.charCodeAt(i))) return false
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i)
    if (!((unit >= 0x20 && unit < 0x7f) || unit === 0x09 || (unit >= 0x80 && unit <= 0xff))) return false
  }
  return true
}

/** `ce-` in any case. */
function hasPrefix(header: string): boolean {
  return (
    (header.charCodeAt(0) | 0x20) === 0x63 && (header.charCodeAt(1) | 0x20) === 0x65 && header.charCodeAt(2) === 0x2d
  )
}

function isContentType(header: string): boolean {
  return header.length === 12 && (header === 'content-type' || header.toLowerCase() === 'content-type')
}

const EVENT_FORMAT = 'application/cloudevents'

function isEventFormat(contentType: string): boolean {
  return (
    contentType.length >= EVENT_FORMAT.length &&
    // 'c': what nearly every other content type differs in, such as application/json; charset=utf-8.
    (contentType.charCodeAt(12) | 0x20) === 0x63 &&
    contentType.slice(0, EVENT_FORMAT.length).toLowerCase() === EVENT_FORMAT
  )
}

function hasRequired(attributes: ReadonlyMap<string, AttributeValue>): boolean {
  return attributes.has('specversion') && attributes.has('id') && attributes.has('source') && attributes.has('type')
}

// Headers as senders spell them, and the attributes they are. Senders choose the names, so their count is bounded.
const attributeNames = new Map<string, string>()
const NAMES_MAX = 1024
const NAME_LENGTH_CACHED_MAX = 64

function attributeName(header: string): string | undefined {
  if (header.length > ATTRIBUTE_NAME_LENGTH_MAX + 3) return undefined
  const name = header.slice(3).toLowerCase()
  // datacontenttype travels as Content-Type, and nowhere else (HTTP binding §3.1.1).
  if (!isAttributeName(name) || name === 'datacontenttype') return undefined
  if (header.length <= NAME_LENGTH_CACHED_MAX) {
    if (attributeNames.size >= NAMES_MAX) attributeNames.clear()
    attributeNames.set(header, name)
  }
  return name
}

function invalidHeader(header: string): SluiceError {
  const name = header.slice(3).toLowerCase()
  if (name === 'datacontenttype') {
    return invalidAttribute(name, 'Header ce-datacontenttype is not allowed; the type of the data is Content-Type.')
  }
  return invalidName(`ce-${quoteless(name)}`, `Header ${quote(header)} is no attribute: ${badName(name)}`)
}

/** A name as it may stand in a message, cut when somebody sends an endless one. */
function quoteless(name: string): string {
  return name.length > 64 ? `${name.slice(0, 64)}…` : name
}

function withNothingStored(error: SluiceError): SluiceError {
  return new SluiceError(error.code, `${error.message} Nothing was stored.`, {
    status: error.status,
    ...(error.subject === undefined ? {} : { subject: error.subject }),
  })
}

const NO_HEADERS: string[] = []
const EMPTY: Buffer = Buffer.alloc(0)
