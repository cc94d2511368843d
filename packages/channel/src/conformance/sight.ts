// Clauses about what can be seen: lag, loss, usage.

import { expect } from 'vitest'
import type { Loss } from '../channel.ts'
import { clause, idsOf, receiver, settler, sorted, type Clause } from './scene.ts'

export const sightClauses: readonly Clause[] = [
  clause('lag counts what waits, what is out and what is parked, as exactly as is declared', async (scene) => {
    const got = receiver()
    const before = scene.time.clock.now()
    const subscription = await scene.subscribe(got, { window: { events: 3, bytes: 1e9 } })
    expect(subscription.lag()).toMatchObject({ inFlight: 0, parked: 0, bound: scene.capabilities.lag })
    await scene.publish(scene.events(10))
    await scene.handed(got, 3)
    got.all[0]!.release(scene.time.longDelayMs)
    await scene.handed(got, 4)
    got.all[1]!.settle()
    await scene.handed(got, 5)

    const seen = (): boolean => {
      const { events, inFlight, parked } = subscription.lag()
      if (inFlight !== 3 || parked !== 1) return false
      if (scene.capabilities.lag === 'unknown') return events >= 4
      return scene.capabilities.lag === 'exact' ? events === 9 : events >= 9
    }
    await scene.time.soon('a lag of 9 events, of which 3 are out and 1 is parked', seen)
    const { oldest } = subscription.lag()
    if (oldest !== undefined) {
      expect(oldest).toBeGreaterThanOrEqual(before - 1000)
      expect(oldest).toBeLessThanOrEqual(scene.time.clock.now() + 1000)
    }
    if (scene.capabilities.lag === 'exact') expect(oldest).toBeDefined()
  }),

  clause('the oldest of the lag is the oldest event that is not settled, wherever it stands', async (scene) => {
    const got = receiver()
    const subscription = await scene.subscribe(got, { window: { events: 1, bytes: 1e9 } })
    if (scene.capabilities.lag !== 'exact') return
    const times: number[] = []
    for (const event of scene.events(3)) {
      times.push(scene.time.clock.now())
      await scene.publish([event])
      await scene.time.pass(scene.time.shortDelayMs)
    }
    const near = (expected: number): boolean =>
      Math.abs((subscription.lag().oldest ?? 0) - expected) < scene.time.shortDelayMs / 2
    got.all[0]!.release(scene.time.longDelayMs) // the oldest is parked, the next is out, the last waits
    await scene.handed(got, 2)
    expect(near(times[0]!)).toBe(true)
    got.all[1]!.settle()
    await scene.handed(got, 3)
    got.all[2]!.settle()
    expect(near(times[0]!)).toBe(true)
    expect(subscription.lag().events).toBe(1)
  }),

  clause('a subscription that has settled everything has no lag', async (scene) => {
    const got = settler()
    const subscription = await scene.subscribe(got)
    await scene.publish(scene.events(50))
    await scene.handed(got, 50)
    await scene.time.soon('no lag', () => subscription.lag().events === 0)
    expect(subscription.lag()).toMatchObject({ inFlight: 0, parked: 0 })
  }),

  clause('lag goes on being told for a subscription that is paused', async (scene) => {
    const subscription = await scene.subscribe(settler(), { paused: true })
    await scene.publish(scene.events(7))
    if (scene.capabilities.lag === 'unknown') return
    const isSeen = (): boolean => subscription.lag().events >= 7
    await scene.time.soon('a lag of 7', isSeen)
    if (scene.capabilities.lag === 'exact') expect(subscription.lag().events).toBe(7)
  }),

  clause(
    'what retention took unsettled is told, where lossDetected is declared, and the rest is delivered',
    async (scene) => {
      const got = settler()
      const losses: Loss[] = []
      const subscription = await scene.subscribe(got, { paused: true })
      const removeListener = subscription.onLoss((loss) => losses.push(loss))
      const events = scene.events(10)
      await scene.publish(events)
      const { lose } = scene.store
      if (lose === undefined) {
        subscription.resume()
        await scene.handed(got, 10)
        expect(losses).toEqual([])
        if (scene.capabilities.lossDetected) {
          expect(scene.capabilities.retention, 'with retention by the server this clause needs store.lose').not.toBe(
            'server',
          )
        }
        return
      }
      await lose.call(scene.store, 4)
      subscription.resume()
      await scene.time.soon('the rest', () => events.slice(4).every(({ id }) => got.ids.includes(id)))
      expect(sorted(got.ids)).toEqual(idsOf(events.slice(4)))
      if (!scene.capabilities.lossDetected) return
      const total = (): number => losses.reduce((sum, loss) => sum + loss.events, 0)
      await scene.time.soon('the loss to be told', () => total() >= 4)
      expect(total()).toBe(4)
      for (const { cause } of losses) expect(cause).not.toBe('')
      removeListener()
    },
  ),

  clause('usage grows with what is stored, and never beyond its bound', async (scene) => {
    const before = scene.channel.usage()
    await scene.subscribe(receiver(), { paused: true })
    await scene.publish(scene.events(20, {}, Buffer.alloc(1024)))
    const { bytes, bytesMax, events } = scene.channel.usage()
    expect(bytes).toBeLessThanOrEqual(bytesMax)
    if (bytesMax === Infinity) return // the server keeps the books
    expect(bytes - before.bytes).toBeGreaterThanOrEqual(20 * 1024)
    expect(events - before.events).toBeGreaterThanOrEqual(20)
  }),
]
