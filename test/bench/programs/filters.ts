// The filters of many triggers: the mix of PERFORMANCE A3, and expressions that an index can and can't look up.

import { EVENT_TYPE } from '../load/payload.ts'
import { broker, trigger } from './sluice.ts'

/** That of the i-th of many triggers, and of them all only the 0th lets the benchmark's events pass. */
export type FilterOf = (index: number) => readonly object[]

/** The broker with so many triggers, of which the first one takes the benchmark's events. */
export function manyTriggers(sink: string, count: number, filterOf: FilterOf): string[] {
  const resources = [broker]
  for (let index = 0; index < count; index++) {
    resources.push(trigger({ name: `t${index}`, subscriber: `${sink}/0`, filters: filterOf(index) }))
  }
  return resources
}

/** 60 % an exact type, 20 % type and source, 10 % a prefix, 10 % a suffix. */
export const mixed: FilterOf = (index) => {
  if (index === 0) return [{ exact: { type: EVENT_TYPE } }]
  const type = `com.example.n${index}`
  switch (index % 10) {
    case 8:
      return [{ prefix: { source: `/shops/n${index}/` } }]
    case 9:
      return [{ suffix: { type: `.n${index}` } }]
    case 6:
    case 7:
      return [{ all: [{ exact: { type } }, { exact: { source: `/shops/n${index}` } }] }]
    default:
      return [{ exact: { type } }]
  }
}

/** A conjunct that can be looked up, and one that is evaluated where that matches. */
export const indexable: FilterOf = (index) => [
  { cesql: `type = '${typeOf(index)}' AND LENGTH(source) > 5 AND datacontenttype LIKE 'application/%'` },
]

/** Nothing can be looked up: each is evaluated for every event. */
export const opaque: FilterOf = (index) => [
  { cesql: `LENGTH(type) > 5 AND UPPER(type) = '${typeOf(index).toUpperCase()}'` },
]

function typeOf(index: number): string {
  return index === 0 ? EVENT_TYPE : `com.example.n${index}`
}
