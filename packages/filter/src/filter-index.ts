// Hot path (packages/filter/bench/match.ts). All filters of a broker: an event is asked of those that its type leaves
// possible, not of all. From: a channel, at publish. Next: that channel's subscriptions, one for each id.

import { canonicalText } from './compile.ts'
import type { Filter, FilterEvent, FilterNode } from './filter.ts'

interface Entry<Id> {
  readonly id: Id
  readonly filter: Filter
  /** Its place among all: matches come in the order of adding. */
  readonly order: number
  /** The type that an event must have to pass; `undefined` where the filter doesn't tell. */
  readonly type: string | undefined
}

/**
 * The filters of many subscriptions. Those that ask for one exact `type` are looked up by it; the others are asked
 * one by one, for every event: their number is what an event costs.
 */
export class FilterIndex<Id> {
  readonly #entries = new Map<Id, Entry<Id>>()
  /** Each list in the order of adding, as is `#others`. */
  readonly #byType = new Map<string, Entry<Id>[]>()
  readonly #others: Entry<Id>[] = []
  #added = 0

  /** How many ids there are. */
  get size(): number {
    return this.#entries.size
  }

  /** Adds a filter by an id (compared as a Map's keys are). An id that is there gets this filter and keeps its place. */
  add(id: Id, filter: Filter): void {
    const former = this.#entries.get(id)
    if (former !== undefined) this.#take(former)
    const entry = { id, filter, order: former?.order ?? this.#added++, type: requiredType(filter.ast) }
    this.#entries.set(id, entry)
    if (entry.type === undefined) insert(this.#others, entry)
    else insert(this.#listFor(entry.type), entry)
  }

  /** Takes a filter out; false when the id isn't there. */
  remove(id: Id): boolean {
    const entry = this.#entries.get(id)
    if (entry === undefined) return false
    this.#entries.delete(id)
    this.#take(entry)
    return true
  }

  /**
   * The ids whose filters the event passes, in the order of adding. Where there are none it is one frozen array,
   * shared by all calls; so nobody writes to what this returns.
   */
  match(event: FilterEvent): readonly Id[] {
    const type = canonicalText(event.attribute('type'))
    const typed = (type === undefined ? undefined : this.#byType.get(type)) ?? NONE
    const others = this.#others
    let matches: Id[] | undefined
    let t = 0
    let o = 0
    while (t < typed.length || o < others.length) {
      const isTyped = t < typed.length && (o === others.length || typed[t]!.order < others[o]!.order)
      const entry = isTyped ? typed[t++]! : others[o++]!
      if (!entry.filter.matches(event)) continue
      if (matches === undefined) matches = [entry.id]
      else matches.push(entry.id)
    }
    return matches ?? NONE
  }

  #listFor(type: string): Entry<Id>[] {
    const known = this.#byType.get(type)
    if (known !== undefined) return known
    const list: Entry<Id>[] = []
    this.#byType.set(type, list)
    return list
  }

  #take(entry: Entry<Id>): void {
    const list = entry.type === undefined ? this.#others : this.#byType.get(entry.type)!
    list.splice(firstNotBefore(list, entry.order), 1)
    if (list.length === 0 && entry.type !== undefined) this.#byType.delete(entry.type)
  }
}

const NONE: readonly never[] = Object.freeze([])

/** The exact type without which the filter can't pass, where the tree shows one at its top or in `all`. */
function requiredType(node: FilterNode): string | undefined {
  if (node.kind === 'exact' && node.attribute === 'type') return node.value
  if (node.kind !== 'all') return undefined
  for (const each of node.of) {
    const type = requiredType(each)
    if (type !== undefined) return type
  }
  return undefined
}

function insert<Id>(list: Entry<Id>[], entry: Entry<Id>): void {
  list.splice(firstNotBefore(list, entry.order), 0, entry)
}

/** Binary search: with 10,000 of one type, adding and removing one stays in microseconds. */
function firstNotBefore(list: readonly Entry<unknown>[], order: number): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (list[middle]!.order < order) low = middle + 1
    else high = middle
  }
  return low
}
