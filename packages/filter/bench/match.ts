// What one event costs in the index, with one match and growing numbers of triggers (goals G3 and G4, PERFORMANCE.md A3),
// beside asking every compiled filter; and what building and changing the index costs. Run: node bench/match.ts

import { Event } from '@sluice/event'
import { compileFilters, FilterIndex, type Filter } from '@sluice/filter'

const COUNTS = [1, 10, 1_000, 10_000]
const ROUNDS = 15
const ROUND_MS = 20

/** The i-th filter of each kind; an event of `eventOf(i)` passes this one alone, unless the kind says more. */
const KINDS: Readonly<Record<string, (i: number) => unknown[]>> = {
  'exact type': (i) => [{ exact: { type: `com.example.${i}` } }],
  'A3: 60 % exact, 20 % all, 10 % prefix, 10 % suffix': (i) => {
    if (i % 10 < 6) return [{ exact: { type: `com.example.${i}` } }]
    if (i % 10 < 8) return [{ all: [{ exact: { type: `com.example.${i}` } }, { exact: { source: `/shop/${i}/x` } }] }]
    return i % 10 === 8 ? [{ prefix: { source: `/shop/${i}/` } }] : [{ suffix: { type: `.${i}` } }]
  },
  'cesql, a conjunct indexed': (i) => [{ cesql: `type = 'com.example.${i}' AND source LIKE '/shop/%/x'` }],
  'cesql, prefix by LIKE': (i) => [{ cesql: `source LIKE '/shop/${i}/%' AND EXISTS subject` }],
  'cesql, opaque': (i) => [{ cesql: `NOT (INT(number) % 10007 != ${i})` }],
  'not exact, opaque (all but one match)': (i) => [{ not: { exact: { type: `com.example.${i}` } } }],
  'data, exact': (i) => [{ data: { '/order/number': i } }],
  'exact type of a shared expression': (i) => [
    { exact: { type: `com.example.${i}` } },
    { cesql: "source LIKE '/shop/%' AND LENGTH(subject) < 100" },
  ],
}

for (const [kind, filtersOf] of Object.entries(KINDS)) {
  process.stdout.write(`${kind}\n`)
  for (const count of COUNTS) report(count, filtersOf)
}

function report(count: number, filtersOf: (i: number) => unknown[]): void {
  const filters = Array.from({ length: count }, (_, i) => compileFilters(filtersOf(i)))
  const start = performance.now()
  const index = new FilterIndex<number>()
  for (const [id, filter] of filters.entries()) index.add(id, filter)
  const buildMs = performance.now() - start
  const change = microsecondsOfAdding(index, filters[0]!)
  const events = Array.from({ length: 256 }, (_, i) => eventOf((i * 37) % count))
  const indexed = microseconds(events, (event) => index.match(event).length)
  const looped = microseconds(events, (event) => countMatches(filters, event))
  process.stdout.write(
    `  ${String(count).padStart(6)} triggers ${indexed.toFixed(3).padStart(8)} µs indexed ` +
      `${looped.toFixed(3).padStart(9)} µs each in turn  built in ${buildMs.toFixed(1)} ms, one added and removed in ` +
      `${change.toFixed(2)} µs\n`,
  )
}

function eventOf(i: number): Event {
  const attributes = {
    specversion: '1.0',
    id: '1',
    source: `/shop/${i}/x`,
    type: `com.example.${i}`,
    subject: 'a',
    time: '2026-01-01T00:00:00Z',
    datacontenttype: 'application/json',
    number: `${i}`,
  }
  return new Event(new Map(Object.entries(attributes)), Buffer.from(JSON.stringify({ order: { number: i } })))
}

function countMatches(filters: readonly Filter[], event: Event): number {
  let matches = 0
  for (const filter of filters) if (filter.matches(event)) matches++
  return matches
}

/** The least, over rounds, of what one event costs: what else the machine did is not in it. */
function microseconds(events: readonly Event[], match: (event: Event) => number): number {
  let least = Infinity
  let matches = 0
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    let count = 0
    let elapsed = 0
    while (elapsed < ROUND_MS) {
      matches += match(events[count++ % events.length]!)
      if ((count & 15) === 0) elapsed = performance.now() - start
    }
    least = Math.min(least, (elapsed * 1_000) / count)
  }
  if (matches < 0) throw new Error('never')
  return least
}

function microsecondsOfAdding(index: FilterIndex<number>, filter: Filter): number {
  const start = performance.now()
  for (let i = 0; i < 1_000; i++) {
    index.add(-1, filter)
    index.remove(-1)
  }
  return performance.now() - start
}
