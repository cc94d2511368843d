// Many simulated lives, one for each seed. Run: pnpm simulate --seeds 10000 [--from N] [--of log|broker] [--all]
//
// It prints the seed and the last operations of the first run that went wrong, or of every one, and ends with status 1.

import { parseArgs } from 'node:util'
import { simulate } from '../../channels/log/test/simulation/run.ts'
import { simulateBroker } from './broker-run.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    of: { type: 'string' },
    all: { type: 'boolean', default: false },
    history: { type: 'string', default: '60' },
  },
})
const RUNS = { log: simulate, broker: simulateBroker }
const from = Number(values.from)
const to = from + Number(values.seeds)
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
    if (!values.all) process.stdout.write(`${result.history.slice(-Number(values.history)).join('\n')}\n`)
  }
  const { user, system } = process.cpuUsage(began)
  const seconds = ((user + system) / 1e6).toFixed(1)
  process.stdout.write(`${name}: ${seeds} seeds, ${lives} lives, ${events} events, ${seconds} s\n`)
}
process.stdout.write(`${wrong} went wrong\n`)
process.exitCode = wrong > 0 ? 1 : 0
