// Hot path (packages/filter/bench/match.ts): the closures of `data`. The event parses its data once, for all who ask.

import type { DataFilterNode, FilterEvent } from './filter.ts'
import { valueAt } from './pointer.ts'

/** The closure of one test of one value. A value of another kind than the test's fails it. */
export function dataTest({ steps, test }: DataFilterNode): (event: FilterEvent) => boolean {
  switch (test.kind) {
    case 'exists':
      return (event) => valueAt(event.json(), steps) !== undefined
    case 'exact': {
      const { value } = test
      return (event) => valueAt(event.json(), steps) === value
    }
    case 'in': {
      const values = new Set<unknown>(test.values)
      return (event) => values.has(valueAt(event.json(), steps))
    }
    case 'prefix':
    case 'suffix':
      return endTest(test, steps)
    default:
      return orderTest(test, steps)
  }
}

function endTest(
  { kind, value }: { readonly kind: 'prefix' | 'suffix'; readonly value: string },
  steps: readonly string[],
): (event: FilterEvent) => boolean {
  return (event) => {
    const text = valueAt(event.json(), steps)
    if (typeof text !== 'string') return false
    return kind === 'prefix' ? text.startsWith(value) : text.endsWith(value)
  }
}

function orderTest(
  { kind, value }: { readonly kind: 'gt' | 'gte' | 'lt' | 'lte'; readonly value: string | number },
  steps: readonly string[],
): (event: FilterEvent) => boolean {
  const type = typeof value
  return (event) => {
    const found = valueAt(event.json(), steps) as string | number
    if (typeof found !== type) return false
    if (kind === 'gt') return found > value
    if (kind === 'gte') return found >= value
    return kind === 'lt' ? found < value : found <= value
  }
}
