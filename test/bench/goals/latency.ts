// G7: how much later an event arrives for having gone through Sluice, at half of what it could carry. The generator
// and the sink have a latency of their own: the same load without a program between them, taken off on both sides.

import type { Context, Goal, Measure, Target } from '../goal.ts'
import type { OpenLoopResult } from '../load/open-loop.ts'
import { measureOf } from '../measure.ts'
import { noProgram, startBareProxy } from '../programs/beside.ts'
import type { Program } from '../programs/program.ts'
import { oneTrigger, startSluice } from '../programs/sluice.ts'
import { hop, ownMaximum, problemOf, runRounds, type Round } from '../rounds.ts'
import { summarize } from '../statistics.ts'

const EVENT = { mode: 'binary', dataBytes: 1024 } as const
const SHARE_OF_MAXIMUM = 0.5
/** Enough for every event under way at once; more than that at this rate is a standstill, and shows as latency. */
const CONNECTIONS = 256
/** A smaller difference cannot be told apart; it keeps noise from bringing one to zero or below. */
const DIFFERENCE_MS_MIN = 0.01

const p50: Target = {
  id: 'G7.p50',
  what: 'Added latency, p50, Sluice over bare proxy',
  better: 'lower',
  target: 1.5,
}
const p99: Target = {
  id: 'G7.p99',
  what: 'Added latency, p99, Sluice over bare proxy',
  better: 'lower',
  target: 2,
}

export const latencyGoal: Goal = {
  id: 'G7',
  what: 'Latency added at half of its own maximum, open loop, beside the bare proxy at the same rate',
  targets: [p50, p99],
  run,
}

type Rounds = readonly Round<'none' | 'bare' | 'sluice', OpenLoopResult>[]

async function run(context: Context): Promise<Measure[]> {
  const sluice = (): Promise<Program> => startSluice(context, { resources: oneTrigger(`${context.load.sink}/0`) })
  const eventsPerSecond = await rateFor(context, sluice)
  const start = { none: () => noProgram(context), bare: () => startBareProxy(context), sluice }
  const rounds = await runRounds(context, start, (program) => openLoopOn(context, program, eventsPerSecond))
  const problem = problemOf(rounds.flatMap((round) => [round.none, round.bare, round.sluice]))
  return [quantileMeasure(p50, 'p50', rounds, problem), quantileMeasure(p99, 'p99', rounds, problem)]
}

/** Half of what a program, started for this alone, delivers in the closed loop. */
export async function rateFor(context: Context, start: () => Promise<Program>): Promise<number> {
  return SHARE_OF_MAXIMUM * (await ownMaximum(context, start, EVENT))
}

/**
 * The open loop on one program, for twice as long as other runs, for the sake of p99. A program that is cold can't keep
 * up with the rate and would still be working off what it fell behind: the closed loop warms it up first.
 */
export async function openLoopOn(context: Context, program: Program, eventsPerSecond: number): Promise<OpenLoopResult> {
  const { address, pid } = program
  const { warmUpMs } = context
  if (pid !== 0) await hop(context, program, EVENT)
  const load = { address, pid, payload: EVENT, eventsPerSecond, connections: CONNECTIONS, warmUpMs }
  return await context.load.openLoop({ ...load, measureMs: 2 * context.measureMs })
}

function quantileMeasure(
  target: Target,
  quantile: 'p50' | 'p99',
  rounds: Rounds,
  problem: string | undefined,
): Measure {
  const ownMs = summarize(rounds, ({ none }) => none.latencyMs[quantile]).median
  const added = (result: OpenLoopResult): number => Math.max(DIFFERENCE_MS_MIN, result.latencyMs[quantile] - ownMs)
  return measureOf(target, rounds, {
    ratio: ({ bare, sluice }) => added(sluice) / added(bare),
    figures: {
      'sluice adds ms': ({ sluice }) => added(sluice),
      'bare adds ms': ({ bare }) => added(bare),
      'without a program ms': () => ownMs,
      'events/s': ({ sluice }) => sluice.eventsPerSecond,
    },
    problem,
    detail: { sentLateMs: rounds.map(({ sluice }) => sluice.lateMs[quantile]) },
  })
}
