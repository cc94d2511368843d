// G6: events of 64 KiB. Their data is carried and never decoded: as binary they cost what the bytes cost, and
// structured ones are spared the JSON.parse and JSON.stringify that most programs spend on them.

import type { Context, Goal, Measure, Target } from '../goal.ts'
import type { ClosedLoopResult } from '../load/closed-loop.ts'
import type { PayloadSpec } from '../load/payload.ts'
import { measureOf } from '../measure.ts'
import { startBareProxy, startJsonRelay } from '../programs/beside.ts'
import { oneTrigger, startSluice } from '../programs/sluice.ts'
import { coresOf, hop, problemOf, runRounds, type Start, type Round } from '../rounds.ts'

const DATA_BYTES = 64 * 1024

const binary: Target = {
  id: 'G6.binary',
  what: 'Binary events of 64 KiB delivered per second, Sluice over bare proxy',
  better: 'higher',
  target: 0.75,
}
const structured: Target = {
  id: 'G6.structured',
  what: 'CPU per event, structured in and binary out at 64 KiB, Sluice over the JSON relay',
  better: 'lower',
  target: 0.5,
}

export const largeGoal: Goal = {
  id: 'G6',
  what: 'Events of 64 KiB: binary beside the bare proxy, structured beside a relay that parses and writes JSON',
  targets: [binary, structured],
  run: async (context) => [await runBinary(context), await runStructured(context)],
}

async function runBinary(context: Context): Promise<Measure> {
  const rounds = await runBeside(context, 'binary', () => startBareProxy(context))
  return measureOf(binary, rounds, {
    ratio: ({ beside, sluice }) => sluice.eventsPerSecond / beside.eventsPerSecond,
    figures: {
      'sluice/s': ({ sluice }) => sluice.eventsPerSecond,
      'bare/s': ({ beside }) => beside.eventsPerSecond,
      'sluice µs': ({ sluice }) => sluice.cpuUsPerEvent,
      'bare µs': ({ beside }) => beside.cpuUsPerEvent,
    },
    ...outcomeOf(rounds),
  })
}

async function runStructured(context: Context): Promise<Measure> {
  const rounds = await runBeside(context, 'structured', () => startJsonRelay(context))
  return measureOf(structured, rounds, {
    ratio: ({ beside, sluice }) => sluice.cpuUsPerEvent / beside.cpuUsPerEvent,
    figures: {
      'sluice µs': ({ sluice }) => sluice.cpuUsPerEvent,
      'JSON relay µs': ({ beside }) => beside.cpuUsPerEvent,
    },
    ...outcomeOf(rounds),
  })
}

type Rounds = readonly Round<'beside' | 'sluice', ClosedLoopResult>[]

async function runBeside(context: Context, mode: PayloadSpec['mode'], beside: Start): Promise<Rounds> {
  const sluice: Start = () => startSluice(context, { resources: oneTrigger(`${context.load.sink}/0`) })
  const event = { mode, dataBytes: DATA_BYTES }
  return await runRounds(context, { beside, sluice }, (program, _, pass) => hop(pass, program, event))
}

function outcomeOf(rounds: Rounds): { problem: string | undefined; detail: Record<string, unknown> } {
  return {
    problem: problemOf(rounds.flatMap((round) => [round.beside, round.sluice])),
    detail: {
      besideCores: coresOf(rounds.map((round) => round.beside)),
      sluiceCores: coresOf(rounds.map((round) => round.sluice)),
    },
  }
}
