// G3: ten thousand and a hundred thousand triggers, of which one wants the event: an event costs what its matches cost,
// not what all triggers cost. And what the index over their filters costs by itself.

import type { Context, Goal, Measure, Target } from '../goal.ts'
import { measureOf } from '../measure.ts'
import type { IndexReading } from '../programs/filter-index.ts'
import { manyTriggers, mixed } from '../programs/filters.ts'
import { startMeasuring } from '../programs/measuring.ts'
import type { Program } from '../programs/program.ts'
import { startSluice } from '../programs/sluice.ts'
import { coresOf, hop, problemOf, runRounds } from '../rounds.ts'

const EVENT = { mode: 'binary', dataBytes: 1024 } as const
const ROUNDS = 2

const many: Target = {
  id: 'G3.10000',
  what: 'Events per second with 10,000 triggers of which one matches, over those with one trigger',
  better: 'higher',
  target: 0.95,
}
const veryMany: Target = {
  id: 'G3.100000',
  what: 'Events per second with 100,000 triggers of which one matches, over those with one trigger',
  better: 'higher',
  target: 0.85,
}
const match: Target = {
  id: 'G3.match',
  what: 'Matching alone, one match: 10,000 filters over 10',
  better: 'lower',
  target: 4,
}
const add: Target = {
  id: 'G3.add',
  what: 'Adding one filter to 10,000 and matching the next event, in ms of CPU (no ratio)',
  better: 'lower',
  target: 1,
}
const build: Target = {
  id: 'G3.build',
  what: 'Building the index of 10,000 filters, in ms of CPU (no ratio)',
  better: 'lower',
  target: 100,
}

export const triggersGoal: Goal = {
  id: 'G3',
  what: 'Many triggers of which one matches, beside one trigger',
  targets: [many, veryMany, match, add, build],
  run: async (context) => [...(await runBroker(context)), ...(await runIndex(context))],
}

async function runBroker(context: Context): Promise<Measure[]> {
  const counts = context.quick ? [20, 50] : [10_000, 100_000]
  const withTriggers = (count: number) => (): Promise<Program> =>
    startSluice(context, { resources: manyTriggers(context.load.sink, count, mixed) })
  const start = { one: withTriggers(1), many: withTriggers(counts[0]!), veryMany: withTriggers(counts[1]!) }
  const fewer = { ...context, rounds: Math.min(context.rounds, ROUNDS) }
  const rounds = await runRounds(fewer, start, async (program, _, pass) => {
    // What a start leaves behind, many triggers more, is cleaned up in its first seconds.
    if (!pass.isWarm) await hop(pass, program, EVENT)
    return await hop(pass, program, EVENT)
  })
  const problem = problemOf(rounds.flatMap((round) => [round.one, round.many, round.veryMany]))
  const measure = (target: Target, name: 'many' | 'veryMany', count: number): Measure =>
    measureOf(target, rounds, {
      ratio: (round) => round[name].eventsPerSecond / round.one.eventsPerSecond,
      figures: {
        'many/s': (round) => round[name].eventsPerSecond,
        'one/s': ({ one }) => one.eventsPerSecond,
        'many µs': (round) => round[name].cpuUsPerEvent,
        'one µs': ({ one }) => one.cpuUsPerEvent,
      },
      problem,
      detail: { triggers: count, cores: coresOf(rounds.map((round) => round[name])) },
    })
  return [measure(many, 'many', counts[0]!), measure(veryMany, 'veryMany', counts[1]!)]
}

async function runIndex(context: Context): Promise<Measure[]> {
  const start = {
    few: () => Promise.resolve(startMeasuring<IndexReading>(context, './filter-index.ts', 10)),
    many: () =>
      Promise.resolve(startMeasuring<IndexReading>(context, './filter-index.ts', context.quick ? 100 : 10_000)),
  }
  const rounds = await runRounds(context, start, (program) => program.reading, 'in turn')
  return [
    measureOf(match, rounds, {
      ratio: (round) => round.many.matchUs / round.few.matchUs,
      figures: { '10,000 µs': (round) => round.many.matchUs, '10 µs': ({ few }) => few.matchUs },
    }),
    measureOf(add, rounds, { ratio: (round) => round.many.addUs / 1000, figures: {} }),
    measureOf(build, rounds, {
      ratio: (round) => round.many.buildMs,
      figures: { 'compiling them ms': (round) => round.many.compileMs },
    }),
  ]
}
