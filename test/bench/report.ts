// What the benchmark hands over: a file for programs (SURFACE, "Commands") and a table for people. Pure.

import { isMet, type Goal, type Measure } from './goal.ts'
import type { Machine } from './machine.ts'

/** The file's content. */
export interface Report {
  readonly machine: Machine
  readonly goals: readonly Entry[]
}

/** One measure, or under the plain id of a goal its worst measure. */
export interface Entry {
  readonly id: string
  readonly what: string
  /** The median; `null` when it could not be measured, and `detail.problem` says why. */
  readonly value: number | null
  readonly target: number
  readonly met: boolean
  readonly spread: readonly [number, number] | null
  /** `better` tells which side of the target is the good one. */
  readonly detail: Readonly<Record<string, unknown>>
}

/** A goal that was run, with its measures. */
export interface Outcome {
  readonly goal: Goal
  readonly measures: readonly Measure[]
}

export function reportOf(machine: Machine, outcomes: readonly Outcome[]): Report {
  return {
    machine,
    // One of which nothing could be measured on this machine has said why.
    goals: outcomes
      .filter(({ measures }) => measures.length > 0)
      .flatMap(({ goal, measures }) => [...measures.map(entryOf), goalEntry(goal, measures)]),
  }
}

function entryOf(measure: Measure): Entry {
  const { id, what, value, target, spread, better, problem, detail } = measure
  return {
    id,
    what,
    value,
    target,
    met: isMet(measure),
    spread,
    detail: { better, ...(problem && { problem }), ...detail },
  }
}

/** Met where all measures are; value and target are those of the one that is furthest from its target. */
function goalEntry(goal: Goal, measures: readonly Measure[]): Entry {
  const worst = measures.toSorted((a, b) => marginOf(a) - marginOf(b))[0]!
  const { value, target, spread, better, problem } = worst
  const detail = { better, worst: worst.id, ...(problem && { problem }) }
  return { id: goal.id, what: goal.what, value, target, met: measures.every(isMet), spread, detail }
}

/** How far a measure is on the good side: 1 = exactly its target, below 1 = not met, 0 = no valid value. */
function marginOf({ better, value, target, problem }: Measure): number {
  if (value === null || problem !== undefined) return 0
  return better === 'higher' ? value / target : target / value
}

/** The measures of a goal whose run failed. */
export function failedMeasures(goal: Goal, error: unknown): Measure[] {
  const problem = error instanceof Error ? error.message : String(error)
  return goal.targets.map((target) => ({
    ...target,
    value: null,
    spread: null,
    figures: '',
    problem,
    detail: {},
  }))
}

/** One line for a measure: verdict, ratio, target, spread, and the absolute figures in brackets. */
export function tableLine(measure: Measure): string {
  const { id, better, value, target, spread, figures, problem } = measure
  const verdict = isMet(measure) ? 'met' : 'NOT MET'
  const goal = `${better === 'higher' ? '>=' : '<='} ${target}`
  const range = spread === null ? '' : `${spread[0]} to ${spread[1]}`
  const columns = [id.padEnd(16), verdict.padEnd(8), String(value ?? '-').padStart(7), goal.padEnd(8), range.padEnd(18)]
  const tail = [
    figures === '' ? '' : `[${figures}]`,
    problem === undefined ? '' : `problem: ${problem.split('\n', 1)[0]}`,
  ]
  return `${columns.join('  ')}  ${tail.filter((each) => each !== '').join('  ')}`.trimEnd()
}
