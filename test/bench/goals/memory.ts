// G8: what an event costs in memory that waits for its subscriber. The subscriber hangs; first its window fills, so that
// connections and deliveries under way are not charged to the queue, then the events to be measured are posted. In the
// in-memory channel they take what they are; in the log they wait on the disk, and memory hardly notices.

import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Context, Goal, Measure, Target } from '../goal.ts'
import type { FloodResult } from '../load/flood.ts'
import { measureOf } from '../measure.ts'
import type { MemoryReading } from '../programs/probe.ts'
import type { Program } from '../programs/program.ts'
import { broker, startSluice, trigger } from '../programs/sluice.ts'
import { hop, TOKENS } from '../rounds.ts'

const EVENT = { mode: 'binary', dataBytes: 1024 } as const
/** More than a subscription holds in memory, its window and what waits before it, so that it is full already. */
const WINDOW_FILL = 400
/** How often the whole is repeated; memory varies less than time. */
const ROUNDS = 3
const MIB = 2 ** 20

const memory: Target = {
  id: 'G8.memory',
  what: 'Growth of RSS after forced GC, over the bytes of the events (data, attribute names and values)',
  better: 'lower',
  target: 1.3,
}

const durable: Target = {
  id: 'G8.durable',
  what: 'Growth of RSS after forced GC by 100,000 queued events in the log, in MiB (no ratio)',
  better: 'lower',
  target: 16,
}
const backlog: Target = {
  id: 'G8.backlog',
  what: 'Growth of RSS after forced GC by a backlog of 1,000,000 events in the log, in MiB (no ratio)',
  better: 'lower',
  target: 64,
}

export const memoryGoal: Goal = {
  id: 'G8',
  what: 'Memory of queued events of 1 KiB: 100,000 in memory, as many in the log, and 1,000,000 in the log',
  targets: [memory, durable, backlog],
  run,
}

interface Growth {
  readonly grownBytes: number
  readonly rawBytes: number
  readonly accepted: number
  readonly heapBytes: number
  readonly bufferBytes: number
  readonly problem: string | undefined
}

async function run(context: Context): Promise<Measure[]> {
  const [queue, more] = context.quick ? [1_000, 1_000] : [100_000, 900_000]
  const rounds = context.quick ? 1 : ROUNDS
  const inMemory: Growth[] = []
  const inLog: Growth[] = []
  const behind: Growth[] = []
  for (let round = 1; round <= rounds; round++) {
    context.say(`round ${round}`)
    inMemory.push(...(await grow(context, 'memory', [queue])))
    // A million takes its time: once is enough.
    const [first, all] = await grow(context, 'log', round === rounds ? [queue, more] : [queue])
    inLog.push(first!)
    if (all !== undefined) behind.push(all)
  }
  return [memoryMeasure(inMemory), durableMeasure(durable, inLog), durableMeasure(backlog, behind)]
}

function memoryMeasure(rounds: readonly Growth[]): Measure {
  return measureOf(memory, rounds, {
    ratio: (round) => round.grownBytes / round.rawBytes,
    figures: {
      'grown MiB': (round) => round.grownBytes / MIB,
      'raw MiB': (round) => round.rawBytes / MIB,
      'bytes/event': (round) => round.grownBytes / round.accepted,
    },
    ...outcomeOf(rounds),
  })
}

function durableMeasure(target: Target, rounds: readonly Growth[]): Measure {
  return measureOf(target, rounds, {
    ratio: (round) => round.grownBytes / MIB,
    figures: {
      'raw MiB': (round) => round.rawBytes / MIB,
      'bytes/event': (round) => round.grownBytes / round.accepted,
    },
    ...outcomeOf(rounds),
  })
}

function outcomeOf(rounds: readonly Growth[]): { problem: string | undefined; detail: Record<string, unknown> } {
  return {
    problem: rounds.find((round) => round.problem !== undefined)?.problem,
    detail: {
      events: rounds[0]?.accepted,
      heapBytesPerEvent: rounds.map((each) => Math.round(each.heapBytes / each.accepted)),
      bufferBytesPerEvent: rounds.map((each) => Math.round(each.bufferBytes / each.accepted)),
    },
  }
}

/** Posts so many events, and more, and more; returns by how much a process has grown after each of them. */
async function grow(context: Context, channel: 'memory' | 'log', steps: readonly number[]): Promise<Growth[]> {
  const { load } = context
  const probe = join(context.folder, 'probe')
  // The timeout is longer than the run, so that nothing but the queue moves.
  const only = trigger({ name: 'only', subscriber: `${load.sink}/0`, delivery: ['timeout: PT20M', 'retry: 10'] })
  const sluice = await startSluice(context, { resources: [broker, only], channel, probe })
  try {
    // Traffic grows heap and code by itself: it happens before the first reading.
    await hop(context, sluice, EVENT)
    await load.setSink({ which: 'sink', mode: 'hang' })
    await post(context, sluice, WINDOW_FILL)
    const before = await readMemory(probe)
    const growths: Growth[] = []
    let accepted = 0
    let wanted = 0
    for (const events of steps) {
      const posted = await post(context, sluice, events)
      const after = await readMemory(probe)
      accepted += posted.accepted
      wanted += events
      const refused = JSON.stringify(posted.refused)
      growths.push({
        grownBytes: after.rss - before.rss,
        rawBytes: accepted * posted.rawBytesPerEvent,
        accepted,
        heapBytes: after.heapUsed - before.heapUsed,
        bufferBytes: after.arrayBuffers - before.arrayBuffers,
        problem: accepted === wanted ? undefined : `only ${accepted} events were taken: ${refused}`,
      })
    }
    return growths
  } finally {
    await sluice.end()
    rmSync(probe, { force: true })
    await load.setSink({ which: 'sink', mode: 'answer' })
  }
}

async function post(context: Context, program: Program, events: number): Promise<FloodResult> {
  return await context.load.flood({ address: program.address, payload: EVENT, events, connections: TOKENS })
}

/** Has the program collect its garbage, and reads what is left (see probe.ts). */
export async function readMemory(probe: string): Promise<MemoryReading> {
  const connection = connect(probe)
  let text = ''
  connection.on('data', (chunk) => (text += chunk.toString()))
  await once(connection, 'end')
  connection.destroy()
  const reading: MemoryReading = JSON.parse(text)
  return reading
}
