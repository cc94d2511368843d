// The conformance cases of CloudEvents 1.0 over HTTP, through the running program: what each request is answered, what
// arrives at a subscriber in binary and in structured mode, and that a refused request stores nothing.

import { beforeAll, describe, expect, test } from 'vitest'
import { batch, binary, broker, eventJson, json, structuredMode, trigger } from '../support/events.ts'
import { exchange, type Message } from '../support/exchange.ts'
import { acceptedEvents } from '../support/ops.ts'
import { startSluice, type Sluice } from '../support/sluice.ts'
import { ceHeaders, header, structured, subscriber, type Received, type Subscriber } from '../support/subscriber.ts'

let sluice: Sluice
let inBinary: Subscriber
let inJson: Subscriber
let afterTwoHops: Subscriber

beforeAll(async () => {
  inBinary = await subscriber()
  inJson = await subscriber()
  afterTwoHops = await subscriber()
  sluice = await startSluice({
    'default.yaml': [
      broker(),
      trigger('binary', inBinary.url, ['delivery: {format: binary}']),
      trigger('json', inJson.url, ['delivery: {format: json}']),
    ].join(''),
    'hops.yaml': [
      broker('first'),
      broker('second'),
      `---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: onwards}
spec:
  broker: first
  subscriber:
    ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: second}
`,
      trigger('arrived', afterTwoHops.url, [], 'second'),
    ].join(''),
  })
})

/** What came out of one accepted event. */
interface Delivered {
  /** `ce-` headers as they stand on the wire in binary mode, without those that the broker adds. */
  readonly wire: Record<string, string>
  readonly contentType: string | undefined
  readonly body: Buffer
  /** The same event in structured mode. */
  readonly json: Record<string, unknown>
  readonly received: Received
}

async function accepted(message: Message): Promise<Delivered> {
  const answer = await exchange(sluice.broker, message)
  expect(answer.status).toBe(202)
  return delivered()
}

async function delivered(): Promise<Delivered> {
  const [received, asJson] = [await inBinary.next(), await inJson.next()]
  return {
    wire: ceHeaders(received),
    contentType: header(received, 'content-type'),
    body: received.body,
    json: structured(asJson),
    received,
  }
}

/** What became of a request. */
interface Outcome {
  readonly status: number
  /** What the answer names, and how. */
  readonly subject: string | undefined
  readonly message: string
  /** Events stored. */
  readonly stored: number
}

async function answerTo(message: Message): Promise<Outcome> {
  const before = await acceptedEvents(sluice.api)
  const answer = await exchange(sluice.broker, message)
  const { subject, message: words = '' } = answer.body.length === 0 ? {} : answer.json()
  return { status: answer.status, subject, message: words, stored: (await acceptedEvents(sluice.api)) - before }
}

/** Refused, with nothing stored, and by an answer that names `subject` as such and in its words. */
function refusal(status: number, subject: string): Outcome {
  const name = subject.replace(/^\[\d+\]\./, '').replace(/^ce-/, '')
  return { status, subject, message: expect.stringContaining(name), stored: 0 }
}

const REQUIRED = { specversion: '1.0', id: '1', source: '/s', type: 't' }

