// The JSON event format, alone and in batches.

import {
  BATCH_CONTENT_TYPE,
  decodeHttp,
  decodeStructured,
  encodeBatch,
  encodeBinary,
  encodeStructured,
  newEvent,
  STRUCTURED_CONTENT_TYPE,
} from '@sluice/event'
import { describe, expect, test } from 'vitest'
import { asRecord, batch, binary, decode, decodeOne, json, refusal, structured, thrownBy } from './message.ts'

const written = (event: Parameters<typeof encodeStructured>[0]): Record<string, unknown> =>
  JSON.parse(encodeStructured(event).toString())
const withType = (type: string, member: string): ReturnType<typeof structured> =>
  structured(`"datacontenttype":"${type}",${member}`)

describe('reading', () => {
  test('CE-16 CE-17: one object with a member for each attribute is an event', () => {
    const event = decodeStructured(structured('"flag":true,"n":5,"x":"é"').body!)
    expect(Object.fromEntries(event.attributes)).toEqual({
      ...{ specversion: '1.0', id: '1', source: '/s', type: 't' },
      ...{ flag: true, n: 5, x: 'é' },
    })
  })

  test('CE-18: null is no attribute, and a required one that is null is missing', () => {
    expect(decodeOne(structured('"x":null')).attributes.has('x')).toBe(false)
    expect(refusal(structured('', '"specversion":"1.0","id":"1","source":null,"type":"t"'))?.subject).toBe('source')
  })

  test('CE-19: a core attribute is a string, an extension a string, a boolean or an Integer', () => {
    for (const name of ['subject', 'time', 'dataschema', 'datacontenttype']) {
      expect(refusal(structured(`"${name}":5`))).toEqual({ status: 400, subject: name })
    }
    expect(decodeOne(structured('"a":5.0,"b":1e2,"c":-0')).attribute('a')).toBe(5)
    expect(decodeOne(structured('"b":1e2')).attribute('b')).toBe(100)
    expect(Object.is(decodeOne(structured('"c":-0')).attribute('c'), 0)).toBe(true)
    for (const value of ['1e400', '1.5', '[]', '{}', '99999999999']) {
      expect(refusal(structured(`"x":${value}`))).toEqual({ status: 400, subject: 'x' })
    }
  })

  test('CE-20: a member that is no attribute is refused and named', () => {
    for (const name of ['MyExt', 'my_ext', '__proto__', 'data_base65', 'ä']) {
      expect(refusal(structured(`"${name}":"v"`))).toEqual({ status: 400, subject: name })
    }
  })

  test('CE-20: a name may be written with escapes', () => {
    expect(decodeOne(structured('"\\u0061b":"v"')).attribute('ab')).toBe('v')
    expect(refusal(structured('"\\u0041":"v"'))?.subject).toBe('A')
  })

  test('CE-21: data without datacontenttype is JSON; the type is found behind case and parameters', () => {
    const implied = decodeOne(structured('"data":{"a":1}'))
    expect([implied.attribute('datacontenttype'), implied.json()]).toEqual(['application/json', { a: 1 }])
    for (const type of ['application/json', 'Text/JSON', 'application/vnd.x+JSON; charset=utf-8', 'a/json;b=c']) {
      expect(decodeOne(withType(type, '"data":"text"')).data?.toString()).toBe('"text"')
    }
    expect(decodeOne(withType('application/jsonx', '"data":"text"')).data?.toString()).toBe('text')
  })

  test('CE-22: JSON data is the source text itself', () => {
    for (const text of ['1.0', '12345678901234567890', '{"2":1, "1":2}', '[ ]', '"\\u0041\\ud800"', '-0', 'null']) {
      expect(decodeOne(structured(`"data": ${text} `)).data?.toString()).toBe(text)
    }
  })

  test('CE-23: other data is a string in its charset', () => {
    expect(decodeOne(withType('text/plain', '"data":"a\\n\\u00e9"')).data).toEqual(Buffer.from('a\né'))
    expect(decodeOne(withType('text/plain; charset=iso-8859-1', '"data":"é"')).data).toEqual(Buffer.from([0xe9]))
    expect(decodeOne(withType('text/plain', '"data":null')).data).toBeUndefined()
    for (const member of ['"data":1', '"data":{}', '"data":[]', '"data":true', '"data":"\\ud800"']) {
      expect(refusal(withType('text/plain', member))).toEqual({ status: 400, subject: 'data' })
    }
    expect(refusal(withType('text/plain; charset=us-ascii', '"data":"é"'))?.subject).toBe('data')
    expect(refusal(withType('text/plain; charset=iso-8859-1', '"data":"€"'))?.subject).toBe('data')
    expect(refusal(withType('text/plain; charset=utf-16', '"data":"a"'))?.subject).toBe('data')
  })

  test('CE-24: data_base64 is bytes of no implied type', () => {
    const event = decodeOne(structured('"data_base64":"AQL\\/"'))
    expect([event.data, event.attribute('datacontenttype')]).toEqual([Buffer.from([1, 2, 255]), undefined])
    expect(decodeOne(structured('"data_base64":null')).data).toBeUndefined()
    for (const text of ['A', 'AA', 'AAA', '=', '====', 'A===', 'AQI= ', 'AQ=I', '\\u00e9AAA', '!!!_-8=']) {
      expect(refusal(structured(`"data_base64":"${text}"`))).toEqual({ status: 400, subject: 'data_base64' })
    }
  })

  test('CE-25: data and data_base64 exclude each other', () => {
    expect(refusal(structured('"data_base64":"AA==","data":null'))?.subject).toBe('data')
    expect(decodeOne(structured('"data_base64":null,"data":1')).data?.toString()).toBe('1')
  })

  test('CE-27 CE-28: a batch is an array, taken whole or not at all', () => {
    const one = structured('"data":1.0').body!.toString()
    expect(decode(batch(`\ufeff[${one}]`))[0]?.data?.toString()).toBe('1.0')
    for (const body of ['', '[', `[${one}`, `[${one},]`, `[${one}] x`, `[,${one}]`, `[${one} ${one}]`, '{}', 'null']) {
      expect(refusal(batch(body))?.status).toBe(400)
    }
    expect(refusal(batch(`[${one},1]`))).toEqual({ status: 400, subject: '[1].body' })
    expect(thrownBy(() => decode(batch(`[${one},{"id":1}]`)))?.message).toContain('Event 1 of the batch')
  })

  test('CE-28: each event of a batch has the size limit for itself', () => {
    const small = structured().body!.toString()
    const large = structured(`"data":"${'x'.repeat(200)}"`).body!.toString()
    const limits = { maxEventBytes: 200 }
    expect(decodeHttp(batch('').headers, batch(`[${`${small},`.repeat(9)}${small}]`).body, limits)).toHaveLength(10)
    const error = thrownBy(() => decodeHttp(batch('').headers, batch(`[${small},${large}]`).body, limits))
    expect([error?.status, error?.code, error?.subject]).toEqual([413, 'SLUICE_EVENT_TOO_LARGE', '[1]'])
  })

  test('CE-29: JSON is UTF-8, with or without a byte order mark', () => {
    expect(refusal(json(Buffer.from('{"id":"\xff"}', 'latin1')))?.subject).toBe('body')
    expect(decodeOne(json(`\ufeff \n${structured().body!.toString()}\r\n\t `)).id).toBe('1')
    expect(refusal(json(`${structured().body!.toString()}x`))?.subject).toBe('body')
  })

  test('CE-29: attributes with names of Object.prototype are ordinary, and absent ones are absent', () => {
    const event = decodeOne(structured('"constructor":"x","tostring":1'))
    expect([event.attribute('constructor'), event.attribute('hasOwnProperty')]).toEqual(['x', undefined])
  })
})

