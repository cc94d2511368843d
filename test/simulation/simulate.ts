// Many simulated lives, one for each seed. Run: pnpm simulate --seeds 10000 [--from N] [--of log|broker] [--all]
//
// It prints the seed and the last operations of the first run that went wrong, or of every one, and ends with status 1.

import { parseArgs } from 'node:util'
import { simulateBroker } from './broker-run.ts'
import { simulateLog } from './log-run.ts'

const USAGE = 'pnpm simulate [--seeds N] [--from N] [--of log|broker] [--all] [--history N]\n'
const RUNS = { log: simulateLog, broker: simulateBroker }
const values = readArguments()
const from = numberOf(values.from)
const to = from + numberOf(values.seeds)
let wrong = 0
for (const [name, run] of Object.entries(RUNS)) {
  if (values.of !== undefined && values.of !== name) continue
  const began = process.cpuUsage()
  let [seeds, lives, events] = [0, 0, 0]
  for (let seed = from; seed < to && (wrong === 0 || values.all); seed++) {
    const result = await run(seed)
    seeds++
    lives += result.lives
    events += result.events
    if (result.problem === '') continue
    wrong++
    process.stdout.write(`${name}, seed ${seed}: ${result.problem}\n`)
    if (!values.all) process.stdout.write(`${result.history.slice(-numberOf(values.history)).join('\n')}\n`)
  }
  const { user, system } = process.cpuUsage(began)
  const seconds = ((user + system) / 1e6).toFixed(1)
  process.stdout.write(`${name}: ${seeds} seeds, ${lives} lives, ${events} events, ${seconds} s\n`)
}
process.stdout.write(`${wrong} went wrong\n`)
process.exitCode = wrong > 0 ? 1 : 0

function readArguments(): { seeds: string; from: string; history: string; of: string | undefined; all: boolean } {
  const text = (byDefault: string) => ({ type: 'string', default: byDefault }) as const
  try {
    const options = { seeds: text('1000'), from: text('1'), history: text('60') }
    const { of, ...given } = parseArgs({
      options: { ...options, of: { type: 'string' }, all: { type: 'boolean', default: false } },
    }).values
    return of === undefined || of in RUNS ? { ...given, of } : refuse(`--of ${of}: there are log and broker.`)
  } catch (error) {
    return refuse((error as Error).message)
  }
}

function numberOf(text: string): number {
  return /^[1-9]\d*$/.test(text) ? Number(text) : refuse(`${text} is no number of at least 1.`)
}

function refuse(why: string): never {
  process.stderr.write(`pnpm simulate: ${why}\n${USAGE}`)
  process.exit(2)
}
