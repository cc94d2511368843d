// The HTTP binding: modes, headers, and what goes on with an event.

import {
  binaryHeaderBytes,
  decodeHeaderValue,
  decodeHttp,
  encodeBatch,
  encodeBinary,
  encodeHeaderValue,
  encodeStructured,
  FORWARDED_BYTES_MAX,
  hasEventMarks,
  newEvent,
  STRUCTURED_CONTENT_TYPE,
  upgradeEvent,
} from '@sluice/event'
import { describe, expect, test } from 'vitest'
import { asRecord, binary, decode, decodeOne, json, raw, refusal, structured, thrownBy } from './message.ts'

describe('modes', () => {
  test('CE-30: the media type decides, in any case, batch before structured', () => {
    const one = structured().body!.toString()
    expect(decode(json(`[${one},${one}]`, 'Application/CLOUDEVENTS-Batch+json; x=y'))).toHaveLength(2)
    expect(decode(json(one, ' APPLICATION/cloudevents+JSON '))).toHaveLength(1)
    expect(decodeOne(binary({ 'content-TYPE': 'application/cloudevent' }, 'x')).data?.toString()).toBe('x')
  })

  test('CE-30: marks of an event are a ce- header or a content type of one', () => {
    for (const headers of [
      ['Ce-Id', '1'],
      ['cE-', ''],
      ['Content-Type', 'Application/CloudEvents+xml'],
    ]) {
      expect(hasEventMarks(['Host', 'h', ...headers])).toBe(true)
    }
    for (const headers of [[], ['Cement', '1'], ['Content-Type', 'application/json'], ['x-ce-id', '1'], ['ce', '1']]) {
      expect(hasEventMarks(headers)).toBe(false)
    }
  })

  test('CE-31: a format that is not known is refused unless the headers make the event', () => {
    for (const type of [
      'application/cloudevents+avro',
      'application/cloudevents-batch+xml',
      'application/cloudeventsx',
    ]) {
      expect(refusal(json('x', type))).toEqual({ status: 415, subject: 'content-type' })
      const event = decodeOne(binary({ 'Content-Type': type }, 'x'))
      expect([event.text('datacontenttype'), event.data?.toString()]).toEqual([type, 'x'])
    }
    expect(thrownBy(() => decode(json('{}', 'application/cloudevents+json; charset=utf-16')))?.status).toBe(415)
  })

  test('CE-32: a message without any mark is refused with instructions', () => {
    const error = thrownBy(() => decodeHttp(['Content-Type', 'application/json'], Buffer.from('{}')))!
    expect([error.status, error.subject]).toEqual([400, 'specversion'])
    expect(error.message).toMatch(/ce-specversion: 1.0.*application\/cloudevents\+json.*Nothing was stored\.$/)
  })

  test('CE-43: an empty body or no object is refused; ce- headers beside the payload do not count', () => {
    for (const body of ['', ' ', '[]', '1', '"x"']) expect(refusal(json(body))?.status).toBe(400)
    const message = { ...structured(), headers: ['Ce-My-Ext', 'x', 'ce-id', '', ...structured().headers] }
    expect(decodeOne(message).id).toBe('1')
  })
})

