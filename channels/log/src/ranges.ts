// Ranges of sequence numbers: in order, apart from each other, only the last one without an end.

/** A range of sequence numbers, the end not included. */
export interface Range {
  readonly from: number
  /** Infinity: it is not known yet. */
  readonly until: number
}

/** Ranges that one subscription may have: of more than that, the oldest are joined, with what lies between. */
const RANGES_MAX = 100

export function contains(ranges: readonly Range[], seq: number): boolean {
  for (const { from, until } of ranges) if (seq >= from && seq < until) return true
  return false
}

/** How many numbers from `first` to `last` they have. */
export function countIn(ranges: readonly Range[], first: number, last: number): number {
  let count = 0
  for (const { from, until } of ranges) count += Math.max(0, Math.min(until, last + 1) - Math.max(from, first))
  return count
}

/** The number after the last one that they have; 0: they have none. */
export function endOf(ranges: readonly Range[]): number {
  return ranges.at(-1)?.until ?? 0
}

/** Without what lies before `first`, wholly, and from `next` on. */
export function within(ranges: readonly Range[], first: number, next: number): readonly Range[] {
  if (ranges.length === 0) return ranges
  return ranges
    .map(({ from, until }) => ({ from, until: Math.min(until, next) }))
    .filter(({ from, until }) => from < until && until > first)
}

/** With all numbers from `from` on. */
export function andFrom(ranges: readonly Range[], from: number): readonly Range[] {
  const last = ranges.at(-1)
  if (last !== undefined && last.until >= from) return [...ranges.slice(0, -1), { from: last.from, until: Infinity }]
  const all = [...ranges, { from, until: Infinity }]
  const joined = Math.max(0, all.length - RANGES_MAX)
  return joined === 0 ? all : [{ from: all[0]!.from, until: all[joined]!.until }, ...all.slice(joined + 1)]
}
