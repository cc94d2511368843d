// The Kafka protocol binding: an event as the headers, the key and the value of one record. On the hot path of who stores
// events at a Kafka server. From and next: channels/kafka.

import { checkCore } from './attributes.ts'
import { eventTooLarge, invalidAttribute, invalidJson, unsupportedFormat } from './errors.ts'
import { Event, HOPS_UNSET, type AttributeValue } from './event.ts'
import { FORWARDED_BYTES_MAX, isForwarded, isSendable } from './http.ts'
import { decodeStructured } from './json-read.ts'
import { STRUCTURED_CONTENT_TYPE } from './json-write.ts'
import { withDefaults, type DecodeLimits } from './limits.ts'
import { readMediaType } from './media-type.ts'
import { setRawAttribute } from './raw-attribute.ts'
import { quote } from './text.ts'

/** The header that the hop count travels in, beside the event. */
const HOPS = 'sluice_hops'

/** One record, as it is sent. */
export interface KafkaRecord {
  /** The event's `partitionkey`; `null`: it has none. */
  readonly key: string | null
  /** By their names; their values are raw UTF-8. */
  readonly headers: Record<string, string>
  /** `null`: the event has no data. */
  readonly value: Buffer | null
}

/** The headers of a record that was read, by their names; one that is there more than once has a list. */
export type KafkaHeaders = Readonly<Record<string, Buffer | string | readonly (Buffer | string)[] | undefined>>

/**
 * The event in binary mode (CloudEvents Kafka binding §3.2): attributes as headers with `ce_` before their names,
 * datacontenttype as `content-type`, and the data as it is. The key is `partitionkey`, which stays an attribute (§3.1).
 * Hops and forwarded headers go along under names of their own.
 */
export function encodeKafka(event: Event): KafkaRecord {
  const headers: Record<string, string> = {}
  for (const [name, value] of event.attributes) {
    headers[name === 'datacontenttype' ? 'content-type' : `ce_${name}`] = `${value}`
  }
  if (event.hops !== HOPS_UNSET) headers[HOPS] = String(event.hops)
  for (let i = 0; i + 1 < event.headers.length; i += 2) headers[event.headers[i]!] = event.headers[i + 1]!
  return { key: event.text('partitionkey') ?? null, headers, value: event.data ?? null }
}

/**
 * The event of one record: structured where its content type is that of an event, and else binary. There is no batch. The
 * record's key is no attribute (§3.1).
 *
 * @param value the event shares it, so nobody may write to it afterwards. `null` is no data in binary mode.
 * @throws SluiceError 400, 413 or 415, as `decodeHttp` does; for a tombstone without attributes too.
 */
export function decodeKafka(headers: KafkaHeaders, value: Buffer | null, limits?: Partial<DecodeLimits>): Event {
  const bounds = withDefaults(limits)
  const head = readHeaders(headers)
  const isEvent = head.contentType?.toLowerCase().startsWith('application/cloudevents') ?? false
  const event = isEvent ? structured(head.contentType!, value, bounds) : binary(head, value, bounds)
  event.hops = head.hops
  if (head.forwarded.length > 0) event.headers = head.forwarded
  return event
}

function structured(contentType: string, value: Buffer | null, limits: Readonly<DecodeLimits>): Event {
  if (readMediaType(contentType)?.essence !== STRUCTURED_CONTENT_TYPE) {
    throw unsupportedFormat(`content-type ${quote(contentType)} is no event format that a record may have here.`)
  }
  if (value === null) throw invalidJson('The record has no value, and its content-type says that it is an event.')
  return decodeStructured(value, limits)
}

function binary(head: Head, value: Buffer | null, limits: Readonly<DecodeLimits>): Event {
  if (value !== null && value.length > limits.maxEventBytes) throw eventTooLarge(value.length, limits.maxEventBytes)
  const { attributes, contentType } = head
  // sdk-javascript writes it twice; content-type wins.
  if (contentType !== undefined) attributes.set('datacontenttype', contentType)
  checkCore(attributes)
  return new Event(attributes, value ?? undefined)
}

interface Head {
  readonly attributes: Map<string, AttributeValue>
  contentType: string | undefined
  hops: number
  readonly forwarded: string[]
}

function readHeaders(headers: KafkaHeaders): Head {
  const head: Head = { attributes: new Map(), contentType: undefined, hops: HOPS_UNSET, forwarded: [] }
  let forwardedBytes = 0
  for (const name of Object.keys(headers)) {
    const raw = headers[name]
    if (raw === undefined) continue
    if (name.startsWith('ce_')) {
      readAttribute(head.attributes, name.slice(3), raw)
      continue
    }
    const value = textOf(Array.isArray(raw) ? (raw as readonly (Buffer | string)[])[0]! : (raw as Buffer | string))
    if (name === 'content-type') head.contentType = value.trim()
    else if (name === HOPS && /^\d{1,9}$/.test(value)) head.hops = Number(value)
    else if (isForwarded(name) && isSendable(name, value)) {
      forwardedBytes += name.length + value.length
      if (forwardedBytes <= FORWARDED_BYTES_MAX) head.forwarded.push(name, value)
    }
  }
  return head
}

function readAttribute(attributes: Map<string, AttributeValue>, name: string, raw: KafkaHeaders[string]): void {
  if (Array.isArray(raw)) {
    throw invalidAttribute(name, `Header ce_${name} is there more than once; send each attribute once.`)
  }
  setRawAttribute(attributes, 'ce_', name, raw as Buffer | string)
}

function textOf(raw: Buffer | string): string {
  return typeof raw === 'string' ? raw : raw.toString()
}
