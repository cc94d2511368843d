// Hot path (packages/filter/bench/match.ts). The entries of an index by what they need of one attribute, or of the value
// at one pointer in the data: an event looks up what it has, and finds those whose condition is true of it.

import type { AttributeValue } from '@sluice/event'
import type { Condition } from './access.ts'
import { canonicalText } from './compile.ts'
import type { FilterEvent } from './filter.ts'
import { valueAt } from './pointer.ts'
import { TextTree } from './text-tree.ts'

/** Entries in the order of adding. */
export interface Ordered {
  readonly order: number
}

/** Lists of entries that an event found. Used again for every event, so that no array is made for one. */
export class Found<Entry> {
  /** Only the first {@link count} are of this event. */
  readonly lists: Entry[][] = []
  count = 0

  add(list: Entry[]): void {
    this.lists[this.count++] = list
  }
}

/** The entries of all conditions. */
export class Fields<Entry extends Ordered> {
  readonly #attributes = new Map<string, Field<Entry>>()
  readonly #data = new Map<string, Field<Entry>>()
  /** The same as arrays, which are walked faster; made anew for the first event after a change. */
  #attributeList: readonly Field<Entry>[] = []
  #dataList: readonly Field<Entry>[] = []
  #isListed = true

  /** How many entries have this condition. */
  count(condition: Condition): number {
    return this.#fieldsOf(condition).get(condition.name)?.get(condition)?.length ?? 0
  }

  /** Adds an entry under a condition, which it does not have yet. */
  add(condition: Condition, entry: Entry): void {
    const fields = this.#fieldsOf(condition)
    let field = fields.get(condition.name)
    if (field === undefined) {
      field = new Field(condition)
      fields.set(condition.name, field)
      this.#isListed = false
    }
    field.add(condition, entry)
  }

  /** Takes it out again. */
  remove(condition: Condition, entry: Entry): void {
    const fields = this.#fieldsOf(condition)
    const field = fields.get(condition.name)!
    field.remove(condition, entry)
    if (!field.isEmpty) return
    fields.delete(condition.name)
    this.#isListed = false
  }

  #list(): void {
    this.#attributeList = [...this.#attributes.values()]
    this.#dataList = [...this.#data.values()]
    this.#isListed = true
  }

  /** Adds the lists of entries whose condition is true of the event, each list once. Data is parsed if any is of data. */
  collect(event: FilterEvent, found: Found<Entry>): void {
    if (!this.#isListed) this.#list()
    const fields = this.#attributeList
    const carried = event.attributes
    if (carried !== undefined && carried.size < fields.length) this.#collectCarried(carried, found)
    else for (let i = 0; i < fields.length; i++) fields[i]!.collect(event.attribute(fields[i]!.name), found)
    if (this.#dataList.length > 0) this.#collectData(event.json(), found)
  }

  /** Where filters name more attributes than events have, for each of its own. */
  #collectCarried(carried: NonNullable<FilterEvent['attributes']>, found: Found<Entry>): void {
    for (const [name, value] of carried) this.#attributes.get(name)?.collect(value, found)
  }

  #collectData(document: unknown, found: Found<Entry>): void {
    if (document === undefined) return
    const fields = this.#dataList
    for (let i = 0; i < fields.length; i++) fields[i]!.collectData(valueAt(document, fields[i]!.steps), found)
  }

  #fieldsOf({ of }: Condition): Map<string, Field<Entry>> {
    return of === 'attribute' ? this.#attributes : this.#data
  }
}

/** The entries of one attribute, or of one pointer. */
class Field<Entry extends Ordered> {
  readonly name: string
  readonly steps: readonly string[]
  readonly #exact = new Map<unknown, Entry[]>()
  #prefix: TextTree<Entry[]> | undefined
  #suffix: TextTree<Entry[]> | undefined
  #exists: Entry[] | undefined

  constructor({ name, steps }: Condition) {
    this.name = name
    this.steps = steps
    this.#prefix = undefined
    this.#suffix = undefined
    this.#exists = undefined
  }

  get isEmpty(): boolean {
    const { size } = this.#exact
    return size === 0 && this.#prefix === undefined && this.#suffix === undefined && this.#exists === undefined
  }

  get({ kind, value }: Condition): Entry[] | undefined {
    if (kind === 'exists') return this.#exists
    if (kind === 'exact') return this.#exact.get(value)
    return (kind === 'prefix' ? this.#prefix : this.#suffix)?.get(value as string)
  }

  add(condition: Condition, entry: Entry): void {
    const list = this.get(condition)
    if (list !== undefined) insert(list, entry)
    else this.#set(condition, [entry])
  }

  remove(condition: Condition, entry: Entry): void {
    const list = this.get(condition)!
    remove(list, entry)
    if (list.length === 0) this.#set(condition, undefined)
  }

  #set({ kind, value }: Condition, list: Entry[] | undefined): void {
    if (kind === 'exists') this.#exists = list
    else if (kind === 'prefix') this.#prefix = withText(this.#prefix ?? new TextTree(false), value as string, list)
    else if (kind === 'suffix') this.#suffix = withText(this.#suffix ?? new TextTree(true), value as string, list)
    else if (list === undefined) this.#exact.delete(value)
    else this.#exact.set(value, list)
  }

  /** Adds the lists whose condition is true of the attribute, which is compared as its canonical text. */
  collect(carried: AttributeValue | undefined, found: Found<Entry>): void {
    this.collectData(canonicalText(carried), found)
  }

  /** Adds the lists whose condition is true of the value in the data, which is compared as it is. */
  collectData(value: unknown, found: Found<Entry>): void {
    if (value === undefined) return
    if (this.#exists !== undefined) found.add(this.#exists)
    const exact = this.#exact.get(value)
    if (exact !== undefined) found.add(exact)
    if (typeof value !== 'string') return
    this.#prefix?.collect(value, found)
    this.#suffix?.collect(value, found)
  }
}

/** The tree with this change, or nothing where it is empty by it. */
function withText<Value>(tree: TextTree<Value>, text: string, value: Value | undefined): TextTree<Value> | undefined {
  if (value === undefined) tree.delete(text)
  else tree.set(text, value)
  return tree.isEmpty ? undefined : tree
}

/** Puts an entry at its place among the others. */
export function insert<Entry extends Ordered>(list: Entry[], entry: Entry): void {
  if (list.length === 0 || list.at(-1)!.order < entry.order) list.push(entry)
  else list.splice(placeOf(list, entry.order), 0, entry)
}

/** Takes an entry out of a list that has it. */
export function remove<Entry extends Ordered>(list: Entry[], entry: Entry): void {
  list.splice(placeOf(list, entry.order), 1)
}

/** Binary search: with 10,000 of one type, adding and removing one stays in microseconds. */
function placeOf(list: readonly Ordered[], order: number): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (list[middle]!.order < order) low = middle + 1
    else high = middle
  }
  return low
}
