// `pnpm faults`: the long runs of the fault tests. Exits with 1 where anything of what was promised was not kept.

import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { cleanUp } from '../support/cleanup.ts'
import { KILLS, runKills, type Kill } from './kills.ts'

const USAGE = `pnpm faults --kills N [--seed S]   kills a process under load N times, and checks that nothing is lost`

const { values } = parseArgs({
  options: { kills: { type: 'string' }, seed: { type: 'string' }, help: { type: 'boolean' } },
})
const kills = Number(values.kills ?? 200)
const seed = Number(values.seed ?? randomInt(2 ** 31))
if (values.help || !(kills > 0) || !Number.isInteger(seed)) {
  process.stderr.write(`${USAGE}\n`)
  process.exit(values.help ? 0 : 2)
}

const tell = (line: string): void => void process.stdout.write(`${line}\n`)
tell(`seed ${seed}`)
try {
  const run = await runKills({ kills, seed, tell })
  for (const [way, times] of Object.entries(run.kills)) tell(`${String(times).padStart(5)}  ${KILLS[way as Kill]}`)
  const lost = run.violations.length === 0 ? 'lost: 0' : `VIOLATIONS: ${run.violations.length}`
  const restart = `longest restart to ready ${Math.round(run.restartMs)} ms, median ${Math.round(run.restartMedianMs)} ms`
  const reach = `of what was delivered up to ${Math.round(run.reachMs)} ms before the kill`
  const again = `${run.duplicates} duplicates of ${run.duplicatesMax} allowed, ${reach}`
  tell(`kills: ${kills}, acknowledged: ${run.acked}, delivered: ${run.delivered}, ${again}, ${lost}, ${restart}`)
  for (const violation of run.violations) tell(`  ${violation}`)
  if (run.violations.length > 0) process.exitCode = 1
} finally {
  await cleanUp()
}
