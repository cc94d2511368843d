// What one event costs in the index of 1 to 10,000 triggers with distinct exact types, one of which matches (goal G3,
// PERFORMANCE.md A3), beside asking every compiled filter. Run: node bench/match.ts

import { Event } from '@sluice/event'
import { compileFilters, FilterIndex, type Filter } from '@sluice/filter'

const COUNTS = [1, 10, 1_000, 10_000]
const ROUNDS = 9

const reports = COUNTS.map((count) => {
  const filters = Array.from({ length: count }, (_, i) => compileFilters([{ exact: { type: `com.example.${i}` } }]))
  const start = performance.now()
  const index = new FilterIndex<number>()
  for (const [id, filter] of filters.entries()) index.add(id, filter)
  const buildMs = performance.now() - start
  return { count, filters, index, buildMs, add: microsecondsOfAdding(index, filters[0]!) }
})

for (const { count, filters, index, buildMs, add } of reports) {
  const events = Array.from({ length: 256 }, (_, i) => eventOf(`com.example.${(i * 37) % count}`))
  const indexed = microseconds(events, 400, (event) => index.match(event).length)
  const looped = microseconds(events, Math.max(1, Math.floor(4_000 / count)), (event) => countMatches(filters, event))
  process.stdout.write(
    `${String(count).padStart(6)} triggers ${indexed.toFixed(3).padStart(8)} µs indexed ` +
      `${looped.toFixed(3).padStart(9)} µs each in turn  built in ${buildMs.toFixed(1)} ms, one added and removed in ` +
      `${add.toFixed(2)} µs\n`,
  )
}

function eventOf(type: string): Event {
  const attributes = { specversion: '1.0', id: '1', source: '/bench', type, subject: 'a', time: '2026-01-01T00:00:00Z' }
  return new Event(new Map(Object.entries(attributes)), undefined)
}

function countMatches(filters: readonly Filter[], event: Event): number {
  let matches = 0
  for (const filter of filters) if (filter.matches(event)) matches++
  return matches
}

/** The median over rounds of what one event costs; each has to match once. */
function microseconds(events: readonly Event[], repeats: number, match: (event: Event) => number): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    let matches = 0
    const start = performance.now()
    for (let i = 0; i < repeats; i++) for (const event of events) matches += match(event)
    const each = ((performance.now() - start) * 1_000) / (repeats * events.length)
    if (matches !== repeats * events.length) throw new Error(`${matches} matches of ${repeats * events.length} events`)
    return each
  })
  return rounds.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)]!
}

function microsecondsOfAdding(index: FilterIndex<number>, filter: Filter): number {
  const start = performance.now()
  for (let i = 0; i < 1_000; i++) {
    index.add(-1, filter)
    index.remove(-1)
  }
  return performance.now() - start
}
