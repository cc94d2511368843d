// Why an event passes a filter, or does not: each clause with what it compared with what, and for a non-match the smallest
// reason in words. For people; not on the path of an event.

import { listClause, notClause, type Clause } from './clause.ts'
import { evaluate } from './evaluate.ts'
import { explainExpression } from './explain-expression.ts'
import type { DataFilterNode, DataTest, Filter, FilterEvent, FilterNode } from './filter.ts'
import { valueAt } from './pointer.ts'
import { asksText, difference, lacksText, shown } from './words.ts'

/** What a filter says of an event, and why. */
export interface Explanation {
  readonly matches: boolean
  /** The whole filter. */
  readonly clause: Clause
  /** Why it does not match, such as `type is "a", wanted "b"`; `undefined` where it does. */
  readonly reason: string | undefined
}

/** Explains it. Tells nobody of errors, and never throws. */
export function explain(filter: Pick<Filter, 'ast'>, event: FilterEvent): Explanation {
  const clause = clauseOf(filter.ast, event)
  return { matches: clause.passes, clause, reason: clause.passes ? undefined : clause.reason.text }
}

function clauseOf(node: FilterNode, event: FilterEvent): Clause {
  switch (node.kind) {
    case 'all':
    case 'any':
      return listClause(
        node.kind,
        node.of.map((each) => clauseOf(each, event)),
      )
    case 'not':
      return notClause(clauseOf(node.of, event))
    case 'cesql':
      return explainExpression(node, event)
    case 'data':
      return dataClause(node, event)
    default:
      return attributeClause(node, event)
  }
}

function attributeClause(node: Extract<FilterNode, { attribute: string }>, event: FilterEvent): Clause {
  const { attribute } = node
  const carried = attribute === 'data' ? undefined : event.attribute(attribute)
  const test: DataTest = node.kind === 'exists' ? { kind: 'exists' } : { kind: node.kind, value: node.value }
  return leafClause(attribute, test, evaluate(node, event), carried === undefined ? undefined : String(carried))
}

function dataClause(node: DataFilterNode, event: FilterEvent): Clause {
  const { pointer, steps, test } = node
  const document = event.json()
  const name = pointer === '' ? 'the data' : `the data at ${pointer}`
  const clause = leafClause(name, test, evaluate(node, event), valueAt(document, steps))
  if (document !== undefined) return clause
  return { ...clause, reason: { text: 'the event has no JSON data', facts: 1 } }
}

function leafClause(name: string, test: DataTest, passes: boolean, found: unknown): Clause {
  const text = passes ? passing(found, test) : failing(found, test)
  const reason = { text: `${name} ${text}`, facts: 1 }
  return { asks: `${name} ${asksText(test)}`, passes, found: `is ${shown(found)}`, of: [], reason }
}

function passing(found: unknown, test: DataTest): string {
  const isAll = test.kind === 'exact' || test.kind === 'exists'
  return `is ${shown(found)}${isAll ? '' : `, which ${asksText(test)}`}`
}

function failing(found: unknown, test: DataTest): string {
  if (test.kind === 'exact') return difference(found, test.value)
  if (found !== undefined) return `is ${shown(found)}, which ${lacksText(test)}`
  return test.kind === 'exists' ? 'is missing' : `is missing, wanted one that ${asksText(test)}`
}
