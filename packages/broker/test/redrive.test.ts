// Redriving and purging, where a scenario can't look: bounds, a box that fails, and the end of the process (DESIGN "The
// dead-letter box").

import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { DeadLetterBox } from '@sluice/channel'
import { simulatedDisk } from '@sluice/segments/simulation'
import { entry, eventsIn, openDiskBox, put } from './boxes.ts'
import { openScene, outcome, target, trigger, type Scene } from './scene.ts'

const BILLING = { trigger: 'default/billing' }

/** A scene with so many dead letters of `billing`, and no event elsewhere. */
async function sceneWith(letters: number, box?: DeadLetterBox, bytes: number = 0): Promise<Scene> {
  const scene = openScene({ ...(box !== undefined && { box }) })
  await scene.broker.setTrigger(trigger('billing', { window: { events: 256, bytes: 1_000_000 } }))
  for (let i = 0; i < letters; i++) await put(scene.box, String(i), 'billing', bytes)
  return scene
}

async function answerAll({ network, quiet }: Scene, status: number): Promise<void> {
  while (network.underWay.length > 0) {
    for (const attempt of network.underWay.slice()) attempt.answer(outcome(status))
    await quiet()
  }
}

describe('no more is taken out of the box', () => {
  test('than 64 entries at once, parked ones included, and each goes once', async () => {
    const scene = await sceneWith(200)
    const { broker, network, box, pass } = scene
    const got = box.get.bind(box)
    let read = 0
    box.get = (id) => (read++, got(id))
    const listed = box.list.bind(box)
    box.list = (options) => (read++, listed(options))
    expect(await broker.redrive(BILLING)).toEqual({ entries: 200, missing: [] })
    await pass(10)
    expect([network.underWay.length, read]).toEqual([64, 64])
    for (const attempt of network.underWay.slice()) attempt.answer(outcome(500))
    await scene.quiet()
    expect([network.underWay.length, read]).toEqual([0, 64])
    expect(broker.status('uid-billing')?.redriving).toBe(200)
    network.answering = () => outcome(200)
    await pass(1000)
    expect([network.sent, box.usage().events]).toEqual([200 + 64, 0])
  })

  test('than its trigger’s window has, in events and in bytes', async () => {
    const scene = await sceneWith(20, undefined, 100_000)
    const { broker, network, quiet } = scene
    await broker.redrive(BILLING)
    await quiet()
    expect(network.underWay).toHaveLength(10) // one more than fits, as an event larger than the window goes alone
    await broker.setTrigger(trigger('billing', { window: { events: 3, bytes: 1_000_000 } }))
    await answerAll(scene, 200)
    await put(scene.box, 'x')
    for (let i = 0; i < 9; i++) await put(scene.box, `y${i}`)
    await broker.redrive(BILLING)
    await quiet()
    expect(network.underWay).toHaveLength(3)
  })
})

test('one that is asked for again while it is under way goes once, though it fails', async () => {
  const scene = await sceneWith(2)
  const { broker, network, quiet } = scene
  await broker.setTrigger(trigger('billing', { window: { events: 1, bytes: 1000 } }))
  await broker.redrive(['1'])
  await quiet()
  await broker.redrive(['1'])
  await answerAll(scene, 400)
  expect(network.sent).toBe(1)
})

test('a pass over all of a trigger ends, though what it redrives fails again and new ones come in all the time', async () => {
  const scene = await sceneWith(10)
  const { broker, network, box, quiet } = scene
  let sent = 0
  network.answering = () => {
    void put(box, `new ${sent++}`)
    return outcome(400)
  }
  await broker.redrive(BILLING)
  for (let i = 0; i < 50; i++) await quiet()
  expect(broker.status('uid-billing')?.redriving).toBe(0)
  expect([sent, box.usage().events]).toEqual([10, 20])
})

