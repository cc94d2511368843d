// Side by side: everything that is compared is up at once and has its turn in short passes, in an order that turns
// round, so that what slows the machine down for a second slows down all of it; a few times over, in fresh processes.

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

/** The results of one pass by the contenders' names. */
export type Round<Name extends string, Result> = Readonly<Record<Name, Result>> & {
  /** Cores that everybody else on the machine used: during the start, or that contender's run, where it was the most. */
  readonly otherCores: number
}

/** A pass in which others used more than this doesn't count, if another can be had: they take cores from what is measured. */
export const OTHER_CORES_MAX = 0.2
/** Of the starts, so many are made again at most. Then the least disturbed passes count, whatever came out in them. */
const SHARE_AGAIN_MAX = 0.6
/** What a program that is warm needs to be in step again after others had their turn. */
const WARM_UP_AGAIN_MS = 100
/** A pass takes so much of the time that a run by itself takes. */
const PASS_SHARE = 0.5

/**
 * When the contenders are up. `together`: all at once, each waiting idle while it is another's turn, for as many passes
 * as the context says. `in turn`: one after the other, a pass for each start, for those that don't wait idly.
 */
export type Turns = 'together' | 'in turn'

/**
 * Runs `run` on every contender, started as often as `context.rounds` says; the context that it gets is that of its pass.
 * Returns a round for each pass.
 */
export async function runRounds<Name extends string, Result, Started extends Contender>(
  context: Context,
  contenders: Readonly<Record<Name, Start<Started>>>,
  run: (program: Started, name: Name, pass: Context) => Promise<Result>,
  turns: Turns = 'together',
): Promise<Round<Name, Result>[]> {
  const again = context.quick ? 0 : Math.ceil(SHARE_AGAIN_MAX * context.rounds)
  const wanted = context.rounds * (turns === 'together' ? context.passes : 1)
  const rounds: Round<Name, Result>[] = []
  let quiet = 0
  for (let start = 0; quiet < wanted && start < context.rounds + again; start++) {
    const isAgain = start >= context.rounds
    if (isAgain && context.spare.ms <= 0) break
    const beganMs = performance.now()
    const backwards = start % 2 === 1
    const passes =
      turns === 'together'
        ? await runTogether(context, contenders, run, backwards)
        : [await runInTurn(context, contenders, run, backwards)]
    rounds.push(...passes)
    if (isAgain) context.spare.ms -= performance.now() - beganMs
    quiet += passes.filter(({ otherCores }) => otherCores <= OTHER_CORES_MAX).length
    const others = passes.map(({ otherCores }) => otherCores.toFixed(2)).join(', ')
    context.say(`start ${start + 1}, others used ${others} cores`)
  }
  return rounds.toSorted((a, b) => a.otherCores - b.otherCores).slice(0, wanted)
}

async function runTogether<Name extends string, Result, Started extends Contender>(
  context: Context,
  contenders: Readonly<Record<Name, Start<Started>>>,
  run: (program: Started, name: Name, pass: Context) => Promise<Result>,
  backwards: boolean,
): Promise<Round<Name, Result>[]> {
  const programs = new Map<Name, Started>()
  const rounds: Round<Name, Result>[] = []
  try {
    for (const name of namesOf(contenders, backwards)) programs.set(name, await contenders[name]())
    const others = watchOthers([context.load.pid, ...[...programs.values()].map(({ pid }) => pid)])
    for (let number = 0; number < context.passes; number++) {
      const again = number === 0 ? {} : { isWarm: true, warmUpMs: WARM_UP_AGAIN_MS }
      const pass: Context = { ...context, measureMs: PASS_SHARE * context.measureMs, ...again }
      const result: Partial<Record<Name, Result>> = {}
      let otherCores = 0
      for (const name of namesOf(contenders, backwards !== (number % 2 === 1))) {
        others.begin()
        result[name] = await run(programs.get(name)!, name, pass)
        otherCores = Math.max(otherCores, others.coresSinceBegin())
      }
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every name has had its turn
      rounds.push({ ...(result as Record<Name, Result>), otherCores })
    }
    return rounds
  } finally {
    for (const program of programs.values()) await program.end()
  }
}

async function runInTurn<Name extends string, Result, Started extends Contender>(
  context: Context,
  contenders: Readonly<Record<Name, Start<Started>>>,
  run: (program: Started, name: Name, pass: Context) => Promise<Result>,
  backwards: boolean,
): Promise<Round<Name, Result>> {
  const result: Partial<Record<Name, Result>> = {}
  let otherCores = 0
  for (const name of namesOf(contenders, backwards)) {
    // What is measured may be the start itself.
    const starting = watchOthers([context.load.pid])
    starting.begin()
    const program = await contenders[name]()
    try {
      otherCores = Math.max(otherCores, starting.coresSinceBegin(program.pid))
      const others = watchOthers([context.load.pid, program.pid])
      others.begin()
      result[name] = await run(program, name, context)
      otherCores = Math.max(otherCores, others.coresSinceBegin())
    } finally {
      await program.end()
    }
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every name has had its turn
  return { ...(result as Record<Name, Result>), otherCores }
}

function namesOf<Name extends string>(contenders: Readonly<Record<Name, unknown>>, backwards: boolean): Name[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its keys are what `Name` is made of
  const names = Object.keys(contenders) as Name[]
  return backwards ? names.toReversed() : names
}

/** What processes that are none of ours use of the machine. `pids` are ours, this process aside; 0 is no process. */
function watchOthers(pids: readonly number[]): { begin(): void; coresSinceBegin(started?: number): number } {
  const ours = [process.pid, ...pids].filter((pid) => pid !== 0)
  let began = { atMs: 0, cpuMs: 0 }
  return {
    begin: () => {
      began = { atMs: performance.now(), cpuMs: othersCpuMs(ours) }
    },
    // A process that was started meanwhile began at 0.
    coresSinceBegin: (started = 0) => {
      const elapsedMs = performance.now() - began.atMs
      const cpuMs = othersCpuMs(started === 0 ? ours : [...ours, started]) - began.cpuMs
      // The clock of /proc moves in steps of 10 ms: what took less than ten of them tells nothing, and counts as 0.
      return elapsedMs < 100 ? 0 : Math.max(0, cpuMs / elapsedMs)
    },
  }
}

/** CPU time that the whole machine has used without these processes. */
function othersCpuMs(pids: readonly number[]): number {
  return pids.reduce((left, pid) => left - cpuMsOf(pid), machineCpuMs())
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
