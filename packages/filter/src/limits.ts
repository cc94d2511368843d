// How large a filter may be. It comes from whoever may write a Trigger, and is judged for every event.

import { EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX } from './cesql/parser.ts'

/** Bounds of one trigger's filter; beyond them it is refused with `SLUICE_FILTER_TOO_LARGE`. */
export interface FilterLimits {
  /**
   * Deepest nesting of filters in `all`, `any` and `not`; an element of the list itself is at depth 1. So deep nests
   * `not` in `data` too. Default 32.
   */
  readonly maxDepth: number
  /**
   * Most nodes: each compared attribute, each `all`, `any` and `not` is one; so is each part of an expression, and in
   * `data` each pointer, each test and each value of `in`. Default 1,024.
   */
  readonly maxNodes: number
  /** Largest value to compare with, and largest JSON Pointer, in bytes of UTF-8. Default 4,096. */
  readonly maxValueBytes: number
  /** Largest CESQL expression, in bytes of UTF-8. Default 4,096. */
  readonly maxExpressionBytes: number
  /** Deepest nesting within an expression. Default 32. */
  readonly maxExpressionDepth: number
}

/** The limits that hold where none are given. */
export const DEFAULT_FILTER_LIMITS: FilterLimits = {
  maxDepth: 32,
  maxNodes: 1024,
  maxValueBytes: 4096,
  maxExpressionBytes: EXPRESSION_BYTES_MAX,
  maxExpressionDepth: EXPRESSION_DEPTH_MAX,
}
