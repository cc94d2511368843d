// G8, in memory: what an event costs that waits for its subscriber. The subscriber hangs; first its window fills, so
// that connections and deliveries under way are not charged to the queue, then the events to be measured are posted.

import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Context, Goal, Measure, Target } from '../goal.ts'
import { measureOf } from '../measure.ts'
import type { MemoryReading } from '../programs/probe.ts'
import type { Program } from '../programs/program.ts'
import { broker, startSluice, trigger } from '../programs/sluice.ts'
import { hop, TOKENS } from '../rounds.ts'

const EVENT = { mode: 'binary', dataBytes: 1024 } as const
/** More than a subscription's window (DESIGN, "Delivery is per trigger"), so that it is full before the measuring. */
const WINDOW_FILL = 300
/** How often the whole is repeated; memory varies less than time. */
const ROUNDS = 3

const memory: Target = {
  id: 'G8.memory',
  what: 'Growth of RSS after forced GC, over the bytes of the events (data, attribute names and values)',
  better: 'lower',
  target: 1.3,
}

export const memoryGoal: Goal = {
  id: 'G8',
  what: 'Memory of 100,000 queued events of 1 KiB',
  targets: [memory],
  run,
}

interface Round {
  readonly grownBytes: number
  readonly rawBytes: number
  readonly accepted: number
  readonly heapBytes: number
  readonly bufferBytes: number
  readonly problem: string | undefined
}

async function run(context: Context): Promise<Measure[]> {
  const rounds: Round[] = []
  for (let round = 0; round < (context.quick ? 1 : ROUNDS); round++) {
    context.say(`round ${round + 1}`)
    rounds.push(await runRound(context, join(context.folder, `probe-${round}`)))
  }
  return [
    measureOf(memory, rounds, {
      ratio: (round) => round.grownBytes / round.rawBytes,
      figures: {
        'grown MiB': (round) => round.grownBytes / 2 ** 20,
        'raw MiB': (round) => round.rawBytes / 2 ** 20,
        'bytes/event': (round) => round.grownBytes / round.accepted,
      },
      problem: rounds.find((round) => round.problem !== undefined)?.problem,
      detail: {
        events: rounds[0]?.accepted,
        heapBytesPerEvent: rounds.map((each) => Math.round(each.heapBytes / each.accepted)),
        bufferBytesPerEvent: rounds.map((each) => Math.round(each.bufferBytes / each.accepted)),
      },
    }),
  ]
}

async function runRound(context: Context, probe: string): Promise<Round> {
  const { load } = context
  const events = context.quick ? 1_000 : 100_000
  // The timeout is longer than the run, so that nothing but the queue moves.
  const only = trigger({ name: 'only', subscriber: `${load.sink}/0`, delivery: ['timeout: PT5M', 'retry: 10'] })
  const sluice = await startSluice(context, { resources: [broker, only], probe })
  try {
    // Traffic grows heap and code by itself: it happens before the first reading.
    await hop(context, sluice, EVENT)
    await load.setSink({ which: 'sink', mode: 'hang' })
    await post(context, sluice, WINDOW_FILL)
    const before = await readMemory(probe)
    const { accepted, refused, rawBytesPerEvent } = await post(context, sluice, events)
    const after = await readMemory(probe)
    return {
      grownBytes: after.rss - before.rss,
      rawBytes: accepted * rawBytesPerEvent,
      accepted,
      heapBytes: after.heapUsed - before.heapUsed,
      bufferBytes: after.arrayBuffers - before.arrayBuffers,
      problem: accepted === events ? undefined : `only ${accepted} events were taken: ${JSON.stringify(refused)}`,
    }
  } finally {
    await sluice.end()
    await load.setSink({ which: 'sink', mode: 'answer' })
  }
}

async function post(context: Context, program: Program, events: number) {
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
