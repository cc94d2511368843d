// A Broker whose channel can't be opened: what it says, what it leaves alone, and how it comes back.

import { describe, expect, test } from 'vitest'
import { channelUnavailable } from '@sluice/channel'
import { SluiceError } from '@sluice/event'
import { faultyScene, type FaultyScene } from './faulty.ts'
import { BASE, broker, condition, conditionOf, event, settle, subscriber, trigger, type Scene } from './scene.ts'

const NOWHERE = 'http://127.0.0.1:9/'
const GONE = channelUnavailable('The server at 127.0.0.1:9 is gone. Start it.', 5000)
const LOCKED = new SluiceError('SLUICE_LOG_LOCKED', 'Process 7 has the data open. Stop it, or name another --data.')

/** The channel of Broker `bad` can't be opened while `faults.open` stands. */
function badScene(error: unknown = GONE): FaultyScene {
  return faultyScene({ open: (name) => (name === 'bad' ? error : undefined) })
}

describe('a Broker whose channel can’t be opened', () => {
  test.each([
    ['for a while', GONE],
    ['until a person does something', LOCKED],
  ])('%s is not Ready and says what to do; its triggers say so, and the others run', async (_what, error) => {
    const here = badScene(error)
    const taker = await subscriber()
    await here.apply(
      broker('bad'),
      broker(),
      trigger('of-bad', NOWHERE, { broker: 'bad' }),
      trigger('of-default', taker.url),
    )
    for (const type of ['Ready', 'TriggerChannelReady', 'IngressReady', 'FilterReady', 'Addressable']) {
      expect(condition(here.broker('bad'), type)).toBe('False ChannelFailure')
    }
    const why = `The channel can't be opened: ${error.message} It is tried again by itself, every 30 s at the latest.`
    expect(conditionOf(here.broker('bad'), 'Ready').message).toBe(why)
    expect(here.broker('bad').status).not.toHaveProperty('address') // spec 48
    expect(conditionOf(here.trigger('of-bad'), 'Ready')).toMatchObject({
      status: 'False', // spec 11
      reason: 'ChannelFailure',
      message: `Broker "bad" is not ready: ${why}`, // spec 12
    })
    expect(condition(here.trigger('of-bad'), 'SubscriptionReady')).toBe('Unknown NotSubscribed')
    expect(here.controller.summary()[0]).toContain(`NOT READY, ChannelFailure: ${why}`)

    expect(condition(here.trigger('of-default'), 'Ready')).toBe('True')
    await here.send('t', '1')
    await here.until(() => taker.got.length === 1)
  })

  test('for an error that is not ours says it to who may read statuses, and shows its stack', async () => {
    const here = badScene(new Error('EACCES: permission denied, mkdir /data/brokers'))
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    await here.apply(broker('bad'))
    expect((await warned).message).toContain('EACCES')
    expect(conditionOf(here.broker('bad'), 'Ready').message).toContain("can't be opened: EACCES: permission denied")
    const told = here.controller.unavailable('default', 'bad')
    expect(told).toMatchObject({ code: 'SLUICE_CHANNEL_UNAVAILABLE', status: 503 })
    expect(told?.message).not.toContain('EACCES') // threat 23
    expect(told?.message).toContain('the status of the Broker says why')
  })

  test('for want of its disk or its data says that to who may read statuses only (threat 23)', async () => {
    const message = '/data/brokers/1 is in use by another process.'
    const here = badScene(new SluiceError('SLUICE_DATA_LOCKED', message))
    await here.apply(broker('bad'))
    expect(conditionOf(here.broker('bad'), 'Ready').message).toContain(message)
    expect(here.controller.unavailable('default', 'bad')?.message).not.toContain('/data')
    expect([...here.controller.waiting()]).toEqual([{ kind: 'Broker', namespace: 'default', name: 'bad' }])
  })

  test('tells senders why, and when it is tried again; one that is not declared is unknown', async () => {
    const here = badScene()
    await here.apply(broker('bad'), broker())
    expect(here.controller.broker('default', 'bad')).toBeUndefined()
    here.clock.advance(1000)
    await here.until(() => here.count('open bad') === 2)
    await settle()
    here.clock.advance(500)
    expect(here.controller.unavailable('default', 'bad')).toMatchObject({
      code: 'SLUICE_CHANNEL_UNAVAILABLE',
      status: 503,
      retryable: true,
      retryAfterMs: 1500,
      message: expect.stringMatching(
        /^Broker default\/bad takes no events now: .* The server at 127\.0\.0\.1:9 is gone\. Start it\. Nothing was stored\.$/,
      ) as string,
    })
    expect(here.controller.unavailable('default', 'default')).toBeUndefined()
    expect(here.controller.unavailable('default', 'nobody')).toBeUndefined()
  })

  test('is tried again after 1 s, then after twice as long each time, 30 s at most', async () => {
    const here = badScene()
    await here.apply(broker('bad'))
    let tries = 1
    for (const delayMs of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      here.clock.advance(delayMs - 1)
      await settle()
      expect(here.count('open bad')).toBe(tries)
      here.clock.advance(1)
      await here.until(() => here.count('open bad') === tries + 1)
      await settle()
      tries++
    }
  })

  test('takes events once it is open, for the triggers of then; its status is written when that is', async () => {
    const here = badScene()
    const taker = await subscriber()
    const of = { broker: 'bad' }
    await here.apply(broker('bad'), trigger('removed', NOWHERE, of), trigger('stays', NOWHERE, of))
    await here.apply(broker('bad'), trigger('stays', taker.url, of), trigger('added', taker.url, of))
    expect(here.count('open bad')).toBe(1) // an apply that doesn't mend it doesn't try it
    delete here.faults.open
    here.clock.advance(1000)
    await here.until(() => here.controller.broker('default', 'bad') !== undefined)

    const stored = here.controller.store.list({ group: 'eventing.knative.dev', kind: 'Broker' })[0]!
    expect(conditionOf(stored, 'Ready')).toMatchObject({ status: 'True', lastTransitionTime: '2026-01-01T00:00:01Z' })
    for (const resource of here.controller.store.list({ group: 'eventing.knative.dev', kind: 'Trigger' })) {
      expect(condition(resource, 'Ready')).toBe('True')
    }
    expect(here.broker('bad').status).toMatchObject({ address: { url: `${BASE}/default/bad` } })
    expect(here.controller.unavailable('default', 'bad')).toBeUndefined()
    expect(here.clock.pending).toBe(0)
    await here.send('t', '1', 'bad')
    await here.until(() => taker.got.length === 2)
  })

  test('is tried no more once it is removed', async () => {
    const here = badScene()
    await here.apply(broker('bad'))
    await here.apply()
    expect(here.controller.unavailable('default', 'bad')).toBeUndefined()
    expect(here.clock.pending).toBe(0)
  })

  test('is tried no more once the controller closes', async () => {
    const here = badScene()
    await here.apply(broker('bad'))
    await here.controller.close({ deadlineMs: 1000 })
    here.clock.advance(60_000)
    await settle()
    expect(here.count('open bad')).toBe(1)
  })

  test('doesn’t keep a removed one from closing', async () => {
    const here = badScene()
    await here.apply(broker('old'))
    const old = here.controller.broker('default', 'old')!
    await here.apply(broker('bad'))
    await expect(old.accept([event('t')])).rejects.toMatchObject({ code: 'SLUICE_DRAINING' })
    await here.until(() => here.steps.includes('closed old'))
  })
})