describe('writing', () => {
  test('CE-12: the implied type is said where the event leaves the JSON format', () => {
    expect(asRecord(encodeBinary(decodeOne(structured('"data":1'))))['content-type']).toBe('application/json')
    expect(asRecord(encodeBinary(decodeOne(structured('"data_base64":"AA=="'))))['content-type']).toBeUndefined()
  })

  test('CE-17 CE-18: Booleans and Integers are written as such, and no nulls', () => {
    const text = encodeStructured(decodeOne(structured('"flag":true,"n":-5,"x":null'))).toString()
    expect(text).toBe('{"specversion":"1.0","id":"1","source":"/s","type":"t","flag":true,"n":-5}')
  })

  test('CE-26: JSON is embedded as it is, text as a string, everything else as base64', () => {
    const send = (type: string | undefined, body: string | Buffer): Record<string, unknown> =>
      written(decodeOne(binary(type === undefined ? {} : { 'Content-Type': type }, body)))
    expect(encodeStructured(decodeOne(binary({ 'Content-Type': 'a/json' }, ' {"a":1.0}\n'))).toString()).toContain(
      '"data": {"a":1.0}\n}',
    )
    expect(send('text/plain', 'a"\n\\é')).toMatchObject({ data: 'a"\n\\é' })
    expect(send('application/xml', '<a/>')).toMatchObject({ data: '<a/>' })
    expect(send('text/plain; charset=iso-8859-1', Buffer.from([0xe9]))).toMatchObject({ data: 'é' })
    expect(send('text/plain', Buffer.from([0xe9]))).toMatchObject({ data_base64: '6Q==' })
    expect(send('text/plain; charset=us-ascii', Buffer.from([0xe9]))).toMatchObject({ data_base64: '6Q==' })
    expect(send('text/plain; charset=utf-16', 'a')).toMatchObject({ data_base64: 'YQ==' })
    expect(send('application/octet-stream', 'a')).toMatchObject({ data_base64: 'YQ==' })
    expect(send(undefined, '{}')).toMatchObject({ data_base64: 'e30=' })
    for (const bad of ['', '{', '{} {}', '01', "{'a':1}", '\ufeff{}', Buffer.from('"\xff"', 'latin1')]) {
      expect(send('application/json', bad)).not.toHaveProperty('data')
    }
  })

  test('CE-26: what is embedded is never nested deeper than we ourselves take, in a batch too', () => {
    for (const depth of [61, 62, 63, 64, 65]) {
      const event = decodeOne(binary({ 'Content-Type': 'a/json' }, '['.repeat(depth) + ']'.repeat(depth)))
      expect('data' in written(event)).toBe(depth <= 62)
      expect(decodeHttp(['content-type', BATCH_CONTENT_TYPE], encodeBatch([event]))[0]?.data).toEqual(event.data)
    }
  })

  test('CE-27: a batch has any number of events of one specversion', () => {
    const one = newEvent({ type: 't', source: '/s', id: '1', data: Buffer.from('x') })
    expect(encodeBatch([]).toString()).toBe('[]')
    const events = decodeHttp(['content-type', BATCH_CONTENT_TYPE], encodeBatch([one, one, one]))
    expect(events.map((event) => [...event.attributes])).toEqual([one, one, one].map((event) => [...event.attributes]))
    expect(events[2]?.data).toEqual(one.data)
    const other = decodeOne(binary({ 'ce-specversion': '0.3' }))
    expect(thrownBy(() => encodeBatch([one, other]))?.subject).toBe('specversion')
  })

  test('CE-24: bytes without a type come back as bytes without a type', () => {
    const event = decodeOne(structured('"data_base64":"AQL/"'))
    const back = decodeOne({ headers: ['content-type', STRUCTURED_CONTENT_TYPE], body: encodeStructured(event) })
    expect([back.data, back.attribute('datacontenttype')]).toEqual([event.data, undefined])
  })
})
