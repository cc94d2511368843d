// The event that the generator sends again and again, as the bytes of one HTTP request in which only the id changes.

import { createHmac } from 'node:crypto'

/**
 * How an event is sent: its data as the body (`binary`), the whole event as JSON (`structured`), or as GitHub sends
 * webhooks, its data as the body and signed with {@link WEBHOOK_SECRET}.
 */
export interface PayloadSpec {
  readonly mode: 'binary' | 'structured' | 'webhook'
  /** Exact length of the JSON text that is the event's data. */
  readonly dataBytes: number
}

/** A request ready to be written. */
export interface Payload {
  /** Head and body. Each connection writes its own copy. */
  readonly request: Buffer
  /** Where the {@link ID_DIGITS} digits of the id stand in `request`. */
  readonly idAt: number
  readonly attributes: Readonly<Record<string, string>>
  /** The data that every subscriber has to get, byte for byte. */
  readonly data: Buffer
  /** Length of the data and of every attribute's name and value: what an event is at the least. */
  readonly rawBytes: number
}

export const ID_DIGITS = 12
export const WEBHOOK_SECRET = 'a secret of sixteen bytes and more'
/** The type that the benchmark's triggers ask for. */
export const EVENT_TYPE = 'com.example.order.placed'

/** The payload for the address where events are posted, such as `http://127.0.0.1:8080/default/bench`. */
export function payload(address: URL, spec: PayloadSpec): Payload {
  const data = orderJson(spec.dataBytes)
  const attributes = {
    specversion: '1.0',
    id: '0'.repeat(ID_DIGITS),
    source: '/shops/bench/orders',
    type: EVENT_TYPE,
    time: '2026-11-24T18:48:23Z',
    datacontenttype: 'application/json',
  }
  const bytes = REQUESTS[spec.mode](address, attributes, data)
  let rawBytes = data.length
  for (const [name, value] of Object.entries(attributes)) rawBytes += name.length + value.length
  const idAt = bytes.indexOf(attributes.id)
  return { request: bytes, idAt, attributes, data: Buffer.from(data), rawBytes }
}

/** Writes the event number as the id, with leading zeros. */
export function writeId(bytes: Buffer, idAt: number, eventNumber: number): void {
  let rest = eventNumber
  for (let at = idAt + ID_DIGITS - 1; at >= idAt; at--) {
    bytes[at] = 48 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}

const REQUESTS = { binary: binaryRequest, structured: structuredRequest, webhook: webhookRequest }

function binaryRequest(address: URL, attributes: Record<string, string>, data: string): Buffer {
  const { datacontenttype, ...others } = attributes
  const lines = Object.entries(others).map(([name, value]) => `ce-${name}: ${value}`)
  return requestBytes(address, [...lines, `content-type: ${datacontenttype}`], data)
}

function structuredRequest(address: URL, attributes: Record<string, string>, data: string): Buffer {
  const event = `${JSON.stringify(attributes).slice(0, -1)},"data":${data}}`
  return requestBytes(address, ['content-type: application/cloudevents+json; charset=utf-8'], event)
}

function webhookRequest(address: URL, { id }: Record<string, string>, data: string): Buffer {
  const signature = createHmac('sha256', WEBHOOK_SECRET).update(data).digest('hex')
  const own = [`x-github-event: order`, `x-github-delivery: ${id}`, `x-hub-signature-256: sha256=${signature}`]
  return requestBytes(address, [...own, 'content-type: application/json'], data)
}

function requestBytes(address: URL, headers: string[], body: string): Buffer {
  const lines = [`POST ${address.pathname} HTTP/1.1`, `host: ${address.host}`, ...headers]
  return Buffer.from(`${lines.join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

/** An order with as many lines as fit, filled up to the exact length; the text is what JSON.stringify makes of it. */
function orderJson(bytes: number): string {
  const order = { order: 'A-2026-004711', customer: { id: 4711, country: 'DE' }, lines: [] as object[], note: '' }
  const line = { sku: 'SKU-00421', title: 'A thing that is sold', quantity: 3, price: 12.95, tags: ['new', 'blue'] }
  const bare = JSON.stringify(order).length
  const lineBytes = JSON.stringify(line).length + 1
  const count = Math.max(0, Math.floor((bytes - bare) / lineBytes))
  for (let index = 0; index < count; index++) order.lines.push(line)
  const missing = bytes - JSON.stringify(order).length
  if (missing < 0) throw new RangeError(`an order of ${bytes} bytes is too small: it takes at least ${bare}`)
  order.note = 'x'.repeat(missing)
  return JSON.stringify(order)
}