describe('a channel that takes long to open', () => {
  test('holds up its own Broker only, and an apply for 10 s', async () => {
    const opened = Promise.withResolvers<undefined>()
    const here = badScene(opened.promise)
    const taker = await subscriber()
    let isApplied = false
    const applied = here
      .apply(broker('bad'), trigger('of-bad', taker.url, { broker: 'bad' }), broker(), trigger('t', taker.url))
      .then(() => (isApplied = true))
    await here.until(() => here.controller.broker('default', 'default') !== undefined)
    await here.send('t', '1')
    await here.until(() => taker.got.length === 1)
    expect(here.controller.unavailable('default', 'bad')?.message).toContain('its channel is being opened')
    here.clock.advance(9999)
    await settle()
    expect(isApplied).toBe(false)
    here.clock.advance(1)
    await applied
    expect(condition(here.broker('bad'), 'Ready')).toBe('Unknown ChannelNotReady')

    await here.apply(broker('bad'), trigger('of-bad', taker.url, { broker: 'bad' }), broker()) // waits no second time
    opened.resolve(undefined)
    await here.until(() => here.controller.broker('default', 'bad') !== undefined)
    await here.send('t', '2', 'bad')
    await here.until(() => taker.got.length === 2)
  })

  test.each([
    ['its Broker was removed', (here: Scene) => here.apply()],
    ['the controller was closed', ({ controller }: Scene) => controller.close({ deadlineMs: 1000 })],
  ])('is closed when it comes after %s', async (_what, end) => {
    const opened = Promise.withResolvers<undefined>()
    const here = badScene(opened.promise)
    const applied = here.apply(broker('bad'), trigger('t', NOWHERE, { broker: 'bad' }))
    await here.until(() => here.count('open bad') === 1)
    here.clock.advance(10_000)
    await applied
    await end(here)
    opened.resolve(undefined)
    await here.until(() => here.steps.includes('closed bad'))
    expect(here.steps).toEqual(['open bad', 'close bad', 'closed bad'])
    expect(here.controller.broker('default', 'bad')).toBeUndefined()
  })
})

