// A trigger that its channel refuses for now, or for good; and one whose removal it refuses.

import { describe, expect, test } from 'vitest'
import { channelUnavailable, unsupported } from '@sluice/channel'
import type { Declared } from '@sluice/resource'
import { faultyScene } from './faulty.ts'
import {
  broker,
  condition,
  conditionOf,
  ofType,
  service,
  serviceRef,
  settle,
  subscriber,
  trigger,
  type Scene,
} from './scene.ts'

const NOWHERE = 'http://127.0.0.1:9/'
const GONE = channelUnavailable('The server at 127.0.0.1:9 is gone. Start it.', 5000)
const EIO = new Error('EIO: i/o error, fdatasync')

function uidOf({ resource }: Declared): string {
  return resource.metadata.uid
}

/** The triggers that the broker has, and where they go. */
function running({ controller }: Scene): Record<string, string> {
  const triggers = controller.broker('default', 'default')!.triggers()
  return Object.fromEntries(Array.from(triggers, ({ name, config }) => [name.name, config.route.subscriber.url]))
}

describe('a trigger that its channel refuses for now', () => {
  test.each([
    ['SluiceError', GONE],
    ['any other error', EIO],
  ])('says so, is asked for again by itself, and runs then; the others run meanwhile (%s)', async (_what, error) => {
    const here = faultyScene()
    const taker = await subscriber()
    const [late, other] = [trigger('late', taker.url, ofType('late')), trigger('t', taker.url, ofType('t'))]
    const tries = (): number => here.count(`subscribe ${uidOf(late)}`)
    here.faults.subscribe = ({ id }) => (id === uidOf(late) && tries() < 4 ? error : undefined)
    await here.apply(broker(), late, other)
    expect(condition(here.broker(), 'Ready')).toBe('True')
    expect(condition(here.trigger('t'), 'Ready')).toBe('True')
    expect(conditionOf(here.trigger('late'), 'Ready')).toMatchObject({ status: 'False', reason: 'NotSubscribed' })
    const { message } = conditionOf(here.trigger('late'), 'SubscriptionReady')
    expect(message).toMatch(/^(The server at 127\.0\.0\.1:9 is gone\. Start it\.|EIO: i\/o error, fdatasync\.) It is/)
    expect(message).toMatch(/ It is tried again by itself, every 30 s at the latest\.$/)
    await here.send('t', '1')
    await here.until(() => taker.got.length === 1)

    for (const [tried, delayMs] of [1000, 2000, 4000].entries()) {
      here.clock.advance(delayMs - 1)
      await settle()
      expect(tries()).toBe(tried + 1)
      here.clock.advance(1)
      await settle()
      expect(tries()).toBe(tried + 2)
    }
    const stored = here.controller.store.list({ group: 'eventing.knative.dev', kind: 'Trigger' })
    expect(stored.map((each) => condition(each, 'Ready'))).toEqual(['True', 'True']) // before anybody asks
    expect(here.count(`subscribe ${uidOf(other)}`)).toBe(1)
    await here.send('late', '2')
    await here.until(() => taker.got.length === 2)
  })

  test('runs as it ran, until the change is made', async () => {
    const here = faultyScene()
    const old = trigger('t', `${NOWHERE}old`, ofType('a'))
    await here.apply(broker(), old)
    here.faults.update = () => GONE
    await here.apply(broker(), trigger('t', `${NOWHERE}new`, ofType('b')))
    expect(running(here)).toEqual({ t: `${NOWHERE}old` })
    expect(condition(here.trigger('t'), 'SubscriptionReady')).toBe('False NotSubscribed')
    delete here.faults.update
    here.clock.advance(1000)
    await here.until(() => condition(here.trigger('t'), 'Ready') === 'True')
    expect(running(here)).toEqual({ t: `${NOWHERE}new` })
  })

  test('is what the last apply made of it, whichever change is answered first', async () => {
    const here = faultyScene()
    const answer = Promise.withResolvers<unknown>()
    const at = (path: string): Declared => trigger('t', `${NOWHERE}${path}`, ofType(path))
    await here.apply(broker(), at('first'))
    here.faults.update = () => GONE
    await here.apply(broker(), at('second'))
    here.faults.update = () => answer.promise
    here.clock.advance(1000) // asked for again, and not answered yet
    await here.until(() => here.count(`update ${uidOf(at('first'))}`) === 2)
    delete here.faults.update
    const applied = here.apply(broker(), at('first')) // as it runs
    answer.resolve(undefined)
    await applied
    expect(running(here)).toEqual({ t: `${NOWHERE}first` })
    expect(condition(here.trigger('t'), 'Ready')).toBe('True')
    expect(here.clock.pending).toBe(0)
  })

  test('is what the last apply made of it, though an earlier change is refused after that', async () => {
    const here = faultyScene()
    const t = trigger('t', { ref: { apiVersion: 'v1', kind: 'Service', name: 'display' } })
    const at = (port: number): Declared[] => [broker(), t, service('display', `http://127.0.0.1:${port}/`)]
    const [second, third] = [Promise.withResolvers<unknown>(), Promise.withResolvers<unknown>()]
    const answers = [second.promise, third.promise]
    await here.apply(...at(1))
    here.faults.update = () => answers.shift()
    for (const port of [2, 3]) {
      const applied = here.apply(...at(port))
      await settle()
      here.clock.advance(10_000)
      await applied
    }
    second.resolve(GONE)
    await here.until(() => here.count(`update ${uidOf(t)}`) === 2)
    const applied = here.apply(...at(1)) // as it runs, but the third is on its way
    third.resolve(undefined)
    await applied
    expect(running(here)).toEqual({ t: 'http://127.0.0.1:1/' })
  })

  test('is not asked twice while the answer is on its way', async () => {
    const here = faultyScene()
    const answer = Promise.withResolvers<undefined>()
    const t = trigger('t', NOWHERE)
    here.faults.subscribe = () => GONE
    await here.apply(broker(), t)
    here.faults.subscribe = () => answer.promise
    here.clock.advance(1000)
    await here.apply(broker(), t)
    expect(condition(here.trigger('t'), 'Ready')).toBe('False NotSubscribed') // as long as it is not known better
    here.clock.advance(30_000)
    await settle()
    answer.resolve(undefined)
    await here.until(() => condition(here.trigger('t'), 'Ready') === 'True')
    await settle()
    expect(here.steps).toEqual(['open default', `subscribe ${uidOf(t)}`, `subscribe ${uidOf(t)}`])
  })

  test('and whose address is gone now waits for the address, and its channel for nothing', async () => {
    const here = faultyScene({ subscribe: () => GONE })
    await here.apply(broker(), trigger('t', NOWHERE))
    await here.apply(broker(), trigger('t', serviceRef('later')))
    delete here.faults.subscribe
    expect(condition(here.trigger('t'), 'SubscriptionReady')).toBe('Unknown NotSubscribed')
    expect(here.clock.pending).toBe(0)
    expect(running(here)).toEqual({})
  })

  test('begins again at a second the next time', async () => {
    const here = faultyScene()
    here.faults.subscribe = () => (here.steps.length < 5 ? GONE : undefined)
    await here.apply(broker(), trigger('t', NOWHERE))
    for (const ms of [1000, 2000, 4000]) {
      here.clock.advance(ms)
      await settle()
    }
    expect(condition(here.trigger('t'), 'Ready')).toBe('True')
    here.faults.update = () => GONE
    await here.apply(broker(), trigger('t', NOWHERE, ofType('a')))
    delete here.faults.update
    here.clock.advance(1000)
    await here.until(() => condition(here.trigger('t'), 'Ready') === 'True')
  })

  test('and was taken out of the files is not asked for any more', async () => {
    const here = faultyScene()
    const gone = trigger('gone', NOWHERE)
    here.faults.subscribe = () => GONE
    await here.apply(broker(), gone)
    await here.apply(broker())
    here.clock.advance(60_000)
    await settle()
    expect(here.count(`subscribe ${uidOf(gone)}`)).toBe(1)
    expect(here.clock.pending).toBe(0)
  })

  test('holds up an apply for 10 s where its channel doesn’t answer, and no other trigger', async () => {
    const here = faultyScene()
    const answer = Promise.withResolvers<undefined>()
    const [hangs, other] = [trigger('hangs', NOWHERE), trigger('t', `${NOWHERE}1`)]
    await here.apply(broker(), other)
    here.faults.subscribe = () => answer.promise
    const applied = here.apply(broker(), hangs, trigger('t', `${NOWHERE}2`))
    await here.until(() => running(here)['t'] === `${NOWHERE}2`)
    here.clock.advance(10_000)
    await applied
    expect(condition(here.trigger('hangs'), 'SubscriptionReady')).toBe('Unknown NotSubscribed')
    await here.apply(broker(), hangs, trigger('t', `${NOWHERE}3`)) // asks no second time
    expect(running(here)).toEqual({ t: `${NOWHERE}3` })
    answer.resolve(undefined)
    await here.until(() => condition(here.trigger('hangs'), 'Ready') === 'True')
    expect(here.count(`subscribe ${uidOf(hangs)}`)).toBe(1)
  })
})

