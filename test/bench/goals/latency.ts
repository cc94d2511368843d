// G7: how much later an event arrives for having gone through Sluice, at half of what it could carry. The generator
// and the sink have a latency of their own: the same load without a program between them, taken off on both sides. And
// how much later it arrives for being on the disk first: by no more than a few syncs of that disk.

import type { Context, Goal, Measure, Target } from '../goal.ts'
import type { OpenLoopResult } from '../load/open-loop.ts'
import { measureOf } from '../measure.ts'
import { noProgram, startBareProxy } from '../programs/beside.ts'
import { startMeasuring } from '../programs/measuring.ts'
import type { Program } from '../programs/program.ts'
import { oneTrigger, startSluice } from '../programs/sluice.ts'
import type { SyncReading } from '../programs/sync-probe.ts'
import { hop, ownMaximum, problemOf, runRounds, type Round } from '../rounds.ts'
import { summarize } from '../statistics.ts'

const EVENT = { mode: 'binary', dataBytes: 1024 } as const
const SHARE_OF_MAXIMUM = 0.5
/** Enough for every event under way at once; more than that at this rate is a standstill, and shows as latency. */
const CONNECTIONS = 256
/** A smaller difference cannot be told apart; it keeps noise from bringing one to zero or below. */
const DIFFERENCE_MS_MIN = 0.01
/** An event may find the disk busy with a batch, waits for the next one, and its progress is saved beside it. */
const SYNCS = 3
const PROBE_SYNCS = 500
/** The whole benchmark has its time. */
const DURABLE_ROUNDS = 3

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

const durable: Target = {
  id: 'G7.durable',
  what: `p99 latency with the log, over that in memory and ${SYNCS} times the p99 of a bare write and fdatasync`,
  better: 'lower',
  target: 1,
}

export const latencyGoal: Goal = {
  id: 'G7',
  what: 'Latency at half of its own maximum, open loop: added beside the bare proxy at the same rate, and by the log',
  targets: [p50, p99, durable],
  run: async (context) => [...(await runAdded(context)), await runDurable(context)],
}

type Rounds = readonly Round<'none' | 'bare' | 'sluice', OpenLoopResult>[]

async function runAdded(context: Context): Promise<Measure[]> {
  const sluice = (): Promise<Program> => startSluice(context, { resources: oneTrigger(`${context.load.sink}/0`) })
  const eventsPerSecond = await rateFor(context, sluice)
  const start = { none: () => noProgram(context), bare: () => startBareProxy(context), sluice }
  const rounds = await runRounds(context, start, (program, _, pass) => openLoopOn(pass, program, eventsPerSecond))
  const problem = problemOf(rounds.flatMap((round) => [round.none, round.bare, round.sluice]))
  return [quantileMeasure(p50, 'p50', rounds, problem), quantileMeasure(p99, 'p99', rounds, problem)]
}

/** At half of what the log can carry. */
async function runDurable(context: Context): Promise<Measure> {
  const resources = oneTrigger(`${context.load.sink}/0`)
  const log = (): Promise<Program> => startSluice(context, { resources, channel: 'log' })
  const eventsPerSecond = await rateFor(context, log)
  const start = { memory: () => startSluice(context, { resources }), log }
  const rounds = await runRounds(
    { ...context, rounds: Math.min(context.rounds, DURABLE_ROUNDS) },
    start,
    async (program, _, pass) => ({
      disk: await readDisk(context),
      ...(await openLoopOn(pass, program, eventsPerSecond)),
    }),
  )
  return measureOf(durable, rounds, {
    ratio: ({ memory, log }) => log.latencyMs.p99 / (memory.latencyMs.p99 + SYNCS * log.disk.p99Ms),
    figures: {
      'log p99 ms': ({ log }) => log.latencyMs.p99,
      'memory p99 ms': ({ memory }) => memory.latencyMs.p99,
      'fdatasync p99 ms': ({ log }) => log.disk.p99Ms,
      'log p50 ms': ({ log }) => log.latencyMs.p50,
      'memory p50 ms': ({ memory }) => memory.latencyMs.p50,
      'fdatasync p50 ms': ({ log }) => log.disk.p50Ms,
      'events/s': ({ log }) => log.eventsPerSecond,
    },
    problem: problemOf(rounds.flatMap((round) => [round.memory, round.log])),
  })
}

/** What a write and fdatasync of the disk take, now that nobody else uses it. */
async function readDisk(context: Context): Promise<SyncReading> {
  const probe = startMeasuring<SyncReading>(
    context,
    './sync-probe.ts',
    context.folder,
    context.quick ? 20 : PROBE_SYNCS,
  )
  try {
    return await probe.reading
  } finally {
    await probe.end()
  }
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
  if (pid !== 0 && !context.isWarm) await hop(context, program, EVENT)
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
