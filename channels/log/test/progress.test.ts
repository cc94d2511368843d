// When progress is saved, and what holds while it can't be.

import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { event, openTestLog, quickDisk, receive } from './support.ts'

const PROGRESS = /\/progress\//
const REFUSED = ['SLUICE_CHANNEL_UNAVAILABLE']

describe('a sequence number', () => {
  test('that was given back is given again only once the progress that may name it is saved without it (fault 11)', async () => {
    const disk = quickDisk()
    const log = await openTestLog(disk)
    const { ids, subscription } = await receive(log, 's')
    const mendEvents = disk.fail({ error: 'EIO', operation: 'write', path: /\/segments\//, times: Infinity })
    const given = log.publish('a1', 'a2')
    const moved = subscription.seek('latest') // behind both
    expect(await given).toEqual(['SLUICE_DISK', 'SLUICE_DISK'])
    await moved
    const mendProgress = disk.fail({ error: 'EIO', operation: 'write', path: PROGRESS, times: Infinity })
    mendEvents()
    await log.pass(1000)
    expect(await log.publish('a3')).toEqual(REFUSED)
    mendProgress()
    await log.pass(2000)
    expect(await log.publish('a4')).toEqual(['1'])
    expect(ids).toEqual(['a4'])
  })

  test('is given to nobody before the progress of the process before is taken over', async () => {
    const disk = quickDisk()
    await (await openTestLog(disk)).close()
    const mend = disk.fail({ error: 'EIO', operation: 'sync', path: PROGRESS, after: 1, times: Infinity })
    const log = await openTestLog(disk)
    expect(await log.publish('a1')).toEqual(REFUSED)
    mend()
    await log.pass(2000)
    expect(await log.publish('a1')).toEqual(['1'])
  })
})

describe('a subscription that is removed', () => {
  test('is saved no more, though what was out to it is settled while it goes', async () => {
    const disk = quickDisk()
    const log = await openTestLog(disk)
    const leaving = await receive(log, 's', { settles: false })
    const staying = await receive(log, 't', { settles: false })
    await log.publish('a1')
    await log.pass(100)
    const removed = log.channel.remove('s')
    for (let i = 0; i < 10; i++) await Promise.resolve() // its removal is on its way to the disk
    for (const { out } of [leaving, staying]) out[0]!.settle()
    await removed
    await log.pass(100)
    const next = await openTestLog(disk.crash({ power: true }))
    expect([...next.channel.subscriptions()]).toEqual(['t'])
    expect((await receive(next, 't')).subscription.lag().events).toBe(0)
  })

  test('is told to be removed where it is, and not to be where it is not, wherever the disk fails', async () => {
    // With some of these numbers it is time to begin the journal anew, which fails when the removal is saved.
    for (let i = 0; i < 8 * 10; i++) {
      const after = i % 8
      const disk = quickDisk()
      const log = await openTestLog(disk, { segmentBytes: { first: 1024, max: 1024 } })
      for (let other = 0; other <= i / 8; other++) await receive(log, `s${other}`)
      disk.fail({ error: 'EIO', path: PROGRESS, after, times: Infinity })
      const told = await log.channel.remove('s0').then(
        () => true,
        () => false,
      )
      expect([...log.channel.subscriptions()].includes('s0'), `after ${after} operations`).toBe(!told)
    }
  })
})

test('a seek behind what is on its way to the disk does not wait for that', async () => {
  const log = await openTestLog(quickDisk())
  const { ids, subscription } = await receive(log, 's')
  const stored = log.channel.publish([event('a1')], { lane: 'ingress' })
  await subscription.seek('latest')
  await stored
  await log.publish('a2')
  expect(ids).toEqual(['a2'])
  expect(subscription.lag()).toMatchObject({ events: 0, bound: 'exact' })
})

test('a seek to the earliest event finds all that it is told there is, while old segments are being removed', async () => {
  for (let wait = 0; wait < 30; wait++) {
    const disk = quickDisk({ turn: 'immediate' })
    const log = await openTestLog(disk, { segmentBytes: { first: 1024, max: 1024 }, retentionBytes: 0 })
    const { ids, subscription } = await receive(log, 's')
    const losses: unknown[] = []
    subscription.onLoss((loss) => losses.push(loss))
    for (let i = 1; i <= 40; i++) await log.publish(`a${i}`)
    log.clock.advance(100) // saves, and removes what nobody needs
    for (let i = 0; i < wait; i++) await setImmediate()
    ids.length = 0
    subscription.pause()
    await subscription.seek('earliest')
    await log.pass(100)
    subscription.resume()
    await log.pass(100)
    const first = Number(ids[0]!.slice(1))
    expect(losses, `${wait} turns later`).toEqual([])
    expect(ids).toEqual(Array.from({ length: 41 - first }, (_, i) => `a${first + i}`))
  }
})
