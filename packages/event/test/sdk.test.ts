// The JavaScript SDK of CloudEvents as the other side: what it sends we read, what we send it reads, as far as it can
// (its known differences are numbered CE-89 to CE-98).

import {
  BATCH_CONTENT_TYPE,
  decodeHttp,
  encodeBatch,
  encodeBinary,
  encodeStructured,
  newEvent,
  STRUCTURED_CONTENT_TYPE,
  type Event,
} from '@sluice/event'
import { CloudEvent, HTTP, type Message } from 'cloudevents'
import { describe, expect, test } from 'vitest'
import { asRecord, raw, refusal } from './message.ts'

const fields = { id: '1', source: '/s', type: 't', time: '2026-11-24T18:48:23.123Z', subject: 'sub' }

/** The message as it would come in over a socket. */
function received(message: Message): { headers: string[]; body: Buffer | undefined } {
  const body = message.body === undefined ? undefined : Buffer.from(message.body as string | Buffer)
  return { headers: Object.entries(message.headers).flatMap(([name, value]) => [name, raw(String(value))]), body }
}

function read(message: Message): Event {
  const { headers, body } = received(message)
  return decodeHttp(headers, body)[0]!
}

function readBySdk(headers: Record<string, string>, body: unknown): CloudEvent<unknown> | CloudEvent<unknown>[] {
  return HTTP.toEvent({ headers, body }) as CloudEvent<unknown> | CloudEvent<unknown>[]
}

describe('what the SDK sends', () => {
  test('CE-89: in binary mode is read, id and time that it made included', () => {
    const event = read(HTTP.binary(new CloudEvent({ type: 't', source: '/s', data: { a: 1 }, ext: 'x' })))
    expect([event.type, event.source, event.attribute('ext'), event.specversion]).toEqual(['t', '/s', 'x', '1.0'])
    expect([event.id.length, event.text('time')?.endsWith('Z')]).toEqual([36, true])
    expect(event.json()).toEqual({ a: 1 })
  })

  test('CE-90: in binary mode without data has a content type all the same', () => {
    const event = read(HTTP.binary(new CloudEvent(fields)))
    expect([event.attribute('datacontenttype'), event.data]).toEqual(['application/json; charset=utf-8', undefined])
  })

  test('CE-90: a string under application/json goes out without quotes and is kept as the bytes it is', () => {
    const event = read(HTTP.binary(new CloudEvent({ ...fields, datacontenttype: 'application/json', data: 'no json' })))
    expect([event.data?.toString(), event.json()]).toEqual(['no json', undefined])
  })

  test('CE-41 CE-90: attributes outside of ASCII are read as UTF-8, which its latin1 bytes are not', () => {
    const message = HTTP.binary(new CloudEvent({ ...fields, subject: 'é' }))
    expect(read(message).attribute('subject')).toBe('é')
    const headers = Object.entries(message.headers).flatMap(([name, value]) => [name, String(value)])
    expect(refusal({ headers, body: undefined })).toEqual({ status: 400, subject: 'subject' })
  })

  test('CE-92: what its own check lets pass is refused here', () => {
    const loose = (extra: Record<string, unknown>): Message =>
      HTTP.structured(new CloudEvent({ ...fields, ...extra }, false))
    expect(refusal(received(loose({ n: 2 ** 40 })))?.subject).toBe('n')
    expect(refusal(received(loose({ x: { y: 1 } })))?.subject).toBe('x')
    expect(refusal(received(loose({ datacontenttype: 'nonsense' })))?.subject).toBe('datacontenttype')
  })

  test('in structured mode is read, types and data of every kind included', () => {
    for (const data of [{ a: [1, 'é'] }, 'text', 5, [null]]) {
      const event = read(HTTP.structured(new CloudEvent({ ...fields, data, flag: true, n: 5, x: 'é "%' })))
      expect(event.json()).toEqual(data)
      expect([event.attribute('flag'), event.attribute('n'), event.attribute('x')]).toEqual([true, 5, 'é "%'])
    }
    const bytes = read(
      HTTP.structured(new CloudEvent({ ...fields, datacontenttype: 'image/png', data: Buffer.from('png') })),
    )
    expect(bytes.data?.toString()).toBe('png')
  })
})

describe('what the SDK receives', () => {
  const event = newEvent({
    ...fields,
    datacontenttype: 'application/json',
    extensions: { flag: true, n: 5, x: 'plain' },
    data: Buffer.from('{"a":[1,"é"]}'),
  })

  test('CE-98: in binary mode is the event, its extensions as strings', () => {
    const got = readBySdk(asRecord(encodeBinary(event)), event.data?.toString())
    expect(got).toMatchObject({ ...fields, flag: 'true', n: '5', x: 'plain', data: { a: [1, 'é'] } })
  })

  test('CE-42 CE-98: percent signs are not decoded by it, so structured mode is safer', () => {
    const odd = event.with({ subject: 'a "%' })
    expect(readBySdk(asRecord(encodeBinary(odd)), '{}')).toMatchObject({ subject: 'a%20%22%25' })
    expect(readBySdk({ 'content-type': STRUCTURED_CONTENT_TYPE }, encodeStructured(odd).toString())).toMatchObject({
      subject: 'a "%',
    })
  })

  test('CE-95: in structured mode is the event, as the content type is one it knows', () => {
    const got = readBySdk({ 'content-type': STRUCTURED_CONTENT_TYPE }, encodeStructured(event).toString())
    expect(got).toMatchObject({ ...fields, flag: true, n: 5, x: 'plain', data: { a: [1, 'é'] } })
  })

  test('CE-95 CE-97: in a batch is every event', () => {
    const got = readBySdk({ 'content-type': BATCH_CONTENT_TYPE }, encodeBatch([event, event]).toString())
    expect(got).toMatchObject([fields, fields])
  })

  test('CE-97: base64 comes out as the right bytes', () => {
    const bytes = newEvent({ ...fields, datacontenttype: 'image/png', data: Buffer.from([1, 2, 255]) })
    const got = readBySdk({ 'content-type': STRUCTURED_CONTENT_TYPE }, encodeStructured(bytes).toString())
    expect([...((got as CloudEvent<Uint8Array>).data ?? [])]).toEqual([1, 2, 255])
  })
})
