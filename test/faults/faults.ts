// `pnpm faults`: the long runs of the fault tests. Exits with 1 where anything of what was promised was not kept.

import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { cleanUp } from '../support/cleanup.ts'
import { runBacklog } from './backlog.ts'
import { KILLS, runKills, type Kill } from './kills.ts'

const USAGE = `pnpm faults --kills N [--seed S]   kills a process N times, under load, and checks that nothing is lost
pnpm faults --backlog N            kills a process with N events to deliver, and checks that the next one delivers them
`

const values = readArguments()
const kills = numberOf(values.kills)
const backlog = numberOf(values.backlog)
const seed = numberOf(values.seed) ?? randomInt(2 ** 31)
if (values.help || (kills === undefined && backlog === undefined)) {
  process.stdout.write(USAGE)
  process.exit(values.help ? 0 : 2)
}
try {
  if (kills !== undefined) await killMany(kills)
  if (backlog !== undefined) await restartOver(backlog)
} finally {
  await cleanUp()
}

function readArguments(): { kills?: string; seed?: string; backlog?: string; help?: boolean } {
  const text = { type: 'string' } as const
  try {
    return parseArgs({ options: { kills: text, seed: text, backlog: text, help: { type: 'boolean' } } }).values
  } catch (error) {
    return refuse((error as Error).message)
  }
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || /^[1-9]\d*$/.test(text)) return text === undefined ? undefined : Number(text)
  return refuse(`${text} is no number of at least 1.`)
}

function refuse(why: string): never {
  process.stderr.write(`pnpm faults: ${why}\n${USAGE}`)
  process.exit(2)
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`)
}

async function killMany(times: number): Promise<void> {
  tell(`seed ${seed}`)
  const run = await runKills({ kills: times, seed, tell })
  for (const [way, count] of Object.entries(run.kills)) tell(`${String(count).padStart(5)}  ${KILLS[way as Kill]}`)
  tell(
    [
      `kills: ${times}`,
      `acknowledged: ${run.acked}`,
      `delivered: ${run.delivered}`,
      `duplicates: ${run.duplicates} of ${run.duplicatesMax} allowed, the oldest ${ms(run.reachMs)} before its kill`,
      `longest restart to ready: ${ms(run.restartMs)}, median ${ms(run.restartMedianMs)}`,
      run.violations.length === 0 ? 'lost: 0' : `VIOLATIONS: ${run.violations.length}`,
    ].join(', '),
  )
  fail(run.violations)
}

async function restartOver(events: number): Promise<void> {
  const run = await runBacklog(events, tell)
  tell(
    [
      `backlog: ${events}`,
      `ready after ${ms(run.restartMs)}, over nothing after ${ms(run.emptyStartMs)}`,
      `all delivered ${ms(run.deliveredMs)} later`,
      `at most ${Math.round(run.peakMiB)} MiB`,
      `duplicates: ${run.duplicates}`,
      `lost: ${run.lost}`,
    ].join(', '),
  )
  fail(run.lost + run.duplicates > 0 ? ['events are missing, or came twice'] : [])
}

function ms(value: number): string {
  return `${Math.round(value)} ms`
}

function fail(violations: readonly string[]): void {
  for (const violation of violations) tell(`  ${violation}`)
  if (violations.length > 0) process.exitCode = 1
}
