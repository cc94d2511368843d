// The second signal, with a log (fault 5; the first one is in test/e2e: restart.test.ts with a log, shutdown.test.ts in
// memory).

import { expect, test } from 'vitest'
import { startProducers } from './producers.ts'
import { openScene } from './scene.ts'

test('a second SIGTERM under load ends it at once; what was acknowledged is delivered after the next start (fault 5)', async () => {
  const scene = await openScene({ words: ['--grace', '3600'] })
  const { ledger, plain, ordered } = scene
  for (const sink of [plain, ordered]) sink.answer(() => new Promise(() => {}))
  const sluice = await scene.start()
  const producers = startProducers(ledger, sluice.broker, { keys: 8 })
  await ledger.ackedAtLeast(500)
  sluice.process.kill('SIGTERM')
  await sluice.stderr.until(/stopping/)
  while (sluice.process.exitCode === null) {
    sluice.process.kill('SIGTERM')
    await fetch(`${sluice.api}/livez`).catch(() => sluice.exited)
  }
  ledger.killed()
  ledger.isOver()
  expect(await sluice.exited).toEqual({ code: 1, signal: null })
  expect(sluice.stderr.soFar()).toContain('stopped at once; what is stored is delivered after the next start')

  for (const sink of [plain, ordered]) sink.answer(() => 202)
  const again = await scene.start()
  producers.aim(again.broker)
  await producers.stop()
  await scene.verify(again)
})
