// The queue before one target, where the clock moves between two looks at it.

import { expect, test } from 'vitest'
import { manualClock } from '@sluice/clock'
import type { Outcome } from '@sluice/delivery'
import { Lane } from '../src/lane.ts'
import { outcome } from './scene.ts'

test('a probe that becomes due while the lane looks at the clock is made (spec 132)', () => {
  const clock = manualClock()
  let lookAheadMs = 0
  const tried: string[] = []
  const done: ((came: Outcome) => void)[] = []
  const lane = new Lane<string>({
    // As the machine's clock does: it has moved on a little at every look.
    clock: { ...clock, monotonic: () => clock.monotonic() + (lookAheadMs += 0.3) },
    concurrency: 1,
    attempt: (task, finished) => {
      tried.push(task)
      done.push(finished)
    },
    finished: () => {},
    changed: () => {},
  })
  for (const task of ['1', '2', '3', '4']) lane.push(task)
  for (let i = 0; i < 3; i++) done[i]!(outcome(0))
  expect({ tried, state: lane.state }).toEqual({ tried: ['1', '2', '3'], state: 'Down' })
  for (let ms = 0; ms < 300; ms++) {
    clock.advance(1)
    lane.setConcurrency(1)
  }
  expect(tried).toEqual(['1', '2', '3', '4'])
})

test('an older timer never delays the first probe of a target that is down once more', () => {
  const clock = manualClock()
  const done: ((came: Outcome) => void)[] = []
  const lane = new Lane<number>({
    clock,
    concurrency: 4,
    attempt: (_task, finished) => done.push(finished),
    finished: () => {},
    changed: () => {},
  })
  for (let i = 0; i < 30; i++) lane.push(i)
  const [late, ...first] = done.splice(0)
  for (const finish of first) finish(outcome(0))
  for (let waitMs = 200; waitMs <= 6400; waitMs *= 2) {
    clock.advance(waitMs)
    done.splice(0)[0]!(outcome(0))
  }
  late!(outcome(200)) // an attempt from before: the target is back, and the timer for a probe in 10 s is set
  for (let i = 0; i < 5 && lane.state !== 'Down'; i++) for (const finish of done.splice(0)) finish(outcome(0))
  expect(lane.state).toBe('Down')
  done.splice(0)
  clock.advance(200)
  expect(done).toHaveLength(1)
})
