// G15: a thousand subscribers that were away, each far behind on the same log: they catch up together, for they share
// what is read, and memory stays bounded.

import type { Context, Goal, Measure, Target } from '../goal.ts'
import type { PayloadSpec } from '../load/payload.ts'
import { measureOf } from '../measure.ts'
import { rssBytesOf } from '../proc.ts'
import { filledLog } from '../programs/filled-log.ts'
import type { Program } from '../programs/program.ts'
import { broker, startSluice, trigger } from '../programs/sluice.ts'
import { problemOf, runRounds } from '../rounds.ts'

const EVENT: PayloadSpec = { mode: 'binary', dataBytes: 1024 }
/** Events under way at once in the live run, each of which makes a delivery for every trigger. */
const TOKENS = 16
const ROUNDS = 3
/** With `--full`, most that it may take. */
const FULL_MS_MAX = 3 * 3_600_000

const rate: Target = {
  id: 'G15.rate',
  what: 'Deliveries per second of triggers that catch up together, over those of live events to as many triggers',
  better: 'higher',
  target: 0.5,
}

export const catchUpManyGoal: Goal = {
  id: 'G15',
  what: '1,000 triggers, each 100,000 events of 1 KiB behind on one log, catching up: the first seconds of it',
  targets: [rate],
  run,
}

interface Result {
  readonly deliveriesPerSecond: number
  readonly cpuUsPerDelivery: number
  /** To the trigger that got the fewest, and to the one that got the most. */
  readonly each: readonly [number, number]
  readonly rssBytes: number
  readonly problem: string | undefined
}

async function run(context: Context): Promise<Measure[]> {
  const [triggers, events] = context.quick ? [20, 5_000] : [1_000, 100_000]
  const names = Array.from({ length: triggers }, (_, index) => `behind-${index}`)
  const resources = [
    broker,
    ...names.map((name, index) => trigger({ name, subscriber: `${context.load.sink}/${index}` })),
  ]
  const data = await filledLog(context, { events, triggers: names, settled: false })
  const start = {
    live: () => startSluice(context, { resources, channel: 'log' }),
    behind: () => startSluice(context, { resources, channel: 'log', data }),
  }
  const rounds = await runRounds(
    { ...context, rounds: Math.min(context.rounds, context.full ? 1 : ROUNDS) },
    start,
    (program, name) =>
      name === 'live' ? runLive(context, program, triggers) : runBehind(context, program, triggers, events),
    'in turn',
  )
  return [
    measureOf(rate, rounds, {
      ratio: ({ live, behind }) => behind.deliveriesPerSecond / live.deliveriesPerSecond,
      figures: {
        'behind/s': ({ behind }) => behind.deliveriesPerSecond,
        'live/s': ({ live }) => live.deliveriesPerSecond,
        'behind µs': ({ behind }) => behind.cpuUsPerDelivery,
        'live µs': ({ live }) => live.cpuUsPerDelivery,
        'fewest each': ({ behind }) => behind.each[0],
        'most each': ({ behind }) => behind.each[1],
        'behind RSS MiB': ({ behind }) => behind.rssBytes / 2 ** 20,
        'live RSS MiB': ({ live }) => live.rssBytes / 2 ** 20,
      },
      problem: rounds.flatMap(({ live, behind }) => [live.problem, behind.problem]).find((each) => each),
      detail: { triggers, events, full: context.full },
    }),
  ]
}

async function runLive(context: Context, program: Program, subscribers: number): Promise<Result> {
  const { warmUpMs, measureMs } = context
  const { address, pid } = program
  const result = await context.load.closedLoop({
    address,
    pid,
    payload: EVENT,
    tokens: TOKENS,
    subscribers,
    warmUpMs: 2 * warmUpMs,
    measureMs: 2 * measureMs,
  })
  return {
    deliveriesPerSecond: (result.deliveries * 1000) / result.elapsedMs,
    cpuUsPerDelivery: result.cpuUsPerDelivery,
    each: [0, 0],
    rssBytes: rssBytesOf(pid),
    problem: problemOf([result]),
  }
}

async function runBehind(context: Context, program: Program, subscribers: number, events: number): Promise<Result> {
  const { warmUpMs, measureMs, full } = context
  const { address, pid } = program
  const result = await context.load.catchUp({
    address,
    pid,
    payload: EVENT,
    eventsPerSecond: 0,
    firstNumber: events,
    connections: 0,
    subscribers,
    warmUpMs: 2 * warmUpMs,
    measureMs: full ? FULL_MS_MAX : 2 * measureMs,
    ...(full && { deliveriesMax: 0.9 * subscribers * events }),
  })
  return {
    deliveriesPerSecond: result.deliveriesPerSecond,
    cpuUsPerDelivery: result.cpuUsPerDelivery,
    each: result.deliveriesEach,
    rssBytes: rssBytesOf(pid),
    problem: problemOf([{ ...result, lost: 0, duplicates: 0 }]),
  }
}
