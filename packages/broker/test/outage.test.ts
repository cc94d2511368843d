// What an outage costs, at the size at which it happens: 1,000 events a second, the default policy, ten minutes.

import type { Outcome } from '@sluice/delivery'
import { expect, test } from 'vitest'
import { answerLater, event, openScene, seededRandom, trigger, target, type Scene } from './scene.ts'

const EVENTS_A_SECOND = 1000
const OUTAGE_MS = 10 * 60 * 1000

interface Course extends Scene {
  readonly ended: { delivered: number; deadLettered: number }
  /** Attempts at the subscriber. */
  attempts: number
  sent: number
  /** Sends for so long. */
  send(ms: number): Promise<void>
}

type Answer = readonly [status: number, afterMs: number, details?: Partial<Outcome>]

/** `answer`: of the subscriber, at this time. */
async function start(answer: (nowMs: number) => Answer): Promise<Course> {
  const ended = { delivered: 0, deadLettered: 0 }
  const scene = openScene({
    bytesMax: 1024 * 1024 * 1024,
    random: seededRandom(),
    observer: { settled: () => ended.delivered++, deadLettered: () => ended.deadLettered++ },
  })
  const course: Course = { ...scene, ended, attempts: 0, sent: 0, send }
  answerLater(scene, ({ target: { origin } }) => {
    if (origin === 'http://sink') return [202, 1]
    course.attempts++
    return answer(scene.clock.monotonic())
  })
  async function send(ms: number): Promise<void> {
    const stepMs = 20
    for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
      for (let i = 0; i < (stepMs * EVENTS_A_SECOND) / 1000; i++) {
        await scene.broker.accept([event({ id: String(course.sent++) })])
      }
      scene.clock.advance(stepMs)
    }
  }
  const { route, ...config } = trigger('billing')
  await scene.broker.setTrigger({ ...config, route: { ...route, concurrency: 256, deadLetterSink: target('sink') } })
  return course
}

const WELL: Answer = [202, 2]

test.each<[string, Answer]>([
  ['refuses connections', [0, 0]],
  ['takes connections and never answers', [0, 30_000]],
  ['answers 503', [503, 1]],
  ['answers 429 and asks for 5 s', [429, 1, { retryAfterMs: 5000 }]],
])(
  'a subscriber that %s for ten minutes, at 1,000 events a second: fewer than ten dead letters, and all others delivered',
  async (_, failing) => {
    let isUp = true
    const course = await start(() => (isUp ? WELL : failing))
    await course.send(1000)
    isUp = false
    const before = course.attempts
    await course.send(OUTAGE_MS)
    expect(course.broker.status('uid-billing')).toMatchObject({ state: 'Down' })
    expect(course.attempts - before).toBeLessThan(1200)
    isUp = true
    await course.pass(120_000, 500)
    expect(course.ended.deadLettered).toBeLessThan(10)
    expect(course.ended.delivered + course.ended.deadLettered).toBe(course.sent)
    expect(course.broker.status('uid-billing')).toMatchObject({ state: 'Healthy', lag: { events: 0 } })
    expect(course.channel.usage()).toMatchObject({ events: 0, bytes: 0 })
  },
  120_000,
)

test.each([100, 7000])(
  'a subscriber that comes and goes every %i ms: fewer than ten dead letters, and all others delivered',
  async (everyMs) => {
    const course = await start((nowMs) => (Math.floor(nowMs / everyMs) % 2 === 0 ? WELL : [0, 0]))
    await course.send(120_000)
    await course.pass(120_000, 500)
    expect(course.ended.deadLettered).toBeLessThan(10)
    expect(course.ended.delivered + course.ended.deadLettered).toBe(course.sent)
  },
  120_000,
)
