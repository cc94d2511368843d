// Side by side: everything that is compared runs in every round, in fresh processes, in an order that turns round, so
// that what slows the machine down for a while slows down all of it.

import type { Context } from './goal.ts'
import type { ClosedLoopResult, Mishaps } from './load/closed-loop.ts'
import type { Interval } from './load/interval.ts'
import type { PayloadSpec } from './load/payload.ts'
import { cpuMsOf, machineCpuMs } from './proc.ts'
import type { Program } from './programs/program.ts'
import { summarize } from './statistics.ts'

/** What is compared: a process that is measured for one round. */
export interface Contender {
  readonly pid: number
  end(): Promise<void>
}

/** Starts a program for one round. */
export type Start<Started extends Contender = Program> = () => Promise<Started>

/** The results of one round by the contenders' names. */
export type Round<Name extends string, Result> = Readonly<Record<Name, Result>> & {
  /** Cores that everybody else on the machine used: during the start, or that contender's run, where it was the most. */
  readonly otherCores: number
}

/** A round in which others used more than this is run again; they take cores away from what is measured. */
export const OTHER_CORES_MAX = 0.2
/** Of the rounds, so many are run again at most. Then the least disturbed ones count, whatever came out in them. */
const SHARE_AGAIN_MAX = 0.6

/**
 * When the contenders of a round are up. `together`: all at once, each waiting idle while it is another's turn.
 * `in turn`: one after the other, for those that don't wait idly.
 */
export type Turns = 'together' | 'in turn'

/** Runs `run` on every contender, in as many rounds as the context says. */
export async function runRounds<Name extends string, Result, Started extends Contender>(
  context: Context,
  contenders: Readonly<Record<Name, Start<Started>>>,
  run: (program: Started, name: Name) => Promise<Result>,
  turns: Turns = 'together',
): Promise<Round<Name, Result>[]> {
  const wanted = context.rounds
  const again = context.quick ? 0 : Math.ceil(SHARE_AGAIN_MAX * wanted)
  const rounds: Round<Name, Result>[] = []
  let quiet = 0
  while (quiet < wanted && rounds.length < wanted + again) {
    const isAgain = rounds.length >= wanted
    if (isAgain && context.spare.ms <= 0) break
    const beganMs = performance.now()
    const round = await runRound(context, contenders, run, turns, rounds.length % 2 === 1)
    rounds.push(round)
    if (isAgain) context.spare.ms -= performance.now() - beganMs
    if (round.otherCores <= OTHER_CORES_MAX) quiet++
    context.say(`round ${rounds.length}, others used ${round.otherCores.toFixed(2)} cores`)
  }
  return rounds.toSorted((a, b) => a.otherCores - b.otherCores).slice(0, wanted)
}

async function runRound<Name extends string, Result, Started extends Contender>(
  context: Context,
  contenders: Readonly<Record<Name, Start<Started>>>,
  run: (program: Started, name: Name) => Promise<Result>,
  turns: Turns,
  backwards: boolean,
): Promise<Round<Name, Result>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its keys are what `Name` is made of
  const names = Object.keys(contenders) as Name[]
  const ordered = backwards ? names.toReversed() : names
  const programs = new Map<Name, Started>()
  const result: Partial<Record<Name, Result>> = {}
  const ours = [process.pid, context.load.pid]
  let otherCores = 0
  const start = async (starting: readonly Name[]): Promise<void> => {
    const begin = readOthers(ours)
    for (const name of starting) programs.set(name, await contenders[name]())
    for (const name of starting) {
      const { pid } = programs.get(name)!
      if (pid !== 0) ours.push(pid)
    }
    otherCores = Math.max(otherCores, coresSince(begin, readOthers(ours)))
  }
  try {
    if (turns === 'together') await start(ordered)
    for (const name of ordered) {
      if (turns === 'in turn') await start([name])
      const program = programs.get(name)!
      const begin = readOthers(ours)
      result[name] = await run(program, name)
      otherCores = Math.max(otherCores, coresSince(begin, readOthers(ours)))
      if (turns === 'together') continue
      if (program.pid !== 0) ours.pop()
      await program.end()
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every name has had its turn
    return { ...(result as Record<Name, Result>), otherCores }
  } finally {
    for (const program of programs.values()) await program.end()
  }
}

/** CPU time that the whole machine has used without these processes; one that starts later begins at 0. */
function readOthers(pids: readonly number[]): { readonly atMs: number; readonly cpuMs: number } {
  return { atMs: performance.now(), cpuMs: pids.reduce((left, pid) => left - cpuMsOf(pid), machineCpuMs()) }
}

/** The clock of /proc moves in steps of 10 ms: what took less than ten of them tells nothing, and counts as 0. */
function coresSince(begin: ReturnType<typeof readOthers>, end: ReturnType<typeof readOthers>): number {
  const elapsedMs = end.atMs - begin.atMs
  return elapsedMs < 100 ? 0 : Math.max(0, (end.cpuMs - begin.cpuMs) / elapsedMs)
}

/** Tokens of the closed loop (PERFORMANCE A2). */
export const TOKENS = 64

/** The closed loop of G1 on one program, for as long as the context says. */
export async function hop(
  context: Context,
  program: Program,
  event: PayloadSpec,
  subscribers: number = 1,
): Promise<ClosedLoopResult> {
  const { warmUpMs, measureMs } = context
  const { address, pid } = program
  const tokens = TOKENS
  return await context.load.closedLoop({ address, pid, payload: event, tokens, subscribers, warmUpMs, measureMs })
}

/** Events per second that a program, started for this alone, delivers in the closed loop. */
export async function ownMaximum(context: Context, start: Start, event: PayloadSpec): Promise<number> {
  context.say('finding its maximum')
  const program = await start()
  try {
    return (await hop(context, program, event)).eventsPerSecond
  } finally {
    await program.end()
  }
}

/** What went wrong in any of these runs, in words; `undefined` when nothing did. Duplicates are allowed (at least once). */
export function problemOf(results: readonly Mishaps[]): string | undefined {
  const found = new Map<string, number>()
  const add = (what: string, count: number): void => {
    if (count > 0) found.set(what, (found.get(what) ?? 0) + count)
  }
  for (const { refused, lost, damaged } of results) {
    for (const [status, count] of Object.entries(refused)) add(`answered ${status}`, count)
    add('lost', lost)
    add('damaged', damaged)
  }
  return found.size === 0 ? undefined : [...found].map(([what, count]) => `${count} events ${what}`).join(', ')
}

/** The CPU side of some runs of one contender, for a measure's detail. */
export function coresOf(results: readonly Interval[]): Record<string, number> {
  const rounded = (figure: (each: Interval) => number): number => Number(summarize(results, figure).median.toFixed(2))
  return {
    program: rounded((each) => each.programCores),
    load: rounded((each) => each.loadCores),
  }
}
