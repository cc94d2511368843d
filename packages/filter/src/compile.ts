// Hot path (packages/filter/bench/match.ts): what is built here once per filter runs for every event that the index
// (filter-index.ts) can't rule out. Closures made from the tree, so that nothing is interpreted per event.

import type { AttributeValue } from '@sluice/event'
import type { Filter, FilterEvent, FilterNode } from './filter.ts'

type Test = (event: FilterEvent) => boolean

/** Makes a filter of its tree. The tree is taken as right: the readers have checked it. */
export function compile(ast: FilterNode): Filter {
  return { ast, needsData: false, matches: testOf(ast) }
}

function testOf(node: FilterNode): Test {
  if (node.kind === 'not') {
    const test = testOf(node.of)
    return (event) => !test(event)
  }
  if ('of' in node) {
    const tests = node.of.map(testOf)
    return node.kind === 'all' ? allOf(tests) : anyOf(tests)
  }
  // CE-62: data is no attribute, whatever an event may say.
  return node.attribute === 'data' ? never : attributeTest(node)
}

function attributeTest(node: Exclude<FilterNode, { of: unknown }>): Test {
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

// One and two are nearly all there are, and cost a loop less.
function allOf(tests: readonly Test[]): Test {
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
