// Events made in code, by a source, a transform or the command line, under the rules that those from outside obey.

import { randomUUID } from 'node:crypto'
import { validateEvent } from './attributes.ts'
import { decodeBase64 } from './data.ts'
import { invalidAttribute } from './errors.ts'
import { Event, type AttributeValue } from './event.ts'
import { isUri } from './uri.ts'

/** What a new event is made of. */
export interface EventFields {
  /** What happened, such as `com.example.order.created`. */
  type: string
  /** Where it happened: a URI-reference. */
  source: string
  /** Unique within the source. Default: a random UUID. */
  id?: string
  /** RFC 3339. Default: now, in UTC with milliseconds. */
  time?: string
  subject?: string
  /** A media type. Without it, the data are bytes of no known type. */
  datacontenttype?: string
  dataschema?: string
  /** All other attributes by name; none may be one of those above. */
  extensions?: Readonly<Record<string, AttributeValue>>
  /** The event owns the bytes from then on. */
  data?: Buffer
}

/**
 * A CloudEvent 1.0 of these fields; id and time are made where absent.
 *
 * @param now the time in milliseconds since 1970; tests give their own.
 * @throws SluiceError 400 as {@link validateEvent} does.
 */
export function newEvent(fields: EventFields, now: () => number = Date.now): Event {
  const attributes = new Map<string, AttributeValue>()
  attributes.set('specversion', '1.0')
  attributes.set('id', fields.id ?? randomUUID())
  attributes.set('source', fields.source)
  attributes.set('type', fields.type)
  if (fields.subject !== undefined) attributes.set('subject', fields.subject)
  attributes.set('time', fields.time ?? new Date(now()).toISOString())
  if (fields.datacontenttype !== undefined) attributes.set('datacontenttype', fields.datacontenttype)
  if (fields.dataschema !== undefined) attributes.set('dataschema', fields.dataschema)
  for (const [name, value] of Object.entries(fields.extensions ?? {})) {
    if (CORE.has(name)) {
      throw invalidAttribute(name, `Extension "${name}" has the name of a core attribute; set it by its own field.`)
    }
    attributes.set(name, value)
  }
  const event = new Event(attributes, fields.data)
  validateEvent(event)
  return event
}

const CORE: ReadonlySet<string> = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'subject',
  'time',
  'datacontenttype',
  'dataschema',
])

/**
 * The event as CloudEvents 1.0, for whoever asks for that; a 1.0 event comes back as it is. `schemaurl` becomes
 * `dataschema` where it is absolute and stays as an extension elsewhere; `datacontentencoding` goes, and data that is
 * base64 text because of it is decoded. A broker forwards 0.3 as 0.3 and does not call this.
 */
export function upgradeEvent(event: Event): Event {
  if (event.specversion !== '0.3') return event
  const schema = event.text('schemaurl')
  const absolute = schema !== undefined && isUri(schema) && event.attribute('dataschema') === undefined
  const encoded = event.attribute('datacontentencoding') !== undefined
  const { attributes } = event.with({
    specversion: '1.0',
    datacontentencoding: undefined,
    ...(absolute ? { dataschema: schema, schemaurl: undefined } : {}),
  })
  const decoded = encoded && event.data !== undefined ? decodeBase64(event.data.toString('latin1')) : undefined
  const upgraded = new Event(attributes, decoded ?? event.data, event.hops, event.headers)
  // What 0.3 took for an extension may break the rules of its 1.0 namesake.
  validateEvent(upgraded)
  return upgraded
}
