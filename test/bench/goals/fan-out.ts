// G5: ten triggers that all want the event. It comes in once and goes out ten times, so a delivery has to cost less
// than the whole of a 1:1 hop.

import type { Context, Goal, Measure, Target } from '../goal.ts'
import { measureOf } from '../measure.ts'
import { broker, oneTrigger, startSluice, trigger } from '../programs/sluice.ts'
import { coresOf, hop, problemOf, runRounds } from '../rounds.ts'

const EVENT = { mode: 'binary', dataBytes: 1024 } as const
const SUBSCRIBERS = 10

const cpu: Target = {
  id: 'G5.cpu',
  what: 'CPU per delivery at fan-out ten, over CPU per event of the 1:1 hop',
  better: 'lower',
  target: 0.7,
}

export const fanOutGoal: Goal = {
  id: 'G5',
  what: 'Fan-out to ten triggers: CPU per delivery beside the CPU per event of the 1:1 hop',
  targets: [cpu],
  run,
}

async function run(context: Context): Promise<Measure[]> {
  const { sink } = context.load
  const tenTriggers = Array.from({ length: SUBSCRIBERS }, (_, index) =>
    trigger({ name: `copy-${index}`, subscriber: `${sink}/${index}` }),
  )
  const start = {
    one: () => startSluice(context, { resources: oneTrigger(`${sink}/0`) }),
    ten: () => startSluice(context, { resources: [broker, ...tenTriggers] }),
  }
  const rounds = await runRounds(context, start, (program, name, pass) =>
    hop(pass, program, EVENT, name === 'ten' ? SUBSCRIBERS : 1),
  )
  return [
    measureOf(cpu, rounds, {
      ratio: ({ one, ten }) => ten.cpuUsPerDelivery / one.cpuUsPerEvent,
      figures: {
        'µs/delivery': ({ ten }) => ten.cpuUsPerDelivery,
        '1:1 µs/event': ({ one }) => one.cpuUsPerEvent,
        'deliveries/s': ({ ten }) => (ten.deliveries * 1000) / ten.elapsedMs,
      },
      problem: problemOf(rounds.flatMap((round) => [round.one, round.ten])),
      detail: {
        subscribers: SUBSCRIBERS,
        oneCores: coresOf(rounds.map((round) => round.one)),
        tenCores: coresOf(rounds.map((round) => round.ten)),
      },
    }),
  ]
}