test('a second pass begins anew: those that have failed meanwhile go again, and those under way once', async () => {
  const scene = await sceneWith(3)
  const { broker, network, box, quiet } = scene
  await broker.redrive(BILLING)
  await quiet()
  const [first] = network.underWay
  first!.answer(outcome(400))
  await quiet()
  await broker.redrive(BILLING)
  await quiet()
  expect(network.underWay.map(({ request }) => request.event.id)).toEqual(['1', '2', '0'])
  await answerAll(scene, 200)
  expect([network.sent, box.usage().events]).toEqual([4, 0])
})

test('a pass that is begun while an earlier one finds nothing more is not lost', async () => {
  const scene = await sceneWith(1)
  const { broker, network, box, quiet } = scene
  const list = box.list.bind(box)
  const found = Promise.withResolvers<[]>()
  box.list = () => found.promise
  await broker.redrive(BILLING)
  await broker.purge('all')
  box.list = list
  await put(box, 'new')
  await broker.redrive(BILLING)
  found.resolve([])
  await quiet()
  expect(network.underWay.map(({ request }) => request.event.id)).toEqual(['new'])
})

test('entries of a trigger that was declared again, with another uid, go to it', async () => {
  const scene = await sceneWith(1)
  const { broker, network, quiet } = scene
  await broker.removeTrigger('uid-billing')
  await broker.setTrigger(trigger('billing', { id: 'uid-2' }))
  await broker.redrive(['1'])
  await quiet()
  expect(network.underWay[0]?.request.event.attribute('sluiceredrive')).toBe(true)
})

test('an id of a trigger that is not there stops those of others too: nothing is begun', async () => {
  const scene = await sceneWith(1)
  await put(scene.box, 'x', 'gone')
  await expect(scene.broker.redrive(['1', '2'])).rejects.toMatchObject({
    code: 'SLUICE_TRIGGER_NOT_FOUND',
    status: 404,
    message: expect.stringContaining('default/gone. Dead letters of it are 2.'),
  })
  await scene.quiet()
  expect(scene.network.sent).toBe(0)
})

test('a trigger whose removal the channel refused is redriven as little as one that is gone', async () => {
  const scene = await sceneWith(1)
  scene.channel.remove = () => Promise.reject(new Error('the server is gone'))
  await expect(scene.broker.removeTrigger('uid-billing')).rejects.toThrow('gone')
  await expect(scene.broker.redrive(BILLING)).rejects.toMatchObject({ code: 'SLUICE_TRIGGER_NOT_FOUND' })
})

test('a pause takes nothing more out of the box', async () => {
  const scene = await sceneWith(100)
  const { broker, network, box } = scene
  await broker.redrive(BILLING)
  await scene.quiet()
  await broker.setTrigger(trigger('billing', { paused: true }))
  let asked = 0
  box.list = async () => (asked++, [])
  for (const attempt of network.underWay.slice()) attempt.answer(outcome(200))
  await scene.pass(3000, 100)
  expect([network.sent, asked, broker.status('uid-billing')?.redriving]).toEqual([64, 0, 36])
})

