// The conformance cases that are about reading and writing events, one row each. Every event that is taken also goes
// from binary mode to structured mode and back, and has to come back the same (CE-44).

import { decodeHttp, encodeBinary, encodeStructured, STRUCTURED_CONTENT_TYPE, type AttributeValue } from '@sluice/event'
import { describe, expect, test } from 'vitest'
import { asRecord, batch, binary, decode, decodeOne, json, raw, refusal, structured, type Message } from './message.ts'

interface Taken {
  /** Attributes as they are carried; `undefined` = absent. */
  attributes?: Record<string, AttributeValue | undefined>
  /** Data as text or bytes; `null` = none. */
  data?: string | Buffer | null
  /** Headers in binary mode; `undefined` = absent. */
  headers?: Record<string, string | undefined>
  /** Members in structured mode; `undefined` = absent. */
  members?: Record<string, unknown>
}

type Refused = readonly [status: number, subject: string]
type Row = readonly [number: number, what: string, message: Message, expected: Taken | Refused]

const letters = (count: number): string => 'abcdefghij'.repeat(7).slice(0, count)
const big = 'x'.repeat(60 * 1024)
const J3 = '"specversion":"0.3","id":"1","source":"/s","type":"t"'
const withId = (id: string): Message => structured('', `"specversion":"1.0",${id}"source":"/s","type":"t"`)
const subject = (value: string): Message => binary({ 'ce-subject': value })
const time = (value: string): Message => binary({ 'ce-time': value })
const source = (value: string): Message => binary({ 'ce-source': value })