test('a Broker on a channel in memory that comes back waits for nobody: nothing is shared', async () => {
  const letGo = Promise.withResolvers<undefined>()
  const here = faultyScene({ close: () => letGo.promise })
  await here.apply(broker())
  await here.apply()
  await here.apply(broker())
  expect(here.steps).toEqual(['open default', 'close default', 'open default'])
  expect(condition(here.broker(), 'Ready')).toBe('True')
  letGo.resolve(undefined)
})

describe('a Broker on a durable channel', () => {
  test('that comes back opens its data once the removed one has let go of it', async () => {
    const here = faultyScene({ capabilities: { durable: true } })
    const letGo = Promise.withResolvers<undefined>()
    here.faults.close = () => letGo.promise
    await here.apply(broker())
    await here.apply()
    const applied = here.apply(broker())
    await settle()
    expect(here.steps).toEqual(['open default', 'close default'])
    expect(here.controller.unavailable('default', 'default')).toMatchObject({ status: 503 })
    letGo.resolve(undefined)
    await applied
    expect(here.steps).toEqual(['open default', 'close default', 'closed default', 'open default'])
    expect(condition(here.broker(), 'Ready')).toBe('True')
  })

  test('where filters are judged as events are stored takes none before all its triggers are subscribed again', async () => {
    const here = faultyScene({ capabilities: { durable: true, filterJudged: 'publish' } })
    const first = await subscriber()
    here.faults.subscribe = () => (here.steps.length < 3 ? GONE : undefined)
    await here.apply(broker(), trigger('known', first.url), trigger('other', NOWHERE))
    expect(here.controller.broker('default', 'default')).toBeUndefined()
    expect(condition(here.broker(), 'TriggerChannelReady')).toBe('False ChannelFailure')
    expect(conditionOf(here.broker(), 'Ready').message).toContain("Triggers can't be subscribed: The server at")
    expect(here.controller.unavailable('default', 'default')?.message).toContain('The server at 127.0.0.1:9 is gone')
    here.clock.advance(1000)
    await here.until(() => here.controller.broker('default', 'default') !== undefined)
    await here.send('t', '1')
    await here.until(() => first.got.length === 1)
  })

  test('nor while an answer is on its way, whatever is applied meanwhile', async () => {
    const here = faultyScene({ capabilities: { durable: true, filterJudged: 'publish' } })
    const answer = Promise.withResolvers<undefined>()
    here.faults.subscribe = () => answer.promise
    const applied = here.apply(broker(), trigger('known', NOWHERE))
    await here.until(() => here.steps.length === 2)
    here.clock.advance(10_000)
    await applied
    here.faults.subscribe = () => undefined
    await here.apply(broker(), trigger('known', NOWHERE), trigger('other', NOWHERE))
    expect(here.controller.broker('default', 'default')).toBeUndefined()
    answer.resolve(undefined)
    await here.until(() => here.controller.broker('default', 'default') !== undefined)
  })
})
