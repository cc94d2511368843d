// The Kafka binding: modes, headers, key, and what goes along beside an event.

import { decodeKafka, encodeKafka, encodeStructured, Event, newEvent, type KafkaHeaders } from '@sluice/event'
import { describe, expect, test } from 'vitest'
import { thrownBy } from './message.ts'

const REQUIRED = { ce_specversion: '1.0', ce_id: '1', ce_source: '/s', ce_type: 't' }

/** As a client library hands it out: values as bytes. */
function sent(event: Event): Event {
  const { headers, value } = encodeKafka(event)
  const read = Object.entries(headers).map(([name, text]): [string, Buffer] => [name, Buffer.from(text)])
  return decodeKafka(Object.fromEntries(read), value)
}

describe('CE-47: modes', () => {
  test('CE-51: a content type of an event, in any case, is structured mode, and the value alone counts', () => {
    const value = Buffer.from('{"specversion":"1.0","id":"1","source":"/s","type":"t","n":5,"data":{"a":1}}')
    const headers = { 'content-type': Buffer.from('Application/CloudEvents+JSON; charset=utf-8'), ce_id: '2' }
    const event = decodeKafka(headers, value)
    expect(event.id).toBe('1')
    expect(event.attribute('n')).toBe(5)
    expect(event.data?.toString()).toBe('{"a":1}')
  })

  test('what was encoded in structured mode is read', () => {
    const event = newEvent({ id: '1', source: '/s', type: 't', subject: 'é', data: Buffer.from([0, 255]) })
    const value = Buffer.from(encodeStructured(event))
    const got = decodeKafka({ 'content-type': 'application/cloudevents+json' }, value)
    expect(got.attributes).toEqual(event.attributes)
    expect(got.data).toEqual(event.data)
  })

  test('an event format that is not spoken, and a batch, are refused', () => {
    for (const type of ['application/cloudevents+avro', 'application/cloudevents-batch+json']) {
      expect(thrownBy(() => decodeKafka({ 'content-type': type }, Buffer.from('[]')))).toMatchObject({ status: 415 })
    }
  })
})

describe('CE-48: binary mode', () => {
  test('every attribute is a header, datacontenttype is content-type, and the value is the data', () => {
    const event = newEvent({ id: '1', source: '/s', type: 't', datacontenttype: 'text/plain', data: Buffer.from('hi') })
    expect(encodeKafka(event.with({ time: undefined }))).toEqual({
      key: null,
      headers: { ...REQUIRED, 'content-type': 'text/plain' },
      value: Buffer.from('hi'),
    })
    expect(sent(event).attributes).toEqual(event.attributes)
    expect(sent(event).data?.toString()).toBe('hi')
  })

  test('case 74: values are raw UTF-8, and a percent sign is one', () => {
    const event = newEvent({ id: '1', source: '/s', type: 't', subject: '€ %20 "😀"' })
    expect(encodeKafka(event).headers['ce_subject']).toBe('€ %20 "😀"')
    expect(sent(event).text('subject')).toBe('€ %20 "😀"')
  })

  test('CE-99: ce_datacontenttype is read too, and content-type wins', () => {
    const type = (headers: KafkaHeaders) => decodeKafka({ ...REQUIRED, ...headers }, null).text('datacontenttype')
    expect(type({ ce_datacontenttype: 'text/css' })).toBe('text/css')
    expect(type({ ce_datacontenttype: 'text/css', 'content-type': 'text/html' })).toBe('text/html')
  })

  test('CE-49, case 75: no data is a null value, both ways; a null value without attributes is no event', () => {
    const event = newEvent({ id: '1', source: '/s', type: 't' })
    expect(encodeKafka(event).value).toBeNull()
    expect(sent(event).data).toBeUndefined()
    expect(sent(newEvent({ id: '1', source: '/s', type: 't', data: Buffer.alloc(0) })).data).toHaveLength(0)
    expect(thrownBy(() => decodeKafka({}, null))).toMatchObject({ status: 400, subject: 'specversion' })
    const headers = { 'content-type': 'application/cloudevents+json' }
    expect(thrownBy(() => decodeKafka(headers, null))).toMatchObject({ status: 400 })
  })

  test('CE-8, CE-35, CE-48: what is no event is refused by its attribute', () => {
    const { ce_type: _, ...untyped } = REQUIRED
    const cases: [KafkaHeaders, string][] = [
      [untyped, 'type'],
      [{ ...REQUIRED, ce_id: ['1', '2'] }, 'id'],
      [{ ...REQUIRED, 'ce_my-ext': '2' }, 'ce_my-ext'],
      [{ ...REQUIRED, ce_subject: 'a\nb' }, 'subject'],
      [{ ...REQUIRED, ce_subject: Buffer.from([0xff]) }, 'subject'],
      [{ other: '1' }, 'specversion'],
    ]
    for (const [headers, subject] of cases) {
      expect(thrownBy(() => decodeKafka(headers, null))).toMatchObject({ status: 400, subject })
    }
  })
})

test('CE-50: partitionkey is the key and stays an attribute; without it there is no key', () => {
  const event = newEvent({ id: '1', source: '/s', type: 't' }).with({ partitionkey: 'customer-7' })
  const { key, headers } = encodeKafka(event)
  expect(key).toBe('customer-7')
  expect(headers['ce_partitionkey']).toBe('customer-7')
  expect(encodeKafka(newEvent({ id: '1', source: '/s', type: 't', subject: 'x' })).key).toBeNull()
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
  const others = { ...REQUIRED, kafka_correlationid: 'x', sluice_hops: 'many' }
  expect(decodeKafka(others, null)).toMatchObject({ hops: -1, headers: [] })
})
