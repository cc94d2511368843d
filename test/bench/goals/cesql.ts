// CESQL: what an expression costs by itself, beside the JavaScript function that somebody would write by hand for the
// same condition, and beside CloudEvents' own SDK for Go where Go is installed.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Context, Goal, Measure, Target } from '../goal.ts'
import { measureOf, significant } from '../measure.ts'
import { cases } from '../programs/cesql-cases.ts'
import type { CesqlReading } from '../programs/cesql.ts'
import { startMeasuring, type Measuring } from '../programs/measuring.ts'
import { runRounds, type Round } from '../rounds.ts'
import { summarize } from '../statistics.ts'

const byHand: Target = {
  id: 'CESQL.hand',
  what: 'A compiled expression over the same condition written by hand, the worst of all expressions',
  better: 'lower',
  target: 3,
}
const bySdk: Target = {
  id: 'CESQL.go',
  what: 'A compiled expression over the same one in the CloudEvents SDK for Go, the worst of all expressions',
  better: 'lower',
  target: 1,
}

export const cesqlGoal: Goal = {
  id: 'CESQL',
  what: 'CloudEvents SQL expressions, each asked about one event',
  targets: [byHand, bySdk],
  run,
}

type Kind = 'filter' | 'interpreter' | 'hand'
type Rounds = readonly Round<Kind, CesqlReading>[]

async function run(context: Context): Promise<Measure[]> {
  const start = (kind: string) => (): Promise<Measuring<CesqlReading>> =>
    Promise.resolve(startMeasuring<CesqlReading>(context, './cesql.ts', kind))
  const read = ({ reading }: Measuring<CesqlReading>): Promise<CesqlReading> => reading
  const ours = { filter: start('filter'), interpreter: start('interpreter'), hand: start('hand') }
  // A smoke run has no time to get and build a program in Go.
  const go = context.quick ? undefined : await buildGo(context)
  if (go === undefined) return [measureHand(await runRounds(context, ours, read, 'in turn'))]
  const rounds = await runRounds(context, { ...ours, go: start(go) }, read, 'in turn')
  return [measureHand(rounds), measureGo(rounds)]
}

function measureHand(rounds: Rounds): Measure {
  return measureOf(byHand, rounds, {
    ratio: ({ filter, hand }) => worst(filter, hand),
    figures: { 'interpreter over hand': ({ interpreter, hand }) => worst(interpreter, hand) },
    detail: { ns: nsOf(rounds, ['filter', 'interpreter', 'hand']) },
  })
}

function measureGo(rounds: readonly Round<Kind | 'go', CesqlReading>[]): Measure {
  return measureOf(bySdk, rounds, {
    ratio: ({ filter, go }) => worst(filter, go),
    figures: { 'best of all': ({ filter, go }) => Math.min(...filter.map((ns, place) => ns / go[place]!)) },
    detail: { ns: nsOf(rounds, ['filter', 'go']) },
  })
}

function worst(over: CesqlReading, under: CesqlReading): number {
  return Math.max(...over.map((ns, place) => ns / under[place]!))
}

/** The median of what each expression costs each of these. */
function nsOf<Name extends string>(
  rounds: readonly Round<Name, CesqlReading>[],
  names: readonly Name[],
): Record<string, Record<string, number>> {
  const median = (name: Name, place: number): number =>
    significant(summarize(rounds, (round) => (round as Record<Name, CesqlReading>)[name][place]!).median)
  return Object.fromEntries(
    cases.map(({ text }, place) => [text, Object.fromEntries(names.map((name) => [name, median(name, place)]))]),
  )
}

/** Builds the SDK's program; `undefined`, with a word why, where it can't be. */
async function buildGo(context: Context): Promise<string | undefined> {
  const program = join(context.folder, 'cesql')
  const cwd = fileURLToPath(new URL('../programs/cesql-go', import.meta.url))
  context.say('building what the SDK for Go takes')
  try {
    await promisify(execFile)('go', ['build', '-o', program, '.'], { cwd })
    return program
  } catch (error) {
    context.say(`left out, for Go can't build it: ${String(error)}`)
    return undefined
  }
}
