// The Google Pub/Sub binding: modes, the service's limits, and what goes along beside an event.

import { decodePubsub, encodePubsub, encodeStructured, Event, newEvent } from '@sluice/event'
import { describe, expect, test } from 'vitest'
import { thrownBy } from './message.ts'

const REQUIRED = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't' }
const NOTHING = Buffer.alloc(0)

function sent(event: Event): Event {
  const { attributes, data } = encodePubsub(event)
  return decodePubsub(attributes, data)
}

describe('CE-55: modes', () => {
  test('a content type of an event, in any case, is structured mode', () => {
    const data = Buffer.from('{"specversion":"1.0","id":"1","source":"/s","type":"t","n":5,"data":{"a":1}}')
    const event = decodePubsub({ 'content-type': 'Application/CloudEvents+JSON; charset=utf-8', 'ce-id': '2' }, data)
    expect(event.id).toBe('1')
    expect(event.attribute('n')).toBe(5)
    expect(event.data?.toString()).toBe('{"a":1}')
  })

  test('in binary mode every attribute has its raw text, and the payload is the data', () => {
    const event = newEvent({ id: '1', source: '/s', type: 't', subject: '€ %20 "😀"', data: Buffer.from([0, 255]) })
    const { attributes, data } = encodePubsub(event.with({ time: undefined }))
    expect(attributes).toEqual({ ...REQUIRED, 'ce-subject': '€ %20 "😀"' })
    expect(data).toEqual(Buffer.from([0, 255]))
    expect(sent(event).attributes).toEqual(event.attributes)
    expect(sent(event).data).toEqual(event.data)
    expect(sent(newEvent({ id: '1', source: '/s', type: 't' })).data).toBeUndefined()
  })

  test('an event format that is not spoken, and a batch, are refused', () => {
    for (const type of ['application/cloudevents+avro', 'application/cloudevents-batch+json']) {
      expect(thrownBy(() => decodePubsub({ 'content-type': type }, Buffer.from('[]')))).toMatchObject({ status: 415 })
    }
  })

  test('CE-8, CE-35: what is no event is refused by its attribute', () => {
    const { 'ce-type': _, ...untyped } = REQUIRED
    const cases: [Record<string, string>, string][] = [
      [untyped, 'type'],
      [{ ...REQUIRED, 'ce-my-ext': '2' }, 'ce-my-ext'],
      [{ ...REQUIRED, 'ce-subject': 'a\nb' }, 'subject'],
      [{ other: '1' }, 'specversion'],
    ]
    for (const [attributes, subject] of cases) {
      expect(thrownBy(() => decodePubsub(attributes, NOTHING))).toMatchObject({ status: 400, subject })
    }
    expect(thrownBy(() => decodePubsub(REQUIRED, Buffer.alloc(9), { maxEventBytes: 8 }))).toMatchObject({ status: 413 })
  })
})

test('CE-56: datacontenttype is written under both names, and read under three, the first that is there', () => {
  const event = newEvent({ id: '1', source: '/s', type: 't', datacontenttype: 'text/plain', data: Buffer.from('hi') })
  const { attributes } = encodePubsub(event)
  expect(attributes).toMatchObject({ 'content-type': 'text/plain', 'ce-datacontenttype': 'text/plain' })
  const type = (given: Record<string, string>): unknown =>
    decodePubsub({ ...REQUIRED, ...given }, NOTHING).attribute('datacontenttype')
  expect(type({ 'Content-Type': 'text/c' })).toBe('text/c')
  expect(type({ 'Content-Type': 'text/c', 'ce-datacontenttype': 'text/b' })).toBe('text/b')
  expect(type({ 'ce-datacontenttype': 'text/b', 'content-type': 'text/a' })).toBe('text/a')
})

describe('CE-57: what the service would refuse in binary mode is sent structured, and arrives whole', () => {
  const plain = newEvent({
    id: '1',
    source: '/s',
    type: 't',
    data: Buffer.from('{"a":1}'),
    datacontenttype: 'application/json',
  })
  const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`ext${i}`, 'x']))

  test.each([
    ['case 77: a subject of 2,000 bytes', plain.with({ subject: 'x'.repeat(2000) })],
    ['a value of 1,026 bytes and 342 characters', plain.with({ subject: '€'.repeat(342) })],
    ['a name of 254 bytes and its prefix', plain.with({ ['x'.repeat(254)]: '1' })],
    ['more than 100 attributes', plain.with(many)],
    ['data that is called an event itself', plain.with({ datacontenttype: 'application/cloudevents+json' })],
  ])('%s', (_, event) => {
    const { attributes, data } = encodePubsub(event)
    expect(attributes).toEqual({ 'content-type': 'application/cloudevents+json' })
    expect(data).toEqual(encodeStructured(event))
    expect(sent(event).attributes).toEqual(event.attributes)
    expect(sent(event).data).toEqual(event.data)
  })

  test('at the limits it is binary', () => {
    const { attributes } = encodePubsub(plain.with({ subject: 'x'.repeat(1024), ['x'.repeat(253)]: '1' }))
    expect(attributes['ce-subject']).toHaveLength(1024)
  })
})

test('hops and forwarded headers go along in either mode, and are no attributes', () => {
  const headers = ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 'x-request-id', 'r 1']
  for (const subject of ['short', 'x'.repeat(2000)]) {
    const { attributes } = newEvent({ id: '1', source: '/s', type: 't', subject })
    const got = sent(new Event(attributes, undefined, 17, headers))
    expect(got.hops).toBe(17)
    expect(got.headers).toEqual(headers)
    expect(got.attributes).toEqual(attributes)
  }
  expect(decodePubsub({ ...REQUIRED, 'sluice-hops': 'many' }, NOTHING)).toMatchObject({ hops: -1, headers: [] })
})

test('a forwarded header of more than the service takes stays behind', () => {
  const { attributes } = newEvent({ id: '1', source: '/s', type: 't' })
  const headers = ['x-request-id', 'r 1', 'knative-long', 'x'.repeat(1025)]
  expect(sent(new Event(attributes, undefined, 17, headers)).headers).toEqual(['x-request-id', 'r 1'])
})