describe('binary mode', () => {
  test('case 1: an event without body has neither data nor datacontenttype (CE-34)', async () => {
    const event = await accepted(binary())
    expect(event.wire).toEqual(REQUIRED)
    expect(event.contentType).toBeUndefined()
    expect(event.body).toHaveLength(0)
    expect(event.json).toEqual(REQUIRED)
  })

  test('case 2: type text and bytes of the data are verbatim (CE-33)', async () => {
    const type = 'Application/JSON; Charset=UTF-8'
    const event = await accepted(binary([['Content-Type', type]], '{"a":1}'))
    expect(event.contentType).toBe(type)
    expect(event.body.toString()).toBe('{"a":1}')
    expect(event.json).toEqual({ ...REQUIRED, datacontenttype: type, data: { a: 1 } })
  })

  test('case 3: a body without Content-Type gets none, and is data_base64 in JSON (CE-33, CE-26)', async () => {
    const event = await accepted(binary([], '{"a":1}'))
    expect(event.contentType).toBeUndefined()
    expect(event.body.toString()).toBe('{"a":1}')
    expect(event.json).toEqual({ ...REQUIRED, data_base64: Buffer.from('{"a":1}').toString('base64') })
  })

  test('case 4: ce-datacontenttype is refused (CE-33)', async () => {
    expect(await answerTo(binary([['ce-datacontenttype', 'text/plain']]))).toEqual(refusal(400, 'datacontenttype'))
  })

  test('case 5: header names count in any case (CE-35)', async () => {
    const event = await accepted(
      binary([
        ['CE-ID', '5'],
        ['Ce-MyExt', 'v'],
      ]),
    )
    expect(event.wire).toEqual({ ...REQUIRED, id: '5', myext: 'v' })
  })

  test('case 6: an event without type is refused (CE-8, CE-32)', async () => {
    expect(await answerTo({ headers: binary().headers!.filter(([name]) => name !== 'ce-type') })).toEqual(
      refusal(400, 'type'),
    )
  })

  test('case 7: no ce-specversion, or no ce- header at all, is no event (CE-32)', async () => {
    expect(await answerTo({ headers: binary().headers!.filter(([name]) => name !== 'ce-specversion') })).toEqual(
      refusal(400, 'specversion'),
    )
    expect(await answerTo({ headers: [['content-type', 'text/plain']], body: 'hello' })).toEqual(
      refusal(400, 'specversion'),
    )
  })

  test.each(['1.1', '2.0', '1.0.2'])('case 8: specversion %s is refused (CE-8)', async (version) => {
    expect(await answerTo(binary([['ce-specversion', version]]))).toEqual(refusal(400, 'specversion'))
  })

  test('case 9: two ce-id lines are refused, not joined (CE-2, CE-36)', async () => {
    expect(
      await answerTo(
        binary([
          ['ce-id', 'a'],
          ['ce-id', 'b'],
        ]),
      ),
    ).toEqual(refusal(400, 'id'))
  })

  test('case 10: two Content-Type lines are refused (CE-36)', async () => {
    expect(
      await answerTo(
        binary([
          ['Content-Type', 'text/plain'],
          ['Content-Type', 'application/json'],
        ]),
      ),
    ).toMatchObject({ status: 400, subject: 'datacontenttype', stored: 0 })
  })

  test('case 11: an empty subject is refused (CE-37)', async () => {
    expect(await answerTo(binary([['ce-subject', '']]))).toEqual(refusal(400, 'subject'))
  })

  test('case 12: an empty extension is the empty string (CE-37)', async () => {
    const event = await accepted(binary([['ce-foo', '']]))
    expect(event.wire).toEqual({ ...REQUIRED, foo: '' })
    expect(event.json).toEqual({ ...REQUIRED, foo: '' })
  })
})