const rows: readonly Row[] = [
  [1, 'no body', binary(), { attributes: { datacontenttype: undefined }, data: null }],
  [
    2,
    'content type verbatim',
    binary({ 'Content-Type': 'Application/JSON; Charset=UTF-8' }, '{"a":1}'),
    { data: '{"a":1}', headers: { 'content-type': 'Application/JSON; Charset=UTF-8' }, members: { data: { a: 1 } } },
  ],
  [
    3,
    'body without content type',
    binary({}, 'abc'),
    { attributes: { datacontenttype: undefined }, data: 'abc', members: { data: undefined, data_base64: 'YWJj' } },
  ],
  [4, 'ce-datacontenttype', binary({ 'ce-datacontenttype': 'text/plain' }), [400, 'datacontenttype']],
  [
    5,
    'header names in any case',
    binary({ 'ce-id': undefined, 'CE-ID': 'x', 'Ce-MyExt': 'v' }),
    { attributes: { id: 'x', myext: 'v' } },
  ],
  [6, 'no ce-type', binary({ 'ce-type': undefined }), [400, 'type']],
  [7, 'no ce-specversion', binary({ 'ce-specversion': undefined }), [400, 'specversion']],
  [7, 'no ce- headers', json('hello', 'text/plain'), [400, 'specversion']],
  ...['1.1', '2.0', '1.0.2'].map((v): Row => [8, v, binary({ 'ce-specversion': v }), [400, 'specversion']]),
  [9, 'two ce-id lines', binary({ 'ce-id': ['a', 'b'] }), [400, 'id']],
  [10, 'two Content-Type lines', binary({ 'Content-Type': ['a/b', 'a/b'] }), [400, 'datacontenttype']],
  [11, 'empty ce-subject', subject(''), [400, 'subject']],
  [12, 'empty extension', binary({ 'ce-foo': '' }), { attributes: { foo: '' }, headers: { 'ce-foo': '' } }],
  ...['a%20b', 'a b'].map((v): Row => [
    13,
    v,
    binary({ 'ce-id': v }),
    { attributes: { id: 'a b' }, headers: { 'ce-id': 'a%20b' } },
  ]),
  ...['%E2%82%AC%F0%9F%98%80', '%e2%82%ac%f0%9f%98%80'].map((v): Row => [
    14,
    v,
    binary({ 'ce-id': v }),
    { attributes: { id: '€😀' }, headers: { 'ce-id': '%E2%82%AC%F0%9F%98%80' } },
  ]),
  [15, 'one round', binary({ 'ce-id': 'a%2541' }), { attributes: { id: 'a%41' }, headers: { 'ce-id': 'a%2541' } }],
  [16, 'needless escapes', binary({ 'ce-id': '%61%2Fb' }), { attributes: { id: 'a/b' }, headers: { 'ce-id': 'a/b' } }],
  [17, 'quoted string', subject('"a \\"b\\" %20c"'), { attributes: { subject: 'a "b"  c' } }],
  ...['%C0%A0', '%ED%A0%80', '%E2%82', '%FF'].map((v): Row => [18, v, subject(v), [400, 'subject']]),
  [19, '100%', subject('100%'), { attributes: { subject: '100%' }, headers: { 'ce-subject': '100%25' } }],
  [19, '%zz', subject('%zz'), { attributes: { subject: '%zz' }, headers: { 'ce-subject': '%25zz' } }],
  ...['a%0D%0AX-Evil:1', '%00', '%7F', '%C2%85'].map((v): Row => [20, v, subject(v), [400, 'subject']]),
  [21, 'raw UTF-8', subject(raw('é')), { attributes: { subject: 'é' } }],
  [21, 'lone E9', subject('\xe9'), [400, 'subject']],
  [22, 'raw control byte, should a parser let it pass', subject('\x07'), [400, 'subject']],
  [
    23,
    'names of Object.prototype',
    binary({ 'ce-constructor': 'x', 'ce-tostring': 'y' }),
    { attributes: { constructor: 'x', tostring: 'y' } },
  ],
  ...['ce-__proto__', 'ce-my-ext', 'ce-my_ext', 'ce-data'].map((name): Row => [
    24,
    name,
    { headers: [...binary().headers, name, 'x'], body: undefined },
    [400, name],
  ]),
  ...[21, 60].map((n): Row => [
    25,
    `${n} letters`,
    binary({ [`ce-${letters(n)}`]: 'v' }),
    { attributes: { [letters(n)]: 'v' } },
  ]),
  [
    26,
    'types are not guessed',
    binary({ 'ce-flag': 'true', 'ce-n': '5' }),
    { headers: { 'ce-flag': 'true', 'ce-n': '5' }, members: { flag: 'true', n: '5' } },
  ],
  [
    27,
    'types of JSON are kept',
    structured('"flag":true,"n":5'),
    { attributes: { flag: true, n: 5 }, headers: { 'ce-flag': 'true', 'ce-n': '5' }, members: { flag: true, n: 5 } },
  ],
  [28, 'largest', structured('"n":2147483647'), { attributes: { n: 2147483647 } }],
  ...['2147483648', '-2147483649', '1.5'].map((v): Row => [28, v, structured(`"n":${v}`), [400, 'n']]),
  [
    29,
    'null is absent',
    structured('"x":null,"subject":null'),
    { attributes: { x: undefined, subject: undefined }, headers: { 'ce-x': undefined, 'ce-subject': undefined } },
  ],
  ...['{"y":1}', '[1]'].map((v): Row => [30, v, structured(`"x":${v}`), [400, 'x']]),
  [31, 'upper case', structured('"MyExt":"v"'), [400, 'MyExt']],
  [31, 'underscore', structured('"my_ext":1'), [400, 'my_ext']],
  [31, 'empty name', structured('"":1'), [400, '']],
  [32, '__proto__', structured('"__proto__":{"id":"evil"}'), [400, '__proto__']],
  [33, 'constructor', structured('"constructor":"x"'), { attributes: { constructor: 'x' } }],
  ...['"id":5,', '"id":"",', '"id":null,'].map((v): Row => [34, v, withId(v), [400, 'id']]),
  ...['""', 'true'].map((v): Row => [35, v, structured(`"subject":${v}`), [400, 'subject']]),
  [36, 'two id members', structured('"id":"2"'), [400, 'id']],
  ...['a\\u0007', '\\ud800', '\\ufdd0', '\\u0085'].map((v): Row => [
    37,
    v,
    structured(`"subject":"${v}"`),
    [400, 'subject'],
  ]),
  [
    38,
    'surrogate pair',
    structured('"subject":"\\ud83d\\ude00"'),
    { attributes: { subject: '😀' }, headers: { 'ce-subject': '%F0%9F%98%80' } },
  ],
  ...['2018-04-05T17:31:00.123456789+02:00', '2018-04-05t17:31:00z', '2016-12-31T23:59:60Z'].map((v, i): Row => [
    39 + i,
    v,
    time(v),
    { attributes: { time: v }, headers: { 'ce-time': v } },
  ]),
  ...[
    'yesterday',
    '2018-04-05 17:31:00Z',
    '2018-04-05T17:31:00',
    '2023-02-30T00:00:00Z',
    '2018-04-05T24:00:00Z',
    '1522949460',
  ].map((v): Row => [42, v, time(v), [400, 'time']]),
  [43, 'time absent', binary(), { attributes: { time: undefined }, headers: { 'ce-time': undefined } }],
  ...['a%20b', 'http://[', '%25zz', ''].map((v): Row => [44, `"${v}"`, source(v), [400, 'source']]),
  ...['1-555-123-4567', 'urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66', '../x', '?q'].map((v): Row => [
    45,
    v,
    source(v),
    { attributes: { source: v }, headers: { 'ce-source': v } },
  ]),
  ...['/rel', 'schema.json'].map((v): Row => [46, v, binary({ 'ce-dataschema': v }), [400, 'dataschema']]),
  [47, 'fragment', binary({ 'ce-dataschema': 'https://h/s#v1' }), { attributes: { dataschema: 'https://h/s#v1' } }],
  [48, 'nonsense', binary({ 'Content-Type': 'nonsense' }, 'x'), [400, 'datacontenttype']],
  [
    49,
    'number text is kept',
    structured('"data":{"a":1.0,"b":12345678901234567890}'),
    { data: '{"a":1.0,"b":12345678901234567890}', headers: { 'content-type': 'application/json' } },
  ],
  [
    50,
    'a JSON string stays one',
    structured('"datacontenttype":"application/json","data":"{\\"a\\":1}"'),
    { data: '"{\\"a\\":1}"', members: { data: '{"a":1}' } },
  ],
  [51, 'null', structured('"datacontenttype":"application/json","data":null'), { data: 'null' }],
  [51, 'no data', structured('"datacontenttype":"application/json"'), { data: null, members: { data: undefined } }],
  ...['0', 'false', '""'].map((v): Row => [52, v, structured(`"data":${v}`), { data: v }]),
  [
    53,
    'XML as a string',
    structured('"datacontenttype":"text/xml","data":"<a/>"'),
    { data: '<a/>', members: { data: '<a/>' } },
  ],
  [53, 'XML as an object', structured('"datacontenttype":"text/xml","data":{"a":1}'), [400, 'data']],
  [
    54,
    'base64',
    structured('"data_base64":"AQL/"'),
    { data: Buffer.from([1, 2, 255]), headers: { 'content-type': undefined }, members: { data_base64: 'AQL/' } },
  ],
  [55, 'data twice', structured('"data":1,"data_base64":"AQL/"'), [400, 'data']],
  ...['"!!!"', '"AQL_"', '"AQI"', '5'].map((v): Row => [56, v, structured(`"data_base64":${v}`), [400, 'data_base64']]),
  ...[Buffer.from('{bad'), Buffer.from([0xff, 0])].map((v): Row => [
    57,
    v.toString('hex'),
    binary({ 'Content-Type': 'application/json' }, v),
    { data: v, members: { data: undefined, data_base64: v.toString('base64') } },
  ]),
  ...['application/cloudevents+json;charset=utf-8', 'Application/CloudEvents+JSON; charset="UTF-8"'].map((v): Row => [
    58,
    v,
    structured('', undefined, v),
    { attributes: { id: '1' } },
  ]),
  [59, 'latin1', structured('', undefined, 'application/cloudevents+json; charset=iso-8859-1'), [415, 'content-type']],
  ...['application/cloudevents+xml', 'application/cloudevents'].flatMap((v): Row[] => [
    [60, v, structured('', undefined, v), [415, 'content-type']],
    [
      60,
      `${v} with headers`,
      binary({ 'Content-Type': v }, '<x/>'),
      { attributes: { datacontenttype: v }, data: '<x/>' },
    ],
  ]),
  [
    61,
    'headers beside the payload',
    { ...structured(), headers: ['ce-id', '2', 'Content-Type', STRUCTURED_CONTENT_TYPE] },
    { attributes: { id: '1' } },
  ],
  ...['', 'null', '[]', '"x"', '{', '{"id":"\xff"}'].map((v): Row => [
    62,
    v,
    json(Buffer.from(v, 'latin1')),
    [400, 'body'],
  ]),
  [63, 'byte order mark', json(Buffer.from(`\ufeff${structured().body!.toString()}`)), { attributes: { id: '1' } }],
  [67, 'batch that is an object', batch(structured().body!.toString()), [400, 'body']],
  [68, '60 KiB in an extension, B', binary({ 'ce-big': big }), { attributes: { big } }],
  [68, '60 KiB in an extension, J', structured(`"big":"${big}"`), { attributes: { big } }],
  [68, '64 KiB of data', binary({ 'Content-Type': 'text/plain' }, 'x'.repeat(65536)), { data: 'x'.repeat(65536) }],
  [
    70,
    '0.3 in binary mode',
    binary({ 'ce-specversion': '0.3', 'ce-schemaurl': '/x' }),
    { headers: { 'ce-specversion': '0.3', 'ce-schemaurl': '/x' }, members: { specversion: '0.3', schemaurl: '/x' } },
  ],
  [
    71,
    '0.3 base64',
    structured('"datacontentencoding":"base64","data":"AQL/"', J3),
    { data: Buffer.from([1, 2, 255]), headers: { 'ce-specversion': '0.3' }, members: { data: 'AQL/' } },
  ],
  [71, '0.3 other', structured('"datacontentencoding":"gzip","data":"AQL/"', J3), [400, 'datacontentencoding']],
  [72, 'schemaurl in 1.0', binary({ 'ce-schemaurl': 'x' }), { attributes: { schemaurl: 'x' } }],
  [
    73,
    'traceparent',
    binary({ traceparent: 'a', 'ce-traceparent': 'b' }),
    { attributes: { traceparent: 'b' }, headers: { 'ce-traceparent': 'b', traceparent: undefined } },
  ],
]

