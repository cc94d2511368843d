// The rules of the context attributes, the same for every door that an event comes in by. On the hot path.
// From: http.ts, json-read.ts, new-event.ts, each with all attributes of one event at hand.

import { invalidAttribute, SluiceError } from './errors.ts'
import type { AttributeValue, Event } from './event.ts'
import { readMediaType } from './media-type.ts'
import { forbiddenAt, isAttributeName, isInteger, quote } from './text.ts'
import { isTimestamp } from './timestamp.ts'
import { isUri, isUriReference } from './uri.ts'

/**
 * Throws what is wrong with an event's attributes ({@link SluiceError} 400, `subject` = the attribute), or returns.
 * For events that no codec has read, such as those of a source or a transform: names, values and core attributes.
 * CloudEvents 1.0 and 0.3, "Context Attributes".
 */
export function validateEvent(event: Event): void {
  for (const [name, value] of event.attributes) {
    if (!isAttributeName(name)) throw invalidAttribute(name, badName(name))
    if (typeof value === 'string' ? forbiddenAt(value) >= 0 : typeof value === 'number' && !isInteger(value)) {
      throw refused(name, value, typeof value === 'string' ? TEXT_RULE : INTEGER_RULE)
    }
  }
  checkCore(event.attributes)
}

/** Throws unless the core attributes are all there and obey their rules. Text and names were checked before. */
export function checkCore(attributes: ReadonlyMap<string, AttributeValue>): void {
  const specversion = attributes.get('specversion')
  const id = attributes.get('id')
  const source = attributes.get('source')
  const type = attributes.get('type')
  if (specversion === undefined || id === undefined || source === undefined || type === undefined) {
    throw missing(attributes)
  }
  if (specversion !== '1.0' && specversion !== '0.3') throw refused('specversion', specversion, VERSION_RULE)
  if (typeof id !== 'string' || id === '') throw refused('id', id, FILLED_RULE)
  if (typeof type !== 'string' || type === '') throw refused('type', type, FILLED_RULE)
  if (typeof source !== 'string' || source === '' || !isUriReference(source)) {
    throw refused('source', source, REFERENCE_RULE)
  }
  if (attributes.size > 4) checkOptional(attributes, specversion)
}

function checkOptional(attributes: ReadonlyMap<string, AttributeValue>, specversion: '1.0' | '0.3'): void {
  const time = attributes.get('time')
  if (time !== undefined && (typeof time !== 'string' || !isTimestamp(time))) throw refused('time', time, TIME_RULE)
  const subject = attributes.get('subject')
  if (subject !== undefined && (typeof subject !== 'string' || subject === '')) {
    throw refused('subject', subject, FILLED_RULE)
  }
  const contentType = attributes.get('datacontenttype')
  if (contentType !== undefined && (typeof contentType !== 'string' || readMediaType(contentType) === undefined)) {
    throw refused('datacontenttype', contentType, MEDIA_TYPE_RULE)
  }
  if (specversion === '1.0') {
    const schema = attributes.get('dataschema')
    if (schema !== undefined && (typeof schema !== 'string' || !isUri(schema))) {
      throw refused('dataschema', schema, URI_RULE)
    }
    return
  }
  const schema = attributes.get('schemaurl')
  if (schema !== undefined && (typeof schema !== 'string' || schema === '' || !isUriReference(schema))) {
    throw refused('schemaurl', schema, REFERENCE_RULE)
  }
  const encoding = attributes.get('datacontentencoding')
  if (encoding !== undefined && (typeof encoding !== 'string' || encoding.toLowerCase() !== 'base64')) {
    throw refused('datacontentencoding', encoding, ENCODING_RULE)
  }
}

const VERSION_RULE = '"1.0" (or "0.3"); it names major and minor version only'
const FILLED_RULE = 'a string that is not empty'
const REFERENCE_RULE =
  'a URI-reference such as "https://example.com/orders" or "/orders", not empty, with spaces and everything outside ' +
  'of ASCII written as %XX (RFC 3986)'
const URI_RULE = 'a URI with its scheme, such as "https://example.com/schema.json" (RFC 3986)'
const TIME_RULE = 'an RFC 3339 timestamp such as "2026-11-24T18:48:23Z"'
const MEDIA_TYPE_RULE = 'a media type such as "application/json" (RFC 2046)'
const ENCODING_RULE = '"base64" where it stands at all'
/** What a text attribute may hold. */
export const TEXT_RULE = 'text without control characters, noncharacters and unpaired surrogates'
/** What a number may be. */
export const INTEGER_RULE = 'a string, a boolean or a whole number from -2147483648 to 2147483647'

/** The error for a value that breaks its rule. `rule` ends the sentence "it has to be …". */
export function refused(name: string, value: AttributeValue, rule: string): SluiceError {
  const shown = typeof value === 'string' ? quote(value) : String(value)
  return invalidAttribute(name, `Attribute "${name}" is ${shown}; it has to be ${rule}.`)
}

/** What is wrong with a name that is none, as a sentence. */
export function badName(name: string): string {
  return (
    `${quote(name)} is no name of an attribute; a name has lower-case letters a to z and digits only, 1 to 256 of ` +
    'them, and is not "data".'
  )
}

function missing(attributes: ReadonlyMap<string, AttributeValue>): SluiceError {
  const names = REQUIRED.filter((name) => !attributes.has(name))
  const listed = names.map((name) => `"${name}"`).join(', ')
  return invalidAttribute(
    names[0]!,
    `The event lacks ${listed}; every CloudEvent has specversion, id, source and type.`,
  )
}

const REQUIRED: readonly string[] = ['specversion', 'id', 'source', 'type']
