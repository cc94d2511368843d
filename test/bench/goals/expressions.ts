// G4: a thousand triggers that filter by CloudEvents SQL, of which one matches. Where the index can look something up,
// they cost what one costs; where it can't, each of them is evaluated.

import type { Context, Goal, Measure, Target } from '../goal.ts'
import { measureOf } from '../measure.ts'
import { indexable, manyTriggers, opaque, type FilterOf } from '../programs/filters.ts'
import { startSluice } from '../programs/sluice.ts'
import { hop, problemOf, runRounds } from '../rounds.ts'

const EVENT = { mode: 'binary', dataBytes: 1024 } as const

const indexed: Target = {
  id: 'G4.indexed',
  what: 'CPU per event with 1,000 CESQL triggers with a conjunct that can be looked up, over one',
  better: 'lower',
  target: 1.3,
}
const evaluated: Target = {
  id: 'G4.opaque',
  what: 'CPU per event with 1,000 CESQL triggers of which nothing can be looked up, over one',
  better: 'lower',
  target: 2.5,
}

export const expressionsGoal: Goal = {
  id: 'G4',
  what: '1,000 triggers with CloudEvents SQL, of which one matches, beside one',
  targets: [indexed, evaluated],
  run: async (context) => [await runWith(context, indexed, indexable), await runWith(context, evaluated, opaque)],
}

async function runWith(context: Context, target: Target, filterOf: FilterOf): Promise<Measure> {
  const count = context.quick ? 20 : 1_000
  const start = {
    one: () => startSluice(context, { resources: manyTriggers(context.load.sink, 1, filterOf) }),
    many: () => startSluice(context, { resources: manyTriggers(context.load.sink, count, filterOf) }),
  }
  const rounds = await runRounds(context, start, (program, _, pass) => hop(pass, program, EVENT))
  return measureOf(target, rounds, {
    ratio: (round) => round.many.cpuUsPerEvent / round.one.cpuUsPerEvent,
    figures: {
      'many µs': (round) => round.many.cpuUsPerEvent,
      'one µs': ({ one }) => one.cpuUsPerEvent,
    },
    problem: problemOf(rounds.flatMap((round) => [round.one, round.many])),
    detail: { triggers: count },
  })
}