describe('a box that fails', () => {
  test('and can not remove what was delivered is asked until it can; until then the entry is not redriven again', async () => {
    const scene = await sceneWith(1)
    const { broker, network, box, pass } = scene
    const remove = box.remove.bind(box)
    box.remove = () => Promise.reject(new Error('EIO'))
    network.answering = () => outcome(200)
    await broker.redrive(['1'])
    await pass(5000, 100)
    await broker.redrive(['1'])
    await broker.redrive(BILLING)
    await pass(5000, 100)
    expect([network.sent, box.usage().events]).toEqual([1, 1])
    box.remove = remove
    await pass(1000, 100)
    expect(box.usage().events).toBe(0)
    expect(broker.status('uid-billing')?.redriving).toBe(0)
  })

  test('and can not be told that an entry failed again is asked until it can; its trigger stands still and says why', async () => {
    const scene = await sceneWith(1)
    const { broker, network, box, pass } = scene
    const replace = box.replace.bind(box)
    box.replace = () => Promise.reject(new Error('the disk is full'))
    network.answering = () => outcome(400)
    await broker.redrive(['1'])
    await pass(3000, 100)
    expect(broker.status('uid-billing')).toMatchObject({ boxFull: true, boxFailure: 'the disk is full', redriving: 1 })
    box.replace = replace
    await pass(1000, 100)
    expect(broker.status('uid-billing')).toMatchObject({ boxFull: false, boxFailure: undefined, redriving: 0 })
    expect(await box.list()).toMatchObject([{ id: '1', attempts: 4, code: 400, event: { id: '0' } }])
  })

  test('and can not be read is asked again, and nothing that was asked for is forgotten', async () => {
    const scene = await sceneWith(3)
    const { broker, network, box, pass } = scene
    const list = box.list.bind(box)
    const get = box.get.bind(box)
    const failing = new Error('EIO')
    network.answering = () => outcome(200)
    await broker.setTrigger(trigger('billing', { paused: true }))
    await broker.redrive(['2'])
    box.list = () => Promise.reject(failing)
    box.get = () => Promise.reject(failing)
    await broker.setTrigger(trigger('billing'))
    await pass(3000, 100)
    expect(network.sent).toBe(0)
    box.get = get
    await pass(1000, 100)
    expect([network.sent, box.usage().events]).toEqual([1, 2])
    await broker.redrive(BILLING)
    await pass(3000, 100)
    expect(network.sent).toBe(1)
    box.list = list
    await pass(1000, 100)
    expect([network.sent, box.usage().events]).toEqual([3, 0])
  })
})

describe('an entry that is purged while it is under way', () => {
  test.each([200, 400])('is gone, whatever comes of the attempt: %s', async (status) => {
    const scene = await sceneWith(2)
    const { broker, network, box } = scene
    await broker.redrive(['1'])
    await scene.quiet()
    expect(await broker.purge(['1'])).toBe(1)
    await answerAll(scene, status)
    expect(await eventsIn(box)).toEqual(['1'])
    expect(network.sent).toBe(1)
    expect(broker.status('uid-billing')).toMatchObject({ boxFull: false, redriving: 0 })
  })
})

test('a trigger that is held by a full box is redriven out of it, though dead letters of it wait for their sink', async () => {
  const scene = openScene({ boxBytesMax: 2000, boxTriggerBytesMax: 600 })
  const { broker, network, box, pass } = scene
  const config = trigger('billing')
  await broker.setTrigger({ ...config, route: { ...config.route, deadLetterSink: target('sink') } })
  await put(box, 'old')
  network.answering = () => outcome(400)
  await broker.accept([entry('a').event, entry('b').event])
  await pass(3000, 100)
  expect(broker.status('uid-billing')).toMatchObject({ boxFull: true, boxFailure: undefined })
  network.answering = () => outcome(200)
  await broker.redrive(BILLING)
  await pass(3000, 100)
  expect(broker.status('uid-billing')).toMatchObject({ redriving: 0 })
  expect(await eventsIn(box)).not.toContain('old')
})

test('what waits in the queue to be redriven goes on when the box becomes full; what came from the channel waits', async () => {
  const scene = openScene({ boxBytesMax: 1300, boxTriggerBytesMax: 1300 })
  const { broker, network, box, quiet } = scene
  await broker.setTrigger(trigger('billing', { route: { ...trigger('billing').route, concurrency: 1 } }))
  await put(box, 'old')
  await put(box, 'older')
  await broker.accept([entry('a').event])
  await broker.accept([entry('b').event, entry('c').event, entry('d').event])
  await broker.redrive(BILLING)
  await quiet()
  const sent: string[] = []
  for (let i = 0; i < 10 && network.underWay.length > 0; i++) {
    const [attempt] = network.underWay
    sent.push(attempt!.request.event.id)
    attempt!.answer(outcome(400))
    await quiet()
  }
  // a finds the box full; b is under way by then; c and d wait.
  expect(sent).toEqual(['a', 'b', 'old', 'older'])
  await broker.removeTrigger('uid-billing')
  expect(scene.channel.usage()).toMatchObject({ events: 0, bytes: 0 })
})

