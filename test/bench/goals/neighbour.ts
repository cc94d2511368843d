// G9: a subscriber that takes every event and never answers, beside a healthy one. The healthy one must not notice.

import type { Context, Goal, Measure, Target } from '../goal.ts'
import type { ClosedLoopResult } from '../load/closed-loop.ts'
import type { OpenLoopResult } from '../load/open-loop.ts'
import { measureOf } from '../measure.ts'
import type { Program } from '../programs/program.ts'
import { oneTrigger, startSluice, trigger } from '../programs/sluice.ts'
import { coresOf, hop, problemOf, runRounds, type Round } from '../rounds.ts'
import { openLoopOn, rateFor } from './latency.ts'

const EVENT = { mode: 'binary', dataBytes: 1024 } as const

const throughput: Target = {
  id: 'G9.throughput',
  what: 'Events per second to the healthy subscriber in the closed loop, beside the dead one over alone',
  better: 'higher',
  target: 0.9,
}
const p99: Target = {
  id: 'G9.p99',
  what: 'p99 latency to the healthy subscriber in the open loop, beside the dead one over alone',
  better: 'lower',
  target: 1.5,
}

export const neighbourGoal: Goal = {
  id: 'G9',
  what: 'A healthy subscriber beside one that times out, against the healthy one alone',
  targets: [throughput, p99],
  run,
}

interface Result {
  readonly closed: ClosedLoopResult
  readonly open: OpenLoopResult
}
type Rounds = readonly Round<'alone' | 'beside', Result>[]

async function run(context: Context): Promise<Measure[]> {
  const healthy = oneTrigger(`${context.load.sink}/0`)
  // Times out well within a run, so that attempts, timeouts, probes and the growing queue are all part of it.
  const dead = trigger({
    name: 'dead',
    subscriber: `${context.load.dead}/0`,
    delivery: ['timeout: PT0.5S', 'retry: 10'],
  })
  const start = {
    alone: () => startSluice(context, { resources: healthy }),
    beside: () => startSluice(context, { resources: [...healthy, dead] }),
  }
  const eventsPerSecond = await rateFor(context, start.alone)
  const rounds: Rounds = await runRounds(context, start, (program, _, pass) => runBoth(pass, program, eventsPerSecond))
  const results = rounds.flatMap((round) => [round.alone, round.beside])
  const problem = problemOf(results.flatMap(({ closed, open }) => [closed, open]))
  return [
    measureOf(throughput, rounds, {
      ratio: ({ alone, beside }) => beside.closed.eventsPerSecond / alone.closed.eventsPerSecond,
      figures: {
        'beside/s': ({ beside }) => beside.closed.eventsPerSecond,
        'alone/s': ({ alone }) => alone.closed.eventsPerSecond,
      },
      problem,
      detail: {
        aloneCores: coresOf(rounds.map(({ alone }) => alone.closed)),
        besideCores: coresOf(rounds.map(({ beside }) => beside.closed)),
      },
    }),
    measureOf(p99, rounds, {
      ratio: ({ alone, beside }) => beside.open.latencyMs.p99 / alone.open.latencyMs.p99,
      figures: {
        'beside ms': ({ beside }) => beside.open.latencyMs.p99,
        'alone ms': ({ alone }) => alone.open.latencyMs.p99,
      },
      problem,
      detail: { eventsPerSecond: Math.round(eventsPerSecond) },
    }),
  ]
}

async function runBoth(context: Context, program: Program, eventsPerSecond: number): Promise<Result> {
  const closed = await hop(context, program, EVENT)
  return { closed, open: await openLoopOn(context, program, eventsPerSecond) }
}
