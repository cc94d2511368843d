// Data seen as JSON.

import { Event, newEvent, parseJsonData } from '@sluice/event'
import { describe, expect, test } from 'vitest'
import { binary, decodeOne, structured } from './message.ts'

describe('data as JSON', () => {
  const jsonOf = (data: string | Buffer, type: string = 'application/json'): unknown =>
    decodeOne(binary({ 'Content-Type': type }, data)).json()

  test('is parsed when the content type is JSON', () => {
    expect(jsonOf('{"a":[1,"é"]}')).toEqual({ a: [1, 'é'] })
    expect(jsonOf('\ufeff 1 ', 'a/b+json; charset=utf-8')).toBe(1)
    expect(jsonOf('null')).toBe(null)
  })

  test('is undefined and no error when there is none', () => {
    for (const text of ['', '{bad', '1 2', Buffer.from('"\xff"', 'latin1'), '\ufeff'])
      expect(jsonOf(text)).toBeUndefined()
    for (const type of ['text/plain', 'application/jsonx']) expect(jsonOf('1', type)).toBeUndefined()
    expect(decodeOne(binary({}, '1')).json()).toBeUndefined()
    expect(decodeOne(binary({ 'Content-Type': 'application/json' })).json()).toBeUndefined()
  })

  test('CE-21: data of a JSON-format event without a type counts as JSON', () => {
    expect(decodeOne(structured('"data":{"a":1}')).json()).toEqual({ a: 1 })
    expect(decodeOne(structured('"data_base64":"MQ=="')).json()).toBeUndefined()
  })

  test('is parsed once and kept', () => {
    const event = decodeOne(structured('"data":{"a":1}'))
    expect(event.json()).toBe(event.json())
  })

  test('is not asked of an event with a senseless type', () => {
    const event = newEvent({ type: 't', source: '/s', data: Buffer.from('1') })
    expect(parseJsonData(new Event(new Map([...event.attributes, ['datacontenttype', 5]]), event.data))).toBeUndefined()
  })
})
