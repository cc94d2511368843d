// The two events of the conformance cases, as messages that tests change: B in binary mode, J in structured mode.

import { decodeHttp, SluiceError, type Event } from '@sluice/event'

export interface Message {
  readonly headers: string[]
  readonly body: Buffer | undefined
}

/** Header pairs as raw headers; `undefined` takes one of the four required ones away. */
export function binary(extra: Record<string, string | string[] | undefined> = {}, body?: string | Buffer): Message {
  const all = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't', ...extra }
  const headers: string[] = []
  for (const [name, value] of Object.entries(all)) {
    for (const one of value === undefined ? [] : [value].flat()) headers.push(name, one)
  }
  return { headers, body: body === undefined ? undefined : Buffer.from(body) }
}

/** `extra` is JSON text to stand behind the four required members; `fields` replaces those. */
export function structured(
  extra: string = '',
  fields: string = '"specversion":"1.0","id":"1","source":"/s","type":"t"',
  contentType: string = 'application/cloudevents+json',
): Message {
  const members = [fields, extra].filter((text) => text !== '').join(',')
  return json(`{${members}}`, contentType)
}

export function json(body: string | Buffer, contentType: string = 'application/cloudevents+json'): Message {
  return { headers: ['Content-Type', contentType], body: Buffer.from(body) }
}

export function batch(body: string): Message {
  return json(body, 'application/cloudevents-batch+json')
}

export function decode(message: Message): Event[] {
  return decodeHttp(message.headers, message.body)
}

export function decodeOne(message: Message): Event {
  const events = decode(message)
  if (events.length !== 1) throw new Error(`${events.length} events`)
  return events[0]!
}

/** Status and subject of the error that the message is refused with; `undefined` when it is taken. */
export function refusal(message: Message): { status: number; subject: string | undefined } | undefined {
  const error = thrownBy(() => decode(message))
  return error === undefined ? undefined : { status: error.status, subject: error.subject }
}

/** The SluiceError that `run` throws; `undefined` when it throws nothing. Any other error is passed on. */
export function thrownBy(run: () => unknown): SluiceError | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    if (error instanceof SluiceError) return error
    throw error
  }
}

/** Header pairs as an object. */
export function asRecord(pairs: readonly string[]): Record<string, string> {
  const record: Record<string, string> = Object.create(null)
  for (let i = 0; i < pairs.length; i += 2) record[pairs[i]!] = pairs[i + 1]!
  return record
}

/** Bytes as the latin1 text that Node hands out for them in headers. */
export function raw(text: string): string {
  return Buffer.from(text).toString('latin1')
}
