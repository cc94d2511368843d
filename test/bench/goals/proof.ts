// Not a goal of Sluice's: what the benchmark itself is worth on this machine, run by `--only PROOF`. The same program
// twice has to come out equal, and a program that burns 20 µs more for every event as 20 µs slower.

import type { Context, Goal, Measure, Target } from '../goal.ts'
import type { ClosedLoopResult } from '../load/closed-loop.ts'
import type { OpenLoopResult } from '../load/open-loop.ts'
import { measureOf } from '../measure.ts'
import { startBareProxy, startSlowRelay } from '../programs/beside.ts'
import type { Program } from '../programs/program.ts'
import { coresOf, hop, problemOf, runRounds, type Round } from '../rounds.ts'
import { openLoopOn, rateFor } from './latency.ts'

const EVENT = { mode: 'binary', dataBytes: 1024 } as const
const BURN_US = 20

const throughput: Target = {
  id: 'PROOF.throughput',
  what: 'Events per second of the bare proxy, over those of another one',
  better: 'higher',
  target: 0.95,
}
const cpu: Target = {
  id: 'PROOF.cpu',
  what: 'CPU per event of the bare proxy, over that of another one',
  better: 'lower',
  target: 1.05,
}
const slower: Target = {
  id: 'PROOF.slower',
  what: `CPU per event that a relay takes more that burns ${BURN_US} µs of it, over those ${BURN_US} µs`,
  better: 'higher',
  target: 0.9,
}
const p50: Target = {
  id: 'PROOF.p50',
  what: 'Latency at half of the maximum, p50, of the bare proxy over another one',
  better: 'lower',
  target: 1.1,
}
const p99: Target = {
  id: 'PROOF.p99',
  what: 'Latency at half of the maximum, p99, of the bare proxy over another one',
  better: 'lower',
  target: 1.5,
}

export const proofGoal: Goal = {
  id: 'PROOF',
  what: 'The benchmark measured by itself: the bare proxy beside itself, and beside a slower one',
  targets: [throughput, cpu, slower, p50, p99],
  run,
}

interface Result {
  readonly closed: ClosedLoopResult
  readonly open: OpenLoopResult
}
type Rounds = readonly Round<'bare' | 'twin' | 'slower', Result>[]

async function run(context: Context): Promise<Measure[]> {
  const bare = (): Promise<Program> => startBareProxy(context)
  const eventsPerSecond = await rateFor(context, bare)
  const start = { bare, twin: bare, slower: () => startSlowRelay(context, BURN_US) }
  const rounds: Rounds = await runRounds(context, start, async (program, _, pass) => {
    const closed = await hop(pass, program, EVENT)
    return { closed, open: await openLoopOn(pass, program, eventsPerSecond) }
  })
  const results = rounds.flatMap((round) => [round.bare, round.twin, round.slower])
  const problem = problemOf(results.flatMap(({ closed, open }) => [closed, open]))
  return [...closedLoopMeasures(rounds, problem), ...latencyMeasures(rounds, problem)]
}

function closedLoopMeasures(rounds: Rounds, problem: string | undefined): Measure[] {
  const detail = { cores: coresOf(rounds.map((round) => round.bare.closed)) }
  return [
    measureOf(throughput, rounds, {
      ratio: ({ bare, twin }) => twin.closed.eventsPerSecond / bare.closed.eventsPerSecond,
      figures: {
        'twin/s': ({ twin }) => twin.closed.eventsPerSecond,
        'bare/s': ({ bare }) => bare.closed.eventsPerSecond,
      },
      problem,
      detail,
    }),
    measureOf(cpu, rounds, {
      ratio: ({ bare, twin }) => twin.closed.cpuUsPerEvent / bare.closed.cpuUsPerEvent,
      figures: {
        'twin µs': ({ twin }) => twin.closed.cpuUsPerEvent,
        'bare µs': ({ bare }) => bare.closed.cpuUsPerEvent,
        "load's µs": ({ bare }) => (bare.closed.loadCores * 1000 * bare.closed.elapsedMs) / bare.closed.events,
      },
      problem,
      detail,
    }),
    measureOf(slower, rounds, {
      ratio: (round) => (round.slower.closed.cpuUsPerEvent - round.bare.closed.cpuUsPerEvent) / BURN_US,
      figures: {
        'slower µs': (round) => round.slower.closed.cpuUsPerEvent,
        'bare µs': ({ bare }) => bare.closed.cpuUsPerEvent,
        'slower/s': (round) => round.slower.closed.eventsPerSecond,
      },
      problem,
      detail,
    }),
  ]
}

function latencyMeasures(rounds: Rounds, problem: string | undefined): Measure[] {
  return (
    [
      [p50, 'p50'],
      [p99, 'p99'],
    ] as const
  ).map(([target, quantile]) =>
    measureOf(target, rounds, {
      ratio: ({ bare, twin }) => twin.open.latencyMs[quantile] / bare.open.latencyMs[quantile],
      figures: {
        'twin ms': ({ twin }) => twin.open.latencyMs[quantile],
        'bare ms': ({ bare }) => bare.open.latencyMs[quantile],
        'sent late ms': ({ bare }) => bare.open.lateMs[quantile],
      },
      problem,
    }),
  )
}
