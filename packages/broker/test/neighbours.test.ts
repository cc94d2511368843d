// A hundred triggers of one broker, of which one has a subscriber that is of no use: what the others notice of it.

import { expect, test } from 'vitest'
import { answerLater, event, openScene, seededRandom, trigger } from './scene.ts'

const TRIGGERS = 100
const EVENTS = 2000
const WINDOW = 64

type Answer = readonly [status: number, afterMs: number]

/** When each event came to each of the other triggers, all in one text. */
async function course(bad: Answer): Promise<{ readonly others: string; readonly ofBad: number }> {
  const scene = openScene({ bytesMax: 1024 * 1024 * 1024, random: seededRandom() })
  const { broker, clock } = scene
  const others: string[] = []
  let ofBad = 0
  answerLater(scene, ({ target: { origin }, event: { id } }) => {
    if (origin === 'http://t0') {
      ofBad++
      return bad
    }
    others.push(`${origin} ${id} ${clock.monotonic()}`)
    return [202, 3]
  })
  for (let n = 0; n < TRIGGERS; n++) {
    await broker.setTrigger(trigger(`t${n}`, { window: { events: WINDOW, bytes: 1024 * 1024 } }))
  }
  for (let n = 0; n < EVENTS; n++) {
    await broker.accept([event({ id: String(n) })])
    clock.advance(2)
  }
  await scene.pass(1000)
  return { others: others.join('\n'), ofBad }
}

const well = course([202, 3])

test.each<[string, Answer]>([
  ['never answers', [0, 30_000]],
  ['refuses connections', [0, 0]],
  ['answers 500', [500, 1]],
  ['takes 5 s for each', [202, 5000]],
])(
  'one of a hundred subscribers %s: the others get each event at the very moment at which they would have (fault 39)',
  async (_, bad) => {
    const { ofBad, others } = await well
    const beside = await course(bad)
    expect(ofBad).toBe(EVENTS)
    expect(beside.others.split('\n')).toHaveLength(EVENTS * (TRIGGERS - 1))
    expect(beside.others === others).toBe(true)
  },
  60_000,
)
