// The first seeds of the broker's simulation, with every run of the tests; ./simulate.ts runs as many as one likes.

import { expect, test } from 'vitest'
import { simulateBroker } from './broker-run.ts'

const SEEDS = 500

test('a seed is the same course each time', async () => {
  const { history } = await simulateBroker(3)
  expect(history.length).toBeGreaterThan(50)
  expect((await simulateBroker(3)).history).toEqual(history)
})

test(
  'whatever disk and network do, and whenever process or power end, what a broker took ends as it promises (faults 1, 3, 4, 9, 10, 11, 13, 20, 31, 38, 59)',
  { timeout: 240_000 },
  async () => {
    let lives = 0
    let attempts = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const run = await simulateBroker(seed)
      lives += run.lives
      attempts += run.deliveries
      if (run.problem === '') continue
      const again = `pnpm simulate --of broker --seeds 1 --from ${seed}`
      expect.fail(`seed ${seed}: ${run.problem}\n${run.history.slice(-30).join('\n')}\nAgain: ${again}`)
    }
    // It does not pass for nothing having happened.
    expect(lives).toBeGreaterThan(4 * SEEDS)
    expect(attempts).toBeGreaterThan(100 * SEEDS)
  },
)
