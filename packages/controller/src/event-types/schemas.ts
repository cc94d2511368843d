// Whether the data of events keeps to the schema that an EventType of their Broker gives (FL-25, FL-26). Asked for every event
// of a Broker with the annotation `sluice.dev/schema: warn` or `reject`; a schema is compiled once.
//
// From: broker/src/broker.ts, before an event or a reply is stored.

import type { Judgement } from '@sluice/broker'
import type { Event } from '@sluice/event'
import { compileSchema, valueTemplate, type CompiledSchema, type ValueTemplate } from '@sluice/resource'

/** What becomes of an event whose data doesn't keep to its schema. */
export type SchemaMode = 'off' | 'warn' | 'reject'

/** A schema, and which events it is for. */
export interface SchemaRule {
  /** `namespace/name` of the EventType. */
  readonly eventType: string
  readonly type: string | undefined
  readonly source: string | undefined
  /** The `dataschema` by which events ask for it, where the EventType names one. */
  readonly dataschema: string | undefined
  readonly text: string
}

interface Compiled extends SchemaRule {
  readonly matchesType: ValueTemplate | undefined
  readonly matchesSource: ValueTemplate | undefined
  schema: CompiledSchema | undefined
}

/** The schemas of one Broker. */
export class HubSchemas {
  readonly #byKey = new Map<string, Compiled>()
  #byType = new Map<string, Compiled[]>()
  /** For any type, or a template of it. */
  #wider: Compiled[] = []

  /** That of the EventType with this resource key; `undefined`: it has none. */
  set(key: string, rule: SchemaRule | undefined): void {
    if (rule === undefined && !this.#byKey.has(key)) return
    if (rule === undefined) this.#byKey.delete(key)
    else {
      const { type, source } = rule
      const matchesType = type === undefined ? undefined : valueTemplate(type)
      const matchesSource = source === undefined ? undefined : valueTemplate(source)
      this.#byKey.set(key, { ...rule, matchesType, matchesSource, schema: undefined })
    }
    const all = [...this.#byKey.values()]
    this.#byType = Map.groupBy(
      all.filter(({ matchesType }) => matchesType?.exact !== undefined),
      ({ type }) => type!,
    )
    this.#wider = all.filter(({ matchesType }) => matchesType?.exact === undefined)
  }

  /** What speaks against the event; `undefined`: nothing, or no schema is for it. Never throws. */
  judge(event: Event): Omit<Judgement, 'isRefused'> | undefined {
    const { type, source } = event
    const rule = this.#ruleFor(type, source, event.text('dataschema'))
    if (rule === undefined) return undefined
    const { check } = (rule.schema ??= compileSchema(rule.text))
    if (check === undefined) return undefined
    const { eventType } = rule
    const value = event.json()
    if (value === undefined) return { eventType, pointer: '', problem: whyNoJson(event) }
    const fault = check(value)
    return fault && { eventType, pointer: fault.pointer, problem: fault.message }
  }

  /** Of several the one that the event names by its dataschema, else the closest. */
  #ruleFor(type: string, source: string, dataschema: string | undefined): Compiled | undefined {
    let best: Compiled | undefined
    for (const rules of [this.#byType.get(type) ?? NONE, this.#wider]) {
      for (const rule of rules) {
        if (rule.matchesType?.matches(type) === false || rule.matchesSource?.matches(source) === false) continue
        if (dataschema !== undefined && rule.dataschema === dataschema) return rule
        if (best === undefined || closeness(rule) > closeness(best)) best = rule
      }
    }
    return best
  }
}

const NONE: readonly Compiled[] = []

function closeness({ matchesType, matchesSource }: Compiled): number {
  return (matchesType?.exact === undefined ? 0 : 2) + (matchesSource === undefined ? 0 : matchesSource.exact === undefined ? 0.5 : 1) // prettier-ignore
}

function whyNoJson(event: Event): string {
  const { data } = event
  if (data === undefined || data.length === 0) return 'there is no data, and its schema asks for JSON'
  const contentType = event.text('datacontenttype')
  if (contentType === undefined) return 'there is no datacontenttype, so that the data is no JSON'
  if (!/json/i.test(contentType)) return `datacontenttype is ${contentType.slice(0, 80)}, and its schema asks for JSON`
  return 'the data is no JSON of at most 1 MiB and 64 levels'
}
