// Hot path (packages/filter/bench/cesql.ts): the closure of a call, from the closures of its arguments.

import { FUNCTION_FAILED } from './errors.ts'
import { resultOf, type CesqlFunction, type FunctionFailure } from './functions.ts'
import { fail, type Run } from './run.ts'
import type { CallNode } from './syntax.ts'
import type { CesqlValue } from './values.ts'

/** Calls the function with its arguments, which are of its parameters' types. */
export function call(node: CallNode, definition: CesqlFunction, of: readonly Run[]): Run {
  return (event) => {
    const values: CesqlValue[] = []
    for (let i = 0; i < of.length; i++) {
      const value = of[i]!(event)
      if (value === undefined) return undefined
      values.push(value)
    }
    const result = resultOf(definition, values)
    return typeof result === 'object' ? failed(node, result) : result
  }
}

function failed(node: CallNode, { kind, message, value }: FunctionFailure): undefined {
  return fail(FUNCTION_FAILED[kind], node, message, value)
}
