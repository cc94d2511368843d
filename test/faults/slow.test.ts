// Subscribers that take their time, or fail at some: who has to wait for them, and who has not (faults 39, 40).

import { describe, expect, test } from 'vitest'
import { startProducers } from './producers.ts'
import { openScene } from './scene.ts'

const [KEYS, EACH] = [8, 40]

describe.each(['log', 'memory'] as const)('%s', (channel) => {
  test.each([
    ['plain', 'ordered'],
    ['ordered', 'plain'],
  ] as const)(
    'a subscriber that takes its time over each event (%s) costs the other one, which gets the same keys, nothing (fault 39)',
    async (slow, fast) => {
      const scene = await openScene({ channel })
      const { ledger } = scene
      const gate = Promise.withResolvers<number>()
      scene[slow].answer(() => gate.promise)
      const sluice = await scene.start()
      const producers = startProducers(ledger, sluice.broker, { keys: KEYS, each: EACH })
      await producers.ended
      await ledger.until(() => ledger.takenBy(fast) === KEYS * EACH)
      expect(ledger.takenBy(slow)).toBe(0)
      gate.resolve(202)
      expect((await scene.verify(sluice)).duplicates).toBe(0)
    },
  )

  test('of a trigger in order, a key whose event fails waits, alone; then its events come in their order, over a kill too (fault 40)', async () => {
    const scene = await openScene({ channel })
    const { ledger, ordered } = scene
    let tries = 0
    ordered.answer((id) => (id.startsWith('k0-') ? (tries++, 500) : 202))
    let sluice = await scene.start()
    const producers = startProducers(ledger, sluice.broker, { keys: KEYS, each: EACH })
    await producers.ended
    await ledger.until(() => ledger.takenBy('ordered') === (KEYS - 1) * EACH && tries > 3)
    expect(new Set(ledger.deliveries.filter(({ status }) => status === 500).map(({ id }) => id))).toEqual(
      new Set(['k0-1']),
    )
    if (channel === 'log') {
      await scene.kill(sluice)
      sluice = await scene.start()
    }
    ordered.answer(() => 202)
    await scene.verify(sluice)
  })
})
