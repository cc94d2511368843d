// What a filter asks of one attribute, or of the value at one pointer, in a form in which two of them can be seen to
// exclude each other. From: constant.ts, when a Trigger is applied.

import { accessOf, type Condition } from './access.ts'
import { fold } from './cesql/fold.ts'
import type { ComparisonNode, Expression } from './cesql/syntax.ts'
import { toInteger } from './cesql/values.ts'
import { quote } from './errors.ts'
import type { FilterNode, JsonScalar } from './filter.ts'

/** One thing that has to be true of a subject. */
export type Claim = { readonly of: 'attribute' | 'data'; readonly name: string } & (
  | { readonly kind: 'oneOf'; readonly values: readonly JsonScalar[] }
  | { readonly kind: 'prefix' | 'suffix'; readonly value: string }
  | { readonly kind: 'there' | 'absent' }
  | { readonly kind: 'isNot'; readonly value: JsonScalar }
  | { readonly kind: Order; readonly value: number | string }
)

type Order = 'gt' | 'gte' | 'lt' | 'lte'

/** What is true of every event that a filter lets pass; the filter is no `all`. Not all that could be said. */
export function claimsOf(node: FilterNode): readonly Claim[] {
  const more =
    node.kind === 'cesql' ? expressionClaims(fold(node.expression)) : node.kind === 'not' ? notClaims(node.of) : []
  if (node.kind === 'data' && 'value' in node.test && isOrder(node.test.kind)) {
    const { kind, value } = node.test
    return [{ of: 'data', name: node.pointer, kind, value: value as number | string }]
  }
  const conditions = accessOf(node)?.anyOf ?? []
  const [first] = conditions
  if (first === undefined || conditions.some(({ of, name }) => of !== first.of || name !== first.name)) return more
  const claim = conditionClaim(first, conditions)
  return claim === undefined ? more : [claim, ...more]
}

function isOrder(kind: string): kind is Order {
  return kind === 'gt' || kind === 'gte' || kind === 'lt' || kind === 'lte'
}

function conditionClaim({ of, name, kind, value }: Condition, conditions: readonly Condition[]): Claim | undefined {
  if (conditions.every((each) => each.kind === 'exact')) {
    return { of, name, kind: 'oneOf', values: conditions.map((each) => each.value) }
  }
  if (conditions.length > 1) return undefined
  return kind === 'exists' ? { of, name, kind: 'there' } : { of, name, kind: kind as 'prefix', value: value as string }
}

function notClaims(node: FilterNode): readonly Claim[] {
  if (node.kind === 'exists') return [{ of: 'attribute', name: node.attribute, kind: 'absent' }]
  if (node.kind === 'exact') return [{ of: 'attribute', name: node.attribute, kind: 'isNot', value: node.value }]
  if (node.kind !== 'data') return []
  const { pointer: name, test } = node
  if (test.kind === 'exists') return [{ of: 'data', name, kind: 'absent' }]
  return test.kind === 'exact' ? [{ of: 'data', name, kind: 'isNot', value: test.value }] : []
}

function expressionClaims(node: Expression): readonly Claim[] {
  if (node.kind === 'not' && node.of.kind === 'exists') return [{ of: 'attribute', name: node.of.name, kind: 'absent' }]
  return node.kind === 'comparison' ? comparisonClaims(node) : []
}

function comparisonClaims({ operator, left, right }: ComparisonNode): readonly Claim[] {
  if (left.kind === 'literal' && right.kind === 'attribute' && operator !== '=' && operator !== '!=') {
    return orderClaims(MIRRORED[operator], right.name, toInteger(left.value))
  }
  if (left.kind !== 'attribute' || right.kind !== 'literal') return []
  const { value } = right
  if (operator === '!=') {
    return typeof value === 'string' ? [{ of: 'attribute', name: left.name, kind: 'isNot', value }] : []
  }
  if (operator === '=' && typeof value !== 'number') return []
  return orderClaims(operator, left.name, toInteger(value))
}

const MIRRORED = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const

