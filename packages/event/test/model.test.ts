// The event model: names, types and core attributes, whichever way an event comes in.

import { Event, isTimestamp, isUri, isUriReference, newEvent, readMediaType, validateEvent } from '@sluice/event'
import { describe, expect, test } from 'vitest'
import { forbiddenAt, isAttributeName, isInteger } from '../src/text.ts'
import { binary, decodeOne, json, raw, refusal, structured, thrownBy } from './message.ts'

describe('names and types', () => {
  test('CE-1: a name has lower-case letters and digits only, up to 256, and is not data', () => {
    for (const name of ['a', '1', '0digit', 'x'.repeat(256)]) expect(isAttributeName(name)).toBe(true)
    for (const name of ['', 'A', 'a-b', 'a_b', 'é', 'a b', 'data', 'x'.repeat(257)]) {
      expect(isAttributeName(name)).toBe(false)
    }
    expect(decodeOne(binary({ [`ce-${'x'.repeat(256)}`]: 'v' })).attribute('x'.repeat(256))).toBe('v')
    expect(refusal(binary({ [`ce-${'x'.repeat(257)}`]: 'v' }))?.status).toBe(400)
    expect(refusal(structured(`"${'x'.repeat(257)}":"v"`))?.status).toBe(400)
  })

  test('CE-2: an attribute that is there twice is refused', () => {
    expect(refusal(binary({ 'ce-x': ['a', 'a'] }))).toEqual({ status: 400, subject: 'x' })
    expect(refusal(binary({ 'ce-x': 'a', 'CE-X': 'b' }))).toEqual({ status: 400, subject: 'x' })
    expect(refusal(structured('"x":1,"x":2'))).toEqual({ status: 400, subject: 'x' })
    expect(refusal(structured('"x":null,"x":2'))).toEqual({ status: 400, subject: 'x' })
    expect(refusal(structured('"x":2,"x":null'))).toEqual({ status: 400, subject: 'x' })
    expect(refusal(structured('"x":null,"\\u0078":null'))).toEqual({ status: 400, subject: 'x' })
    expect(refusal(structured('"data":1,"data":1'))).toEqual({ status: 400, subject: 'data' })
    expect(refusal(structured('"data_base64":"","data_base64":""'))).toEqual({ status: 400, subject: 'data_base64' })
  })

  test('CE-2: an extension made in code may not have the name of a core attribute', () => {
    expect(thrownBy(() => newEvent({ type: 't', source: '/s', extensions: { id: 'x' } }))?.subject).toBe('id')
  })

  test('CE-3: an Integer is whole and has 32 bits', () => {
    for (const value of [0, 2147483647, -2147483648]) expect(isInteger(value)).toBe(true)
    for (const value of [2147483648, -2147483649, 0.5, Number.NaN, Infinity]) expect(isInteger(value)).toBe(false)
    expect(thrownBy(() => validateEvent(eventWith('n', 1.5)))?.subject).toBe('n')
    expect(thrownBy(() => validateEvent(eventWith('n', true)))).toBeUndefined()
  })

  test('CE-4: text has no control characters, noncharacters or unpaired surrogates', () => {
    for (const text of ['', 'plain', '\u00a0', 'é€', '😀', '\ufdcf', '\ufdf0', '\ufffd', '\u{1fffd}', '\u{10fffd}']) {
      expect(forbiddenAt(text)).toBe(-1)
    }
    const bad = ['\0', '\x1f', '\x7f', '\x80', '\x9f', '\ufdd0', '\ufdef', '\ufffe', '\uffff', '\ud800', '\udc00']
    for (const text of [...bad, '\u{1fffe}', '\u{1ffff}', '\u{10fffe}', '\u{10ffff}', '\ud800a', '\ud800\ud800']) {
      expect(forbiddenAt(`ab${text}`)).toBe(2)
      expect(thrownBy(() => validateEvent(eventWith('x', text)))?.subject).toBe('x')
    }
  })

  test('CE-5: a URI has a scheme, a URI-reference need not', () => {
    for (const text of [
      'https://h/s#v1',
      'urn:x',
      'a+b-c.1:',
      'http://u:p@h:80/p?q#f',
      'http://[::1]:80/',
      'x://[v1.a]',
    ]) {
      expect(isUri(text)).toBe(true)
      expect(isUriReference(text)).toBe(true)
    }
    for (const text of [
      '',
      '/',
      'a',
      '//h',
      '//h:',
      '?',
      '#',
      './a:b',
      '/a:b',
      '%41',
      "a!$&'()*+,;=@~_.-",
      '1-555',
      'a/b%20',
    ]) {
      expect(isUri(text)).toBe(false)
      expect(isUriReference(text)).toBe(true)
    }
    const bad = [
      'a b',
      'é',
      '%',
      '%4',
      '%zz',
      '1a:b',
      ':a',
      'a^',
      'a"',
      '<a>',
      '{a}',
      'a|b',
      'a\\b',
      '`',
      '#a#b',
      '[',
      'a[b]',
    ]
    const badHosts = [
      'http://[',
      'http://[::1',
      'http://[zz]',
      'http://[::1]x',
      'http://a[::1]',
      '//h:8a',
      '//a@b@c',
      '//h:1:2',
      '//%z1',
    ]
    for (const text of [...bad, ...badHosts, '?[', 'a\n', 'http://[fe80::1%25eth0]', 'a:b^']) {
      expect([text, isUriReference(text)]).toEqual([text, false])
      expect(isUri(text)).toBe(false)
    }
  })

  test('CE-6: a timestamp is RFC 3339 with an offset and a real date', () => {
    const good = [
      '2024-02-29T00:00:00Z',
      '2000-02-29T23:59:59.9z',
      '0000-01-01t00:00:00-00:00',
      '9999-12-31T23:59:60+23:59',
      '2018-04-05T17:31:00.12345678901234567890Z',
    ]
    for (const text of good) expect(isTimestamp(text)).toBe(true)
    const bad = [
      ...['', 'yesterday', '2023-02-29T00:00:00Z', '1900-02-29T00:00:00Z', '2023-04-31T00:00:00Z'],
      ...['2023-00-01T00:00:00Z', '2023-13-01T00:00:00Z', '2023-01-00T00:00:00Z', '2023-01-32T00:00:00Z'],
      ...['2023-01-01T24:00:00Z', '2023-01-01T23:60:00Z', '2023-01-01T23:59:61Z', '2023-01-01T23:59Z'],
      ...['2023-01-01T00:00:00', '2023-01-01T00:00:00.Z', '2023-01-01T00:00:00,5Z', '2023-01-01 00:00:00Z'],
      ...[
        '2023-01-01T00:00:00+24:00',
        '2023-01-01T00:00:00+01:60',
        '2023-01-01T00:00:00+0100',
        '2023-01-01T00:00:00Zx',
      ],
      ...['+2023-01-01T00:00:00Z', '2023-1-01T00:00:00ZZ', '2O23-01-01T00:00:00Z', '2023-01-01T00:00:00+01:00 '],
    ]
    for (const text of bad) expect([text, isTimestamp(text)]).toEqual([text, false])
  })

  test('CE-7: canonical text stands for a Boolean and an Integer', () => {
    const event = decodeOne(structured('"flag":false,"n":-5'))
    expect([event.text('flag'), event.text('n')]).toEqual(['false', '-5'])
    expect(decodeOne(binary({ 'ce-flag': 'false' })).attribute('flag')).toBe('false')
  })
})

