// What a compiled filter is. The dialects, the compiler and the index stand beside this file.

import type { AttributeValue } from '@sluice/event'

/** What a filter may ask of an event. `Event` of @sluice/event is one. */
export interface FilterEvent {
  /** The attribute as carried, or `undefined` when the event has none of that name. */
  attribute(name: string): AttributeValue | undefined
  /** The data as JSON, or `undefined`; parsed at most once, only when asked. */
  json(): unknown
}

/** A compiled trigger filter: made once per change, asked for every event. */
export interface Filter {
  /** The filter as a tree, which the index and `explain` read. */
  readonly ast: FilterNode
  /** Whether it ever asks for `json()`. */
  readonly needsData: boolean
  /** True when the event passes. Never throws. */
  matches(event: FilterEvent): boolean
}

/** The tree of a filter; `all` of nothing is true. */
export type FilterNode =
  | { readonly kind: 'exact' | 'prefix' | 'suffix'; readonly attribute: string; readonly value: string }
  | { readonly kind: 'exists'; readonly attribute: string }
  | { readonly kind: 'all' | 'any'; readonly of: readonly FilterNode[] }
  | { readonly kind: 'not'; readonly of: FilterNode }
