// Events that a subscriber fails at, whatever it is sent beside them, and what they cost these.

import { expect, test } from 'vitest'
import { answerLater, event, openScene, seededRandom, trigger, target } from './scene.ts'

const EVENTS_A_SECOND = 1000

interface Cost {
  /** Of the events that are no poison: how many were delivered, of all that were sent. */
  readonly share: number
  /** The longest that one of them took. */
  readonly slowestMs: number
  readonly deadLettered: number
}

/** Sends for so long, one poison event in so many, to a subscriber that takes `serviceMs` for each of the others. */
async function run(
  inSoMany: number,
  poison: readonly [status: number, ms: number],
  serviceMs: number,
  ms: number,
): Promise<Cost> {
  const sentMs = new Map<string, number>()
  let slowestMs = 0
  let deadLettered = 0
  const scene = openScene({
    bytesMax: 1024 * 1024 * 1024,
    random: seededRandom(),
    observer: {
      settled: (_trigger, { id }) => {
        slowestMs = Math.max(slowestMs, scene.clock.monotonic() - sentMs.get(id)!)
        sentMs.delete(id)
      },
      deadLettered: () => deadLettered++,
    },
  })
  const { broker, clock } = scene
  const isPoison = (id: string): boolean => Number(id) % inSoMany === 0
  answerLater(scene, ({ target: { origin }, event: { id } }) =>
    origin === 'http://sink' ? [202, 1] : isPoison(id) ? poison : [202, serviceMs],
  )
  const { route, ...config } = trigger('billing')
  await broker.setTrigger({ ...config, route: { ...route, concurrency: 256, deadLetterSink: target('sink') } })
  const stepMs = 5
  let n = 0
  for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
    for (let i = 0; i < (stepMs * EVENTS_A_SECOND) / 1000; i++) {
      const id = String(n++)
      if (!isPoison(id)) sentMs.set(id, clock.monotonic())
      await broker.accept([event({ id })])
    }
    clock.advance(stepMs)
  }
  return { share: 1 - sentMs.size / (n * (1 - 1 / inSoMany)), slowestMs, deadLettered }
}

test('one poison event in five, at 1,000 events a second and the default delivery: the others lose nothing, long after the first are dead letters (fault 32)', async () => {
  const { share, slowestMs, deadLettered } = await run(5, [500, 2], 2, 260_000)
  expect(share).toBeGreaterThan(0.999)
  expect(slowestMs).toBeLessThan(100)
  expect(deadLettered).toBeGreaterThan(1000)
}, 120_000)

// No answer and 503 are what an overloaded subscriber does too, with everything.
test.each<[number, string, readonly [number, number], number]>([
  [5, '404', [404, 2], 2],
  [5, 'a reply that is malformed', [502, 2], 2],
  [5, '503', [503, 2], 2],
  [10, '503, by a slow subscriber', [503, 50], 50],
  [5, 'a connection that is broken off', [0, 2], 2],
  [10, 'a connection that is broken off, by a slow subscriber', [0, 50], 50],
])(
  'one event in %i that is answered by %s leaves the others 0.9 of their throughput (fault 32)',
  async (inSoMany, _, poison, serviceMs) => {
    const { share } = await run(inSoMany, poison, serviceMs, 60_000)
    expect(share).toBeGreaterThan(0.9)
  },
  120_000,
)

test('one event in a thousand that is never answered leaves the others their throughput (fault 32)', async () => {
  const scene = openScene({ bytesMax: 1024 * 1024 * 1024, random: seededRandom() })
  const { broker, clock } = scene
  let delivered = 0
  answerLater(scene, ({ event: { id } }) => (Number(id) % 1000 === 0 ? [0, 30_000] : (delivered++, [202, 2])))
  const { route, ...config } = trigger('billing')
  await broker.setTrigger({ ...config, route: { ...route, concurrency: 256 } })
  const seconds = 600
  let n = 0
  for (let ms = 0; ms < seconds * 1000; ms += 10) {
    for (let i = 0; i < 10; i++) await broker.accept([event({ id: String(n++) })])
    clock.advance(10)
  }
  expect(delivered / (n * 0.999)).toBeGreaterThan(0.9)
}, 120_000)
