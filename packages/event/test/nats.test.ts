// The NATS binding: modes, headers, and what goes along beside an event.

import { decodeNats, encodeNats, encodeStructured, Event, newEvent } from '@sluice/event'
import { describe, expect, test } from 'vitest'
import { thrownBy } from './message.ts'

const REQUIRED = ['ce-specversion', '1.0', 'ce-id', '1', 'ce-source', '/s', 'ce-type', 't']
const NONE = Buffer.alloc(0)

function sent(event: Event): Event {
  return decodeNats(encodeNats(event), event.data ?? NONE)
}

describe('CE-52: modes', () => {
  test('a message without headers is an event in JSON', () => {
    const event = newEvent({ id: '1', source: '/s', type: 't', datacontenttype: 'application/json' })
    expect(decodeNats([], Buffer.from(encodeStructured(event))).attributes).toEqual(event.attributes)
  })

  test('a content type of an event, in any case, is structured mode, and the payload alone counts', () => {
    const json = Buffer.from('{"specversion":"1.0","id":"1","source":"/s","type":"t","n":5,"data":{"a":1}}')
    const event = decodeNats(['CONTENT-type', 'Application/CloudEvents+JSON; charset=utf-8', 'ce-id', '2'], json)
    expect(event.id).toBe('1')
    expect(event.attribute('n')).toBe(5)
    expect(event.data?.toString()).toBe('{"a":1}')
  })

  test('an event format that is not spoken, and a batch, are refused', () => {
    for (const type of ['application/cloudevents+avro', 'application/cloudevents-batch+json']) {
      expect(thrownBy(() => decodeNats(['content-type', type], Buffer.from('[]')))).toMatchObject({ status: 415 })
    }
  })
})

describe('CE-53: binary mode', () => {
  test('every attribute is a header of its own, datacontenttype too; the payload is the data', () => {
    const event = newEvent({
      id: '1',
      source: '/s',
      type: 't',
      datacontenttype: 'text/plain; charset=utf-8',
      data: Buffer.from('hello'),
    })
    const pairs = encodeNats(event)
    expect(pairs.slice(-2)).toEqual(['ce-datacontenttype', 'text/plain;%20charset=utf-8'])
    expect(pairs).not.toContain('content-type')
    expect(sent(event).attributes).toEqual(event.attributes)
    expect(sent(event).data?.toString()).toBe('hello')
  })

  test('the type of the data is read from content-type where there is no header of its own', () => {
    expect(decodeNats([...REQUIRED, 'Content-Type', 'text/css'], NONE).text('datacontenttype')).toBe('text/css')
    const both = [...REQUIRED, 'content-type', 'text/css', 'ce-datacontenttype', 'text/html']
    expect(decodeNats(both, NONE).text('datacontenttype')).toBe('text/html')
  })

  test('CE-38, CE-39: values are percent-encoded, and raw UTF-8 of others is read', () => {
    const event = newEvent({ id: 'Euro € "😀" %41', source: '/s', type: 't' })
    expect(encodeNats(event).every((text) => /^[\x21-\x7e]*$/.test(text))).toBe(true)
    expect(sent(event).id).toBe(event.id)
    expect(decodeNats([...REQUIRED, 'ce-subject', 'größe'], NONE).text('subject')).toBe('größe')
  })

  test('no payload is no data', () => {
    expect(decodeNats(REQUIRED, NONE).data).toBeUndefined()
  })

  test('CE-8, CE-35, CE-36: what is no event is refused by its attribute', () => {
    const cases: [string[], string][] = [
      [REQUIRED.slice(0, 6), 'type'],
      [[...REQUIRED, 'ce-id', '2'], 'id'],
      [[...REQUIRED, 'ce-my-ext', '2'], 'ce-my-ext'],
      [[...REQUIRED, 'ce-subject', '%0A'], 'subject'],
      [['other', '1'], 'specversion'],
    ]
    for (const [headers, subject] of cases) {
      expect(thrownBy(() => decodeNats(headers, NONE))).toMatchObject({ status: 400, subject })
    }
  })
})

test('CE-54: names are written in lower case and read in any', () => {
  const event = newEvent({ id: '1', source: '/s', type: 't' })
  expect(
    encodeNats(event)
      .filter((_, i) => i % 2 === 0)
      .slice(0, 4),
  ).toEqual(['ce-specversion', 'ce-id', 'ce-source', 'ce-type'])
  expect(
    decodeNats(
      REQUIRED.map((text, i) => (i % 2 === 0 ? text.toUpperCase() : text)),
      NONE,
    ).type,
  ).toBe('t')
})

test('hops and forwarded headers go along, and are no attributes', () => {
  const event = new Event(newEvent({ id: '1', source: '/s', type: 't' }).attributes, undefined, 17, [
    'traceparent',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    'x-request-id',
    'r 1',
  ])
  const got = sent(event)
  expect(got.hops).toBe(17)
  expect(got.headers).toEqual(event.headers)
  expect(got.attributes).toEqual(event.attributes)
  expect(decodeNats([...REQUIRED, 'Nats-Msg-Id', 'x', 'sluice-hops', 'many'], NONE)).toMatchObject({
    hops: -1,
    headers: [],
  })
})