describe('header values', () => {
  test.each(['a%20b', 'a b'])('case 13: a blank in an id may come as %j, and goes out escaped (CE-38)', async (id) => {
    const event = await accepted(binary([['ce-id', id]]))
    expect(event.wire['id']).toBe('a%20b')
    expect(event.json['id']).toBe('a b')
  })

  test.each(['%E2%82%AC%F0%9F%98%80', '%e2%82%ac%f0%9f%98%80'])(
    'case 14: %s is decoded, and goes out in upper-case hex (CE-38, CE-39)',
    async (id) => {
      const event = await accepted(binary([['ce-id', id]]))
      expect(event.wire['id']).toBe('%E2%82%AC%F0%9F%98%80')
      expect(event.json['id']).toBe('€😀')
    },
  )

  test('case 15: one round of decoding, no more (CE-39)', async () => {
    const event = await accepted(binary([['ce-id', 'a%2541']]))
    expect(event.wire['id']).toBe('a%2541')
    expect(event.json['id']).toBe('a%41')
  })

  test('case 16: needless escapes are undone (CE-38, CE-39)', async () => {
    const event = await accepted(binary([['ce-id', '%61%2Fb']]))
    expect(event.wire['id']).toBe('a/b')
  })

  test('case 17: a quoted value loses its quotes before its escapes (CE-39)', async () => {
    const event = await accepted(binary([['ce-subject', '"a \\"b\\" %20c"']]))
    expect(event.json['subject']).toBe('a "b"  c')
    expect(event.wire['subject']).toBe('a%20%22b%22%20%20c')
  })

  test.each(['%C0%A0', '%ED%A0%80', '%E2%82', '%FF'])(
    'case 18: %s is no UTF-8 and refused (CE-39)',
    async (subject) => {
      expect(await answerTo(binary([['ce-subject', subject]]))).toEqual(refusal(400, 'subject'))
    },
  )

  test.each([
    ['100%', '100%25'],
    ['%zz', '%25zz'],
  ])('case 19: the percent sign in %s is itself (CE-40)', async (subject, out) => {
    const event = await accepted(binary([['ce-subject', subject]]))
    expect(event.wire['subject']).toBe(out)
    expect(event.json['subject']).toBe(subject)
  })

  test.each(['a%0D%0AX-Evil:1', '%00', '%7F', '%C2%85'])(
    'case 20: the control character in %s is refused (CE-41)',
    async (subject) => {
      expect(await answerTo(binary([['ce-subject', subject]]))).toEqual(refusal(400, 'subject'))
    },
  )

  test('case 21: raw UTF-8 is read as such, anything else is refused (CE-41)', async () => {
    const event = await accepted(binary([['ce-subject', '\u00c3\u00a9']]))
    expect(event.json['subject']).toBe('é')
    expect(event.wire['subject']).toBe('%C3%A9')
    expect(await answerTo(binary([['ce-subject', '\u00e9']]))).toEqual(refusal(400, 'subject'))
  })

  test('case 22: a raw control byte is refused (CE-4)', async () => {
    expect(await answerTo(binary([['ce-subject', 'a\u0007']]))).toMatchObject({ status: 400, stored: 0 })
  })
})

describe('names', () => {
  test('case 23: names that every object has are plain extensions (CE-29)', async () => {
    const event = await accepted(
      binary([
        ['ce-constructor', 'x'],
        ['ce-tostring', 'y'],
      ]),
    )
    expect(event.wire).toEqual({ ...REQUIRED, constructor: 'x', tostring: 'y' })
    expect(event.json).toEqual({ ...REQUIRED, constructor: 'x', tostring: 'y' })
  })

  test.each(['ce-__proto__', 'ce-my-ext', 'ce-my_ext', 'ce-data'])(
    'case 24: header %s is refused by its name (CE-1, CE-35)',
    async (name) => {
      expect(await answerTo(binary([[name, 'x']]))).toEqual(refusal(400, name))
    },
  )

  test.each([21, 60])('case 25: a name of %d letters is taken (CE-1)', async (length) => {
    const name = 'a'.repeat(length)
    const event = await accepted(binary([[`ce-${name}`, 'v']]))
    expect(event.wire[name]).toBe('v')
  })

  test('case 26: a boolean and a number from headers stay text (CE-7, CE-44)', async () => {
    const event = await accepted(
      binary([
        ['ce-flag', 'true'],
        ['ce-n', '5'],
      ]),
    )
    expect(event.wire).toEqual({ ...REQUIRED, flag: 'true', n: '5' })
    expect(event.json).toEqual({ ...REQUIRED, flag: 'true', n: '5' })
  })
})

