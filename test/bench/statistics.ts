// The few statistics that a verdict needs. Pure.

/** The q-quantile (0 to 1) of values in ascending order, by the nearest rank. NaN when there are none. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return Number.NaN
  const rank = Math.ceil(q * sorted.length) - 1
  return sorted[Math.min(sorted.length - 1, Math.max(0, rank))]!
}

/** The middle value, or the mean of the two middle ones. NaN when there are none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  if (sorted.length % 2 === 1) return sorted[half]!
  return sorted.length === 0 ? Number.NaN : (sorted[half - 1]! + sorted[half]!) / 2
}

/** The middle half of at least one value: its quartiles, by the nearest rank. */
export function spread(values: readonly number[]): [number, number] {
  const sorted = values.toSorted((a, b) => a - b)
  return [quantile(sorted, 0.25), quantile(sorted, 0.75)]
}

/** A figure of each round, as one: the median with its spread. */
export interface Summary {
  readonly median: number
  readonly spread: [number, number]
}

/** Median and spread of a figure over rounds of the same size. */
export function summarize<T>(rounds: readonly T[], figure: (round: T) => number): Summary {
  const values = rounds.map(figure)
  return { median: median(values), spread: spread(values) }
}
