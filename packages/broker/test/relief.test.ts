// A channel that fills up, where new events are worth more than the oldest (DESIGN "Full", `whenFull: deadLetter`).

import { expect, test } from 'vitest'
import { DEFAULT_POLICY } from '@sluice/delivery'
import type { Route, TriggerConfig } from '@sluice/broker'
import { event, openScene, outcome, target, trigger, type Scene, type SceneOptions } from './scene.ts'

const KIB = 1024

function triggerConfig(name: string, route: Partial<Route> = {}): TriggerConfig {
  const config = trigger(name)
  return { ...config, route: { ...config.route, ...route } }
}

function scene(options: SceneOptions = {}): Scene {
  return openScene({ bytesMax: 256 * KIB, whenFull: () => 'deadLetter', ...options })
}

/** Sends events of 1 KiB; returns the ids of those that were taken. */
async function send({ broker, pass }: Scene, count: number, prefix = 'e'): Promise<string[]> {
  const taken: string[] = []
  for (let n = 0; n < count; n++) {
    const id = `${prefix}${n}`
    if (broker.room(KIB) > 0) {
      await pass(50) // as a sender does that was answered 429
      continue
    }
    await broker.accept([event({ id }, Buffer.alloc(KIB))]).then(
      () => taken.push(id),
      () => {},
    )
  }
  await pass(200)
  return taken
}

async function boxed({ box }: Scene): Promise<string[]> {
  return (await box.list({ limit: 10_000 })).map((entry) => entry.event.id)
}

test('a subscriber that takes nothing costs its own oldest events, and no sender is refused for long', async () => {
  const to = scene()
  await to.broker.setTrigger(triggerConfig('stuck'))
  const taken = await send(to, 1000)
  expect(taken.length).toBeGreaterThan(900)
  const dead = await boxed(to)
  expect(dead.length).toBeGreaterThan(700)
  // The oldest: what is under way at the subscriber waits for its answer.
  const underWay = new Set(to.network.underWay.map(({ request }) => request.event.id))
  const givenUp = taken.filter((id) => !underWay.has(id)).slice(0, dead.length)
  expect(dead).toEqual(givenUp)
  const [entry] = await to.box.list({ limit: 1 })
  expect(entry).toMatchObject({ reason: 'undeliverable', error: expect.stringContaining('full') as string })
})

test('nothing is lost: what was taken is delivered, under way, waiting, or in the box', async () => {
  const to = scene()
  await to.broker.setTrigger(triggerConfig('stuck', { concurrency: 4 }))
  const taken = await send(to, 600)
  const status = to.broker.status('uid-stuck')!
  expect((await boxed(to)).length + status.lag.events).toBe(taken.length)
})

test('a trigger that keeps up loses nothing to one that does not', async () => {
  const to = scene()
  const got = new Set<string>()
  to.network.answering = ({ target: { url }, event: { id } }) => {
    if (!url.includes('good')) return undefined
    got.add(id)
    return outcome(202)
  }
  await to.broker.setTrigger(triggerConfig('good'))
  await to.broker.setTrigger(triggerConfig('stuck'))
  const taken = await send(to, 600)
  expect([...got].toSorted()).toEqual(taken.toSorted())
  expect(new Set((await to.box.list({ limit: 10_000 })).map(({ trigger }) => trigger))).toEqual(
    new Set(['default/stuck']),
  )
})

test('what is parked for its next try is among the oldest, and goes too', async () => {
  const to = scene()
  to.network.answering = () => outcome(500)
  await to.broker.setTrigger(
    triggerConfig('failing', { policy: { ...DEFAULT_POLICY, retry: 10, backoffDelayMs: 300_000 } }),
  )
  const taken = await send(to, 600)
  expect(taken.length).toBeGreaterThan(500)
  expect((await boxed(to)).slice(0, 3).toSorted()).toEqual(taken.slice(0, 3).toSorted())
})

test('with a sink they go there; one that is down too leaves them to the box', async () => {
  const to = scene()
  const sunk: string[] = []
  let isDown = false
  to.network.answering = ({ target: { url }, event: { id } }) => {
    if (!url.includes('sink')) return undefined
    if (isDown) return outcome(0)
    sunk.push(id)
    return outcome(202)
  }
  await to.broker.setTrigger(triggerConfig('stuck', { deadLetterSink: target('sink') }))
  await send(to, 400)
  expect(sunk.length).toBeGreaterThan(100)
  expect(await boxed(to)).toEqual([])
  isDown = true
  const taken = await send(to, 600, 'late')
  expect(taken.length).toBeGreaterThan(400)
  expect((await boxed(to)).length).toBeGreaterThan(100)
})

test('once there is room it is over: a subscriber that is back gets what is left', async () => {
  const to = scene()
  await to.broker.setTrigger(triggerConfig('stuck'))
  await send(to, 400)
  const before = (await boxed(to)).length
  to.network.answering = () => outcome(202)
  for (const attempt of [...to.network.underWay]) attempt.answer(outcome(202))
  await to.pass(1000)
  expect(to.broker.status('uid-stuck')!.lag.events).toBe(0)
  await send(to, 50, 'new')
  expect(await boxed(to)).toHaveLength(before)
})

test('a trigger that is paused keeps what it has, and so does one whose box is full: then new events are refused', async () => {
  const paused = scene()
  await paused.broker.setTrigger({ ...triggerConfig('paused'), paused: true })
  const taken = await send(paused, 400)
  expect(await boxed(paused)).toEqual([])
  expect(paused.broker.status('uid-paused')!.lag.events).toBe(taken.length)
  expect(paused.broker.room(KIB)).toBeGreaterThan(0)

  const full = scene({ boxBytesMax: 20 * KIB, boxTriggerBytesMax: 20 * KIB })
  await full.broker.setTrigger(triggerConfig('stuck'))
  const stored = await send(full, 600)
  expect((await boxed(full)).length + full.broker.status('uid-stuck')!.lag.events).toBe(stored.length)
  expect(full.broker.room(KIB)).toBeGreaterThan(0)
})

test('it can be chosen while the channel is full already', async () => {
  let whenFull: 'reject' | 'deadLetter' = 'reject'
  const to = scene({ whenFull: () => whenFull })
  await to.broker.setTrigger(triggerConfig('stuck'))
  const before = await send(to, 400)
  expect(await boxed(to)).toEqual([])
  expect(before.length).toBeLessThan(250)
  whenFull = 'deadLetter'
  expect((await send(to, 100, 'more')).length).toBeGreaterThan(90)
})
