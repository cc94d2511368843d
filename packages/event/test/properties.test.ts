// What holds for any event, and for any bytes.

import {
  BATCH_CONTENT_TYPE,
  decodeHttp,
  decodeRecord,
  encodeBatch,
  encodeBinary,
  encodeHeaderValue,
  decodeHeaderValue,
  encodeRecord,
  encodeStructured,
  Event,
  STRUCTURED_CONTENT_TYPE,
} from '@sluice/event'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isJsonText } from '../src/data.ts'
import { isTimestamp } from '../src/timestamp.ts'
import { isUriReference } from '../src/uri.ts'
import { anyEvent, contentOf } from './arbitrary.ts'
import { thrownBy } from './message.ts'

const runs = { numRuns: 1000 }

describe('any event', () => {
  test('comes back from binary mode the same, an empty body as none', () => {
    fc.assert(
      fc.property(anyEvent({ textOnly: true }), (event) => {
        const pairs = encodeBinary(event)
        for (const part of pairs) if (!/^[\x20-\x7e]*$/.test(part)) return false
        const back = decodeHttp(pairs, event.data)[0]!
        const expected = event.data?.length === 0 ? new Event(event.attributes, undefined) : event
        expect(contentOf(back)).toEqual(contentOf(expected))
        return true
      }),
      runs,
    )
  })

  test('comes back from structured mode the same, types of attributes included', () => {
    fc.assert(
      fc.property(anyEvent({ textOnly: false }), (event) => {
        const back = decodeHttp(['Content-Type', STRUCTURED_CONTENT_TYPE], encodeStructured(event))[0]!
        expect(contentOf(back)).toEqual(contentOf(event))
      }),
      runs,
    )
  })

  test('comes back from a batch the same', () => {
    fc.assert(
      fc.property(fc.array(anyEvent({ textOnly: false }), { maxLength: 4 }), (events) => {
        const back = decodeHttp(['Content-Type', BATCH_CONTENT_TYPE], encodeBatch(events))
        expect(back.map(contentOf)).toEqual(events.map(contentOf))
      }),
      { numRuns: 200 },
    )
  })

  test('is JSON in structured mode that JSON.parse reads alike', () => {
    fc.assert(
      fc.property(anyEvent({ textOnly: false }), (event) => {
        const members: Record<string, unknown> = JSON.parse(encodeStructured(event).toString())
        for (const [name, value] of event.attributes) expect(members[name]).toBe(value)
      }),
      runs,
    )
  })

  test('comes back from its record the same, with hops and headers', () => {
    const headers = fc.array(fc.tuple(fc.string(), fc.string({ unit: 'binary' })), { maxLength: 4 })
    fc.assert(
      fc.property(anyEvent({ textOnly: false }), fc.integer(), headers, (event, hops, pairs) => {
        event.hops = hops
        event.headers = pairs.flat().map((part) => part.toWellFormed())
        const back = decodeRecord(encodeRecord(event))
        expect(contentOf(back)).toEqual(contentOf(event))
        expect([back.hops, back.headers]).toEqual([event.hops, event.headers])
      }),
      runs,
    )
  })
})

describe('any text', () => {
  test('comes back from a header value the same, where an attribute may hold it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const decoded = decodeHeaderValue(encodeHeaderValue(text))
        if (typeof decoded === 'string') expect(decoded).toBe(text)
        else expect(decoded).toHaveProperty('why')
      }),
      runs,
    )
  })

  test('is a timestamp only if Date reads it as the same moment', () => {
    const date = fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true })
    fc.assert(fc.property(date, (moment) => isTimestamp(moment.toISOString())))
    const near = fc.stringMatching(
      /^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](Z|[+-][0-2]0:00)$/,
    )
    fc.assert(
      fc.property(near, (text) => {
        const leap = text.replace(/:60(?=Z|[+-])/, ':59')
        if (isTimestamp(text)) expect(Number.isNaN(Date.parse(leap))).toBe(false)
      }),
      runs,
    )
  })

  test('that URL makes of one is a URI-reference', () => {
    fc.assert(fc.property(fc.webUrl({ withFragments: true, withQueryParameters: true }), (url) => isUriReference(url)))
  })
})

describe('any bytes', () => {
  test('are an event, a batch or a SluiceError, whatever the headers', () => {
    const types = [STRUCTURED_CONTENT_TYPE, BATCH_CONTENT_TYPE, 'application/json', 'application/cloudevents', 'x']
    const header = fc.tuple(
      fc.oneof(fc.constantFrom('ce-id', 'ce-type', 'ce-time', 'ce-x', 'content-type', 'tracestate'), fc.string()),
      fc.oneof(fc.constantFrom(...types, '1.0', '%E2', '"x'), fc.string({ unit: 'binary' })),
    )
    fc.assert(
      fc.property(fc.array(header), fc.uint8Array(), (headers, bytes) => {
        const error = thrownBy(() => decodeHttp(headers.flat(), Buffer.from(bytes)))
        if (error !== undefined) expect([400, 413, 415]).toContain(error.status)
      }),
      runs,
    )
  })

  test('that were a good event before something changed them are an event or a SluiceError', () => {
    fc.assert(
      fc.property(anyEvent({ textOnly: false }), fc.nat(), fc.nat(255), fc.boolean(), (event, at, byte, cut) => {
        for (const batch of [false, true]) {
          const bytes = batch ? encodeBatch([event, event]) : encodeStructured(event)
          const place = at % bytes.length
          bytes[place] = byte
          const type = batch ? BATCH_CONTENT_TYPE : STRUCTURED_CONTENT_TYPE
          thrownBy(() => decodeHttp(['content-type', type], cut ? bytes.subarray(0, place) : bytes))
        }
      }),
      runs,
    )
  })

  test('are JSON for the scanner exactly when they are for JSON.parse', () => {
    const agree = (text: string): void => {
      const bytes = Buffer.from(text)
      expect([text, isJsonText(bytes, 0, 1000)]).toEqual([text, isJson(bytes.toString())])
    }
    fc.assert(fc.property(fc.json({ maxDepth: 6 }), agree), runs)
    fc.assert(fc.property(fc.string(), agree), runs)
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '"a"',
      '\\',
      '\\u00e9',
      '\\"',
      ' ',
      '\n',
      '1',
      '0',
      '-',
      '.',
      'e',
      '+',
    ]
    const piece = fc.constantFrom(...pieces, 'true', 'null', 'false', '\t', '\0', '12.5e-3', 'abcdefgh', 'é€😀', '\x7f')
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }).map((all) => all.join('')),
        agree,
      ),
      { numRuns: 20_000 },
    )
    const mutated = fc.tuple(fc.json(), fc.nat(), piece).map(([text, at, other]) => {
      const place = at % (text.length + 1)
      return text.slice(0, place) + other + text.slice(place + 1)
    })
    fc.assert(fc.property(mutated, agree), { numRuns: 5000 })
  })

  test('are never read past their end: what follows a cut text makes no difference', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), (text, at) => {
        const cut = Buffer.from(text).subarray(0, at % (text.length + 1))
        const alone = Buffer.from(cut)
        expect(isJsonText(cut, 0, 64)).toBe(isJsonText(alone, 0, 64))
      }),
      runs,
    )
  })
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
