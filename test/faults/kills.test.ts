// A few kills of all sorts, by a seed of each run's own; `pnpm faults --kills N` makes more of them.

import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { runKills } from './kills.ts'
import { TRACING } from './machine.ts'

const KILLS = 10
const WHY = TRACING.isMissing ? `; without strace at any moment only${TRACING.why}` : ''

test(
  `killed under load, during starts, at writes, syncs and new segments: nothing that was answered 202 is lost (faults 1, 2, 3)${WHY}`,
  { timeout: 180_000 },
  async () => {
    const seed = randomInt(2 ** 31)
    const told: string[] = []
    const run = await runKills({ kills: KILLS, seed, tell: (line) => told.push(line) })
    expect(run.violations, `seed ${seed}\n${told.join('\n')}`).toEqual([])
    expect(run.acked).toBeGreaterThan(100)
    expect(run.duplicates).toBeLessThanOrEqual(run.duplicatesMax)
  },
)
