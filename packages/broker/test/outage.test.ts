// What an outage costs, at the size at which it happens.

import { expect, test } from 'vitest'
import { outcome, event, openScene, trigger, target } from './scene.ts'

test('a ten-minute outage at 1,000 events a second dead-letters fewer than ten events with the default policy', async () => {
  let delivered = 0
  let deadLettered = 0
  let seed = 1
  const scene = openScene({
    bytesMax: 1024 * 1024 * 1024,
    random: () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647,
    observer: { settled: () => delivered++, deadLettered: () => deadLettered++ },
  })
  const { broker, network, clock } = scene
  const { route, ...config } = trigger('billing')
  await broker.setTrigger({ ...config, route: { ...route, deadLetterSink: target('sink') } })
  let isUp = false
  network.answering = ({ target: { origin } }) => outcome(isUp || origin === 'http://sink' ? 200 : 0)

  const perStep = 20
  const steps = (10 * 60 * 1000) / perStep
  for (let step = 0; step < steps; step++) {
    for (let i = 0; i < perStep; i++) await broker.accept([event({ id: String(step * perStep + i) })])
    clock.advance(perStep)
  }
  await scene.quiet()
  expect(broker.status('uid-billing')).toMatchObject({ state: 'Down' })
  const attemptsWhileDown = network.sent

  isUp = true
  await scene.pass(60_000, 1000)
  expect(attemptsWhileDown).toBeLessThan(200)
  expect(deadLettered).toBeLessThan(10)
  expect(delivered + deadLettered).toBe(600_000)
  expect(scene.channel.usage()).toMatchObject({ events: 0, bytes: 0 })
}, 60_000)
