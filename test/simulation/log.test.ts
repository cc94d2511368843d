// The first seeds of the log's simulation, with every run of the tests; ./simulate.ts runs as many as one likes.

import { expect, test } from 'vitest'
import { simulateLog } from './log-run.ts'

const SEEDS = 500

test('a seed is the same course each time', async () => {
  const { history } = await simulateLog(3)
  expect(history.length).toBeGreaterThan(50)
  expect((await simulateLog(3)).history).toEqual(history)
})

test(
  'whatever the disk does, and whenever process or power end, the log keeps its contract (faults 1, 3, 4, 9, 10, 11, 12, 13, 59)',
  { timeout: 240_000 },
  async () => {
    let lives = 0
    let deliveries = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const run = await simulateLog(seed)
      lives += run.lives
      deliveries += run.deliveries
      if (run.problem === '') continue
      const again = `pnpm simulate --of log --seeds 1 --from ${seed}`
      expect.fail(`seed ${seed}: ${run.problem}\n${run.history.slice(-30).join('\n')}\nAgain: ${again}`)
    }
    // It does not pass for nothing having happened.
    expect(lives).toBeGreaterThan(4 * SEEDS)
    expect(deliveries).toBeGreaterThan(50 * SEEDS)
  },
)
