// Hostile messages, by the numbers of the threat table.

import { decodeHttp, encodeBinary, encodeStructured, newEvent, parseJsonData } from '@sluice/event'
import { describe, expect, test } from 'vitest'
import { asRecord, batch, binary, decodeOne, json, refusal, structured, thrownBy } from './message.ts'

describe('threat 9: header injection', () => {
  const evil = '%0d%0aX-Evil:1'

  test.each(['id', 'source', 'type', 'specversion', 'subject', 'time', 'dataschema', 'ext'])(
    'threat 9: CRLF in %s is refused in every mode',
    (name) => {
      expect(refusal(binary({ [`ce-${name}`]: `a${evil}` }))).toEqual({ status: 400, subject: name })
      expect(refusal(binary({ [`ce-${name}`]: 'a\r\nX-Evil:1' }))?.subject).toBe(name)
      const fields: Record<string, string> = { specversion: '1.0', id: '1', source: '/s', type: 't' }
      fields[name] = 'a\r\nX-Evil:1'
      expect(refusal(json(JSON.stringify(fields)))).toEqual({ status: 400, subject: name })
      expect(refusal(batch(`[${JSON.stringify(fields)}]`))).toEqual({ status: 400, subject: `[0].${name}` })
      // Doubly encoded it is harmless text, and stays encoded on the way out.
      if (name === 'id')
        expect(encodeBinary(decodeOne(binary({ 'ce-id': 'a%250d%250a' }))).join()).toContain('a%250d%250a')
    },
  )

  test('threat 9: CRLF in the content type is refused', () => {
    for (const type of ['text/plain\r\nX-Evil: 1', 'text/plain; a="b\r\nX-Evil: 1"']) {
      expect(refusal(binary({ 'Content-Type': type }))?.subject).toBe('datacontenttype')
      expect(
        refusal(json(JSON.stringify({ specversion: '1.0', id: '1', source: '/', type: 't', datacontenttype: type }))),
      ).toEqual({ status: 400, subject: 'datacontenttype' })
    }
  })

  test('threat 9: text that no rule has checked still ends no header', () => {
    const event = newEvent({ type: 't', source: '/s' }).with({ x: 'a\r\nX-Evil: 1' })
    expect(asRecord(encodeBinary(event))['ce-x']).toBe('a%0D%0AX-Evil:%201')
  })
})