describe('binary mode', () => {
  test('CE-33: Content-Type is the datacontenttype, verbatim and alone', () => {
    const type = 'Application/X; Param="A b"; q=1'
    const event = decodeOne(binary({ 'content-type': type }, 'x'))
    expect(event.attribute('datacontenttype')).toBe(type)
    expect(asRecord(encodeBinary(event))).not.toHaveProperty('ce-datacontenttype')
    expect(encodeBinary(event).slice(-2)).toEqual(['content-type', type])
    expect(encodeBinary(decodeOne(binary({}, 'x')))).not.toContain('content-type')
  })

  test('CE-34: the body is the very buffer that came', () => {
    const body = Buffer.from('x')
    expect(decodeHttp(binary().headers, body)[0]!.data).toBe(body)
    expect(decodeHttp(binary().headers, Buffer.alloc(0))[0]!.data).toBeUndefined()
  })

  test('CE-35: every ce- header is an attribute, in any case, and no other header is', () => {
    expect(decodeOne(binary({ 'CE-FOO': 'x', traceparent: 'y', 'x-ce-bar': 'z' })).attributes.size).toBe(5)
    for (const name of ['ce-', 'ce-my-ext', 'ce-data', 'ce-ä', 'ce-a.b']) {
      const error = thrownBy(() => decodeOne({ headers: [...binary().headers, name, 'x'], body: undefined }))
      expect([error?.status, error?.subject]).toEqual([400, name])
      expect(error?.code).toBe('SLUICE_EVENT_INVALID_EXTENSION')
    }
  })

  test('CE-36: repeated headers are refused, not joined', () => {
    expect(refusal(binary({ 'ce-type': ['a', 'b'] }))).toEqual({ status: 400, subject: 'type' })
    expect(refusal(binary({ 'Content-Type': ['a/b', 'c/d'] }))).toEqual({ status: 400, subject: 'datacontenttype' })
  })

  test('CE-37: empty values of core attributes are refused, of extensions kept', () => {
    for (const name of ['subject', 'id', 'source', 'type', 'time', 'dataschema', 'specversion']) {
      expect(refusal(binary({ [`ce-${name}`]: '' }))).toEqual({ status: 400, subject: name })
      expect(refusal(binary({ [`ce-${name}`]: ' \t' }))).toEqual({ status: 400, subject: name })
    }
    expect(decodeOne(binary({ 'ce-x': '' })).attribute('x')).toBe('')
    expect(refusal(binary({ 'Content-Type': '' }))).toEqual({ status: 400, subject: 'datacontenttype' })
  })
})

describe('header values', () => {
  test('CE-38: space, quote, percent and everything outside of visible ASCII is encoded, nothing else', () => {
    expect(encodeHeaderValue('Euro € 😀')).toBe('Euro%20%E2%82%AC%20%F0%9F%98%80')
    expect(encodeHeaderValue('"%"')).toBe('%22%25%22')
    expect([encodeHeaderValue('a"b'), encodeHeaderValue('a b'), encodeHeaderValue('a%')]).toEqual([
      'a%22b',
      'a%20b',
      'a%25',
    ])
    const visible = Array.from({ length: 94 }, (_, n) => String.fromCharCode(0x21 + n)).join('')
    expect(encodeHeaderValue(visible)).toBe(visible.replace('%', '%25').replace('"', '%22'))
    expect(encodeHeaderValue('a\r\nb\x7f\0')).toBe('a%0D%0Ab%7F%00')
    expect(encodeHeaderValue('\ud800')).toBe('%EF%BF%BD')
  })

  test('CE-39: blanks go, then quotes, then one round of percent-decoding', () => {
    expect(decodeHeaderValue(' \t a b \t')).toBe('a b')
    expect(decodeHeaderValue('"a\\b\\\\ %20"')).toBe('ab\\  ')
    expect(decodeHeaderValue('%2541%e2%82%AC%41')).toBe('%41€A')
    expect(decodeHeaderValue('""')).toBe('')
    for (const text of ['%C0%A0', '%ED%A0%80', '%E2%82', '%E2x%82%AC', '%FF', '%F4%90%80%80']) {
      expect(decodeHeaderValue(text)).toHaveProperty('why')
    }
  })

  test('CE-40: a percent sign or a quote that means nothing stays', () => {
    for (const text of ['%', '%4', '%zz', 'a%', '%%', 'a"b', '"a" b', 'a "b"', '"a"b"']) {
      expect(decodeHeaderValue(text)).toBe(text)
    }
    expect(decodeHeaderValue('%%41')).toBe('%A')
    for (const text of ['"', '"a', '"a\\"', '"a\\']) expect(decodeHeaderValue(text)).toHaveProperty('why')
  })

  test('CE-41: what no attribute may hold is refused however it is written; raw UTF-8 is read', () => {
    for (const text of ['%0A', '%0d', '%00', '%7F', '%C2%85', '\x7f', '\x07', 'a\tb', '\r\n', raw('\u0085')]) {
      expect(decodeHeaderValue(text)).toHaveProperty('why')
    }
    for (const text of ['\xe9', '\xc3', '€']) expect(decodeHeaderValue(text)).toHaveProperty('why')
    expect(decodeHeaderValue(raw('é€😀 %C3%A9'))).toBe('é€😀 é')
  })

  test('CE-42: in structured mode nothing is percent-encoded', () => {
    const event = decodeOne(binary({ 'ce-subject': 'a%20%22%25' }))
    expect(encodeStructured(event).toString()).toContain('"subject":"a \\"%"')
  })
})

