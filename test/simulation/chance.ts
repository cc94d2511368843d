// What a seed decides.

import { seededRandom } from '@sluice/segments/simulation'

export interface Chance {
  /** From 0 up to 1. */
  (): number
  /** A whole number below `count`. */
  below(count: number): number
  pick<T>(choices: readonly T[]): T
}

export function chanceOf(seed: number): Chance {
  const random = seededRandom(seed * 2654435761)
  const below = (count: number): number => Math.floor(random() * count)
  return Object.assign(random, { below, pick: <T>(choices: readonly T[]): T => choices[below(choices.length)]! })
}
