// A channel that stops working while it runs: what its Broker says, and who is told.

import { expect, test } from 'vitest'
import type { ChannelState } from '@sluice/channel'
import { DRIVERS } from '@sluice/controller'
import { broker, condition, scene } from './scene.ts'

test('a Broker whose channel fails says why, whoever watches its storage hears of it, and of its end', async () => {
  let tell: (state: ChannelState) => void = () => {}
  const told: (string | undefined)[] = []
  const here = scene({
    storage: { degraded: ({ name }, why) => told.push(name, why) },
    drivers: {
      async memory(settings) {
        const storage = await DRIVERS.memory(settings)
        storage.channel.onState = (listener) => {
          tell = listener
          listener({ state: 'ready' })
          return () => {}
        }
        return storage
      },
    },
  })
  await here.apply(broker())
  expect(told).toEqual([])
  tell({ state: 'degraded', reason: 'The disk is full.' })
  expect(condition(here.broker(), 'Ready')).toBe('False ChannelNotReady')
  tell({ state: 'ready' })
  expect(condition(here.broker(), 'Ready')).toBe('True')
  expect(told).toEqual(['default', 'The disk is full.', 'default', undefined])
})