describe('between modes', () => {
  test('CE-44: binary to structured to binary keeps the text of attributes and the bytes of data', () => {
    const message = binary(
      { 'ce-flag': 'true', 'ce-n': '5', 'ce-x': raw('é "%'), 'Content-Type': 'application/json' },
      '1.0',
    )
    const event = decodeOne(message)
    const back = decodeOne({ headers: ['content-type', STRUCTURED_CONTENT_TYPE], body: encodeStructured(event) })
    expect(encodeBinary(back)).toEqual(encodeBinary(event))
    expect(back.data).toEqual(event.data)
    expect(back.attribute('flag')).toBe('true')
  })

  test('the order of headers is fixed: required attributes, the others as they came, content type last', () => {
    const event = decodeOne({
      headers: [
        'ce-z',
        '1',
        'content-type',
        'a/b',
        'ce-type',
        't',
        'ce-a',
        '2',
        'ce-id',
        '1',
        'ce-source',
        '/',
        'ce-specversion',
        '1.0',
      ],
      body: undefined,
    })
    const names = encodeBinary(event).filter((_, n) => n % 2 === 0)
    expect(names).toEqual(['ce-specversion', 'ce-id', 'ce-source', 'ce-type', 'ce-z', 'ce-a', 'content-type'])
  })

  test('CE-45: 0.3 stays 0.3, with its own attributes and its own base64', () => {
    const J3 = '"specversion":"0.3","id":"1","source":"/s","type":"t"'
    const event = decodeOne(structured('"datacontenttype":"a/b","datacontentencoding":"BASE64","data":"AQL/"', J3))
    expect(event.data).toEqual(Buffer.from([1, 2, 255]))
    expect(event.attributes.has('datacontentencoding')).toBe(false)
    expect(JSON.parse(encodeStructured(event).toString())).toMatchObject({
      ...{ specversion: '0.3', datacontentencoding: 'base64', data: 'AQL/' },
    })
    expect(refusal(structured('"data_base64":"AQL/"', J3))?.subject).toBe('data_base64')
    expect(refusal(structured('"schemaurl":"a b"', J3))?.subject).toBe('schemaurl')
    expect(refusal(structured('"ext":{"a":1}', J3))?.subject).toBe('ext')
    expect(refusal(structured('"datacontentencoding":"base64","data":5', J3))?.subject).toBe('data')
    expect(decodeOne(structured('"dataschema":"/rel"', J3)).attribute('dataschema')).toBe('/rel')
    expect(decodeOne(structured('"datacontentencoding":"gzip"')).attribute('datacontentencoding')).toBe('gzip')
    for (const version of ['0.1', '0.2'])
      expect(refusal(binary({ 'ce-specversion': version }))?.subject).toBe('specversion')
  })

  test('CE-45: base64 data that came in binary mode stays the text it is', () => {
    const event = decodeOne(binary({ 'ce-specversion': '0.3', 'ce-datacontentencoding': 'base64' }, 'AQL/'))
    expect(event.data?.toString()).toBe('AQL/')
    expect(asRecord(encodeBinary(event))['ce-datacontentencoding']).toBe('base64')
    expect(JSON.parse(encodeStructured(event).toString())).toMatchObject({
      datacontentencoding: 'base64',
      data: 'AQL/',
    })
  })

  test('CE-46: an upgrade to 1.0 happens on request only', () => {
    const old = { 'ce-specversion': '0.3', 'ce-datacontentencoding': 'base64' }
    const upgraded = upgradeEvent(decodeOne(binary({ ...old, 'ce-schemaurl': 'https://h/s' }, 'AQL/')))
    expect(upgraded.data).toEqual(Buffer.from([1, 2, 255]))
    expect(Object.fromEntries(upgraded.attributes)).toEqual({
      ...{ specversion: '1.0', id: '1', source: '/s', type: 't', dataschema: 'https://h/s' },
    })
    expect(upgradeEvent(decodeOne(binary({ ...old, 'ce-schemaurl': '/s' }))).attribute('schemaurl')).toBe('/s')
    const current = decodeOne(binary())
    expect(upgradeEvent(current)).toBe(current)
  })

  test('CE-14: the bytes of the headers are known before they are sent', () => {
    const event = newEvent({ type: 't', source: '/s', id: '1', time: '2026-11-24T18:48:23Z', subject: '€' })
    const text = encodeBinary(event)
      .map((part, n) => part + (n % 2 === 0 ? ': ' : '\r\n'))
      .join('')
    expect(binaryHeaderBytes(event)).toBe(text.length)
    const large = decodeOne(structured(`"big":"${'€'.repeat(20_000)}"`))
    expect(binaryHeaderBytes(large)).toBeGreaterThan(180_000)
  })

  test('a reply in a batch is decoded like any other', () => {
    const event = newEvent({ type: 't', source: '/s' })
    expect(decode(json(encodeBatch([event]), 'application/cloudevents-batch+json'))[0]?.id).toBe(event.id)
  })
})