describe('threat 12 and 13: large and deep JSON', () => {
  test('threat 12: a batch has a bound on its events', () => {
    const one = structured().body!.toString()
    const body = Buffer.from(`[${`${one},`.repeat(10)}${one}]`)
    const send = (maxBatchEvents: number): unknown => decodeHttp(batch('').headers, body, { maxBatchEvents })
    expect(send(11)).toHaveLength(11)
    expect(thrownBy(() => send(10))?.status).toBe(413)
    const million = batch(`[${'{},'.repeat(1_000_000)}{}]`)
    expect(refusal(million)).toEqual({ status: 400, subject: '[0].specversion' })
    const valid = batch(`[${`${one},`.repeat(10_000)}${one}]`)
    expect(refusal(valid)?.status).toBe(413)
  })

  test('threat 13: depth 10^6 is refused at the limit, anywhere in the text', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ]) {
      const deep = open!.repeat(1_000_000) + (open === '[' ? '' : '1') + close!.repeat(1_000_000)
      for (const message of [json(deep), batch(deep), structured(`"x":${deep}`), batch(`[${deep}]`)]) {
        expect(decodeSafely(message.headers, message.body!)).toBe(400)
      }
      const error = thrownBy(() => decodeHttp(structured().headers, structured(`"data":${deep}`).body, HUGE))
      expect(error?.message).toContain('deeper than maxDepth allows')
    }
  })

  test('threat 13: the depth limit counts the object of the event', () => {
    const nested = (depth: number): Buffer => structured(`"data":${'['.repeat(depth)}${']'.repeat(depth)}`).body!
    const send = (depth: number): unknown => decodeHttp(structured().headers, nested(depth), { maxDepth: 5 })
    expect(send(4)).toHaveLength(1)
    expect(thrownBy(() => send(5))?.status).toBe(400)
  })

  test('threat 13: in a batch it counts the array too', () => {
    const nested = (depth: number): string =>
      structured(`"data":${'['.repeat(depth)}${']'.repeat(depth)}`).body!.toString()
    const send = (depth: number): unknown =>
      decodeHttp(batch('').headers, Buffer.from(`[${nested(depth)}]`), { maxDepth: 5 })
    expect(send(3)).toHaveLength(1)
    expect(thrownBy(() => send(4))?.status).toBe(400)
  })

  test('threat 13: 10^5 members are refused at the limit', () => {
    const members = Array.from({ length: 100_000 }, (_, n) => `"a${n}":1`).join(',')
    expect(decodeSafely(structured().headers, structured(members).body!)).toBe(400)
    const some = Array.from({ length: 6 }, (_, n) => `"a${n}":1`).join(',')
    const send = (maxMembers: number): unknown =>
      decodeHttp(structured().headers, structured(some).body, { maxMembers })
    expect(send(10)).toHaveLength(1)
    expect(thrownBy(() => send(9))?.message).toContain('more members than maxMembers allows')
  })

  test('threat 13: within data, members and numbers cost only their bytes', () => {
    const members = Array.from({ length: 50_000 }, (_, n) => `"a":${n}`).join(',')
    expect(decodeOne(structured(`"data":{${members}}`)).data?.length).toBe(members.length + 2)
    const digits = '9'.repeat(100_000)
    expect(decodeOne(structured(`"data":${digits}`)).data?.toString()).toBe(digits)
    expect(refusal(structured(`"x":${digits}`))).toEqual({ status: 400, subject: 'x' })
  })

  test('threat 13: duplicate keys and lone surrogates are refused', () => {
    expect(refusal(structured('"x":"a","x":"b"'))?.subject).toBe('x')
    expect(refusal(structured('"x":"\\udfff"'))?.subject).toBe('x')
  })

  test('threat 13: a single event has the size limit in every mode', () => {
    const size = { maxEventBytes: 99 }
    const large = 'x'.repeat(100)
    for (const message of [binary({}, large), structured(`"x":"${large}"`), json(large)]) {
      expect(thrownBy(() => decodeHttp(message.headers, message.body, size))?.status).toBe(413)
    }
  })

  test('threat 13: data is parsed only within size and depth', () => {
    const event = decodeOne(structured(`"data":${'['.repeat(60)}${']'.repeat(60)}`))
    expect(parseJsonData(event)).toBeDefined()
    expect(parseJsonData(event, { maxDepth: 59 })).toBeUndefined()
    expect(parseJsonData(event, { maxBytes: 119 })).toBeUndefined()
    expect(parseJsonData(event, { maxBytes: 120, maxDepth: 60 })).toBeDefined()
    const deep = binary({ 'Content-Type': 'application/json' }, '['.repeat(100_000))
    expect(decodeOne(deep).json()).toBeUndefined()
  })
})

describe('threat 14: prototype pollution', () => {
  test('threat 14: names of prototypes are plain attributes or refused, and no prototype changes', () => {
    const before = Object.getOwnPropertyNames(Object.prototype).join()
    const event = decodeOne(
      binary({ 'ce-constructor': 'x', 'ce-prototype': 'y', 'ce-tostring': 'z', 'ce-valueof': 'v' }),
    )
    expect([event.attribute('constructor'), event.attribute('prototype')]).toEqual(['x', 'y'])
    expect(JSON.parse(encodeStructured(event).toString()).constructor).toBe('x')
    expect(refusal(structured('"__proto__":{"polluted":true}'))?.subject).toBe('__proto__')
    expect(refusal(structured('"\\u005f_proto__":"x"'))?.subject).toBe('__proto__')
    expect(refusal({ headers: [...binary().headers, 'ce-__proto__', 'x'], body: undefined })?.subject).toBe(
      'ce-__proto__',
    )
    expect(decodeOne(binary()).attribute('constructor')).toBeUndefined()
    expect(decodeOne(structured('"data":{"__proto__":{"polluted":true}}')).json()).not.toHaveProperty('polluted')
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(before)
  })
})

const HUGE = { maxEventBytes: 100 * 1024 * 1024 }

/** The status of the refusal, when only size does not refuse it. */
function decodeSafely(headers: readonly string[], body: Buffer): number | undefined {
  return thrownBy(() => decodeHttp(headers, body, HUGE))?.status
}
