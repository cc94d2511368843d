// From the results of some rounds to one figure against its target.

import type { Measure, Target } from './goal.ts'
import { summarize } from './statistics.ts'

/** How a measure is read from the rounds. */
export interface Reading<Round> {
  /** The ratio of one round; the measure's value is the median over the rounds. */
  readonly ratio: (round: Round) => number
  /** What stands in brackets behind the ratio: the median of each figure, named and with its unit. */
  readonly figures: Readonly<Record<string, (round: Round) => number>>
  readonly problem?: string | undefined
  readonly detail?: Readonly<Record<string, unknown>>
}

/** What these rounds, at least one, brought for `target`. */
export function measureOf<Round>(target: Target, rounds: readonly Round[], reading: Reading<Round>): Measure {
  const { ratio, figures, problem, detail } = reading
  const { median, spread } = summarize(rounds, ratio)
  const named = Object.entries(figures).map(
    ([name, figure]) => [name, significant(summarize(rounds, figure).median)] as const,
  )
  return {
    ...target,
    value: significant(median),
    spread: [significant(spread[0]), significant(spread[1])],
    figures: named.map(([name, value]) => `${name} ${value.toLocaleString('en')}`).join(', '),
    ...(problem === undefined ? {} : { problem }),
    detail: {
      rounds: rounds.length,
      ratios: rounds.map((round) => significant(ratio(round))),
      ...Object.fromEntries(named),
      ...detail,
    },
  }
}

/** Four significant digits: no figure here is better than that. */
export function significant(value: number): number {
  return Number(value.toPrecision(4))
}