describe('JSON: attributes', () => {
  test('case 27: a boolean and a number keep their type in JSON, and are text in headers (CE-17)', async () => {
    const event = await accepted(structuredMode(json('"flag":true,"n":5')))
    expect(event.wire).toEqual({ ...REQUIRED, flag: 'true', n: '5' })
    expect(event.json).toEqual({ ...REQUIRED, flag: true, n: 5 })
  })

  test('case 28: an integer is what 32 bits hold (CE-3, CE-19)', async () => {
    const event = await accepted(structuredMode(json('"n":2147483647')))
    expect(event.json['n']).toBe(2147483647)
    for (const n of ['2147483648', '-2147483649', '1.5'])
      expect(await answerTo(structuredMode(json(`"n":${n}`)))).toEqual(refusal(400, 'n'))
  })

  test('case 29: null is an attribute that is not there (CE-18)', async () => {
    const event = await accepted(structuredMode(json('"x":null,"subject":null')))
    expect(event.wire).toEqual(REQUIRED)
    expect(event.json).toEqual(REQUIRED)
  })

  test.each(['{"y":1}', '[1]'])('case 30: an extension can not be %s (CE-19)', async (value) => {
    expect(await answerTo(structuredMode(json(`"x":${value}`)))).toEqual(refusal(400, 'x'))
  })

  test.each([
    ['"MyExt":"v"', 'MyExt'],
    ['"my_ext":1', 'my_ext'],
    ['"":1', ''],
  ])('case 31: member %s has no name of an attribute (CE-20)', async (member, name) => {
    expect(await answerTo(structuredMode(json(member)))).toEqual(refusal(400, name))
  })

  test('case 32: __proto__ is refused, and touches no prototype (CE-20)', async () => {
    expect(await answerTo(structuredMode(json('"__proto__":{"id":"evil"}')))).toEqual(refusal(400, '__proto__'))
    const event = await accepted(structuredMode(json()))
    expect(event.json).toEqual(REQUIRED)
  })

  test('case 33: constructor is an extension (CE-29)', async () => {
    const event = await accepted(structuredMode(json('"constructor":"x"')))
    expect(event.wire).toEqual({ ...REQUIRED, constructor: 'x' })
  })

  test.each([5, '', null])('case 34: id %j is refused (CE-19)', async (id) => {
    expect(await answerTo(structuredMode(eventJson({ id })))).toEqual(refusal(400, 'id'))
  })

  test.each(['', true])('case 35: subject %j is refused (CE-19)', async (subject) => {
    expect(await answerTo(structuredMode(eventJson({ subject })))).toEqual(refusal(400, 'subject'))
  })

  test('case 36: a member that is there twice is refused (CE-2, CE-20)', async () => {
    expect(await answerTo(structuredMode(json('"id":"2"')))).toEqual(refusal(400, 'id'))
  })

  test.each(['a\\u0007', '\\ud800', '\\ufdd0', '\\u0085'])('case 37: %s is in no string (CE-4)', async (text) => {
    expect(await answerTo(structuredMode(json(`"subject":"${text}"`)))).toEqual(refusal(400, 'subject'))
  })

  test('case 38: a surrogate pair is one character (CE-38)', async () => {
    const event = await accepted(structuredMode(json('"subject":"\\ud83d\\ude00"')))
    expect(event.wire['subject']).toBe('%F0%9F%98%80')
    expect(event.json['subject']).toBe('😀')
  })
})

