// Hot path (`pnpm bench --only CESQL`): the closure of a call, from the closures of its arguments. For one and two,
// which most functions have, no array is made per event.

import { FUNCTION_FAILED } from './errors.ts'
import { checked, resultOf, threw, type CesqlFunction, type FunctionFailure } from './functions.ts'
import { fail, type Run } from './run.ts'
import type { CallNode } from './syntax.ts'
import type { CesqlValue } from './values.ts'

/** Calls the function with its arguments, which are of its parameters' types. */
export function call(node: CallNode, definition: CesqlFunction, of: readonly Run[]): Run {
  if (of.length === 1) return callOfOne(node, definition, of[0]!)
  if (of.length === 2) return callOfTwo(node, definition, of[0]!, of[1]!)
  return (event) => {
    const values: CesqlValue[] = []
    for (let i = 0; i < of.length; i++) {
      const value = of[i]!(event)
      if (value === undefined) return undefined
      values.push(value)
    }
    return given(node, resultOf(definition, values))
  }
}

function callOfOne(node: CallNode, definition: CesqlFunction, argument: Run): Run {
  const last = lastOf(definition)
  return (event) => {
    const value = argument(event)
    if (value === undefined) return undefined
    if (value !== last.first || last.second !== undefined) remember(last, definition, value)
    return given(node, last.result)
  }
}

function callOfTwo(node: CallNode, definition: CesqlFunction, first: Run, second: Run): Run {
  const last = lastOf(definition)
  return (event) => {
    const a = first(event)
    if (a === undefined) return undefined
    const b = second(event)
    if (b === undefined) return undefined
    if (a !== last.first || b !== last.second) remember(last, definition, a, b)
    return given(node, last.result)
  }
}

/** The last call of a function, with one argument or two: what it gives depends on those alone. */
interface LastCall {
  first: CesqlValue | undefined
  second: CesqlValue | undefined
  result: CesqlValue | FunctionFailure
}

/** A thousand expressions with `UPPER(type)` ask the same of it one after the other, for every event. */
const lastCalls = new WeakMap<CesqlFunction, LastCall>()

function lastOf(definition: CesqlFunction): LastCall {
  let last = lastCalls.get(definition)
  if (last === undefined) lastCalls.set(definition, (last = { first: undefined, second: undefined, result: false }))
  return last
}

function remember(last: LastCall, definition: CesqlFunction, first: CesqlValue, second?: CesqlValue): void {
  try {
    last.result = checked(definition, second === undefined ? definition.call(first) : definition.call(first, second))
  } catch (error) {
    last.result = threw(definition, error)
  }
  last.first = first
  last.second = second
}

function given(node: CallNode, result: CesqlValue | FunctionFailure): CesqlValue | undefined {
  return typeof result === 'object' ? fail(FUNCTION_FAILED[result.kind], node, result.message, result.value) : result
}
