// Events in the answers of the API: as the JSON that the CloudEvents format has, copied in as the text that it is, so that
// a number in the data comes out as it went in.

import { encodeStructured, Event } from '@sluice/event'

/** The event with its data: JSON and text as they are, all else in `data_base64`. */
export function eventJson(event: Event): string {
  return encodeStructured(event).toString('utf8')
}

/** The attributes alone. */
export function attributesJson(event: Event): string {
  return eventJson(new Event(event.attributes, undefined))
}

/** The JSON of `object`, and in it the member `name`, whose value is JSON already. */
export function jsonWith(object: object, name: string, json: string): string {
  const text = JSON.stringify(object)
  return `${text.slice(0, -1)}${text === '{}' ? '' : ','}${JSON.stringify(name)}:${json}}`
}

/** Bytes as text, where they are some, else as base64. */
export function bytesJson(bytes: Buffer): { text: string } | { base64: string } {
  try {
    return { text: UTF8.decode(bytes) }
  } catch {
    return { base64: bytes.toString('base64') }
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
