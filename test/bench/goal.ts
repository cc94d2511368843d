// What a goal of the benchmark is. Each file in goals/ exports one; goals.ts lists them.

import type { Load } from './load/load.ts'
import type { Children } from './programs/children.ts'

/** One numbered goal: runs what it compares, side by side, and says what came out. */
export interface Goal {
  /** Such as `G1`. */
  readonly id: string
  readonly what: string
  readonly targets: readonly Target[]
  /** Resolves with a measure for each target. */
  run(context: Context): Promise<Measure[]>
}

/** What a goal's run works with. */
export interface Context {
  /** A smoke run: tiny counts, which prove that the code runs and nothing else. */
  readonly quick: boolean
  /** What takes too long for every day is run to its end. */
  readonly full: boolean
  /** How often everything compared is started, each time in fresh processes; and how often each then has its turn. */
  readonly rounds: number
  readonly passes: number
  /** What is left of the time that all goals together have for rounds that are run again. */
  readonly spare: { ms: number }
  /** How long a load runs before it is measured, and while it is. */
  readonly warmUpMs: number
  readonly measureMs: number
  /** The program has been under load before, in an earlier pass: its code is compiled. */
  readonly isWarm: boolean
  /** An empty folder of the goal's own, removed after the run. */
  readonly folder: string
  readonly children: Children
  readonly load: Load
  /** Tells a person who waits what is going on. */
  say(what: string): void
}

/** One figure that a goal asks for. */
export interface Target {
  /** Such as `G1.cpu`. */
  readonly id: string
  readonly what: string
  /** Whether a higher or a lower value is the better one: `value` has to be at least, or at most, `target`. */
  readonly better: 'higher' | 'lower'
  readonly target: number
}

/** What came out for a target. */
export interface Measure extends Target {
  /** The median over the rounds; `null` when it could not be measured, and `problem` says why. */
  readonly value: number | null
  readonly spread: readonly [number, number] | null
  /** The absolute figures behind the ratio, for people. */
  readonly figures: string
  /** Why the value doesn't count: events refused, lost or damaged. A goal with a problem is not met. */
  readonly problem?: string
  readonly detail: Readonly<Record<string, unknown>>
}

export function isMet(measure: Measure): boolean {
  if (measure.problem !== undefined || measure.value === null) return false
  return measure.better === 'higher' ? measure.value >= measure.target : measure.value <= measure.target
}
