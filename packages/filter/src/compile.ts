// Hot path (packages/filter/bench/match.ts): what is built here once per filter runs for every event that the index
// (filter-index.ts) can't rule out. Closures made from the tree, so that nothing is interpreted per event.

import type { AttributeValue } from '@sluice/event'
import { compileCondition } from './cesql/compile.ts'
import { dataTest } from './data-test.ts'
import type { CesqlFilterNode, Filter, FilterEvent, FilterNode } from './filter.ts'

/** A compiled tree. */
export type Test = (event: FilterEvent) => boolean

/**
 * Whether an expression gave an error since this was last made false: no part of a verdict, but told beside it. One for
 * all, for an evaluation ends before another begins.
 */
export const evaluation: { erred: boolean } = { erred: false }

/** Makes a filter of its tree. The tree is taken as right: the readers have checked it. */
export function compile(ast: FilterNode, onError?: (event: FilterEvent) => void): Filter {
  const test = testOf(ast)
  const matches = onError === undefined || !some(ast, 'cesql') ? test : tellingErrors(test, onError)
  return { ast, needsData: some(ast, 'data'), onError, matches }
}

function tellingErrors(test: Test, onError: (event: FilterEvent) => void): Test {
  return (event) => {
    evaluation.erred = false
    const verdict = test(event)
    if (evaluation.erred) onError(event)
    return verdict
  }
}

/** Whether any part of the tree is of that kind. */
export function some(node: FilterNode, kind: FilterNode['kind']): boolean {
  if (node.kind === kind) return true
  if (node.kind === 'not') return some(node.of, kind)
  return 'of' in node && node.of.some((each) => some(each, kind))
}

/**
 * The closure of a tree.
 *
 * @param partOf makes the closures of what is inside of it; an index shares them among filters.
 */
export function testOf(node: FilterNode, partOf: (part: FilterNode) => Test = testOf): Test {
  switch (node.kind) {
    case 'not': {
      const test = partOf(node.of)
      return (event) => !test(event)
    }
    case 'all':
      return allOf(cheapFirst(node.of).map((each) => partOf(each)))
    case 'any':
      return anyOf(cheapFirst(node.of).map((each) => partOf(each)))
    case 'cesql':
      return expressionTest(node)
    case 'data':
      return dataTest(node)
    default:
      // CE-62: data is no attribute, whatever an event may say.
      return node.attribute === 'data' ? never : attributeTest(node)
  }
}

/** Data is parsed only if nothing else has decided; expressions come before it, and attributes before those. */
export function cheapFirst(nodes: readonly FilterNode[]): readonly FilterNode[] {
  return nodes.length < 2 ? nodes : nodes.toSorted((a, b) => cost(a) - cost(b))
}

function cost(node: FilterNode): number {
  if (node.kind === 'data') return 2
  if (node.kind === 'cesql') return 1
  if (node.kind === 'not') return cost(node.of)
  return 'of' in node ? Math.max(0, ...node.of.map(cost)) : 0
}

/** CE-64: an error is no match, and so `not` of it is one. */
function expressionTest({ expression }: CesqlFilterNode): Test {
  const condition = compileCondition(expression)
  return (event) => {
    const verdict = condition(event)
    if (verdict !== undefined) return verdict
    evaluation.erred = true
    return false
  }
}

function attributeTest(node: Extract<FilterNode, { attribute: string }>): Test {
  const { attribute } = node
  if (node.kind === 'exists') return (event) => event.attribute(attribute) !== undefined
  const { kind, value } = node
  if (kind === 'exact') {
    return (event) => {
      const carried = event.attribute(attribute)
      return typeof carried === 'string' ? carried === value : canonicalText(carried) === value
    }
  }
  if (kind === 'prefix') return (event) => canonicalText(event.attribute(attribute))?.startsWith(value) ?? false
  return (event) => canonicalText(event.attribute(attribute))?.endsWith(value) ?? false
}

/** `true` and `5` of a JSON-format event are compared as the text that a header would carry (CE-7, CE-61). */
export function canonicalText(value: AttributeValue | undefined): string | undefined {
  return typeof value === 'string' || value === undefined ? value : String(value)
}

/** Whether all of the tests hold; asked in their order, as far as need be. */
export function allOf(tests: readonly Test[]): Test {
  // One and two are nearly all there are, and cost a loop less.
  const [first, second] = tests
  if (first === undefined) return always
  if (second === undefined) return first
  if (tests.length === 2) return (event) => first(event) && second(event)
  return (event) => {
    for (let i = 0; i < tests.length; i++) if (!tests[i]!(event)) return false
    return true
  }
}

function anyOf(tests: readonly Test[]): Test {
  const [first, second] = tests
  if (first === undefined) return never
  if (second === undefined) return first
  if (tests.length === 2) return (event) => first(event) || second(event)
  return (event) => {
    for (let i = 0; i < tests.length; i++) if (tests[i]!(event)) return true
    return false
  }
}

function always(): boolean {
  return true
}

function never(): boolean {
  return false
}