test('a trigger that its channel refuses for good is asked for at the next apply, and not before', async () => {
  const here = faultyScene()
  const t = trigger('t', NOWHERE)
  here.faults.subscribe = ({ id }) => (id === uidOf(t) ? unsupported('order', 'This channel has no order.') : GONE)
  await here.apply(broker(), t, trigger('waits', NOWHERE))
  here.clock.advance(60_000)
  await settle()
  expect(here.count(`subscribe ${uidOf(t)}`)).toBe(1)
  expect(conditionOf(here.trigger('t'), 'Ready').message).toBe('This channel has no order.')
  delete here.faults.subscribe
  await here.apply(broker(), t)
  expect(condition(here.trigger('t'), 'Ready')).toBe('True')
})

test('a trigger whose change was refused says nothing of it once that is taken back', async () => {
  const here = faultyScene({ update: () => unsupported('filterUpdate', 'This channel changes no subscription.') })
  const t = trigger('t', { ref: { apiVersion: 'v1', kind: 'Service', name: 'display' } })
  await here.apply(broker(), t, service('display', 'http://127.0.0.1:7/'))
  await here.apply(broker(), t, service('display', 'http://127.0.0.1:8/'))
  expect(condition(here.trigger('t'), 'Ready')).toBe('False NotSubscribed')
  await here.apply(broker(), t, service('display', 'http://127.0.0.1:7/'))
  expect(condition(here.trigger('t'), 'Ready')).toBe('True')
})

