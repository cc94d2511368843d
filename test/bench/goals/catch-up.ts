// G11: a subscriber that is back after a long time. Its backlog is worked off nearly as fast as events are delivered
// that don't wait, and whoever sends meanwhile hardly notices.

import type { Context, Goal, Measure, Target } from '../goal.ts'
import type { PayloadSpec } from '../load/payload.ts'
import { measureOf } from '../measure.ts'
import { rssBytesOf } from '../proc.ts'
import { filledLog } from '../programs/filled-log.ts'
import type { Program } from '../programs/program.ts'
import { oneTrigger, startSluice } from '../programs/sluice.ts'
import { hop, problemOf, runRounds } from '../rounds.ts'

const EVENT: PayloadSpec = { mode: 'binary', dataBytes: 1024 }
/** Of the live rate, so much comes in: a little more than has to be kept, so that noise alone makes no miss. */
const INGEST_SHARE = 0.85
/** Enough for every event under way at once, as in the open loop: what is sent must not wait for the sender. */
const CONNECTIONS = 256
/** Each takes long, and the backlog is the same in all. */
const ROUNDS = 3
/** With `--full`, most that a drain may take. */
const FULL_MS_MAX = 1_800_000

const drain: Target = {
  id: 'G11.drain',
  what: 'Deliveries per second out of the backlog while events come in, over those of events that do not wait',
  better: 'higher',
  target: 0.8,
}
const ingest: Target = {
  id: 'G11.ingest',
  what: `Events taken per second meanwhile, of ${INGEST_SHARE} of the live rate that are sent, over the live rate`,
  better: 'higher',
  target: 0.8,
}

export const catchUpGoal: Goal = {
  id: 'G11',
  what: 'Draining a backlog of 1,000,000 events out of the log while events come in, beside the live rate of both',
  targets: [drain, ingest],
  run,
}

/** Events per second: that were delivered, that were taken, and that are taken and delivered live. */
interface Rates {
  readonly delivered: number
  readonly taken: number
  readonly live: number
  readonly rssBytes: number
  readonly problem: string | undefined
}

async function run(context: Context): Promise<Measure[]> {
  const events = context.quick ? 50_000 : 1_000_000
  const resources = oneTrigger(`${context.load.sink}/0`)
  // Nearly as much comes in as goes out: the backlog is as long in the last round as it was in the first.
  const data = await filledLog(context, { events, triggers: ['only'], settled: false })
  const start = {
    live: () => startSluice(context, { resources, channel: 'log' }),
    behind: () => startSluice(context, { resources, channel: 'log', data }),
  }
  let live = 0
  const runOne = async (program: Program, name: 'live' | 'behind'): Promise<Rates> => {
    if (name === 'behind') return await workOff(context, program, live, events)
    const rates = await runLive(context, program)
    live = rates.live
    return rates
  }
  const rounds = Math.min(context.rounds, context.full ? 1 : ROUNDS)
  const results = await runRounds({ ...context, rounds }, start, runOne, 'in turn')
  const problem = results.flatMap((round) => [round.live.problem, round.behind.problem]).find((each) => each)
  const figures = {
    'drained/s': ({ behind }: (typeof results)[number]) => behind.delivered,
    'taken/s': ({ behind }: (typeof results)[number]) => behind.taken,
    'live/s': ({ live: { delivered } }: (typeof results)[number]) => delivered,
    'RSS MiB': ({ behind }: (typeof results)[number]) => behind.rssBytes / 2 ** 20,
  }
  const detail = { backlog: events, full: context.full }
  return [
    measureOf(drain, results, {
      ratio: (round) => round.behind.delivered / round.live.delivered,
      figures,
      problem,
      detail,
    }),
    measureOf(ingest, results, { ratio: ({ behind }) => behind.taken / behind.live, figures: {}, problem, detail }),
  ]
}

async function runLive(context: Context, program: Program): Promise<Rates> {
  const result = await hop(context, program, EVENT)
  const live = result.eventsPerSecond
  return { delivered: live, taken: live, live, rssBytes: rssBytesOf(program.pid), problem: problemOf([result]) }
}

async function workOff(context: Context, program: Program, live: number, backlog: number): Promise<Rates> {
  const { warmUpMs, measureMs, full } = context
  const { address, pid } = program
  const result = await context.load.catchUp({
    address,
    pid,
    payload: EVENT,
    eventsPerSecond: INGEST_SHARE * live,
    firstNumber: backlog,
    connections: CONNECTIONS,
    subscribers: 1,
    // It begins cold, as after any start.
    warmUpMs: 2 * warmUpMs,
    measureMs: full ? FULL_MS_MAX : 2 * measureMs,
    ...(full && { deliveriesMax: 0.9 * backlog }),
  })
  return {
    delivered: result.deliveriesPerSecond,
    taken: result.eventsPerSecond,
    live,
    rssBytes: rssBytesOf(pid),
    problem: problemOf([{ ...result, lost: 0, duplicates: 0 }]),
  }
}