describe('a close', () => {
  test('waits for the attempts under way, and for nothing else', async () => {
    const scene = await sceneWith(3)
    const { broker, network, channel, box } = scene
    Object.assign(channel, { capabilities: { ...channel.capabilities, durable: true } })
    await broker.setTrigger(trigger('billing', { route: { ...trigger('billing').route, concurrency: 1 } }))
    await broker.redrive(BILLING)
    await scene.quiet()
    let closed = false
    void broker.close({ deadlineMs: 10_000 }).then(() => (closed = true))
    await scene.pass(1000, 100)
    expect(closed).toBe(false)
    network.underWay[0]?.answer(outcome(200))
    await scene.pass(10)
    expect(closed).toBe(true)
    expect([network.sent, box.usage().events]).toEqual([1, 2])
  })

  test('leaves an entry where it is that is being read when it begins', async () => {
    const scene = await sceneWith(1)
    const { broker, network, box } = scene
    await broker.accept([entry('a').event])
    const get = box.get.bind(box)
    const looked = Promise.withResolvers<void>()
    const asking = broker.redrive(['1'])
    box.get = (id) => looked.promise.then(() => get(id))
    await asking
    let closed = false
    void broker.close({ deadlineMs: 10_000 }).then(() => (closed = true))
    await scene.pass(100)
    looked.resolve()
    await scene.pass(100)
    await answerAll(scene, 200)
    await scene.pass(100)
    expect([closed, network.sent, box.usage().events]).toEqual([true, 1, 1])
  })

  test('of a volatile channel takes nothing more out of the box while that is emptied', async () => {
    const scene = await sceneWith(100)
    const { broker, network, box } = scene
    await broker.redrive(BILLING)
    await scene.quiet()
    let closed = false
    void broker.close({ deadlineMs: 10_000 }).then(() => (closed = true))
    await answerAll(scene, 200)
    await scene.pass(100)
    expect([closed, network.sent, box.usage().events]).toEqual([true, 64, 36])
  })
})

test('a reply that the channel has no room for stays in the box, and is routed once there is room', async () => {
  const scene = openScene({ bytesMax: 4000 })
  const { broker, network, box, pass } = scene
  await broker.setTrigger(trigger('billing', { window: { events: 1, bytes: 10_000 } }))
  await box.append({ ...entry('reply', 'billing', 1500), reason: 'loop' })
  await broker.accept([entry('a', 'billing', 1000).event])
  await broker.accept([entry('b', 'billing', 1000).event])
  await broker.redrive(BILLING)
  await pass(3000, 100)
  expect(box.usage().events).toBe(1)
  network.answering = () => outcome(200)
  network.underWay[0]?.answer(outcome(200))
  await pass(3000, 100)
  expect([box.usage().events, network.sent]).toEqual([0, 3])
})

test('when the process ends in the middle, the entry is still there, and can be redriven again', async () => {
  const disk = simulatedDisk()
  const { box } = await openDiskBox(disk)
  const scene = await sceneWith(3, box)
  await scene.broker.redrive(BILLING)
  await until(() => scene.network.underWay.length === 3)
  for (const [i, attempt] of scene.network.underWay.slice().entries()) attempt.answer(outcome([200, 400, 503][i]!))
  await until(async () => (await box.list()).length === 2)
  const { box: again } = await openDiskBox(disk.crash({ power: true }))
  expect((await again.list()).map(({ event, attempts }) => [event.id, attempts])).toEqual([
    ['1', 4],
    ['2', 3],
  ])
  const next = openScene({ box: again })
  await next.broker.setTrigger(trigger('billing'))
  next.network.answering = () => outcome(200)
  expect(await next.broker.redrive(BILLING)).toEqual({ entries: 2, missing: [] })
  await until(() => again.usage().events === 0)
  expect(next.network.sent).toBe(2)
})

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await setImmediate()
}
