// The Google Pub/Sub binding: an event as the attributes and the data of one message. On the hot path of who stores events
// at Pub/Sub.

import { checkCore } from './attributes.ts'
import { eventTooLarge, unsupportedFormat } from './errors.ts'
import { Event, HOPS_UNSET, type AttributeValue } from './event.ts'
import { FORWARDED_BYTES_MAX, isForwarded, isSendable } from './http.ts'
import { decodeStructured } from './json-read.ts'
import { encodeStructured, STRUCTURED_CONTENT_TYPE } from './json-write.ts'
import { withDefaults, type DecodeLimits } from './limits.ts'
import { readMediaType } from './media-type.ts'
import { setRawAttribute } from './raw-attribute.ts'
import { quote } from './text.ts'

/** The attribute that the hop count travels in, beside the event. */
const HOPS = 'sluice-hops'
/** What the service takes of one message: attributes, and bytes of a name and of a value. */
const [ATTRIBUTES_MAX, NAME_BYTES_MAX, VALUE_BYTES_MAX] = [100, 256, 1024]

/** One message, as it is published. */
export interface PubsubMessage {
  /** Raw UTF-8, by their names. */
  readonly attributes: Record<string, string>
  /** Empty where the event has no data: the service can't tell the two apart. */
  readonly data: Buffer
}

/**
 * The event in binary mode: attributes with `ce-` before their names, datacontenttype as `content-type` too, and the data
 * as it is. In structured mode where the service would refuse that: a value of more than 1,024 bytes, a name of more than
 * 256, or too many of them. Hops and forwarded headers go along under names of their own, but for values of such a length.
 */
export function encodePubsub(event: Event): PubsubMessage {
  const beside = besideEvent(event)
  const attributes: Record<string, string> = { ...beside }
  let count = Object.keys(beside).length
  for (const [name, value] of event.attributes) {
    const text = String(value)
    if (!isTaken(`ce-${name}`, text)) return structuredMessage(event, beside)
    attributes[`ce-${name}`] = text
    count++
  }
  const type = event.text('datacontenttype')
  if (type !== undefined) {
    attributes['content-type'] = type
    count++
  }
  if (count > ATTRIBUTES_MAX || startsLikeEvent(type)) return structuredMessage(event, beside)
  return { attributes, data: event.data ?? NOTHING }
}

const NOTHING = Buffer.alloc(0)

function structuredMessage(event: Event, beside: Record<string, string>): PubsubMessage {
  return { attributes: { ...beside, 'content-type': STRUCTURED_CONTENT_TYPE }, data: encodeStructured(event) }
}

function besideEvent({ hops, headers }: Event): Record<string, string> {
  const beside: Record<string, string> = {}
  if (hops !== HOPS_UNSET) beside[HOPS] = String(hops)
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [name, value] = [headers[i]!, headers[i + 1]!]
    if (isTaken(name, value) && Object.keys(beside).length < ATTRIBUTES_MAX / 2) beside[name] = value
  }
  return beside
}

function isTaken(name: string, value: string): boolean {
  return Buffer.byteLength(name) <= NAME_BYTES_MAX && Buffer.byteLength(value) <= VALUE_BYTES_MAX
}

/**
 * The event of one message: structured where its content type is that of an event, and else binary. There is no batch.
 *
 * @param attributes those of the message. datacontenttype is read from `content-type`, `ce-datacontenttype` or
 *   `Content-Type`, the first that is there: the draft, its example and sdk-go each have another.
 * @param data the event shares it, so nobody may write to it afterwards. An empty one is no data in binary mode.
 * @throws SluiceError 400, 413 or 415, as `decodeHttp` does.
 */
export function decodePubsub(
  attributes: Readonly<Record<string, string>>,
  data: Buffer,
  limits?: Partial<DecodeLimits>,
): Event {
  const bounds = withDefaults(limits)
  const contentType = attributes['content-type'] ?? attributes['Content-Type']
  const event = startsLikeEvent(contentType)
    ? structured(contentType!, data, bounds)
    : binary(attributes, contentType, data, bounds)
  readBeside(attributes, event)
  return event
}

function startsLikeEvent(contentType: string | undefined): boolean {
  return contentType?.toLowerCase().startsWith('application/cloudevents') ?? false
}

function structured(contentType: string, data: Buffer, limits: Readonly<DecodeLimits>): Event {
  if (readMediaType(contentType)?.essence !== STRUCTURED_CONTENT_TYPE) {
    throw unsupportedFormat(`content-type ${quote(contentType)} is no event format that a message may have here.`)
  }
  return decodeStructured(data, limits)
}

function binary(
  raw: Readonly<Record<string, string>>,
  contentType: string | undefined,
  data: Buffer,
  limits: Readonly<DecodeLimits>,
): Event {
  if (data.length > limits.maxEventBytes) throw eventTooLarge(data.length, limits.maxEventBytes)
  const attributes = new Map<string, AttributeValue>()
  for (const name of Object.keys(raw)) {
    if (name.startsWith('ce-')) setRawAttribute(attributes, 'ce-', name.slice(3), raw[name]!)
  }
  const type = raw['content-type'] ?? attributes.get('datacontenttype') ?? contentType
  if (type !== undefined) attributes.set('datacontenttype', type)
  checkCore(attributes)
  return new Event(attributes, data.length === 0 ? undefined : data)
}

function readBeside(attributes: Readonly<Record<string, string>>, event: Event): void {
  const hops = attributes[HOPS]
  if (hops !== undefined && /^\d{1,9}$/.test(hops)) event.hops = Number(hops)
  const forwarded: string[] = []
  let bytes = 0
  for (const [name, value] of Object.entries(attributes)) {
    if (!isForwarded(name) || !isSendable(name, value)) continue
    bytes += name.length + value.length
    if (bytes <= FORWARDED_BYTES_MAX) forwarded.push(name, value)
  }
  if (forwarded.length > 0) event.headers = forwarded
}
