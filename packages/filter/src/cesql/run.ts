// Hot path (`pnpm bench --only CESQL`). What an expression is compiled to, and how it fails: a closure that gives
// `undefined` has failed, and left in `failure` what and where. No exception is thrown, and nothing allocated, for the
// attribute that an event lacks.

import type { ErrorOf } from './errors.ts'
import type { Expression } from './syntax.ts'
import type { CesqlEvent, CesqlValue } from './values.ts'

/** A compiled expression: its value, or `undefined` where it failed. */
export type Run<Value extends CesqlValue = CesqlValue> = (event: CesqlEvent) => Value | undefined

/** Why the last evaluation failed. One for all: each ends before another begins. */
export const failure: {
  /** Makes the error, for who wants to see it. */
  error: ErrorOf | undefined
  /** The part that failed. */
  node: Expression | undefined
  /** What the error has to say. */
  value: CesqlValue
  /** What the part gives all the same. */
  own: CesqlValue | undefined
} = { error: undefined, node: undefined, value: false, own: undefined }

/** Leaves a failure, and is its value. */
export function fail(error: ErrorOf, node: Expression, value: CesqlValue = false, own?: CesqlValue): undefined {
  failure.error = error
  failure.node = node
  failure.value = value
  failure.own = own
  return undefined
}
