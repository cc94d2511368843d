// The filters of simulated subscriptions.

import { compileTrigger, type Filter } from '@sluice/filter'

/** The types that events have. */
export const TYPES = ['a', 'b', 'c'] as const
export const ALL_TYPES = 'abc'

/** One that passes these types, a letter each. */
export function accepting(types: string): Filter {
  return compileTrigger({ filters: [{ any: Array.from(types, (type) => ({ exact: { type } })) }] })
}