describe('time, URIs and types', () => {
  test.each([
    [39, '2018-04-05T17:31:00.123456789+02:00'],
    [40, '2018-04-05t17:31:00z'],
    [41, '2016-12-31T23:59:60Z'],
  ])('case %d: time %s keeps its text (CE-6)', async (_case, time) => {
    const event = await accepted(binary([['ce-time', time]]))
    expect(event.wire['time']).toBe(time)
    expect(event.json['time']).toBe(time)
  })

  test.each([
    'yesterday',
    '2018-04-05 17:31:00Z',
    '2018-04-05T17:31:00',
    '2023-02-30T00:00:00Z',
    '2018-04-05T24:00:00Z',
    '1522949460',
  ])('case 42: time %s is refused (CE-6)', async (time) => {
    expect(await answerTo(binary([['ce-time', time]]))).toEqual(refusal(400, 'time'))
    expect(await answerTo(structuredMode(eventJson({ time })))).toEqual(refusal(400, 'time'))
  })

  test('case 43: an event without time gets none (CE-11)', async () => {
    const event = await accepted(structuredMode(json()))
    expect(event.wire).not.toHaveProperty('time')
    expect(event.json).not.toHaveProperty('time')
  })

  test.each(['a b', 'http://[', '%zz', ''])('case 44: source %j is refused (CE-5)', async (source) => {
    expect(await answerTo(binary([['ce-source', source.replace(' ', '%20')]]))).toEqual(refusal(400, 'source'))
    expect(await answerTo(structuredMode(eventJson({ source })))).toEqual(refusal(400, 'source'))
  })

  test.each(['1-555-123-4567', 'urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66', '../x', '?q'])(
    'case 45: source %s goes through verbatim (CE-5)',
    async (source) => {
      const event = await accepted(binary([['ce-source', source]]))
      expect(event.wire['source']).toBe(source)
    },
  )

  test.each(['/rel', 'schema.json'])('case 46: dataschema %s is not absolute (CE-5)', async (dataschema) => {
    expect(await answerTo(binary([['ce-dataschema', dataschema]]))).toEqual(refusal(400, 'dataschema'))
  })

  test('case 47: a dataschema may have a fragment (CE-5)', async () => {
    const event = await accepted(binary([['ce-dataschema', 'https://h/s#v1']]))
    expect(event.wire['dataschema']).toBe('https://h/s#v1')
  })

  test('case 48: datacontenttype has to be a media type (CE-8)', async () => {
    expect(await answerTo(binary([['Content-Type', 'nonsense']], 'x'))).toEqual(refusal(400, 'datacontenttype'))
    expect(await answerTo(structuredMode(eventJson({ datacontenttype: 'nonsense' })))).toEqual(
      refusal(400, 'datacontenttype'),
    )
  })
})

describe('JSON: data', () => {
  test('case 49: JSON data without type is JSON, its text untouched (CE-12, CE-21, CE-22)', async () => {
    const data = '{"a":1.0,"b":12345678901234567890}'
    const event = await accepted(structuredMode(json(`"data":${data}`)))
    expect(event.contentType).toBe('application/json')
    expect(event.body.toString()).toBe(data)
  })

  test('case 50: a string is a JSON string, and not parsed again (CE-22)', async () => {
    const event = await accepted(structuredMode(json('"datacontenttype":"application/json","data":"{\\"a\\":1}"')))
    expect(event.body.toString()).toBe('"{\\"a\\":1}"')
    expect(event.json['data']).toBe('{"a":1}')
  })

  test('case 51: null is data, and no data is none (CE-10, CE-22)', async () => {
    const withNull = await accepted(structuredMode(eventJson({ datacontenttype: 'application/json', data: null })))
    expect(withNull.body.toString()).toBe('null')
    expect(withNull.json['data']).toBeNull()
    const without = await accepted(structuredMode(eventJson({ datacontenttype: 'application/json' })))
    expect(without.body).toHaveLength(0)
    expect(without.contentType).toBe('application/json')
    expect(without.json).not.toHaveProperty('data')
  })

  test.each(['0', 'false', '""'])('case 52: data %s is JSON data (CE-22)', async (data) => {
    const event = await accepted(structuredMode(json(`"data":${data}`)))
    expect(event.body.toString()).toBe(data)
  })

  test('case 53: data that is no JSON is a string (CE-23)', async () => {
    const event = await accepted(structuredMode(eventJson({ datacontenttype: 'text/xml', data: '<a/>' })))
    expect(event.body.toString()).toBe('<a/>')
    expect(event.contentType).toBe('text/xml')
    expect(await answerTo(structuredMode(eventJson({ datacontenttype: 'text/xml', data: { a: 1 } })))).toEqual(
      refusal(400, 'data'),
    )
  })

  test('case 54: data_base64 are bytes without a type of their own (CE-24)', async () => {
    const event = await accepted(structuredMode(eventJson({ data_base64: 'AQL/' })))
    expect(event.body).toEqual(Buffer.from([1, 2, 0xff]))
    expect(event.contentType).toBeUndefined()
    expect(event.json).toEqual({ ...REQUIRED, data_base64: 'AQL/' })
  })

  test('case 55: data and data_base64 exclude each other (CE-25)', async () => {
    expect(await answerTo(structuredMode(eventJson({ data: 1, data_base64: 'AQL/' })))).toEqual(refusal(400, 'data'))
  })

  test.each(['!!!', 'AQL_', 'AQI', 5])('case 56: data_base64 %j is no base64 (CE-24)', async (data_base64) => {
    expect(await answerTo(structuredMode(eventJson({ data_base64 })))).toEqual(refusal(400, 'data_base64'))
  })

  test.each([
    ['cut-off JSON', Buffer.from('{bad')],
    ['no text at all', Buffer.from([0xff, 0x00])],
  ])('case 57: %s under a JSON type goes through as bytes (CE-26)', async (_what, bytes) => {
    const event = await accepted(binary([['Content-Type', 'application/json']], bytes))
    expect(event.body).toEqual(bytes)
    expect(event.json['data_base64']).toBe(bytes.toString('base64'))
    expect(event.json).not.toHaveProperty('data')
  })
})

