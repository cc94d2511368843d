// The queue before one target, where the clock moves between two looks at it.

import { expect, test } from 'vitest'
import { manualClock } from '@sluice/clock'
import type { Outcome } from '@sluice/delivery'
import { Lane } from '../src/lane.ts'
import { outcome } from './scene.ts'

test('a probe that becomes due between two looks at the clock is made, though nothing else wakes the lane (spec 132)', () => {
  const clock = manualClock()
  // Three failures at 0; the probe is due at 200: not yet at the first look, and at the second one it is.
  const looks = [0, 0, 0, 199.9, 200.1]
  const tried: string[] = []
  const done: ((came: Outcome) => void)[] = []
  const lane = new Lane<string>({
    clock: { ...clock, monotonic: () => looks.shift() ?? 201 },
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
  expect({ tried, state: lane.state, looks }).toEqual({ tried: ['1', '2', '3'], state: 'Down', looks: [] })
  clock.advance(1)
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