describe('a removal that the channel refuses', () => {
  test.each([
    ['for now', GONE],
    ['for good', unsupported('seek', 'Not this one.')],
    ['by an error that is not ours', EIO],
  ])('%s is tried again until it is made; no event goes out meanwhile', async (_what, error) => {
    const discarded: number[] = []
    const here = faultyScene({}, { observer: { discarded: (_trigger, events) => discarded.push(events) } })
    const taker = await subscriber()
    const t = trigger('t', taker.url, {}, { 'sluice.dev/paused': 'true' })
    await here.apply(broker(), t)
    await here.send('t')
    here.faults.remove = () => (here.count(`remove ${uidOf(t)}`) < 4 ? error : undefined)
    await here.apply(broker())
    expect(discarded).toEqual([])
    await here.apply(broker()) // the next apply is a try as well
    for (const ms of [1000, 2000]) {
      expect(running(here)).toHaveProperty('t')
      here.clock.advance(ms)
      await settle()
    }
    expect(running(here)).toEqual({})
    expect(discarded).toEqual([1])
    expect(taker.got).toEqual([])
    here.clock.advance(5000) // what has come in is written into the statuses of EventTypes
    expect(here.clock.pending).toBe(0)
  })

  test('and whose trigger has come back, is made before that runs', async () => {
    const here = faultyScene()
    const taker = await subscriber()
    const paused = { 'sluice.dev/paused': 'true' }
    await here.apply(broker(), trigger('t', taker.url, {}, paused))
    await here.send('t', 'old')
    here.faults.remove = () => GONE
    await here.apply(broker())
    for (let times = 0; times < 2; times++) await here.apply(broker(), trigger('t', taker.url, {}, paused))
    expect(conditionOf(here.trigger('t'), 'SubscriptionReady')).toMatchObject({
      status: 'False',
      message: expect.stringContaining('is gone. Start it.') as string,
    })
    delete here.faults.remove
    here.clock.advance(1000)
    await here.until(() => condition(here.trigger('t'), 'Ready') === 'True')
    await here.apply(broker(), trigger('t', taker.url))
    await here.send('t', 'new')
    await here.until(() => taker.got.length === 1)
    expect(taker.got[0]!.id).toBe('new')
  })

  test('is tried again, too, where its trigger has come back and waits for an address', async () => {
    const here = faultyScene({ remove: () => GONE })
    await here.apply(broker(), trigger('t', NOWHERE))
    await here.apply(broker())
    for (const to of [NOWHERE, serviceRef('later')]) await here.apply(broker(), trigger('t', to))
    delete here.faults.remove
    here.clock.advance(1000)
    await settle()
    expect(running(here)).toEqual({})
    expect(condition(here.trigger('t'), 'SubscriptionReady')).toBe('Unknown NotSubscribed')
    expect(here.clock.pending).toBe(0)
    await here.apply(broker(), trigger('t', NOWHERE))
    expect(condition(here.trigger('t'), 'Ready')).toBe('True')
  })

  test('doesn’t keep its Broker from closing where that is removed too', async () => {
    const here = faultyScene({ remove: () => GONE })
    await here.apply(broker(), trigger('t', NOWHERE))
    await here.apply()
    await here.until(() => here.steps.includes('closed default'))
    await settle() // its box as well
    expect(here.clock.pending).toBe(0)
  })
})
