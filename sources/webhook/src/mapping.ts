// From a request that was verified to its event: attributes by templates, data as the bytes that came.

import { isTimestamp, newEvent, type Event } from '@sluice/event'
import { parseTemplate } from '@sluice/source'
import { unmapped } from './errors.ts'
import { ROOTS, type Scope } from './scope.ts'
import type { EventTemplates } from './spec.ts'

/** As a preset has them: of several the first that can be filled. */
export type PresetTemplates = {
  readonly [Name in 'type' | 'source' | 'subject' | 'id' | 'time']?: string | readonly string[]
} & Pick<EventTemplates, 'extensions'>

/** What a kind of event has otherwise than the others of its provider. */
export interface ByEvent {
  /** A template: which kind it is. */
  readonly key: string
  readonly of: Readonly<Record<string, PresetTemplates>>
}

/** Makes the event, or throws a SluiceError 422 that says what is missing. */
export type Mapping = (scope: Scope, nowMs: number) => Event

type Name = 'type' | 'source' | 'subject' | 'id' | 'time'
type Parsed = Readonly<Record<Name, Choice>> & { readonly extensions: readonly (readonly [string, Choice])[] }
/** The first that can be filled, or `undefined`. */
export type Choice = (scope: Scope) => string | undefined

/** `own`: what the spec says, over `byEvent`, over `common`. */
export function mappingOf(own: EventTemplates, common: PresetTemplates, byEvent?: ByEvent): Mapping {
  const always = parse(own, common)
  const key = byEvent && choiceOf(byEvent.key)
  const special = new Map(
    Object.entries(byEvent?.of ?? {}).map(([name, templates]) => [name, parse(own, { ...common, ...templates })]),
  )
  return (scope, nowMs) => {
    const name = key?.(scope)
    return makeEvent((name !== undefined && special.get(name)) || always, scope, nowMs)
  }
}

function parse(own: EventTemplates, common: PresetTemplates): Parsed {
  const one = (name: Name): Choice => choiceOf(own[name] || common[name] || [])
  const extensions = Object.entries({ ...common.extensions, ...own.extensions })
  return {
    type: one('type'),
    source: one('source'),
    subject: one('subject'),
    id: one('id'),
    time: one('time'),
    extensions: extensions.map(([name, text]) => [name, choiceOf(text)] as const),
  }
}

/** Of one template or several. */
export function choiceOf(texts: string | readonly string[]): Choice {
  const templates = (typeof texts === 'string' ? [texts] : texts).map((text) => parseTemplate(text, ROOTS))
  return ({ lookup }) => {
    for (const template of templates) {
      const text = template.fill(lookup)
      if (text !== undefined && text !== '') return text
    }
    return undefined
  }
}

function makeEvent(parsed: Parsed, scope: Scope, nowMs: number): Event {
  const type = parsed.type(scope)
  if (type === undefined) throw unmapped('What the template of "type" needs is not in the request.')
  const source = parsed.source(scope)
  if (source === undefined) throw unmapped('What the template of "source" needs is not in the request.')
  const id = parsed.id(scope)
  const subject = parsed.subject(scope)
  const data = dataOf(scope)
  const extensions: Record<string, string> = {}
  for (const [name, choice] of parsed.extensions) {
    const value = choice(scope)
    if (value !== undefined) extensions[name] = value
  }
  return newEvent({
    type,
    source,
    time: timeOf(parsed.time(scope), nowMs),
    ...(id !== undefined && { id }),
    ...(subject !== undefined && { subject }),
    ...(data !== undefined && { data: data.bytes }),
    ...(data?.type !== undefined && { datacontenttype: data.type }),
    extensions,
  })
}

/** RFC 3339 as it is; seconds or milliseconds since 1970, and other dates, made so; else now. */
function timeOf(text: string | undefined, nowMs: number): string {
  if (text !== undefined && isTimestamp(text)) return text
  const number = text === undefined || !/^\d{1,14}(\.\d+)?$/.test(text) ? undefined : Number(text)
  const ms = number === undefined ? Date.parse(text ?? '') : number > MS_MIN ? number : number * 1000
  return new Date(Number.isFinite(ms) ? ms : nowMs).toISOString()
}

/** 5138 in seconds, 1973 in milliseconds. */
const MS_MIN = 1e11

/** The body as it came; of a form that only wraps JSON, that JSON. */
function dataOf(scope: Scope): { bytes: Buffer; type: string | undefined } | undefined {
  const { request } = scope
  if (request.body.length === 0) return undefined
  const contentType = request.header('content-type')
  const json = scope.json()
  if (json === undefined) return { bytes: request.body, type: contentType }
  const isCalledJson = json.text === request.body && contentType !== undefined && /\bjson\b/i.test(contentType)
  return { bytes: json.text, type: isCalledJson ? contentType : 'application/json' }
}
