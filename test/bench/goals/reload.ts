// RELOAD: one of ten thousand triggers is edited, again and again. What that costs the events that go on meanwhile: how long
// it holds up the event loop, and their latency beside that without an edit.

import { readFileSync, writeFileSync } from 'node:fs'
import type { Context, Goal, Measure, Target } from '../goal.ts'
import { measureOf } from '../measure.ts'
import { manyTriggers, mixed } from '../programs/filters.ts'
import { startMeasuring } from '../programs/measuring.ts'
import type { Program } from '../programs/program.ts'
import type { ReloadReading } from '../programs/reload.ts'
import { startSluice } from '../programs/sluice.ts'
import { problemOf, runRounds } from '../rounds.ts'
import { openLoopOn, rateFor } from './latency.ts'

const TRIGGERS = 10_000
const TRIGGERS_QUICK = 50
/** Each run has a start over ten thousand triggers. */
const ROUNDS = 3
const EDIT_MS = 1000

const block: Target = {
  id: 'RELOAD.block',
  what: 'One edit among 10,000 triggers, read and applied: the longest that it holds up the event loop, in ms (no ratio)',
  better: 'lower',
  target: 20,
}
const p99: Target = {
  id: 'RELOAD.p99',
  what: 'p99 latency at half of its own maximum while one of 10,000 triggers is edited every second, over without',
  better: 'lower',
  target: 1.5,
}

export const reloadGoal: Goal = {
  id: 'RELOAD',
  what: 'One of 10,000 triggers is edited again and again',
  targets: [block, p99],
  run: async (context) => [await runBlock(context), await runLatency(context)],
}

async function runBlock(context: Context): Promise<Measure> {
  const fewer = { ...context, rounds: Math.min(context.rounds, ROUNDS) }
  const start = {
    reload: () =>
      Promise.resolve(startMeasuring<ReloadReading>(context, './reload.ts', countOf(context), context.folder)),
  }
  const rounds = await runRounds(fewer, start, (program) => program.reading, 'in turn')
  return measureOf(block, rounds, {
    ratio: ({ reload }) => reload.blockMs,
    figures: {
      'first ms': ({ reload }) => reload.firstBlockMs,
      'applied after ms': ({ reload }) => reload.applyMs,
      'main thread ms': ({ reload }) => reload.cpuMs,
    },
  })
}

async function runLatency(context: Context): Promise<Measure> {
  const resources = manyTriggers(context.load.sink, countOf(context), mixed)
  let file = ''
  const calm = (): Promise<Program> => startSluice(context, { resources })
  const start = {
    calm,
    edited: () => startSluice(context, { resources, written: ([first = '']) => void (file = first) }),
  }
  const eventsPerSecond = await rateFor(context, calm)
  const fewer = { ...context, rounds: Math.min(context.rounds, ROUNDS) }
  const rounds = await runRounds(fewer, start, async (program, name, pass) => {
    const stop = name === 'edited' ? editAgainAndAgain(file) : (): void => {}
    try {
      return await openLoopOn(pass, program, eventsPerSecond)
    } finally {
      stop()
    }
  })
  return measureOf(p99, rounds, {
    ratio: ({ calm: without, edited }) => edited.latencyMs.p99 / without.latencyMs.p99,
    figures: {
      'edited ms': ({ edited }) => edited.latencyMs.p99,
      'calm ms': ({ calm: without }) => without.latencyMs.p99,
      'edited max ms': ({ edited }) => edited.latencyMs.max,
      'calm max ms': ({ calm: without }) => without.latencyMs.max,
      'events/s': ({ edited }) => edited.eventsPerSecond,
    },
    problem: problemOf(rounds.flatMap((round) => [round.calm, round.edited])),
  })
}

/** Another type for the second trigger, every {@link EDIT_MS}. Returns the end of that. */
function editAgainAndAgain(file: string): () => void {
  const text = readFileSync(file, 'utf8')
  let edits = 0
  const timer = setInterval(() => {
    writeFileSync(file, text.replace('com.example.n1"', `com.example.edited${edits++}"`))
  }, EDIT_MS)
  return () => clearInterval(timer)
}

function countOf({ quick }: Context): number {
  return quick ? TRIGGERS_QUICK : TRIGGERS
}
