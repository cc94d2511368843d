// The queue before one target, where the clock moves between two looks at it.

import { manualClock, type ManualClock } from '@sluice/clock'
import { describe, expect, test } from 'vitest'
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
    isRepeat: () => false,
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
    isRepeat: () => false,
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

describe('first tries and repeats (fault 32)', () => {
  interface Try {
    readonly event: string
    readonly isRepeat: boolean
  }

  function open(concurrency: number): {
    lane: Lane<Try>
    clock: ManualClock
    push: (isRepeat: boolean, ...events: string[]) => void
    tried: string[]
    finish: (status: number) => void
  } {
    const clock = manualClock()
    const tried: string[] = []
    const done: ((came: Outcome) => void)[] = []
    const lane = new Lane<Try>({
      clock,
      concurrency,
      isRepeat: ({ isRepeat }) => isRepeat,
      attempt: ({ event }, finished) => {
        tried.push(event)
        done.push(finished)
      },
      finished: () => {},
      changed: () => {},
    })
    const push = (isRepeat: boolean, ...events: string[]): void => {
      for (const event of events) lane.push({ event, isRepeat })
    }
    return { lane, clock, push, tried, finish: (status) => done.shift()!(outcome(status)) }
  }

  test('take turns while both wait, each in their order', () => {
    const { push, tried, finish } = open(1)
    push(false, 'busy')
    push(true, 'again1', 'again2')
    push(false, 'first1', 'first2', 'first3')
    for (let i = 0; i < 5; i++) finish(200)
    expect(tried).toEqual(['busy', 'again1', 'first1', 'again2', 'first2', 'first3'])
  })

  test('repeats that hang leave a quarter of the attempts to first tries', () => {
    const { push, tried, finish, lane } = open(8)
    push(true, ...Array.from({ length: 20 }, (_, n) => `again${n}`))
    expect(lane.active).toBe(6)
    push(false, 'first1', 'first2', 'first3')
    expect(tried.slice(6)).toEqual(['first1', 'first2'])
    for (let i = 0; i < 6; i++) finish(500)
    expect(lane.active).toBe(8)
    expect(tried).toContain('first3')
  })

  test('a target that is down is probed with a first try where there is one', () => {
    const { push, tried, finish, clock, lane } = open(1)
    push(true, 'again1', 'again2', 'again3', 'again4')
    push(false, 'first1')
    for (let i = 0; i < 3; i++) finish(0)
    expect(lane.state).toBe('Down')
    push(false, 'first2')
    clock.advance(200)
    expect(tried).toEqual(['again1', 'first1', 'again2', 'first2'])
    expect(lane.takeQueued().map(({ event }) => event)).toEqual(['again3', 'again4'])
  })
})
