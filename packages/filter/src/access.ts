// What must be true of an event for a filter to pass, as far as it can be looked up. Asked once per filter, when it is
// put into the index.

import { fold } from './cesql/fold.ts'
import { BUILT_IN_FUNCTIONS } from './cesql/functions.ts'
import { likeEnds } from './cesql/like.ts'
import {
  REQUIRED_ATTRIBUTES,
  typeOf,
  type ComparisonNode,
  type Expression,
  type InNode,
  type LikeNode,
  type LogicNode,
} from './cesql/syntax.ts'
import { toBoolean, toInteger, toText, type CesqlValue } from './cesql/values.ts'
import type { DataFilterNode, FilterNode, JsonScalar } from './filter.ts'

/** What is looked up: what an attribute, or the value at a pointer, is. */
export interface Condition {
  readonly kind: 'exact' | 'prefix' | 'suffix' | 'exists'
  readonly of: 'attribute' | 'data'
  /** Of an attribute its name, of data the pointer. */
  readonly name: string
  /** The pointer's steps; none of an attribute. */
  readonly steps: readonly string[]
  /** An attribute's as canonical text; `null` of `exists`. */
  readonly value: JsonScalar
}

/** Of these conditions at least one is true of every event that passes; of none, that no event passes. */
export interface Access {
  readonly anyOf: readonly Condition[]
  /** Whether every event of which one is true does pass. */
  readonly isWhole: boolean
}

/** The filters that all have to pass for this one to pass, and that together suffice. */
export function conjunctsOf(node: FilterNode): readonly FilterNode[] {
  const conjuncts: FilterNode[] = []
  addConjuncts(node, conjuncts)
  return conjuncts
}

function addConjuncts(node: FilterNode, conjuncts: FilterNode[]): void {
  if (node.kind === 'all') {
    for (const each of node.of) addConjuncts(each, conjuncts)
  } else if (node.kind === 'cesql' && node.expression.kind === 'logic' && node.expression.operator === 'AND') {
    // AND casts its operands to Boolean; an expression by itself has to be one (CE-64). Places stay those in the text.
    for (const each of node.expression.of) addConjuncts({ ...node, expression: asBoolean(each) }, conjuncts)
  } else if (node.kind === 'not' && node.of.kind === 'not') {
    addConjuncts(node.of.of, conjuncts)
  } else if (node.kind === 'not' && node.of.kind === 'any') {
    for (const each of node.of.of) addConjuncts({ kind: 'not', of: each }, conjuncts)
  } else {
    conjuncts.push(node)
  }
}

/** The same, cast to Boolean as AND, OR and NOT cast their operands. */
export function asBoolean(expression: Expression): Expression {
  if (typeOf(expression) === 'Boolean') return expression
  const { start, end } = expression
  return { kind: 'call', name: 'BOOL', of: [expression], definition: BUILT_IN_FUNCTIONS.find('BOOL', 1), start, end }
}

/** What can be looked up of a filter; `undefined`: nothing, so that it has to be asked for every event. */
export function accessOf(node: FilterNode): Access | undefined {
  switch (node.kind) {
    case 'exact':
    case 'prefix':
    case 'suffix':
      return one(node.attribute, node.kind, node.value, true)
    case 'exists':
      return one(node.attribute, 'exists', null, true)
    case 'data':
      return dataAccess(node)
    case 'cesql':
      return expressionAccess(fold(node.expression))
    case 'all':
      return best(node.of.map(accessOf), node.of.length === 1)
    case 'any':
      return union(node.of.map(accessOf))
    case 'not':
      return undefined // conjunctsOf turned what it could
  }
}

const NEVER: Access = { anyOf: [], isWhole: true }

function one(name: string, kind: Condition['kind'], value: string | null, isWhole: boolean): Access | undefined {
  if (name === 'data') return NEVER // CE-62
  if (kind === 'exists' && REQUIRED_ATTRIBUTES.has(name)) return undefined
  return { anyOf: [{ kind, of: 'attribute', name, steps: [], value }], isWhole }
}

/** The one of several that leaves the fewest events; that of an `all` is the whole of it only if it has no other part. */
function best(accesses: readonly (Access | undefined)[], isOnly: boolean): Access | undefined {
  let found: Access | undefined
  for (const each of accesses) if (each !== undefined && (found === undefined || rank(each) < rank(found))) found = each
  return found && { anyOf: found.anyOf, isWhole: found.isWhole && (isOnly || found.anyOf.length === 0) }
}

function rank({ anyOf }: Access): number {
  return Math.max(-1, ...anyOf.map(({ kind, of }) => RANKS.indexOf(`${of} ${kind}`)))
}

/** The first leave the fewest. Data comes late, for it has to be parsed. */
const RANKS: readonly string[] = [
  'attribute exact',
  'attribute prefix',
  'attribute suffix',
  'data exact',
  'attribute exists',
  'data prefix',
  'data suffix',
  'data exists',
]

