// G1: what one event costs that goes in and out once, beside the least that a Node process can do for it.

import type { Context, Goal, Measure, Target } from '../goal.ts'
import { measureOf } from '../measure.ts'
import { startBareProxy } from '../programs/beside.ts'
import { oneTrigger, startSluice } from '../programs/sluice.ts'
import { coresOf, hop, problemOf, runRounds } from '../rounds.ts'

const EVENT = { mode: 'binary', dataBytes: 1024 } as const

const throughput: Target = {
  id: 'G1.throughput',
  what: 'Events delivered per second, Sluice over bare proxy',
  better: 'higher',
  target: 0.7,
}
const cpu: Target = {
  id: 'G1.cpu',
  what: "CPU of the program's own process per event, Sluice over bare proxy",
  better: 'lower',
  target: 1.4,
}

export const hopGoal: Goal = {
  id: 'G1',
  what: 'In memory, one trigger, binary events of 1 KiB, closed loop of 64 tokens, beside the bare proxy',
  targets: [throughput, cpu],
  run,
}

async function run(context: Context): Promise<Measure[]> {
  const start = {
    bare: () => startBareProxy(context),
    sluice: () => startSluice(context, { resources: oneTrigger(`${context.load.sink}/0`) }),
  }
  const rounds = await runRounds(context, start, (program, _, pass) => hop(pass, program, EVENT))
  const problem = problemOf(rounds.flatMap((round) => [round.bare, round.sluice]))
  const cores = {
    bareCores: coresOf(rounds.map((round) => round.bare)),
    sluiceCores: coresOf(rounds.map((round) => round.sluice)),
  }
  return [
    measureOf(throughput, rounds, {
      ratio: ({ bare, sluice }) => sluice.eventsPerSecond / bare.eventsPerSecond,
      figures: {
        'sluice/s': ({ sluice }) => sluice.eventsPerSecond,
        'bare/s': ({ bare }) => bare.eventsPerSecond,
      },
      problem,
      detail: { aim: 0.85, ...cores },
    }),
    measureOf(cpu, rounds, {
      ratio: ({ bare, sluice }) => sluice.cpuUsPerEvent / bare.cpuUsPerEvent,
      figures: {
        'sluice µs': ({ sluice }) => sluice.cpuUsPerEvent,
        'bare µs': ({ bare }) => bare.cpuUsPerEvent,
      },
      problem,
      detail: { aim: 1.2, ...cores },
    }),
  ]
}
