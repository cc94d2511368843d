// How many events of which type have come in where. Hot path (bench: bench/event-types.ts): an event of a type that is known
// costs a lookup by its type and a comparison with the source of the one before, and nothing is made for it.
//
// A place is what events come in by: a Broker or a channel, or a Trigger or Subscription whose subscriber answers with them.

import { valueTemplate, type ValueTemplate } from '@sluice/resource'

/** The events that one or more EventTypes of a place describe. */
export class Tally {
  readonly place: Place
  /** As the EventType has them: `undefined`, any; a template, with its parts in braces. */
  readonly type: string | undefined
  readonly source: string | undefined
  /** Since the first of them, restarts included. */
  events = 0
  /** Wall-clock ms; 0: none has come. */
  firstMs = 0
  lastMs = 0
  /** Whose data doesn't keep to the schema, since the start; and what was wrong with the last. */
  violations = 0
  violation: { readonly timeMs: number; readonly problem: string } | undefined
  /** Whether traffic has brought it, and its EventType is being made, or can't be. */
  isPending = false
  /** Resource keys of the EventTypes. */
  readonly eventTypes: Set<string> = new Set()
  /** How many of them a person has declared. */
  declared = 0
  /** Whether it has changed since it was written down last. */
  isMarked = false
  readonly matchesType: ValueTemplate | undefined
  readonly matchesSource: ValueTemplate | undefined

  constructor(place: Place, type: string | undefined, source: string | undefined) {
    this.place = place
    this.type = type
    this.source = source
    this.matchesType = type === undefined ? undefined : valueTemplate(type)
    this.matchesSource = source === undefined ? undefined : valueTemplate(source)
  }

  /** Whether an event of this type and source is one of them. */
  includes(type: string, source: string): boolean {
    return this.matchesType?.matches(type) !== false && this.matchesSource?.matches(source) !== false
  }

  /** Whether it is exactly one type and one source. */
  get isExact(): boolean {
    return this.matchesType?.exact !== undefined && this.matchesSource?.exact !== undefined
  }
}

/** Those of one type. */
interface OfType {
  /** The last that was found. */
  last: Tally | undefined
  readonly bySource: Map<string, Tally>
  /** For any source, or a template of it. */
  readonly wider: Tally[]
}

/** The tallies of a place. */
export class Place {
  /** '' of a Broker or channel, else the uid of the Trigger or Subscription that answers. */
  readonly owner: string
  readonly #byType = new Map<string, OfType>()
  /** For any type, or a template of it. */
  readonly #wider: Tally[] = []

  constructor(owner: string) {
    this.owner = owner
  }

  /** That of an event: of its very source before those of more. */
  find(type: string, source: string): Tally | undefined {
    const ofType = this.#byType.get(type)
    if (ofType !== undefined) {
      if (ofType.last?.source === source) return ofType.last
      const exact = ofType.bySource.get(source)
      if (exact !== undefined) return (ofType.last = exact)
      for (const wider of ofType.wider) if (wider.matchesSource?.matches(source) !== false) return wider
    }
    for (const wider of this.#wider) if (wider.includes(type, source)) return wider
    return undefined
  }

  /** The one of an EventType with this type and source; made where there is none yet. */
  at(type: string | undefined, source: string | undefined): Tally {
    const tally = new Tally(this, type, source)
    const list = this.#listFor(tally)
    const known = Array.isArray(list) ? list.find((each) => isSame(each, tally)) : list.get(source!)
    if (known !== undefined) return known
    if (Array.isArray(list)) list.push(tally)
    else list.set(source!, tally)
    return tally
  }

  #listFor({ type, isExact, matchesType }: Tally): Tally[] | Map<string, Tally> {
    if (matchesType?.exact === undefined) return this.#wider
    let ofType = this.#byType.get(type!)
    if (ofType === undefined) this.#byType.set(type!, (ofType = { last: undefined, bySource: new Map(), wider: [] }))
    return isExact ? ofType.bySource : ofType.wider
  }

  remove(tally: Tally): void {
    const { type, source } = tally
    const list = this.#listFor(tally)
    if (Array.isArray(list)) list.splice(list.indexOf(tally), 1)
    else list.delete(source!)
    const ofType = type === undefined ? undefined : this.#byType.get(type)
    if (ofType === undefined) return
    ofType.last = undefined
    if (ofType.bySource.size + ofType.wider.length === 0) this.#byType.delete(type!)
  }

  /** How many sources of this type are told apart. */
  sourcesOf(type: string): number {
    return this.#byType.get(type)?.bySource.size ?? 0
  }

  /** All of them whose events are among those of `wide`, itself included. */
  *within(wide: Tally): Generator<Tally> {
    yield wide
    if (wide.isExact) return
    const { matchesType, type } = wide
    const ofTypes = matchesType?.exact === undefined ? this.#byType.values() : [this.#byType.get(type!)!]
    for (const { bySource } of ofTypes) {
      for (const tally of bySource.values()) if (wide.includes(tally.type!, tally.source!)) yield tally
    }
  }

  *all(): Generator<Tally> {
    for (const { bySource, wider } of this.#byType.values()) {
      yield* bySource.values()
      yield* wider
    }
    yield* this.#wider
  }
}

function isSame(one: Tally, other: Tally): boolean {
  return one.type === other.type && one.source === other.source
}
