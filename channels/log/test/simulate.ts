// Many simulated lives of a log, one for each seed. Run: node channels/log/test/simulate.ts --seeds 10000 [--from N]
//
// It prints the seed and the last operations of the first run that went wrong, and ends with status 1.

import { parseArgs } from 'node:util'
import { simulate } from './simulation/run.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    all: { type: 'boolean', default: false },
    history: { type: 'string', default: '60' },
  },
})
const from = Number(values.from)
const to = from + Number(values.seeds)
const began = process.cpuUsage()
let deliveries = 0
let lives = 0
let events = 0
let wrong = 0
for (let seed = from; seed < to; seed++) {
  const result = await simulate(seed)
  deliveries += result.deliveries
  lives += result.lives
  events += result.events
  if (result.problem === '') continue
  wrong++
  process.stdout.write(`seed ${seed}: ${result.problem}\n`)
  if (!values.all) {
    process.stdout.write(`${result.history.slice(-Number(values.history)).join('\n')}\n`)
    break
  }
}
const { user, system } = process.cpuUsage(began)
process.stdout.write(
  `${to - from} seeds, ${lives} lives, ${events} events, ${deliveries} deliveries, ${((user + system) / 1e6).toFixed(1)} s; ${wrong} went wrong\n`,
)
process.exitCode = wrong > 0 ? 1 : 0