describe('conformance', () => {
  test.each(rows)('case %i: %s', (_number, _what, message, expected) => {
    if ('length' in expected) {
      expect(refusal(message)).toEqual({ status: expected[0], subject: expected[1] })
      return
    }
    const event = decodeOne(message)
    for (const [name, value] of Object.entries(expected.attributes ?? {})) expect(event.attribute(name)).toBe(value)
    if (expected.data === null) expect(event.data).toBeUndefined()
    else if (expected.data !== undefined) expect(event.data).toEqual(Buffer.from(expected.data))
    const pairs = encodeBinary(event)
    const headers = asRecord(pairs)
    for (const [name, value] of Object.entries(expected.headers ?? {})) expect(headers[name]).toBe(value)
    const body = encodeStructured(event)
    const members: Record<string, unknown> = JSON.parse(body.toString())
    for (const [name, value] of Object.entries(expected.members ?? {})) expect(members[name]).toEqual(value)

    const back = decodeOne({ headers: ['content-type', STRUCTURED_CONTENT_TYPE], body })
    expect(asRecord(encodeBinary(back))).toEqual(headers)
    expect(back.data).toEqual(event.data)
    expect(asRecord(encodeBinary(decodeHttp(pairs, event.data)[0]!))).toEqual(headers)
  })

  test('case 64: a batch has any number of events, equal ones too', () => {
    const one = structured().body!.toString()
    expect(decode(batch(`[${one},${one}]`))).toHaveLength(2)
    expect(decode(batch('[]'))).toEqual([])
    expect(decode(batch(` [ ${one} , ${one} ] `)).map((event) => event.id)).toEqual(['1', '1'])
  })

  test('case 65: one bad event refuses its batch, and is named by its index', () => {
    const bad = '{"specversion":"1.0","id":"2","source":"/s"}'
    expect(refusal(batch(`[${structured().body!.toString()},${bad}]`))).toEqual({ status: 400, subject: '[1].type' })
  })

  test('case 66: a batch has one specversion', () => {
    const other = `{${J3}}`
    const message = batch(`[${structured().body!.toString()},${other}]`)
    expect(refusal(message)).toEqual({ status: 400, subject: '[1].specversion' })
  })

  test('case 67: a single event sent as a batch is refused', () => {
    expect(refusal({ ...structured(), headers: batch('').headers })?.status).toBe(400)
  })

  test('case 69: an event of one byte more than the limit is refused with 413', () => {
    const message = binary({}, 'x'.repeat(101))
    expect(() => decodeHttp(message.headers, message.body, { maxEventBytes: 100 })).toThrow(/101 bytes/)
    expect(decodeHttp(message.headers, message.body, { maxEventBytes: 101 })).toHaveLength(1)
  })
})
