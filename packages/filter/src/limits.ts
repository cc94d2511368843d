// How large a filter may be. It comes from whoever may write a Trigger, and is judged for every event.

/** Bounds of one trigger's filter; beyond them it is refused with `SLUICE_FILTER_TOO_LARGE`. */
export interface FilterLimits {
  /** Deepest nesting of filters in `all`, `any` and `not`; an element of the list itself is at depth 1. Default 32. */
  readonly maxDepth: number
  /** Most nodes: each compared attribute, each `all`, `any` and `not` is one. Default 1,024. */
  readonly maxNodes: number
  /** Largest value to compare with, in bytes of UTF-8. Default 4,096. */
  readonly maxValueBytes: number
}

/** The limits that hold where none are given. */
export const DEFAULT_FILTER_LIMITS: FilterLimits = { maxDepth: 32, maxNodes: 1024, maxValueBytes: 4096 }