describe('forwarded headers', () => {
  const headersOf = (extra: string[]): readonly string[] =>
    decodeHttp([...binary().headers, ...extra], undefined)[0]!.headers

  test('CE-13: the listed headers go on with the event, names in lower case, values as they are', () => {
    const kept = ['X-Request-Id', 'r', 'Knative-Foo', 'k', 'X-B3-TraceId', 'b', 'Traceparent', 'p', 'TraceState', 's']
    expect(headersOf([...kept, 'Authorization', 'secret', 'X-Forwarded-For', '1', 'Cookie', 'c', 'x-b3', 'n'])).toEqual(
      [...['x-request-id', 'r', 'knative-foo', 'k', 'x-b3-traceid', 'b', 'traceparent', 'p', 'tracestate', 's']],
    )
    expect(headersOf([])).toEqual([])
  })

  test('CE-13: they go on in structured and batched mode too', () => {
    for (const body of ['{}', '[{}]']) {
      const event = body.replace('{}', structured().body!.toString())
      const type = body === '{}' ? STRUCTURED_CONTENT_TYPE : 'application/cloudevents-batch+json'
      const [first] = decodeHttp(['x-request-id', 'r', 'content-type', type], Buffer.from(event))
      expect(first?.headers).toEqual(['x-request-id', 'r'])
    }
  })

  test('CE-13: at most 4 KiB of them; what does not fit is left out whole, what still fits goes on', () => {
    const large = 'x'.repeat(FORWARDED_BYTES_MAX - 'tracestate'.length)
    expect(headersOf(['tracestate', large])).toEqual(['tracestate', large])
    expect(headersOf(['tracestate', `${large}x`, 'x-request-id', 'r'])).toEqual(['x-request-id', 'r'])
    expect(headersOf(['tracestate', large, 'x-request-id', 'r'])).toEqual(['tracestate', large])
  })

  test('threat 9: a header that no client would send again is left out', () => {
    for (const [name, value] of [
      ['traceparent', 'a\r\nx-evil: 1'],
      ['traceparent', '\x7f'],
      ['knative-a b', 'x'],
    ]) {
      expect(headersOf([name!, value!])).toEqual([])
    }
    expect(headersOf(['traceparent', 'a\tb\xe9'])).toEqual(['traceparent', 'a\tb\xe9'])
  })
})
