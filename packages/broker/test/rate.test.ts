// What a rate allows, whenever the clock is looked at.

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { manualClock } from '@sluice/clock'
import { Lane } from '../src/lane.ts'
import { BURST_SECONDS, Rate } from '../src/rate.ts'
import { outcome } from './scene.ts'

const perSecond = fc.double({ min: 0.1, max: 5000, noNaN: true })
const waits = fc.array(fc.double({ min: 0, max: 400, noNaN: true }), { minLength: 1, maxLength: 200 })

test('in any stretch of time no more start than its seconds times the rate, and one burst', () => {
  fc.assert(
    fc.property(perSecond, waits, (rate, delays) => {
      const starts = startsOf(rate, delays)
      const burst = Math.max(1, rate * BURST_SECONDS)
      for (let first = 0; first < starts.length; first += 7) {
        for (let last = first; last < starts.length; last += 3) {
          const seconds = (starts[last]! - starts[first]!) / 1000
          expect(last - first + 1).toBeLessThanOrEqual(seconds * rate + burst + 0.001)
        }
      }
    }),
    { numRuns: 100 },
  )
})

test('a timer that is late costs nothing: what it missed is made up for', () => {
  const starts = startsOf(
    1000,
    Array.from({ length: 100 }, () => 17),
  )
  expect(starts.length).toBeGreaterThanOrEqual(1000 * 1.7)
  expect(starts.length).toBeLessThanOrEqual(1000 * 1.7 + 100)
})

test('a lower rate does not open a second burst', () => {
  const rate = new Rate(100, 0)
  for (let i = 0; i < 10; i++) rate.take()
  const changed = rate.changed(50, 0)
  expect(changed.waitMs(0)).toBe(20)
})

test('what is paused or removed leaves no timer behind', () => {
  const clock = manualClock()
  const tried: number[] = []
  const lane = new Lane<number>({
    clock,
    concurrency: 10,
    ratePerSecond: 1,
    isRepeat: () => false,
    attempt: (task, done) => {
      tried.push(task)
      done(outcome(200))
    },
    finished: () => {},
    changed: () => {},
  })
  for (const task of [1, 2, 3]) lane.push(task)
  expect({ tried, timers: clock.pending }).toEqual({ tried: [1], timers: 1 })
  lane.pause()
  expect(clock.pending).toBe(0)
  lane.resume()
  clock.advance(1000)
  expect(tried).toEqual([1, 2])
  lane.setRate(undefined)
  expect({ tried, timers: clock.pending }).toEqual({ tried: [1, 2, 3], timers: 0 })
})

/** When attempts start that are always there, where the clock is looked at after each of these waits. */
function startsOf(rate: number, delays: readonly number[]): number[] {
  const bucket = new Rate(rate, 0)
  const starts: number[] = []
  let nowMs = 0
  for (const delay of [0, ...delays]) {
    nowMs += delay
    while (bucket.waitMs(nowMs) === 0) {
      bucket.take()
      starts.push(nowMs)
    }
  }
  return starts
}
