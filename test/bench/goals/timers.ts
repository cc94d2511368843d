// G13: a million retries that wait. What each costs in the timer wheel that all of Sluice's waiting goes through, and
// in the in-memory channel, where the event itself waits too.

import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Context, Goal, Measure, Target } from '../goal.ts'
import { measureOf } from '../measure.ts'
import type { ParkedReading } from '../programs/parked.ts'
import type { WheelReading } from '../programs/timer-wheel.ts'

const wheelBytes: Target = {
  id: 'G13.bytes',
  what: 'Memory of an entry that is pending in the timer wheel, in bytes (no ratio)',
  better: 'lower',
  target: 64,
}
const wheelTime: Target = {
  id: 'G13.time',
  what: 'Adding an entry to the timer wheel and cancelling it, in nanoseconds of CPU (no ratio)',
  better: 'lower',
  target: 100,
}
const parked: Target = {
  id: 'G13.parked',
  what: 'What an event takes more while it is parked than while it is queued, in bytes (no ratio)',
  better: 'lower',
  target: 64,
}

export const timersGoal: Goal = {
  id: 'G13',
  what: 'A million pending retries',
  targets: [wheelBytes, wheelTime, parked],
  run,
}

async function run(context: Context): Promise<Measure[]> {
  const entries = context.quick ? 10_000 : 1_000_000
  const wheels: WheelReading[] = []
  for (let round = 0; round < context.rounds; round++) {
    wheels.push(await readProgram<WheelReading>(context, '../programs/timer-wheel.ts', entries))
  }
  // Memory is the same every time: once is enough.
  const parking = await readProgram<ParkedReading>(context, '../programs/parked.ts', entries)
  return [
    measureOf(wheelBytes, wheels, { ratio: ({ bytes }) => bytes, figures: {}, detail: { entries } }),
    measureOf(wheelTime, wheels, {
      ratio: ({ addCancelNs }) => addCancelNs,
      figures: { 'cancelled in random order ns': ({ addCancelShuffledNs }) => addCancelShuffledNs },
      detail: { entries },
    }),
    measureOf(parked, [parking], {
      ratio: ({ parkedBytes, queuedBytes }) => parkedBytes - queuedBytes,
      figures: {
        'parked bytes': ({ parkedBytes }) => parkedBytes,
        'queued bytes': ({ queuedBytes }) => queuedBytes,
      },
      detail: { events: entries },
    }),
  ]
}

/** Runs a program that prints one JSON value. */
async function readProgram<Value>(context: Context, file: string, count: number): Promise<Value> {
  context.say(`${file.slice(file.lastIndexOf('/') + 1)} ${count}`)
  const path = fileURLToPath(new URL(file, import.meta.url))
  const child = context.children.start(['--expose-gc', path, String(count)])
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  if (stdout === '') throw new Error(`${path} printed nothing:\n${stderr}`)
  return JSON.parse(stdout)
}
