// Filters that say the same of every event: that never match, for what they ask for excludes itself, and that always do.
// Told as warnings when a Trigger is applied. What is found is certain; not everything that could be is found.

import { conjunctsOf } from './access.ts'
import { fold } from './cesql/fold.ts'
import { REQUIRED_ATTRIBUTES } from './cesql/syntax.ts'
import { claimsOf, claimText, excludes, type Claim } from './claims.ts'
import { quote } from './errors.ts'
import type { FilterNode } from './filter.ts'
import { keyOf } from './shared.ts'

/** A part of a filter whose verdict no event changes. */
export interface ConstantPart {
  readonly node: FilterNode
  readonly verdict: boolean
  /** Why, as words after "this never matches: ". */
  readonly reason: string
}

/** What is the same for every event of a filter, and whether that makes the whole of it so. */
export interface Constants {
  /** Parts that never match, wherever they are; one that always does only where the whole does by it. */
  readonly parts: readonly ConstantPart[]
  readonly whole: boolean | undefined
}

/** Looks for it. A filter that asks for nothing at all is meant, and no part of it is told. */
export function constantsOf(ast: FilterNode): Constants {
  if (ast.kind === 'all' && ast.of.length === 0) return { parts: [], whole: undefined }
  const dead: ConstantPart[] = []
  const whole = constantOf(ast, dead)
  return { parts: [...dead, ...(whole === undefined ? [] : [whole])], whole: whole?.verdict }
}

/** The part by which the node is constant. Adds to `dead` what never matches without making the node constant. */
function constantOf(node: FilterNode, dead: ConstantPart[]): ConstantPart | undefined {
  switch (node.kind) {
    case 'not': {
      const inside = constantOf(node.of, dead)
      return inside && { ...inside, node: inside.node === node.of ? node : inside.node, verdict: !inside.verdict }
    }
    case 'all':
      return ofAll(node, node.of, dead)
    case 'any':
      return ofAny(node, node.of, dead)
    case 'cesql':
      return ofExpression(node) ?? contradiction(node)
    case 'data':
      return undefined
    default:
      return ofAttribute(node)
  }
}

function ofAttribute(node: Extract<FilterNode, { attribute: string }>): ConstantPart | undefined {
  const { attribute } = node
  if (attribute === 'data') {
    const reason = 'data is no attribute. For data there is the dialect data, such as data: {/action: opened}'
    return { node, verdict: false, reason }
  }
  if (node.kind === 'exists') {
    const reason = `every event has the attribute ${attribute}`
    return REQUIRED_ATTRIBUTES.has(attribute) ? { node, verdict: true, reason } : undefined
  }
  if (attribute !== 'specversion' || node.kind !== 'exact' || SPECVERSIONS.includes(node.value)) return undefined
  return { node, verdict: false, reason: `specversion is ${SPECVERSIONS.join(' or ')}` }
}

/** What the codecs take (CE-8, CE-45). */
const SPECVERSIONS: readonly string[] = ['1.0', '0.3']

function ofExpression(node: Extract<FilterNode, { kind: 'cesql' }>): ConstantPart | undefined {
  const folded = fold(node.expression)
  if (folded.kind !== 'literal') return undefined
  const verdict = folded.value === true
  return { node, verdict, reason: `the expression is ${String(folded.value).toUpperCase()} for every event` }
}

function ofAll(node: FilterNode, of: readonly FilterNode[], dead: ConstantPart[]): ConstantPart | undefined {
  const constants = of.map((each) => constantOf(each, dead))
  const never = constants.find((each) => each?.verdict === false)
  if (never !== undefined) return never
  const contradicting = contradiction(node)
  if (contradicting !== undefined) return contradicting
  return constants.every((each) => each !== undefined) ? constants[0] : undefined
}

function ofAny(node: FilterNode, of: readonly FilterNode[], dead: ConstantPart[]): ConstantPart | undefined {
  const constants = of.map((each) => constantOf(each, dead))
  const always = constants.find((each) => each?.verdict === true)
  if (always !== undefined) return always
  if (constants.every((each) => each !== undefined)) return constants[0]
  for (const each of constants) if (each !== undefined) dead.push(each)
  const keys = new Set(of.map(keyOf))
  const both = of.find((each) => each.kind === 'not' && keys.has(keyOf(each.of)))
  return both && { node: both, verdict: true, reason: 'it stands beside the same without not' }
}

/** Two of the parts that all have to hold, and that no event can both have. */
function contradiction(node: FilterNode): ConstantPart | undefined {
  const claims = new Map<string, Claim[]>()
  const keys = new Set<string>()
  for (const [placed, conjunct] of placedConjuncts(node)) {
    if (conjunct.kind === 'not' && keys.has(keyOf(conjunct.of))) {
      return { node: placed, verdict: false, reason: 'it stands beside the same without not' }
    }
    keys.add(keyOf(conjunct))
    for (const claim of claimsOf(conjunct)) {
      const subject = `${claim.of} ${claim.name}`
      const others = claims.get(subject) ?? []
      const other = others.find((each) => excludes(each, claim))
      if (other !== undefined) return { node: placed, verdict: false, reason: reasonOf(other, claim) }
      if (others.length < CLAIMS_COMPARED_MAX) claims.set(subject, [...others, claim])
    }
  }
  return undefined
}

/** Of one attribute; a filter with more is a list of negations, and what it costs to compare each with all is bounded. */
const CLAIMS_COMPARED_MAX = 32

function reasonOf(a: Claim, b: Claim): string {
  const subject = a.of === 'data' ? `the data at ${quote(a.name)}` : a.name
  return `${subject} would have to ${claimText(a)} and ${claimText(b)}`
}

/** The parts that all have to hold, each with the node that somebody wrote. */
function placedConjuncts(node: FilterNode): readonly (readonly [placed: FilterNode, conjunct: FilterNode])[] {
  if (node.kind === 'all') return node.of.flatMap(placedConjuncts)
  return conjunctsOf(node).map((conjunct) => [node, conjunct] as const)
}