describe('core attributes', () => {
  test('CE-8: the error names the attribute, says what it was, what it has to be, and that nothing was stored', () => {
    const error = thrownBy(() => decodeOne(binary({ 'ce-time': 'yesterday' })))!
    expect(error.code).toBe('SLUICE_EVENT_INVALID_TIME')
    expect(error.message).toBe(
      'Attribute "time" is "yesterday"; it has to be an RFC 3339 timestamp such as "2026-11-24T18:48:23Z". ' +
        'Nothing was stored.',
    )
  })

  test('CE-8: each core attribute has a code of its own', () => {
    const wrong: Record<string, string> = {
      specversion: '3',
      id: '',
      source: 'a b',
      type: '',
      subject: '',
      time: 'x',
      dataschema: '/x',
    }
    for (const [name, value] of Object.entries(wrong)) {
      const error = thrownBy(() => decodeOne(binary({ [`ce-${name}`]: value })))
      expect(error?.code).toBe(`SLUICE_EVENT_INVALID_${name.toUpperCase()}`)
      expect(error?.subject).toBe(name)
    }
    expect(thrownBy(() => decodeOne(binary({ 'Content-Type': 'x' })))?.code).toBe(
      'SLUICE_EVENT_INVALID_DATACONTENTTYPE',
    )
    expect(thrownBy(() => decodeOne(structured('"x":[]')))?.code).toBe('SLUICE_EVENT_INVALID_EXTENSION')
  })

  test('CE-8: all that is missing is named at once', () => {
    const error = thrownBy(() => decodeOne(binary({ 'ce-id': undefined, 'ce-type': undefined })))
    expect(error?.message).toContain('lacks "id", "type"')
    expect(error?.subject).toBe('id')
  })

  test('CE-9: an event made in code has an id of its own unless one is given', () => {
    const fields = { type: 't', source: '/s' }
    expect(newEvent(fields).id).not.toBe(newEvent(fields).id)
    expect(newEvent({ ...fields, id: 'x' }).id).toBe('x')
  })

  test('an event made in code gets the time now, and obeys the same rules with the same words', () => {
    const event = newEvent({ type: 't', source: '/s', subject: 'x', extensions: { n: 5 } }, () => 0)
    expect([...event.attributes]).toEqual([
      ...[
        ['specversion', '1.0'],
        ['id', event.id],
        ['source', '/s'],
        ['type', 't'],
        ['subject', 'x'],
      ],
      ...[
        ['time', '1970-01-01T00:00:00.000Z'],
        ['n', 5],
      ],
    ])
    for (const fields of [{ time: 'x' }, { source: '' }, { dataschema: '/x' }, { datacontenttype: 'x' }, { id: '' }]) {
      const error = thrownBy(() => newEvent({ type: 't', source: '/s', ...fields }))
      expect(error?.subject).toBe(Object.keys(fields)[0])
      expect(error?.message).not.toContain('Nothing was stored')
    }
    expect(thrownBy(() => newEvent({ type: 't', source: '/s', extensions: { Bad: 'x' } }))?.subject).toBe('Bad')
  })

  test('CE-10: absent data, empty data and null are three things', () => {
    expect(decodeOne(structured()).data).toBeUndefined()
    expect(decodeOne(structured('"data_base64":""')).data).toEqual(Buffer.alloc(0))
    expect(decodeOne(structured('"data":null')).data?.toString()).toBe('null')
    expect(decodeOne(structured('"datacontenttype":"text/plain","data":""')).data).toEqual(Buffer.alloc(0))
  })

  test('CE-11: unknown attributes and the bytes of the data pass unchanged, and nothing is added', () => {
    const body = Buffer.from('{ "a" : 1.0 }\n')
    const event = decodeOne(binary({ 'ce-whatever': 'x  y', 'Content-Type': 'application/json' }, body))
    expect(event.data).toEqual(body)
    expect([...event.attributes.keys()]).toEqual(['specversion', 'id', 'source', 'type', 'whatever', 'datacontenttype'])
  })

  test('CE-15: no error shows the data', () => {
    const hidden = [
      structured('"datacontenttype":"text/plain","data":{"a":"s3cret"}'),
      structured('"data_base64":"s3cret!"'),
      structured('"data":"s3cret'),
      binary({ 'ce-id': '' }, 's3cret'),
      json('"s3cret"'),
    ]
    for (const message of hidden) expect(thrownBy(() => decodeOne(message))?.message).not.toContain('s3cret')
  })

  test('datacontenttype is a media type with any parameters', () => {
    for (const text of ['a/b', 'text/plain; charset=utf-8', 'a/b;c="d;\\"e"', 'a/b ; c=d', 'a/vnd.x+json', 'a/b;']) {
      expect(readMediaType(text)).toBeDefined()
    }
    for (const text of [
      '',
      'a',
      'a/',
      '/b',
      'a/b c',
      'a/b;c',
      'a/b;c=',
      'a/b;c="d',
      'a/b;="d"',
      'a/b/c',
      'é/b',
      'a/b;c="é"',
    ]) {
      expect([text, readMediaType(text)]).toEqual([text, undefined])
    }
    expect(readMediaType('Text/XML; Charset="ISO-8859-1"')).toEqual({
      essence: 'text/xml',
      kind: 'text',
      charset: 'iso-8859-1',
    })
  })

  test('text in messages is quoted and cut', () => {
    const error = thrownBy(() => decodeOne(binary({ 'ce-time': raw(`a"${'é'.repeat(5000)}`) })))!
    expect(error.message).toContain('"a\\"éé')
    expect(error.message.length).toBeLessThan(300)
    expect(thrownBy(() => decodeOne(json('{"specversion":"1.0"}')))?.message).not.toContain('\n')
  })
})

function eventWith(name: string, value: string | number | boolean): Event {
  return newEvent({ type: 't', source: '/s', id: '1' }).with({ [name]: value })
}
