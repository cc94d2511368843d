// From the results of some rounds to one figure against its target.

import type { Measure, Target } from './goal.ts'
import { OTHER_CORES_MAX } from './rounds.ts'
import { median, summarize } from './statistics.ts'

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
export function measureOf<Round>(
  target: Target,
  rounds: readonly Round[],
  { ratio, figures, problem, detail }: Reading<Round>,
): Measure {
  const summary = summarize(rounds, ratio)
  const absolute = Object.entries(figures).map(
    ([name, figure]) => [name, significant(summarize(rounds, figure).median)] as const,
  )
  const otherCores = rounds.map(otherCoresOf).filter((cores) => cores !== undefined)
  const shown = absolute.map(([name, value]) => `${name} ${value.toLocaleString('en')}`)
  const busy = significant(median(otherCores))
  if (busy > OTHER_CORES_MAX) shown.push(`DISTURBED: others used ${busy} cores`)
  return {
    ...target,
    value: significant(summary.median),
    spread: [significant(summary.spread[0]), significant(summary.spread[1])],
    figures: shown.join(', '),
    ...(problem === undefined ? {} : { problem }),
    detail: {
      rounds: rounds.length,
      ratios: rounds.map((round) => significant(ratio(round))),
      ...(otherCores.length === 0 ? {} : { otherCores: otherCores.map(significant) }),
      ...Object.fromEntries(absolute),
      ...detail,
    },
  }
}

/** Four significant digits: no figure here is better than that. */
export function significant(value: number): number {
  return Number(value.toPrecision(4))
}

/** Rounds of `runRounds` know how many cores others on the machine used meanwhile. */
function otherCoresOf(round: unknown): number | undefined {
  const known = typeof round === 'object' && round !== null && 'otherCores' in round ? round.otherCores : undefined
  return typeof known === 'number' ? known : undefined
}
