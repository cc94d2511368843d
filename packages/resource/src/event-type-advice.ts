// What the EventTypes of a Broker say about the filters of its Triggers: an attribute that none of them has, and a type that
// is probably a slip. Warnings, for events of other types may come in all the same.
//
// It is quiet where there is nothing to go by: attributes are looked at where the EventTypes of that Broker name any beside
// those of CloudEvents, which v1beta3 alone can; types, where one of theirs differs by a single letter.

import { attributeUses } from '@sluice/filter'
import { attributeValue, type EventType } from './kinds/event-type.ts'
import type { Trigger } from './kinds/trigger.ts'
import { didYouMean } from './nearest.ts'
import type { Finding } from './problem.ts'
import { valueTemplate } from './value-template.ts'

/** Attributes that every Broker knows: those of CloudEvents, of its extensions for tracing, and of what brokers add. */
const KNOWN =
  /^(specversion|id|source|type|subject|time|datacontenttype|dataschema|traceparent|tracestate|knative.*|sluice.*)$/
/** In the place of `dataschema`, as Knative has it. */
const SCHEMA = 'schemadata'
/** A slip is looked for among so many. */
const COMPARED_MAX = 1000

/** Says of a Trigger what its filter asks for that none of these has. */
export type Adviser = (trigger: Trigger) => Finding[]

/** Advisers for the Brokers that these EventTypes refer to: by namespace and name. */
export function advisers(all: Iterable<EventType>): (namespace: string, broker: string) => Adviser | undefined {
  const byBroker = new Map<string, EventType[]>()
  for (const eventType of all) {
    const { kind, name, namespace = eventType.metadata.namespace } = eventType.spec.reference ?? {}
    if (kind !== 'Broker') continue
    const key = `${namespace}/${name}`
    const known = byBroker.get(key)
    if (known === undefined) byBroker.set(key, [eventType])
    else known.push(eventType)
  }
  const made = new Map<string, Adviser>()
  return (namespace, broker) => {
    const key = `${namespace}/${broker}`
    const eventTypes = byBroker.get(key)
    if (eventTypes !== undefined && !made.has(key)) made.set(key, adviser(broker, eventTypes))
    return made.get(key)
  }
}

function adviser(broker: string, eventTypes: readonly EventType[]): Adviser {
  const attributes = new Set(eventTypes.flatMap(({ spec }) => spec.attributes.map(({ name }) => name)))
  const extensions = [...attributes].filter((name) => !KNOWN.test(name) && name !== SCHEMA)
  const types = typesOf(eventTypes)

  function attributeAdvice(name: string): Advice | undefined {
    if (extensions.length === 0 || KNOWN.test(name) || attributes.has(name)) return undefined
    const hint = didYouMean(name, extensions) ?? `They have ${extensions.toSorted().slice(0, 10).join(', ')}.`
    const message = `No EventType of Broker ${broker} has an attribute ${name}.`
    return { severity: 'warning', code: 'SLUICE_RESOURCE_UNKNOWN_ATTRIBUTE', message, hint }
  }

  function typeAdvice(type: string): Advice | undefined {
    if (types.exact.has(type) || types.others.some((matches) => matches(type))) return undefined
    const meant = types.compared.find((known) => isSlip(type, known))
    if (meant === undefined) return undefined
    const message = `No EventType of Broker ${broker} has the type ${type}.`
    return { severity: 'warning', code: 'SLUICE_RESOURCE_UNKNOWN_TYPE', message, hint: `Did you mean ${meant}?` }
  }

  return ({ spec }) =>
    attributeUses(spec).flatMap(({ name, exact, path, at, offset }) => {
      const isType = name === 'type' && exact !== undefined
      const advice = isType ? typeAdvice(exact) : attributeAdvice(name)
      if (advice === undefined) return []
      const where = isType ? 'value' : at
      return [{ ...advice, path: ['spec', ...path], at: where, ...(offset !== undefined && { offset }) }]
    })
}

/**
 * Whether one is the other but for a letter, two that are swapped, or case. No more, and no digit: `order.updated` beside `order.created`, and `v2`
 * beside `v1`, are types of their own.
 */
function isSlip(type: string, known: string): boolean {
  if (type.replaceAll(/\d+/g, '') === known.replaceAll(/\d+/g, '')) return false
  const [a, b] = [type.toLowerCase(), known.toLowerCase()]
  const shorter = Math.min(a.length, b.length)
  let start = 0
  while (start < shorter && a[start] === b[start]) start++
  let end = 0
  while (end < shorter - start && a.at(-1 - end) === b.at(-1 - end)) end++
  const [left, right] = [a.slice(start, a.length - end), b.slice(start, b.length - end)]
  const isSwapped = left.length === 2 && left === right[1]! + right[0]!
  return isSwapped || Math.max(left.length, right.length) <= 1
}

type Advice = Omit<Finding, 'path'>

interface Types {
  readonly exact: ReadonlySet<string>
  readonly compared: readonly string[]
  /** Those of EventTypes of any type, or with a template of it. */
  readonly others: readonly ((type: string) => boolean)[]
}

function typesOf(eventTypes: readonly EventType[]): Types {
  const types = eventTypes.map((each) => attributeValue(each, 'type'))
  const templates = types.map((type) => (type === undefined ? undefined : valueTemplate(type)))
  const exact = new Set(templates.flatMap((each) => each?.exact ?? []))
  const others = templates.flatMap((each) => (each?.exact === undefined ? [each?.matches ?? (() => true)] : []))
  return { exact, compared: [...exact].slice(0, COMPARED_MAX), others }
}
