// How `sluice get` and `sluice describe` tell of EventTypes: what has come in of each, and who takes it.

import { attributeValue, isEventType, SCHEMA_DATA, type Resource } from '@sluice/resource'
import { ageOf, type Column } from './table.ts'

/** What the status of an EventType says beside its conditions; absent where it points to no Broker and no channel. */
interface Told {
  readonly seen?: { readonly events: number; readonly first?: string; readonly last?: string }
  readonly consumers?: { readonly count: number; readonly names: readonly string[] }
  readonly schemaViolations?: {
    readonly events: number
    readonly last: { readonly time: string; readonly problem: string }
  }
}

function toldOf({ status }: Resource): Told {
  return (status ?? {}) as Told
}

const AUTO_CREATED_WORDS = 'Event Type auto-created by controller'

/** Names in a cell of a table. */
const NAMES_MAX = 3
/** Characters of a description in a cell. */
const DESCRIPTION_MAX = 40

/** After its name. */
export const EVENT_TYPE_COLUMNS: readonly Column<Resource>[] = [
  { title: 'TYPE', of: (each) => attributeOf(each, 'type') ?? 'any' },
  { title: 'SOURCE', of: (each) => attributeOf(each, 'source') ?? 'any' },
  { title: 'REFERENCE', of: ({ spec }) => referenceText(spec?.['reference']) },
  { title: 'DESCRIPTION', of: descriptionOf },
  { title: 'EVENTS', of: (each) => String(toldOf(each).seen?.events ?? UNKNOWN) },
  { title: 'FIRST', of: (each) => whenOf(toldOf(each).seen?.first) },
  { title: 'LAST', of: (each) => whenOf(toldOf(each).seen?.last) },
  { title: 'CONSUMERS', of: (each) => consumersText(toldOf(each), NAMES_MAX) },
]

const UNKNOWN = '<unknown>'

function attributeOf(resource: Resource, name: string): string | undefined {
  return isEventType(resource) ? attributeValue(resource, name) : undefined
}

/** `broker:default`, as kn's tables have it. */
function referenceText(value: unknown): string {
  const { kind, name } = (value ?? {}) as { kind?: string; name?: string }
  return kind === undefined ? '' : `${kind.toLowerCase()}:${name}`
}

/** Of those that traffic has made all say the same, in Knative's words. */
function descriptionOf({ spec, metadata }: Resource): string {
  const description = spec?.['description']
  if (description === AUTO_CREATED_WORDS && metadata.labels?.['sluice.dev/auto-created'] === 'true')
    return '(from traffic)'
  if (typeof description !== 'string') return ''
  const [line = ''] = description.split('\n')
  return line.length > DESCRIPTION_MAX ? `${line.slice(0, DESCRIPTION_MAX - 1)}…` : line
}

function whenOf(time: string | undefined): string {
  return time === undefined ? 'never' : ageOf(time)
}

function consumersText({ consumers }: Told, namesMax: number): string {
  if (consumers === undefined) return UNKNOWN
  const { count, names } = consumers
  if (count === 0) return 'nobody'
  const shown = names.slice(0, namesMax)
  return `${shown.join(', ')}${count > shown.length ? ` and ${count - shown.length} more` : ''}`
}

/** What is said below their table; `undefined`: nothing. */
export function untakenText(eventTypes: readonly Resource[]): string | undefined {
  const untaken = eventTypes.filter((each) => toldOf(each).consumers?.count === 0)
  if (untaken.length === 0) return undefined
  const types = [...new Set(untaken.map((each) => attributeOf(each, 'type') ?? each.metadata.name))]
  const more = types.length > TYPES_MAX ? ` and ${types.length - TYPES_MAX} more` : ''
  return `Nobody takes events of: ${types.slice(0, TYPES_MAX).join(', ')}${more}.`
}

const TYPES_MAX = 10

/** What `describe` says: sections, each with its title, and its lines or a text. */
export function eventTypeSections(resource: Resource): (readonly [title: string, Values | string])[] {
  if (!isEventType(resource)) return []
  const { spec, metadata } = resource
  const told = toldOf(resource)
  const { seen, consumers, schemaViolations: violations } = told
  const attributes = spec.attributes.map(({ name, value = '', required }) => {
    return [name, `${value === '' ? 'any' : value}${required === true ? '' : ' (not every event has it)'}`]
  })
  const reference = referenceText(spec.reference) || 'none, so that nothing is counted'
  const schema = metadata.annotations?.[SCHEMA_DATA]
  const sections: [string, Values | string | undefined][] = [
    ['Event', { Description: spec.description, Reference: reference }],
    ['Attributes', Object.fromEntries(attributes) as Values],
    ['Seen', seen && { Events: String(seen.events), First: seenText(seen.first), Last: seenText(seen.last) }],
    ['Consumers', consumers && { Count: String(consumers.count), Names: consumersText(told, consumers.names.length) }],
    ['Schema', schema],
    [
      'Data that does not keep to it',
      violations && {
        'Since the start': String(violations.events),
        Last: `${violations.last.problem} (${ageOf(violations.last.time)} ago)`,
      },
    ],
  ]
  return sections.filter((section): section is [string, Values | string] => section[1] !== undefined)
}

type Values = Readonly<Record<string, string | undefined>>

function seenText(time: string | undefined): string {
  return time === undefined ? 'never' : `${time} (${ageOf(time)} ago)`
}
