// Hot path (packages/filter/bench/match.ts). All filters of a broker: an event is asked of those that its attributes and
// data leave possible, not of all. From: a channel, at publish. Next: that channel's subscriptions, one for each id.

import { accessOf, conjunctsOf, type Access, type Condition } from './access.ts'
import { allOf, cheapFirst, evaluation, type Test } from './compile.ts'
import { Fields, Found, insert, remove } from './fields.ts'
import type { Filter, FilterEvent, FilterNode } from './filter.ts'
import { SharedTests } from './shared.ts'

interface Entry<Id> {
  readonly id: Id
  readonly filter: Filter
  /** Its place among all: matches come in the order of adding. */
  readonly order: number
  /** By one of these it is found; `undefined`: it has to be asked for every event. */
  readonly conditions: readonly Condition[] | undefined
  /** The parts that still have to be asked once it is found, and their test; none where the conditions are all of it. */
  readonly rest: readonly FilterNode[]
  readonly test: Test | undefined
  /** The event that was asked of it last: it may be found by several conditions. */
  event: number
}

/**
 * The filters of many subscriptions. Each is put under what an event must have for it to pass: exact values, prefixes and
 * suffixes of attributes, also those that CESQL expressions need, and values in the data. An event looks up what it has
 * and asks the rest of those that it finds. Filters of which nothing can be looked up are asked one by one, for every
 * event: their number is what an event costs.
 *
 * A change is done when the call returns, so that no event is matched against half of it.
 */
export class FilterIndex<Id> {
  readonly #entries = new Map<Id, Entry<Id>>()
  readonly #fields = new Fields<Entry<Id>>()
  readonly #shared = new SharedTests()
  /** Those that have to be asked for every event, in the order of adding. */
  readonly #others: Entry<Id>[] = []
  readonly #found = new Found<Entry<Id>>()
  #added = 0
  #events = 0

  /** How many ids there are. */
  get size(): number {
    return this.#entries.size
  }

  /** How many filters have to be asked for every event, since nothing about them can be looked up. */
  get unindexed(): number {
    return this.#others.length
  }

  /** Adds a filter by an id (compared as a Map's keys are). An id that is there gets this filter and keeps its place. */
  add(id: Id, filter: Filter): void {
    const former = this.#entries.get(id)
    if (former !== undefined) this.#take(former)
    const entry = this.#entryOf(id, filter, former?.order ?? this.#added++)
    this.#entries.set(id, entry)
    if (entry.conditions === undefined) insert(this.#others, entry)
    else for (const condition of entry.conditions) this.#fields.add(condition, entry)
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
    const found = this.#found
    found.count = 0
    this.#events++
    this.#shared.next()
    this.#fields.collect(event, found)
    let first: Entry<Id> | undefined
    let matches: Entry<Id>[] | undefined
    for (let i = 0; i < found.count; i++) {
      const entries = found.lists[i]!
      for (let k = 0; k < entries.length; k++) {
        const entry = entries[k]!
        if (entry.event === this.#events) continue // found already, and told
        entry.event = this.#events
        if (!passes(entry, event)) continue
        if (first === undefined) first = entry
        else if (matches === undefined) matches = [first, entry]
        else matches.push(entry)
      }
    }
    const others = this.#others
    for (let i = 0; i < others.length; i++) {
      const entry = others[i]!
      if (!passes(entry, event)) continue
      if (first === undefined) first = entry
      else if (matches === undefined) matches = [first, entry]
      else matches.push(entry)
    }
    if (matches !== undefined) return inOrder(matches)
    return first === undefined ? NONE : [first.id]
  }

  #entryOf(id: Id, filter: Filter, order: number): Entry<Id> {
    const conjuncts = conjunctsOf(filter.ast)
    const [access, whole] = this.#bestAccess(conjuncts)
    const rest = cheapFirst(conjuncts.filter((each) => each !== whole))
    const test = rest.length === 0 ? undefined : allOf(rest.map((each) => this.#shared.acquire(each)))
    return { id, filter, order, conditions: access && distinct(access.anyOf), rest, test, event: 0 }
  }

  /** What leaves the fewest others to be asked; second, the part that it is all of. */
  #bestAccess(conjuncts: readonly FilterNode[]): [access: Access | undefined, whole: FilterNode | undefined] {
    let best: Access | undefined
    let of: FilterNode | undefined
    let cost = Infinity
    for (const each of conjuncts) {
      const access = accessOf(each)
      const candidate = access === undefined ? Infinity : conjuncts.length === 1 ? 0 : this.#costOf(access)
      if (candidate >= cost) continue
      best = access
      of = each
      cost = candidate
    }
    return [best, best?.isWhole === true ? of : undefined]
  }

  #costOf({ anyOf }: Access): number {
    let cost = 0
    for (const condition of anyOf) cost += costOfKind(condition) + this.#fields.count(condition)
    return cost
  }

  #take(entry: Entry<Id>): void {
    for (const part of entry.rest) this.#shared.release(part)
    if (entry.conditions === undefined) remove(this.#others, entry)
    else for (const condition of entry.conditions) this.#fields.remove(condition, entry)
  }
}

function passes({ test, filter }: Entry<unknown>, event: FilterEvent): boolean {
  if (test === undefined) return true
  evaluation.erred = false
  const verdict = test(event)
  if (evaluation.erred) filter.onError?.(event)
  return verdict
}

const NONE: readonly never[] = Object.freeze([])

/** As if so many others were found with it: how often a condition is true, and what it costs to see. */
function costOfKind({ kind, of, value }: Condition): number {
  const rarity = kind === 'exact' ? 0 : kind === 'exists' ? 1_000 : 4 + 32 / String(value).length
  // Data has to be parsed for every event, once there is one condition on it.
  return of === 'data' ? rarity + 2_000 : rarity
}

function distinct(conditions: readonly Condition[]): readonly Condition[] {
  if (conditions.length < 2) return conditions
  const byKey = new Map(conditions.map((each) => [JSON.stringify([each.of, each.kind, each.name, each.value]), each]))
  return [...byKey.values()]
}

/** The ids in the order of adding: each list has it, and several may have been found. */
function inOrder<Id>(entries: Entry<Id>[]): Id[] {
  for (let i = 1; i < entries.length; i++) {
    if (entries[i - 1]!.order < entries[i]!.order) continue
    entries.sort(byOrder)
    break
  }
  return entries.map(idOf)
}

function byOrder(a: { order: number }, b: { order: number }): number {
  return a.order - b.order
}

function idOf<Id>({ id }: Entry<Id>): Id {
  return id
}
