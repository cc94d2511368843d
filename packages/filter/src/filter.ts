// What a compiled filter is. The dialects, the compiler and the index stand beside this file.

import type { AttributeValue } from '@sluice/event'
import type { CesqlEvent } from './cesql/values.ts'
import type { Expression } from './cesql/syntax.ts'

/** What a filter may ask of an event. `Event` of @sluice/event is one. */
export interface FilterEvent extends CesqlEvent {
  /** All that {@link CesqlEvent.attribute} gives, where it is known; an index needs it for many names. */
  readonly attributes?: ReadonlyMap<string, AttributeValue>
  /** The data as JSON, or `undefined`; parsed at most once, only when asked. */
  json(): unknown
}

/** A compiled trigger filter: made once per change, asked for every event. */
export interface Filter {
  /** The filter as a tree, which the index and `explain` read. */
  readonly ast: FilterNode
  /** Whether it ever asks for `json()`. */
  readonly needsData: boolean
  /**
   * Told of each event for which a CESQL expression of this filter gave an error, which is no match of that expression
   * (CE-64). By `matches`, and by an index that has the filter; of those that the index rules out without asking the
   * expression, nobody hears. `explain` says what was wrong.
   */
  readonly onError?: ((event: FilterEvent) => void) | undefined
  /** True when the event passes. Never throws. */
  matches(event: FilterEvent): boolean
}

/** A value that a member of JSON data has, and that is no object and no array. */
export type JsonScalar = string | number | boolean | null

/** What a value in JSON data is asked. Texts and numbers are compared with their own kind only. */
export type DataTest =
  | { readonly kind: 'exists' }
  | { readonly kind: 'exact'; readonly value: JsonScalar }
  | { readonly kind: 'in'; readonly values: readonly JsonScalar[] }
  | { readonly kind: 'prefix' | 'suffix'; readonly value: string }
  | { readonly kind: 'gt' | 'gte' | 'lt' | 'lte'; readonly value: string | number }

/** A CESQL expression that has to be TRUE. */
export interface CesqlFilterNode {
  readonly kind: 'cesql'
  readonly expression: Expression
  /** As it was written. */
  readonly text: string
}

/** One test of the value at a JSON Pointer; where there is none it is false. */
export interface DataFilterNode {
  readonly kind: 'data'
  readonly pointer: string
  /** The pointer's steps, unescaped. */
  readonly steps: readonly string[]
  readonly test: DataTest
}

/** The tree of a filter; `all` of nothing is true. */
export type FilterNode =
  | { readonly kind: 'exact' | 'prefix' | 'suffix'; readonly attribute: string; readonly value: string }
  | { readonly kind: 'exists'; readonly attribute: string }
  | CesqlFilterNode
  | DataFilterNode
  | { readonly kind: 'all' | 'any'; readonly of: readonly FilterNode[] }
  | { readonly kind: 'not'; readonly of: FilterNode }
