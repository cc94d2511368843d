// A histogram with fixed buckets. Hot path: an observation is a search among 14 numbers and three additions.

import { labelText, type Exposition, type Family } from './exposition.ts'

/** Knative's buckets (KNATIVE.md 4.1), upper bounds in seconds. */
export const DISPATCH_BUCKETS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
]

export class Histogram {
  /** Observations in each bucket alone; the last is what is above all bounds. */
  readonly #counts: number[] = Array.from({ length: DISPATCH_BUCKETS.length + 1 }, () => 0)
  #sum = 0

  observe(seconds: number): void {
    let bucket = 0
    while (bucket < DISPATCH_BUCKETS.length && seconds > DISPATCH_BUCKETS[bucket]!) bucket++
    this.#counts[bucket]!++
    this.#sum += seconds
  }

  write(to: Exposition, family: Family, labels: Readonly<Record<string, string | number>>): void {
    let count = 0
    for (const [index, inBucket] of this.#counts.entries()) {
      count += inBucket
      to.sample(family, labelText({ ...labels, le: DISPATCH_BUCKETS[index] ?? '+Inf' }), count, '_bucket')
    }
    to.sample(family, labelText(labels), this.#sum, '_sum')
    to.sample(family, labelText(labels), count, '_count')
  }
}
