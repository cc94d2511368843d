// Why a CESQL expression is TRUE for an event, or is not: AND, OR and NOT have their operands as parts; what stands in
// between is one fact, with the values that it compares. From: explain.ts.

import { asBoolean } from './access.ts'
import { evaluate } from './cesql/interpret.ts'
import { partsOf, type Expression, type LogicNode } from './cesql/syntax.ts'
import type { CesqlEvent, CesqlValue } from './cesql/values.ts'
import { notClause, smallest, together, type Clause } from './clause.ts'
import { quote } from './errors.ts'
import type { CesqlFilterNode } from './filter.ts'
import { difference } from './words.ts'

/** The clause of an expression, which has to be TRUE without an error (CE-64). */
export function explainExpression({ expression, text }: CesqlFilterNode, event: CesqlEvent): Clause {
  const { value, errors } = evaluate(expression, event)
  const verdict = { passes: value === true && errors.length === 0, ...(errors[0] && { error: errors[0].message }) }
  if (expression.kind === 'logic' && expression.operator !== 'XOR') return logicClause(expression, text, event, verdict)
  if (expression.kind === 'not') return notOf(expression.of, text, event, verdict)
  const asks = written(text, expression)
  const facts = factsOf(expression, text, event)
  const reason =
    verdict.error ?? textDifference(expression, event, verdict) ?? reasonOf(expression, asks, facts, verdict)
  return {
    asks,
    ...verdict,
    found: facts === '' ? `it is ${shown(value)}` : facts,
    of: [],
    reason: { text: reason, facts: 1 },
  }
}

interface Verdict {
  readonly passes: boolean
  readonly error?: string
}

function operandClause(operand: Expression, text: string, event: CesqlEvent): Clause {
  return explainExpression({ kind: 'cesql', expression: asBoolean(operand), text }, event)
}

function logicClause(node: LogicNode, text: string, event: CesqlEvent, verdict: Verdict): Clause {
  const of = node.of.map((each) => operandClause(each, text, event))
  const isAnd = node.operator === 'AND'
  const reasons = of.filter(({ passes }) => passes === verdict.passes).map(({ reason }) => reason)
  // What ended the evaluation says more than what was never asked.
  const failed = verdict.error === undefined ? undefined : of.find(({ error }) => error === verdict.error)
  const reason = failed?.reason ?? (isAnd === verdict.passes ? together(reasons) : smallest(reasons))
  return { asks: isAnd ? 'all of' : 'one of', ...verdict, of, reason }
}

function notOf(operand: Expression, text: string, event: CesqlEvent, verdict: Verdict): Clause {
  const of = operandClause(operand, text, event)
  const clause = notClause(of)
  return { ...clause, ...verdict, reason: verdict.error === undefined ? clause.reason : of.reason }
}

/** The values of what it compares, where those are not written out already: `INT(hop) is 7`. */
function factsOf(node: Expression, text: string, event: CesqlEvent): string {
  if (node.kind === 'exists') return `${node.name} is ${event.attribute(node.name) === undefined ? 'missing' : 'there'}`
  const parts = node.kind === 'attribute' ? [node] : partsOf(node)
  const facts = parts
    .filter(({ kind }) => kind !== 'literal')
    .map((part) => {
      const { value, errors } = evaluate(part, event)
      const isMissing = errors[0]?.kind === 'missingAttribute' && part.kind === 'attribute'
      return `${written(text, part)} is ${isMissing ? 'missing' : errors[0] === undefined ? shown(value) : 'an error'}`
    })
  return [...new Set(facts)].join(', ')
}

/** What is there and what was wanted, where an attribute is to be a text. */
function textDifference(node: Expression, event: CesqlEvent, { passes }: Verdict): string | undefined {
  if (passes || node.kind !== 'comparison' || node.operator !== '=') return undefined
  const { left, right } = node
  if (left.kind !== 'attribute' || right.kind !== 'literal' || typeof right.value !== 'string') return undefined
  return `${left.name} ${difference(String(event.attribute(left.name)), right.value)}`
}

function reasonOf(node: Expression, asks: string, facts: string, { passes }: Verdict): string {
  if (node.kind === 'exists' || (node.kind === 'comparison' && node.operator === '=' && passes)) return facts
  if (node.kind === 'attribute') return passes ? facts : `${facts}, wanted TRUE`
  const verdict = `${asks} is ${passes ? 'TRUE' : 'FALSE'}`
  return facts === '' ? verdict : `${facts}, so that ${verdict}`
}

function written(text: string, { start, end }: Expression): string {
  const slice = text.slice(start, end).replaceAll(/\s+/g, ' ')
  return slice.length > WRITTEN_MAX ? `${slice.slice(0, WRITTEN_MAX)}…` : slice
}

const WRITTEN_MAX = 120

function shown(value: CesqlValue): string {
  return typeof value === 'string' ? quote(value) : String(value).toUpperCase()
}
