// `pnpm bench [--out FILE] [--only G1,G5] [--quick | --full]`: measures Sluice against its goals, each beside something
// simpler that runs in the same minutes on the same machine, and says which are met.
//
// A goal is a file in goals/. It starts programs (programs/), puts load on them (load/) in alternating rounds
// (rounds.ts), and returns measures (measure.ts), which the report lists (report.ts).

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Context, Goal } from './goal.ts'
import { goals, proofs } from './goals.ts'
import { startLoad } from './load/load.ts'
import { describeMachine } from './machine.ts'
import { children, type Children } from './programs/children.ts'
import { failedMeasures, reportOf, tableLine, type Outcome } from './report.ts'

/** Beside this file, for it is on a disk; a machine's folder for temporary files may be in memory. Git ignores it. */
const DATA = join(import.meta.dirname, '.sluice')
/** For rounds that are run again: the whole has to end within 12 minutes (SURFACE, "Commands"). */
const SPARE_MS = 60_000
const USAGE = 'usage: pnpm bench [--out FILE] [--only G1,G5] [--quick | --full]'

process.exitCode = await main()

/** 0: measured and written, met or not. 1: no goal's code may fail in a smoke run. 2: usage. */
async function main(): Promise<number> {
  const options = readOptions()
  if (typeof options === 'string') {
    process.stderr.write(`${options}\n${USAGE}\n`)
    return 2
  }
  const { quick, full, out, chosen } = options
  const machine = describeMachine(quick)
  const outcomes: Outcome[] = []
  const extent = { quick, full, spare: { ms: full ? Infinity : SPARE_MS } }
  for (const goal of chosen) outcomes.push(await runGoal(goal, extent))
  if (out !== undefined) writeFileSync(out, `${JSON.stringify(reportOf(machine, outcomes), undefined, 2)}\n`)
  const failed = outcomes.some(({ measures }) => measures.some((measure) => measure.value === null))
  return quick && failed ? 1 : 0
}

interface Extent {
  readonly quick: boolean
  readonly full: boolean
  readonly spare: Context['spare']
}

interface Options extends Omit<Extent, 'spare'> {
  readonly out: string | undefined
  readonly chosen: readonly Goal[]
}

function readOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        out: { type: 'string' },
        only: { type: 'string' },
        quick: { type: 'boolean', default: false },
        full: { type: 'boolean', default: false },
      },
    })
    const all = [...goals, ...proofs]
    const ids = values.only?.split(',') ?? goals.map((goal) => goal.id)
    const unknown = ids.find((id) => !all.some((goal) => goal.id === id))
    if (unknown !== undefined) return `There is no goal ${unknown}. Goals: ${all.map((goal) => goal.id).join(', ')}`
    const chosen = all.filter((goal) => ids.includes(goal.id))
    return { quick: values.quick, full: values.full, out: values.out, chosen }
  } catch (error) {
    return String(error)
  }
}

/** Runs one goal with processes and a folder of its own, prints its lines, and leaves nothing behind. */
async function runGoal(goal: Goal, extent: Extent): Promise<Outcome> {
  const owned = children()
  mkdirSync(DATA, { recursive: true })
  const folder = mkdtempSync(join(DATA, 'bench-'))
  const cleanUp = onEveryWayOut(() => {
    owned.killAll()
    rmSync(folder, { recursive: true, force: true })
  })
  try {
    const measures = await goal.run(await contextFor(goal, extent, owned, folder))
    return print({ goal, measures })
  } catch (error) {
    process.stderr.write(`${goal.id} failed: ${String(error)}\n`)
    return print({ goal, measures: failedMeasures(goal, error) })
  } finally {
    cleanUp()
  }
}

async function contextFor(
  goal: Goal,
  { quick, full, spare }: Extent,
  owned: Children,
  folder: string,
): Promise<Context> {
  return {
    quick,
    full,
    spare,
    rounds: quick ? 1 : 4,
    passes: quick ? 1 : 3,
    warmUpMs: quick ? 100 : 1000,
    measureMs: quick ? 400 : 1250,
    isWarm: false,
    folder,
    children: owned,
    load: await startLoad(owned),
    say: (what) => process.stderr.write(`${goal.id}: ${what}\n`),
  }
}

function print(outcome: Outcome): Outcome {
  for (const measure of outcome.measures) process.stdout.write(`${tableLine(measure)}\n`)
  return outcome
}

/** Has `cleanUp` run at the latest when the process ends, by itself or by a signal. Returns it for the normal way. */
function onEveryWayOut(cleanUp: () => void): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  process.on('exit', cleanUp)
  for (const signal of signals) process.on(signal, stop)
  return () => {
    process.off('exit', cleanUp)
    for (const signal of signals) process.off(signal, stop)
    cleanUp()
  }
}

function stop(): never {
  process.exit(130)
}
