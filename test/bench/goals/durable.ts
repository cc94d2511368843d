// G2: what it costs that an event is on the disk before its sender is answered. First of the log alone: events that come
// together share a sync, so many writers get far more through than one sync for each event allows. Then of the whole
// hop, beside the one in memory. The same records go through lmdb and node:sqlite, so that it shows what the log's own
// segments are good for.

import { join } from 'node:path'
import type { Context, Goal, Measure, Target } from '../goal.ts'
import { measureOf, significant } from '../measure.ts'
import { startMeasuring } from '../programs/measuring.ts'
import type { RawReading, WritersReading } from '../programs/raw-log.ts'
import type { Engine } from '../programs/raw-stores.ts'
import { oneTrigger, startSluice } from '../programs/sluice.ts'
import { coresOf, hop, problemOf, runRounds, type Round } from '../rounds.ts'
import { summarize } from '../statistics.ts'

const WRITERS = 64
const EVENT = { mode: 'binary', dataBytes: 1024 } as const

const raw: Target = {
  id: 'G2.raw',
  what: `Records of 1 KiB stored per second, ${WRITERS} writers over a single one, for which each takes a sync of its own`,
  better: 'higher',
  target: 8,
}
const http: Target = {
  id: 'G2.http',
  what: 'Events delivered per second, Sluice with the log over Sluice in memory',
  better: 'higher',
  target: 0.75,
}

export const durableGoal: Goal = {
  id: 'G2',
  what: 'On the disk before it is acknowledged: the raw log beside one sync for each event, the hop beside the one in memory',
  targets: [raw, http],
  run: async (context) => [await runRaw(context), await runHttp(context)],
}

type RawRounds = readonly Round<Engine, RawReading>[]

async function runRaw(context: Context): Promise<Measure> {
  const { warmUpMs, measureMs } = context
  let runs = 0
  const start = (engine: Engine) => () => {
    const folder = join(context.folder, `raw-${runs++}`)
    return Promise.resolve(
      startMeasuring<RawReading>(context, './raw-log.ts', engine, folder, WRITERS, warmUpMs / 3, measureMs / 2),
    )
  }
  const engines = { segments: start('segments'), lmdb: start('lmdb'), sqlite: start('sqlite') }
  const rounds: RawRounds = await runRounds(context, engines, ({ reading }) => reading, 'in turn')
  return measureOf(raw, rounds, {
    ratio: ({ segments }) => segments.many.perSecond / segments.one.perSecond,
    figures: {
      [`${WRITERS} writers/s`]: ({ segments }) => segments.many.perSecond,
      'p99 ms': ({ segments }) => segments.many.p99Ms,
      '1 writer/s': ({ segments }) => segments.one.perSecond,
      'lmdb/s': ({ lmdb }) => lmdb.many.perSecond,
      'p99 ms of lmdb': ({ lmdb }) => lmdb.many.p99Ms,
      'sqlite/s': ({ sqlite }) => sqlite.many.perSecond,
      'p99 ms of sqlite': ({ sqlite }) => sqlite.many.p99Ms,
    },
    detail: {
      engines: {
        segments: engineDetail(rounds, 'segments'),
        lmdb: engineDetail(rounds, 'lmdb'),
        sqlite: engineDetail(rounds, 'sqlite'),
      },
    },
  })
}

function engineDetail(rounds: RawRounds, engine: Engine): Record<string, unknown> {
  const of = (writers: keyof RawReading): Record<string, number> => {
    const median = (figure: keyof WritersReading): number =>
      significant(summarize(rounds, (round) => round[engine][writers][figure]).median)
    return { perSecond: median('perSecond'), p50Ms: median('p50Ms'), p99Ms: median('p99Ms'), cpuUs: median('cpuUs') }
  }
  return { [`${WRITERS} writers`]: of('many'), '1 writer': of('one') }
}

async function runHttp(context: Context): Promise<Measure> {
  const resources = oneTrigger(`${context.load.sink}/0`)
  const start = {
    memory: () => startSluice(context, { resources }),
    log: () => startSluice(context, { resources, channel: 'log' }),
  }
  const rounds = await runRounds(context, start, (program, _, pass) => hop(pass, program, EVENT))
  return measureOf(http, rounds, {
    ratio: ({ memory, log }) => log.eventsPerSecond / memory.eventsPerSecond,
    figures: {
      'log/s': ({ log }) => log.eventsPerSecond,
      'memory/s': ({ memory }) => memory.eventsPerSecond,
      'log µs': ({ log }) => log.cpuUsPerEvent,
      'memory µs': ({ memory }) => memory.cpuUsPerEvent,
    },
    problem: problemOf(rounds.flatMap((round) => [round.memory, round.log])),
    detail: {
      memoryCores: coresOf(rounds.map((round) => round.memory)),
      logCores: coresOf(rounds.map((round) => round.log)),
    },
  })
}
