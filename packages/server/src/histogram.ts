// A histogram with fixed buckets. Hot path: an observation is a search among 14 numbers and three additions.

import { labelText, type Exposition, type Family } from './exposition.ts'

/** Knative's buckets (KNATIVE.md 4.1), upper bounds in seconds. */
export const DISPATCH_BUCKETS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
]
/** Of a disk: from one that answers out of its own memory to one that is failing. Upper bounds in seconds. */
export const SYNC_BUCKETS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5,
]

export class Histogram {
  readonly #buckets: readonly number[]
  /** Observations in each bucket alone; the last is what is above all bounds. */
  readonly #counts: number[]
  #sum = 0

  /** `buckets`: upper bounds in seconds, rising. */
  constructor(buckets: readonly number[]) {
    this.#buckets = buckets
    this.#counts = Array.from({ length: buckets.length + 1 }, () => 0)
  }

  observe(seconds: number): void {
    const buckets = this.#buckets
    let bucket = 0
    while (bucket < buckets.length && seconds > buckets[bucket]!) bucket++
    this.#counts[bucket]!++
    this.#sum += seconds
  }

  write(to: Exposition, family: Family, labels: Readonly<Record<string, string | number>> = {}): void {
    let count = 0
    for (const [index, inBucket] of this.#counts.entries()) {
      count += inBucket
      to.sample(family, labelText({ ...labels, le: this.#buckets[index] ?? '+Inf' }), count, '_bucket')
    }
    to.sample(family, labelText(labels), this.#sum, '_sum')
    to.sample(family, labelText(labels), count, '_count')
  }
}