describe('structured mode', () => {
  test.each(['application/cloudevents+json;charset=utf-8', 'Application/CloudEvents+JSON; charset="UTF-8"'])(
    'case 58: %s is taken (CE-43)',
    async (type) => {
      const event = await accepted(structuredMode(json(), type))
      expect(event.json).toEqual(REQUIRED)
    },
  )

  test('case 59: another charset is refused (CE-31)', async () => {
    expect(await answerTo(structuredMode(json(), 'application/cloudevents+json; charset=iso-8859-1'))).toMatchObject({
      status: 415,
      stored: 0,
    })
  })

  test.each(['application/cloudevents+xml', 'application/cloudevents'])(
    'case 60: %s is refused, unless all of an event stands in the headers (CE-31)',
    async (type) => {
      expect(await answerTo(structuredMode(json(), type))).toMatchObject({ status: 415, stored: 0 })
      const event = await accepted(binary([['Content-Type', type]], '<event/>'))
      expect(event.wire).toEqual(REQUIRED)
      expect(event.contentType).toBe(type)
      expect(event.body.toString()).toBe('<event/>')
    },
  )

  test('case 61: the payload alone counts, not the ce- headers (CE-43)', async () => {
    const event = await accepted({
      headers: [
        ['content-type', 'application/cloudevents+json'],
        ['ce-id', '2'],
      ],
      body: json(),
    })
    expect(event.wire['id']).toBe('1')
  })

  test.each([
    ['an empty body', ''],
    ['null', 'null'],
    ['a list', '[]'],
    ['a string', '"x"'],
    ['cut-off JSON', '{'],
    ['invalid UTF-8', Buffer.from(json('"x":"\u00ff"'), 'latin1')],
  ])('case 62: %s is no event (CE-29, CE-43)', async (_what, body) => {
    expect(await answerTo(structuredMode(body))).toMatchObject({ status: 400, stored: 0 })
  })

  test('case 63: a byte order mark is skipped (CE-29)', async () => {
    const event = await accepted(structuredMode(`\ufeff${json()}`))
    expect(event.json).toEqual(REQUIRED)
  })
})

describe('batches', () => {
  test('case 64: a batch of 2, of 0, and of equal events (CE-9, CE-27, CE-28)', async () => {
    const before = await acceptedEvents(sluice.api)
    expect((await exchange(sluice.broker, batch(eventJson({ id: 'a' }), eventJson({ id: 'b' })))).status).toBe(202)
    const ids = [await delivered(), await delivered()].map(({ wire }) => wire['id'])
    expect(new Set(ids)).toEqual(new Set(['a', 'b']))

    expect((await exchange(sluice.broker, batch())).status).toBe(202)
    expect(await acceptedEvents(sluice.api)).toBe(before + 2)

    expect((await exchange(sluice.broker, batch(json(), json()))).status).toBe(202)
    expect([(await delivered()).json, (await delivered()).json]).toEqual([REQUIRED, REQUIRED])
  })

  test('case 65: one bad event refuses the whole batch, and is named by its place (CE-28)', async () => {
    expect(await answerTo(batch(json(), eventJson({ type: undefined })))).toEqual(refusal(400, '[1].type'))
  })

  test('case 66: a batch is of one specversion (CE-27)', async () => {
    expect(await answerTo(batch(json(), eventJson({ specversion: '0.3' })))).toEqual(refusal(400, '[1].specversion'))
  })

  test('case 67: a batch that is no array is refused (CE-30)', async () => {
    expect(await answerTo(structuredMode(json(), 'application/cloudevents-batch+json'))).toMatchObject({
      status: 400,
      stored: 0,
    })
  })
})

