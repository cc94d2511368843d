// G16: events that a subscriber fails at beside others that it takes, and one subscriber of a hundred that never answers.
// The others must not notice.

import type { Context, Goal, Measure, Target } from '../goal.ts'
import type { Interval } from '../load/interval.ts'
import { POISON_OF } from '../load/sink.ts'
import { measureOf } from '../measure.ts'
import { broker, oneTrigger, startSluice, trigger } from '../programs/sluice.ts'
import { coresOf, hop, problemOf, runRounds } from '../rounds.ts'

const EVENT = { mode: 'binary', dataBytes: 1024 } as const
const EVENTS_A_SECOND = 1000
const CONNECTIONS = 64
const TRIGGERS = 100

const poison: Target = {
  id: 'G16.poison',
  what: 'Events that are no poison, delivered per second at 1,000 events/s, one in five poison over none',
  better: 'higher',
  target: 0.9,
}
const stuck: Target = {
  id: 'G16.stuck',
  what: 'Deliveries per second to 99 triggers in the closed loop, beside a hundredth that is stuck over alone',
  better: 'higher',
  target: 0.9,
}

export const badSubscribersGoal: Goal = {
  id: 'G16',
  what: 'One poison event in five with the default delivery, and one stuck subscriber among a hundred',
  targets: [poison, stuck],
  run: async (context) => [await runPoison(context), await runStuck(context)],
}

/** In turn, for what has failed is tried again meanwhile. */
async function runPoison(context: Context): Promise<Measure> {
  const { load } = context
  const start = {
    none: () => startSluice(context, { resources: oneTrigger(`${load.sink}/0`) }),
    poisoned: () => startSluice(context, { resources: oneTrigger(`${load.poisoned}/0`) }),
  }
  const rounds = await runRounds(
    context,
    start,
    ({ address, pid }, name) =>
      load.openLoop({
        address,
        pid,
        payload: EVENT,
        eventsPerSecond: EVENTS_A_SECOND,
        connections: CONNECTIONS,
        warmUpMs: context.warmUpMs,
        measureMs: 2 * context.measureMs,
        isPoisoned: name === 'poisoned',
      }),
    'in turn',
  )
  return measureOf(poison, rounds, {
    ratio: ({ none, poisoned }) => poisoned.eventsPerSecond / (none.eventsPerSecond * (1 - 1 / POISON_OF)),
    figures: {
      'beside poison/s': ({ poisoned }) => poisoned.eventsPerSecond,
      'none/s': ({ none }) => none.eventsPerSecond,
      'beside poison p99 ms': ({ poisoned }) => poisoned.latencyMs.p99,
      'none p99 ms': ({ none }) => none.latencyMs.p99,
    },
    problem: problemOf(rounds.flatMap((round) => [round.none, round.poisoned])),
  })
}

async function runStuck(context: Context): Promise<Measure> {
  const { sink, dead } = context.load
  const well = Array.from({ length: TRIGGERS - 1 }, (_, n) =>
    trigger({ name: `well-${n}`, subscriber: `${sink}/${n}` }),
  )
  const resources = [broker, ...well]
  const start = {
    alone: () => startSluice(context, { resources }),
    beside: () =>
      startSluice(context, { resources: [...resources, trigger({ name: 'stuck', subscriber: `${dead}/0` })] }),
  }
  const rounds = await runRounds(context, start, (program, _, pass) => hop(pass, program, EVENT, well.length))
  return measureOf(stuck, rounds, {
    ratio: ({ alone, beside }) => deliveriesPerSecond(beside) / deliveriesPerSecond(alone),
    figures: {
      'beside/s': ({ beside }) => deliveriesPerSecond(beside),
      'alone/s': ({ alone }) => deliveriesPerSecond(alone),
    },
    problem: problemOf(rounds.flatMap((round) => [round.alone, round.beside])),
    detail: {
      aloneCores: coresOf(rounds.map(({ alone }) => alone)),
      besideCores: coresOf(rounds.map(({ beside }) => beside)),
    },
  })
}

/** An event is done with its 99th delivery only: too coarse a step for a short run. */
function deliveriesPerSecond({ deliveries, elapsedMs }: Interval): number {
  return (deliveries * 1000) / elapsedMs
}
