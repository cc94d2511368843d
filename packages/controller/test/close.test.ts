// The end: within the time that the caller gives it.

import { expect, test } from 'vitest'
import { channelUnavailable } from '@sluice/channel'
import { faultyScene } from './faulty.ts'
import { broker, condition, settle, subscriber, trigger } from './scene.ts'

const NOWHERE = 'http://127.0.0.1:9/'
const GONE = channelUnavailable('The server at 127.0.0.1:9 is gone. Start it.', 5000)

test('removed Brokers are waited for no longer than the caller waits', async () => {
  const closes = Promise.withResolvers<undefined>()
  const here = faultyScene({ close: (name) => (name === 'slow' ? closes.promise : undefined) })
  await here.apply(broker('slow'), broker())
  await here.apply(broker())
  await here.until(() => here.count('close slow') === 1)
  let isClosed = false
  const closed = here.controller.close({ deadlineMs: 2000 }).then(() => (isClosed = true))
  here.clock.advance(1999)
  await settle()
  expect(isClosed).toBe(false)
  here.clock.advance(1)
  await closed
  expect(here.steps).toContain('closed default')
  closes.resolve(undefined)
})

test('is over as soon as all are closed, removed ones too', async () => {
  const closes = Promise.withResolvers<undefined>()
  const here = faultyScene({ close: (name) => (name === 'slow' ? closes.promise : undefined) })
  await here.apply(broker('slow'))
  await here.apply()
  await here.until(() => here.count('close slow') === 1)
  const closed = here.controller.close({ deadlineMs: 60_000 })
  closes.resolve(undefined)
  await closed
  expect(here.steps.at(-1)).toBe('closed slow')
})

test('a Broker that fails to close cuts nobody short, and is told', async () => {
  const here = faultyScene({ close: (name) => (name === 'bad' ? GONE : undefined) })
  const taker = await subscriber(undefined)
  await here.apply(broker('bad'), broker(), trigger('t', taker.url))
  await here.send('t', '1')
  await here.until(() => taker.got.length === 1)
  let outcome = ''
  const closed = here.controller.close({ deadlineMs: 5000 }).then(
    () => (outcome = 'closed'),
    (error: Error) => (outcome = error.message),
  )
  await settle()
  expect(outcome).toBe('')
  taker.status = 202
  while (outcome === '') {
    here.clock.advance(20)
    await settle()
  }
  await closed
  expect(outcome).toBe(GONE.message)
  expect(here.steps).toContain('closed default')
})

test('what waited to be tried again is not tried any more, and nothing is applied any more', async () => {
  const here = faultyScene({ subscribe: () => GONE })
  await here.apply(broker(), trigger('t', NOWHERE))
  expect(condition(here.trigger('t'), 'Ready')).toBe('False NotSubscribed')
  await here.controller.close({ deadlineMs: 0 })
  expect(here.clock.pending).toBe(0)
  await expect(here.refused(broker('new'))).rejects.toMatchObject({ code: 'SLUICE_DRAINING', status: 503 })
  expect(here.controller.store.list()).toHaveLength(2)
  expect(here.count('open new')).toBe(0)
})

test('what is refused after that is not tried again', async () => {
  const answer = Promise.withResolvers<unknown>()
  const here = faultyScene({ subscribe: () => answer.promise })
  const applied = here.apply(broker(), trigger('t', NOWHERE))
  await here.until(() => here.steps.length === 2)
  await here.controller.close({ deadlineMs: 0 })
  answer.resolve(GONE)
  await applied
  expect(here.clock.pending).toBe(0)
})