describe('sizes', () => {
  const KIB = 1024

  test('case 68: an event of 64 KiB goes through, wherever its bytes are (CE-14)', async () => {
    const inData = await accepted(binary([['Content-Type', 'text/plain']], 'x'.repeat(64 * KIB)))
    expect(inData.body).toHaveLength(64 * KIB)

    const long = 'é'.repeat(30 * KIB) // 60 KiB in UTF-8, 180 KiB escaped
    for (const message of [structuredMode(eventJson({ long })), binary([['ce-long', encodeURIComponent(long)]])]) {
      expect((await exchange(sluice.broker, message)).status).toBe(202)
      const [received, asJson] = [await inBinary.next(), await inJson.next()]
      expect(structured(asJson)['long']).toBe(long)
      // Too long for the headers that a subscriber may be expected to take, so it goes structured.
      expect(structured(received)['long']).toBe(long)
    }
  })

  test('case 69: a byte more than the limit is refused, announced or not (CE-14)', async () => {
    const body = Buffer.alloc(1024 * KIB + 1)
    expect(await answerTo(binary([], body))).toMatchObject({ status: 413, stored: 0 })
    expect(await answerTo({ ...binary([], body), chunkBytes: 64 * KIB })).toMatchObject({ status: 413, stored: 0 })
    const atTheLimit = await accepted(binary([], body.subarray(1)))
    expect(atTheLimit.body).toHaveLength(1024 * KIB)
  })
})

describe('CloudEvents 0.3, and neighbours', () => {
  test('case 70: a 0.3 event stays one (CE-45)', async () => {
    const event = await accepted(
      binary([
        ['ce-specversion', '0.3'],
        ['ce-schemaurl', '/x'],
      ]),
    )
    expect(event.wire).toEqual({ ...REQUIRED, specversion: '0.3', schemaurl: '/x' })
    expect(event.json).toEqual({ ...REQUIRED, specversion: '0.3', schemaurl: '/x' })
  })

  test('case 71: 0.3 data in base64 is decoded (CE-45)', async () => {
    const members = { specversion: '0.3', datacontentencoding: 'base64', data: 'AQL/' }
    const event = await accepted(structuredMode(eventJson(members)))
    expect(event.body).toEqual(Buffer.from([1, 2, 0xff]))
    const otherEncoding = eventJson({ ...members, datacontentencoding: 'quoted-printable' })
    expect(await answerTo(structuredMode(otherEncoding))).toEqual(refusal(400, 'datacontentencoding'))
  })

  test('case 72: schemaurl of a 1.0 event is an extension (CE-45)', async () => {
    const event = await accepted(binary([['ce-schemaurl', 'x']]))
    expect(event.wire['schemaurl']).toBe('x')
  })

  test('case 73: the traceparent header is not the attribute, which no hop changes (CE-11, CE-35)', async () => {
    const message = binary([
      ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
      ['ce-traceparent', 'b'],
    ])
    expect((await exchange(`${sluice.ingress}/default/first`, message)).status).toBe(202)
    expect(ceHeaders(await afterTwoHops.next())).toEqual({ ...REQUIRED, traceparent: 'b' })
  })
})

test('nothing arrived but what was accepted, at each subscriber once', async () => {
  const total = await acceptedEvents(sluice.api)
  expect((await inBinary.received(total)).length).toBe(inBinary.all.length)
  expect((await inJson.received(total)).length).toBe(inJson.all.length)
})
