// Which filters could let an event pass of which only a few attributes are known, such as its type and source: who takes the
// events of an EventType. Asked when somebody looks, never for an event.

import { accessOf, conjunctsOf } from './access.ts'
import { fold } from './cesql/fold.ts'
import { partsOf, REQUIRED_ATTRIBUTES, type Expression } from './cesql/syntax.ts'
import { evaluate } from './evaluate.ts'
import type { Filter, FilterEvent, FilterNode } from './filter.ts'

/** Attributes that are known, by name. Of all others nothing is known, but that every event has the required ones. */
export type KnownAttributes = ReadonlyMap<string, string>

/** Whether it passes: `true` and `false` whatever the rest of the event is, `undefined` where that decides. */
export function verdictOf(node: FilterNode, known: KnownAttributes): boolean | undefined {
  switch (node.kind) {
    case 'exact':
    case 'prefix':
    case 'suffix':
      return known.has(node.attribute) ? evaluate(node, eventOf(known)) : undefined
    case 'exists':
      return known.has(node.attribute) || REQUIRED_ATTRIBUTES.has(node.attribute) ? true : undefined
    case 'cesql':
      return verdictOfExpression(node.expression, known)
    case 'data':
      return undefined
    case 'not': {
      const inside = verdictOf(node.of, known)
      return inside === undefined ? undefined : !inside
    }
    case 'all':
      return verdictOfMany(node.of, false, known)
    case 'any':
      return verdictOfMany(node.of, true, known)
  }
}

function eventOf(known: KnownAttributes): FilterEvent {
  return { attribute: (name) => known.get(name), json: () => undefined }
}

/** One that is `decides` decides it all. */
function verdictOfMany(of: readonly FilterNode[], decides: boolean, known: KnownAttributes): boolean | undefined {
  let isOpen = false
  for (const each of of) {
    const verdict = verdictOf(each, known)
    if (verdict === decides) return decides
    if (verdict === undefined) isOpen = true
  }
  return isOpen ? undefined : !decides
}

function verdictOfExpression(expression: Expression, known: KnownAttributes): boolean | undefined {
  const folded = fold(withKnown(expression, known))
  return folded.kind === 'literal' ? folded.value === true : undefined // CE-64
}

/** With the values of the attributes that are known in their place. */
function withKnown(expression: Expression, known: KnownAttributes): Expression {
  if (expression.kind === 'attribute') {
    const value = known.get(expression.name)
    const { start, end } = expression
    return value === undefined ? expression : { kind: 'literal', value, start, end }
  }
  if (partsOf(expression).length === 0) return expression
  const replaced = (of: Expression): Expression => withKnown(of, known)
  switch (expression.kind) {
    case 'not':
    case 'negate':
    case 'like':
      return { ...expression, of: replaced(expression.of) }
    case 'comparison':
    case 'arithmetic':
      return { ...expression, left: replaced(expression.left), right: replaced(expression.right) }
    case 'in':
      return { ...expression, of: replaced(expression.of), among: expression.among.map(replaced) }
    case 'logic':
    case 'call':
      return { ...expression, of: expression.of.map(replaced) }
    default:
      return expression
  }
}

/** Filters that ask for something that can't be looked up by type are asked up to so many times for one question. */
const OTHERS_MAX = 1000

/** The filters of a broker, by the types that they ask for. */
export class PossibleFilters<Id> {
  readonly #byType = new Map<string, Entry<Id>[]>()
  readonly #others: Entry<Id>[] = []

  add(id: Id, { ast }: Filter): void {
    const entry = { id, ast }
    const types = typesOf(ast)
    if (types === undefined) this.#others.push(entry)
    for (const type of types ?? []) {
      const entries = this.#byType.get(type)
      if (entries === undefined) this.#byType.set(type, [entry])
      else entries.push(entry)
    }
  }

  /** The ids of those that could pass. Of more than 1,000 that ask for no type, the first 1,000 alone are asked. */
  of(known: KnownAttributes): Id[] {
    const type = known.get('type')
    const named = type === undefined ? [...this.#byType.values()].flat() : (this.#byType.get(type) ?? [])
    const asked = [...new Set(named), ...this.#others.slice(0, OTHERS_MAX)]
    return asked.filter(({ ast }) => verdictOf(ast, known) !== false).map(({ id }) => id)
  }
}

interface Entry<Id> {
  readonly id: Id
  readonly ast: FilterNode
}

/** The types of which an event that passes has one; `undefined`: it may have any. */
function typesOf(ast: FilterNode): Set<string> | undefined {
  for (const conjunct of conjunctsOf(ast)) {
    const { anyOf } = accessOf(conjunct) ?? {}
    if (anyOf?.every(({ kind, of, name }) => kind === 'exact' && of === 'attribute' && name === 'type') !== true)
      continue
    return new Set(anyOf.map(({ value }) => String(value)))
  }
  return undefined
}