function orderClaims(
  operator: '=' | '<' | '<=' | '>' | '>=',
  name: string,
  value: number | undefined,
): readonly Claim[] {
  if (value === undefined) return []
  const claim = (kind: Order): Claim => ({ of: 'attribute', name, kind, value })
  if (operator === '=') return [claim('gte'), claim('lte')]
  return [claim(({ '<': 'lt', '<=': 'lte', '>': 'gt', '>=': 'gte' } as const)[operator])]
}

/** Whether no value is what both claim, which are of one subject. */
export function excludes(a: Claim, b: Claim): boolean {
  if (a.kind === 'absent' || b.kind === 'absent') {
    const other = a.kind === 'absent' ? b : a
    return other.kind !== 'absent' && other.kind !== 'isNot'
  }
  if (a.kind === 'oneOf') return a.values.every((value) => !allows(b, value))
  if (b.kind === 'oneOf') return b.values.every((value) => !allows(a, value))
  if (a.kind === 'prefix' && b.kind === 'prefix') return !a.value.startsWith(b.value) && !b.value.startsWith(a.value)
  if (a.kind === 'suffix' && b.kind === 'suffix') return !a.value.endsWith(b.value) && !b.value.endsWith(a.value)
  return 'value' in a && 'value' in b && isOrder(a.kind) && isOrder(b.kind) && boundsExclude(a as Bound, b as Bound)
}

type Bound = Extract<Claim, { kind: Order }>

function boundsExclude(a: Bound, b: Bound): boolean {
  if (typeof a.value !== typeof b.value) return a.of === 'data' // an attribute is cast
  const isLow = ({ kind }: Bound): boolean => kind === 'gt' || kind === 'gte'
  if (isLow(a) === isLow(b)) return false
  const [low, high] = isLow(a) ? [a, b] : [b, a]
  // Of an attribute there are Integers alone: above 5 and below 6 is none.
  if (low.of === 'attribute') return lowest(low) > highest(high)
  return low.value > high.value || (low.value === high.value && (low.kind === 'gt' || high.kind === 'lt'))
}

function lowest({ kind, value }: Bound): number {
  return Number(value) + (kind === 'gt' ? 1 : 0)
}

function highest({ kind, value }: Bound): number {
  return Number(value) - (kind === 'lt' ? 1 : 0)
}

/** Whether a claim holds for this value. */
function allows(claim: Claim, value: JsonScalar): boolean {
  switch (claim.kind) {
    case 'oneOf':
      return claim.values.includes(value)
    case 'prefix':
      return typeof value === 'string' && value.startsWith(claim.value)
    case 'suffix':
      return typeof value === 'string' && value.endsWith(claim.value)
    case 'isNot':
      return value !== claim.value
    case 'there':
      return true
    case 'absent':
      return false
    default:
      return isWithin(claim, value)
  }
}

function isWithin(bound: Bound, value: JsonScalar): boolean {
  const found = bound.of === 'attribute' ? toInteger(String(value)) : value
  if (typeof found !== typeof bound.value) return false
  const [a, b] = [found as number, bound.value as number]
  if (bound.kind === 'gt') return a > b
  if (bound.kind === 'gte') return a >= b
  return bound.kind === 'lt' ? a < b : a <= b
}

/** `would have to ...`, what this claims. */
export function claimText(claim: Claim): string {
  switch (claim.kind) {
    case 'oneOf':
      return claim.values.length === 1
        ? `be ${shown(claim.values[0]!)}`
        : `be one of ${claim.values.map(shown).join(', ')}`
    case 'prefix':
      return `begin with ${shown(claim.value)}`
    case 'suffix':
      return `end with ${shown(claim.value)}`
    case 'there':
      return 'be there'
    case 'absent':
      return 'be missing'
    case 'isNot':
      return `not be ${shown(claim.value)}`
    default:
      return `be ${ORDER_WORDS[claim.kind]} ${shown(claim.value)}`
  }
}

const ORDER_WORDS: Readonly<Record<Order, string>> = { gt: 'above', gte: 'at least', lt: 'below', lte: 'at most' }

function shown(value: JsonScalar): string {
  return typeof value === 'string' ? quote(value) : String(value)
}
