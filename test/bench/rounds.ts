// Side by side: everything that is compared runs in every round, in fresh processes, in an order that turns round, so
// that what slows the machine down for a while slows down all of it.

import type { Context } from './goal.ts'
import type { ClosedLoopResult, Mishaps } from './load/closed-loop.ts'
import type { Interval } from './load/interval.ts'
import type { PayloadSpec } from './load/payload.ts'
import type { Program } from './programs/program.ts'
import { summarize } from './statistics.ts'

/** Starts a program for one round. */
export type Start<Started extends Program = Program> = () => Promise<Started>

/**
 * Runs `run` on every contender, `context.rounds` times. All contenders of a round run at once, and wait idle while it
 * is another's turn. Resolves with the results of each round by the contender's name.
 */
export async function runRounds<Name extends string, Result, Started extends Program>(
  context: Context,
  contenders: Readonly<Record<Name, Start<Started>>>,
  run: (program: Started, name: Name) => Promise<Result>,
): Promise<Record<Name, Result>[]> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its keys are what `Name` is made of
  const names = Object.keys(contenders) as Name[]
  const results: Record<Name, Result>[] = []
  for (let round = 0; round < context.rounds; round++) {
    context.say(`round ${round + 1} of ${context.rounds}`)
    const programs = new Map<Name, Started>()
    const result: Partial<Record<Name, Result>> = {}
    try {
      for (const name of names) programs.set(name, await contenders[name]())
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        result[name] = await run(programs.get(name)!, name)
      }
    } finally {
      for (const program of programs.values()) await program.end()
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every name has had its turn
    results.push(result as Record<Name, Result>)
  }
  return results
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
    others: rounded((each) => each.otherCores),
  }
}
