import { expect, test } from 'vitest'
import type { Goal, Measure, Target } from '../goal.ts'
import { goals } from '../goals.ts'
import { describeMachine } from '../machine.ts'
import { measureOf } from '../measure.ts'
import { failedMeasures, reportOf, tableLine } from '../report.ts'

const throughput: Target = { id: 'G1.throughput', what: 'Events per second', better: 'higher', target: 0.7 }
const cpu: Target = { id: 'G1.cpu', what: 'CPU per event', better: 'lower', target: 1.4 }
const goal: Goal = { id: 'G1', what: 'The hop', targets: [throughput, cpu], run: () => Promise.resolve([]) }
const machine = describeMachine(false)

test('the report has an entry for each measure and one under the plain id, each of the form that SURFACE fixes', () => {
  const { goals: entries } = reportOf(machine, [{ goal, measures: [measured(throughput, 0.81), measured(cpu, 1.2)] }])
  expect(entries.map(({ id }) => id)).toEqual(['G1.throughput', 'G1.cpu', 'G1'])
  for (const entry of entries) {
    expect(Object.keys(entry)).toEqual(['id', 'what', 'value', 'target', 'met', 'spread', 'detail'])
    expect(entry.detail).toHaveProperty('better')
  }
  expect(entries[0]).toMatchObject({
    what: 'Events per second',
    value: 0.81,
    target: 0.7,
    met: true,
    spread: [0.81, 0.81],
  })
})

test('the plain id has the value and target of the measure that is furthest from its target', () => {
  const { goals: entries } = reportOf(machine, [{ goal, measures: [measured(throughput, 0.81), measured(cpu, 1.39)] }])
  expect(entries[2]).toMatchObject({
    value: 1.39,
    target: 1.4,
    met: true,
    detail: { worst: 'G1.cpu', better: 'lower' },
  })
})

test('a goal is met only where all its measures are', () => {
  const { goals: entries } = reportOf(machine, [{ goal, measures: [measured(throughput, 0.69), measured(cpu, 1.2)] }])
  expect(entries.map(({ met }) => met)).toEqual([false, true, false])
  expect(entries[2]).toMatchObject({ value: 0.69, detail: { worst: 'G1.throughput' } })
})

test('a value exactly at its target is met, on either side', () => {
  const { goals: entries } = reportOf(machine, [{ goal, measures: [measured(throughput, 0.7), measured(cpu, 1.4)] }])
  expect(entries.map(({ met }) => met)).toEqual([true, true, true])
})

test('refused, lost or damaged events make a measure unmet, however good its value', () => {
  const measures = [measured(throughput, 2), { ...measured(cpu, 0.5), problem: '3 events answered 429' }]
  const { goals: entries } = reportOf(machine, [{ goal, measures }])
  expect(entries.map(({ met }) => met)).toEqual([true, false, false])
  expect(entries[2]?.detail).toMatchObject({ worst: 'G1.cpu', problem: '3 events answered 429' })
})

test('a goal whose run failed is in the report with its targets, no value, and the reason', () => {
  const measures = failedMeasures(goal, new Error('sluice ended with 1 before it was ready:\nmore'))
  const { goals: entries } = reportOf(machine, [{ goal, measures }])
  expect(entries.map(({ value, target, met }) => [value, target, met])).toEqual([
    [null, 0.7, false],
    [null, 1.4, false],
    [null, 0.7, false],
  ])
  expect(tableLine(measures[0]!)).toMatch(/NOT MET .*problem: sluice ended with 1 before it was ready:$/)
})

test('a line of the table has verdict, value, target, spread and the absolute figures', () => {
  const rounds = [0.79, 0.81, 0.83].map((value) => ({ value, events: 11_234, otherCores: 0 }))
  const measure = measureOf(throughput, rounds, {
    ratio: ({ value }) => value,
    figures: { 'sluice/s': ({ events }) => events },
  })
  expect(tableLine(measure)).toBe(
    'G1.throughput     met          0.81  >= 0.7    0.79 to 0.83        [sluice/s 11,230]',
  )
  expect(measure.detail).toMatchObject({ rounds: 3, ratios: [0.79, 0.81, 0.83], otherCores: [0, 0, 0] })
})

test('a line says so where others kept the machine busy', () => {
  const rounds = [{ otherCores: 0.9 }, { otherCores: 0.1 }, { otherCores: 0.8 }]
  expect(tableLine(measureOf(cpu, rounds, { ratio: () => 1, figures: {} }))).toContain(
    '[DISTURBED: others used 0.8 cores]',
  )
})

test('every goal has an id of its own, and targets named after it', () => {
  const ids = goals.flatMap(({ id, targets }) => [id, ...targets.map((target) => target.id)])
  expect(new Set(ids).size).toBe(ids.length)
  for (const { id, targets } of goals) for (const target of targets) expect(target.id.startsWith(`${id}.`)).toBe(true)
})

function measured(target: Target, value: number): Measure {
  return measureOf(target, [{ value }], { ratio: (round) => round.value, figures: {} })
}
