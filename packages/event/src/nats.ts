// The NATS protocol binding: an event as the headers and the payload of one message. On the hot path of who stores events
// at a NATS server. From and next: channels/nats.

import { badName, checkCore } from './attributes.ts'
import { eventTooLarge, invalidAttribute, invalidName, unsupportedFormat } from './errors.ts'
import { Event, HOPS_UNSET, type AttributeValue } from './event.ts'
import { decodeHeaderValue, encodeHeaderValue } from './header-value.ts'
import { FORWARDED_BYTES_MAX, isForwarded, isSendable } from './http.ts'
import { encodeBinary } from './http-write.ts'
import { decodeStructured } from './json-read.ts'
import { withDefaults, type DecodeLimits } from './limits.ts'
import { readMediaType } from './media-type.ts'
import { ATTRIBUTE_NAME_LENGTH_MAX, isAttributeName, quote } from './text.ts'

/** The header that the hop count travels in, beside the event. */
const HOPS = 'sluice-hops'

/**
 * The headers of the event in binary mode: name, value, name, value, ready to send; the payload is `event.data` as it
 * is. Attributes have `ce-` before their names, datacontenttype too (CloudEvents NATS binding §3.1); their values are
 * encoded as in HTTP, so that no value ends its header. Hops and forwarded headers go along under names of their own.
 */
export function encodeNats(event: Event): string[] {
  const pairs = [...event.binaryHeaders(encodeBinary)]
  const last = pairs.length - 2
  if (pairs[last] === 'content-type') {
    pairs[last] = 'ce-datacontenttype'
    pairs[last + 1] = encodeHeaderValue(pairs[last + 1]!)
  }
  if (event.hops !== HOPS_UNSET) pairs.push(HOPS, String(event.hops))
  for (const text of event.headers) pairs.push(text)
  return pairs
}

/**
 * The event of one message: structured where its content type is that of an event or it has no headers at all (as from a
 * server before 2.2), and else binary. There is no batch.
 *
 * @param headers name, value, name, value, decoded from UTF-8, names in any case, repeats kept.
 * @param payload the event shares it, so nobody may write to it afterwards. An empty one is no data in binary mode.
 * @throws SluiceError 400, 413 or 415, as `decodeHttp` does.
 */
export function decodeNats(headers: readonly string[], payload: Buffer, limits?: Partial<DecodeLimits>): Event {
  const bounds = withDefaults(limits)
  const head = readHeaders(headers)
  const contentType = head.contentType
  const isEvent = contentType?.toLowerCase().startsWith('application/cloudevents') ?? false
  const event =
    headers.length === 0 || isEvent ? structured(contentType, payload, bounds) : binary(head, payload, bounds)
  event.hops = head.hops
  if (head.forwarded.length > 0) event.headers = head.forwarded
  return event
}

function structured(contentType: string | undefined, payload: Buffer, limits: Readonly<DecodeLimits>): Event {
  const essence = contentType === undefined ? STRUCTURED : readMediaType(contentType)?.essence
  if (essence !== STRUCTURED) {
    throw unsupportedFormat(`Content-Type ${quote(contentType!)} is no event format that a message may have here.`)
  }
  return decodeStructured(payload, limits)
}

const STRUCTURED = 'application/cloudevents+json'

function binary(head: Head, payload: Buffer, limits: Readonly<DecodeLimits>): Event {
  if (payload.length > limits.maxEventBytes) throw eventTooLarge(payload.length, limits.maxEventBytes)
  const { attributes } = head
  // sdk-go writes the type of the data there (CE-53).
  if (head.contentType !== undefined && !attributes.has('datacontenttype')) {
    attributes.set('datacontenttype', head.contentType)
  }
  checkCore(attributes)
  return new Event(attributes, payload.length === 0 ? undefined : payload)
}

interface Head {
  readonly attributes: Map<string, AttributeValue>
  contentType: string | undefined
  hops: number
  readonly forwarded: string[]
}

function readHeaders(headers: readonly string[]): Head {
  const head: Head = { attributes: new Map(), contentType: undefined, hops: HOPS_UNSET, forwarded: [] }
  let forwardedBytes = 0
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase()
    const value = headers[i + 1]!
    if (name.startsWith('ce-')) readAttribute(head.attributes, name.slice(3), value)
    else if (name === 'content-type') head.contentType = value.trim()
    else if (name === HOPS && /^\d{1,9}$/.test(value)) head.hops = Number(value)
    else if (isForwarded(name) && isSendable(name, value)) {
      forwardedBytes += name.length + value.length
      if (forwardedBytes <= FORWARDED_BYTES_MAX) head.forwarded.push(name, value)
    }
  }
  return head
}

function readAttribute(attributes: Map<string, AttributeValue>, name: string, raw: string): void {
  if (name.length > ATTRIBUTE_NAME_LENGTH_MAX || !isAttributeName(name)) {
    throw invalidName(`ce-${name.slice(0, 64)}`, `Header ${quote(`ce-${name}`)} is no attribute: ${badName(name)}`)
  }
  const value = decodeHeaderValue(bytesOf(raw))
  if (typeof value !== 'string') {
    throw invalidAttribute(name, `Header ce-${name.slice(0, 64)} is refused: its value ${value.why}.`)
  }
  if (attributes.has(name)) {
    throw invalidAttribute(name, `Header ce-${name.slice(0, 64)} is there more than once; send each attribute once.`)
  }
  attributes.set(name, value)
}

/** A byte per character: what sdk-go sends raw is UTF-8 again. */
function bytesOf(text: string): string {
  return /[^\0-\x7f]/.test(text) ? Buffer.from(text).toString('latin1') : text
}