/** One of several has to be true, so that all of them have to be looked up, or none. */
function union(accesses: readonly (Access | undefined)[]): Access | undefined {
  const known = accesses.filter((each) => each !== undefined)
  if (known.length < accesses.length) return undefined
  return { anyOf: known.flatMap(({ anyOf }) => anyOf), isWhole: known.every(({ isWhole }) => isWhole) }
}

function dataAccess({ pointer: name, steps, test }: DataFilterNode): Access {
  const condition = (kind: Condition['kind'], value: JsonScalar): Condition => ({
    kind,
    of: 'data',
    name,
    steps,
    value,
  })
  switch (test.kind) {
    case 'exact':
    case 'prefix':
    case 'suffix':
      return { anyOf: [condition(test.kind, test.value)], isWhole: true }
    case 'in':
      return { anyOf: test.values.map((value) => condition('exact', value)), isWhole: true }
    default:
      return { anyOf: [condition('exists', null)], isWhole: test.kind === 'exists' }
  }
}

/** Of a folded expression that has to be TRUE. */
function expressionAccess(node: Expression): Access | undefined {
  switch (node.kind) {
    case 'literal':
      return node.value === true ? undefined : NEVER
    case 'exists':
      return one(node.name, 'exists', null, true)
    case 'logic':
      if (node.operator === 'AND') return best(node.of.map(expressionAccess), false)
      return node.operator === 'OR' ? orAccess(node) : readAccess(node)
    case 'comparison':
      return (node.operator === '=' ? equalityAccess(node) : undefined) ?? readAccess(node)
    case 'in':
      return (node.negated ? undefined : inAccess(node)) ?? readAccess(node)
    case 'like':
      return (node.negated ? undefined : likeAccess(node)) ?? readAccess(node)
    default:
      return readAccess(node)
  }
}

/** An error of an operand ends it before one that is TRUE is asked (CE-80), so that the conditions are never all of it. */
function orAccess({ of }: LogicNode): Access | undefined {
  const either = union(of.map(expressionAccess))
  return either && { ...either, isWhole: false }
}

function equalityAccess({ left, right }: ComparisonNode): Access | undefined {
  // The left is cast to the type of the right (CE-75): to a text there is one way, to an Integer there are many.
  if (left.kind === 'attribute' && right.kind === 'literal' && typeof right.value === 'string') {
    return one(left.name, 'exact', right.value, true)
  }
  if (left.kind !== 'literal' || right.kind !== 'attribute') return undefined
  return union(textsCastTo(left.value).map((text) => one(right.name, 'exact', text, false)))
}

function inAccess({ of, among }: InNode): Access | undefined {
  if (of.kind !== 'attribute') return undefined
  const literals = among.filter(({ kind }) => kind === 'literal') as { value: CesqlValue }[]
  if (literals.length < among.length) return undefined
  return union(literals.flatMap(({ value }) => textsCastTo(value)).map((text) => one(of.name, 'exact', text, false)))
}

/** The canonical texts of the values, of whatever type, that a literal is equal to once it is cast to their type. */
function textsCastTo(literal: CesqlValue): string[] {
  const values = [toText(literal), toInteger(literal), toBoolean(literal)].filter((value) => value !== undefined)
  return [...new Set(values.map(String))]
}

function likeAccess({ of, pattern }: LikeNode): Access | undefined {
  if (of.kind !== 'attribute') return undefined
  const { prefix, suffix, isExact } = likeEnds(pattern)
  // LIKE fails for a text that is too long, so that it has to be asked in any case.
  if (isExact) return one(of.name, 'exact', prefix, false)
  if (prefix === '' && suffix === '') return undefined
  const isPrefix = prefix.length >= suffix.length
  return one(of.name, isPrefix ? 'prefix' : 'suffix', isPrefix ? prefix : suffix, false)
}

/** An attribute that is read has to be there: to read one that is missing is an error (CE-79). */
function readAccess(node: Expression): Access | undefined {
  const name = alwaysRead(node)
  return name === undefined ? undefined : one(name, 'exists', null, false)
}

/** An attribute that the expression reads for every event. */
function alwaysRead(node: Expression): string | undefined {
  switch (node.kind) {
    case 'attribute':
      return node.name
    case 'literal':
    case 'exists':
      return undefined
    case 'not':
    case 'negate':
    case 'like':
    case 'in':
      return alwaysRead(node.of)
    case 'comparison':
    case 'arithmetic':
      return alwaysRead(node.left) ?? alwaysRead(node.right)
    case 'logic':
      return alwaysRead(node.of[0]!)
    case 'call':
      return node.of.map(alwaysRead).find((name) => name !== undefined)
  }
}
