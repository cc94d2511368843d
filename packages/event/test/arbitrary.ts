// Random valid events for property tests.

import { Event, newEvent, type AttributeValue } from '@sluice/event'
import fc from 'fast-check'
import { forbiddenAt, isAttributeName } from '../src/text.ts'

const text = fc.string({ unit: 'binary', maxLength: 20 }).filter((value) => forbiddenAt(value) < 0)
const filled = text.filter((value) => value !== '')
const CORE = new Set(['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'dataschema'])
const name = fc.stringMatching(/^[a-z0-9]{1,24}$/).filter((value) => isAttributeName(value) && !CORE.has(value))
const value = fc.oneof<fc.Arbitrary<AttributeValue>[]>(text, fc.boolean(), fc.integer())
const source = fc.constantFrom('/s', 'urn:x', 'https://h:80/p?q#f', '../x', "a!$&'()*+,;=@%20")
const contentType = fc.constantFrom(
  'application/json',
  'text/plain; charset=utf-8',
  'a/vnd.b+json',
  'image/png',
  'text/xml',
)

/** Data of every kind: none, empty, bytes, text, JSON. */
const data = fc.oneof(
  fc.constant(undefined),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ unit: 'binary', maxLength: 20 }).map((string) => Buffer.from(string)),
  fc.jsonValue({ maxDepth: 5 }).map((json) => Buffer.from(JSON.stringify(json))),
)

/** A valid event. `textOnly`: without Booleans and Integers, which become text in headers. */
export function anyEvent({ textOnly }: { textOnly: boolean }): fc.Arbitrary<Event> {
  return fc
    .record(
      {
        id: filled,
        source,
        type: filled,
        subject: filled,
        datacontenttype: contentType,
        dataschema: fc.constantFrom('https://h/s#v1', 'urn:x'),
        extensions: fc.dictionary(name, textOnly ? text : value, { maxKeys: 5 }),
        data,
      },
      { requiredKeys: ['id', 'source', 'type'] },
    )
    .map(({ data: bytes, ...fields }) => newEvent(bytes === undefined ? fields : { ...fields, data: bytes }))
}

/** What two equal events have in common. */
export function contentOf(event: Event): unknown {
  return { attributes: Object.fromEntries(event.attributes), data: event.data?.toString('hex') }
}
