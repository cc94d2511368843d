// A trigger is set to another place among the stored events.

import { expect, test } from 'vitest'
import { DEFAULT_POLICY } from '@sluice/delivery'
import { event, openScene, outcome, target, trigger } from './scene.ts'

test('an event that was parked for its dead-letter sink goes to its subscriber first when a seek brings it back', async () => {
  const asked: string[] = []
  const scene = openScene({ historyBytes: 1024 * 1024, onSend: ({ target: { origin } }) => asked.push(origin) })
  const { broker, network } = scene
  const route = {
    subscriber: target('billing'),
    deadLetterSink: target('sink'),
    policy: { ...DEFAULT_POLICY, retry: 0 },
    concurrency: 64,
  }
  await broker.setTrigger(trigger('billing', { route }))
  network.answering = ({ target: { origin } }) => outcome(origin === 'http://sink' ? 0 : 500)
  for (let id = 1; id <= 8; id++) await broker.accept([event({ id: `${id}` })])
  await scene.pass(1000)
  expect(broker.status('uid-billing')!.lag.parked).toBeGreaterThan(0) // the sink is down

  asked.length = 0
  network.answering = () => outcome(200)
  await broker.seekTrigger('uid-billing', 'earliest')
  await scene.pass(120_000, 1000)
  expect(asked.filter((origin) => origin === 'http://billing')).toHaveLength(8)
})
