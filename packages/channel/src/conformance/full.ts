// Clauses about a full channel: it refuses, it never drops, and a reply chain drains it.

import { expect } from 'vitest'
import type { Event } from '@sluice/event'
import { INGRESS_SHARE } from '../channel.ts'
import { clause, receiver, settler, sorted, typeIs, type Clause, type Scene } from './scene.ts'

const LIMITS = { bytesMax: 1024 * 1024 }
/** What fills a channel of {@link LIMITS} in about a hundred steps. */
const EVENT_BYTES = 8 * 1024
/** A test that needs more than this to fill a channel would take too long. */
const FILLABLE_BYTES = 256 * 1024 * 1024

export const fullClauses: readonly Clause[] = [
  fillable('ingress is refused with 429 at 80 % of the bytes, and replies go on to the last one', async (scene) => {
    await scene.subscribe(receiver(), { paused: true })
    expect(scene.channel.room(EVENT_BYTES)).toBe(0)
    await fill(scene, 'ingress')
    const { bytesMax } = scene.channel.usage()
    const share = (): number => scene.channel.usage().bytes / bytesMax
    expect(share()).toBeLessThanOrEqual(INGRESS_SHARE)
    expect(share()).toBeGreaterThan(INGRESS_SHARE * 0.9)
    expect(scene.channel.room(EVENT_BYTES)).toBeGreaterThan(0)

    const stored = await fill(scene, 'reply')
    expect(stored.length).toBeGreaterThan(0)
    expect(share()).toBeLessThanOrEqual(1)
    expect(share()).toBeGreaterThan(0.9)
    expect(scene.channel.room(EVENT_BYTES)).toBeGreaterThan(0)
  }),

  fillable('a refusal says when to ask again, and each event of a batch is refused for itself', async (scene) => {
    await scene.subscribe(receiver(), { paused: true })
    await fill(scene, 'ingress')
    const [large, tiny] = [scene.event({}, Buffer.alloc(EVENT_BYTES)), scene.event()]
    const results = await scene.channel.publish([large, tiny, large], { lane: 'ingress' })
    expect(results).toHaveLength(3)
    expect(results[0]).toMatchObject({
      stored: false,
      error: { code: 'SLUICE_CHANNEL_FULL', status: 429, retryable: true },
    })
    expect(!results[0]!.stored && results[0]!.error.retryAfterMs).toBeGreaterThan(0)
    expect(results[2]!.stored).toBe(false)
  }),

  fillable(
    'a full channel drops nothing that it accepted and delivers nothing that it refused (fault 38)',
    async (scene) => {
      const got = settler()
      const subscription = await scene.subscribe(got, { paused: true })
      const accepted = [...(await fill(scene, 'ingress')), ...(await fill(scene, 'reply'))]
      for (let i = 0; i < 10; i++)
        await scene.channel.publish([scene.event({}, Buffer.alloc(EVENT_BYTES))], { lane: 'ingress' })
      subscription.resume()
      await scene.handed(got, accepted.length)
      await scene.time.quiet()
      expect(sorted(got.ids)).toEqual(sorted(accepted))
    },
  ),

  fillable('a full channel has room again once its events settle', async (scene) => {
    const subscription = await scene.subscribe(settler(), { paused: true })
    await fill(scene, 'ingress')
    subscription.resume()
    await scene.time.soon('room', () => scene.channel.room(EVENT_BYTES) === 0)
    await scene.publish([scene.event({}, Buffer.alloc(EVENT_BYTES))])
  }),

  fillable('parked events and events that are out still count', async (scene) => {
    const out = receiver()
    await scene.subscribe(out, { id: 'out', filter: typeIs('out'), window: { events: 1e6, bytes: 1e9 } })
    const parked = receiver((delivery) => delivery.release(scene.time.longDelayMs))
    await scene.subscribe(parked, { id: 'parked', filter: typeIs('parked') })
    const half = scene.channel.usage().bytesMax * 0.35
    for (const type of ['out', 'parked']) {
      for (let bytes = 0; bytes < half; bytes += EVENT_BYTES) {
        await scene.publish([scene.event({ type }, Buffer.alloc(EVENT_BYTES))])
      }
    }
    await fill(scene, 'ingress', 'out')
    const { bytes, bytesMax } = scene.channel.usage()
    expect(bytes).toBeLessThanOrEqual(bytesMax * INGRESS_SHARE)
    expect(bytes).toBeGreaterThan(bytesMax * 0.65)
  }),

  fillable('a reply chain on a full channel drains', async (scene) => {
    const refused: Event[] = []
    // Each event of type a is answered with one of type b, and settles only once that is stored.
    const replier = receiver((delivery) => {
      void reply()
      async function reply(): Promise<void> {
        const answer = scene.event({ type: 'b', subject: delivery.event.id }, Buffer.alloc(EVENT_BYTES))
        const [result] = await scene.channel.publish([answer], { lane: 'reply' })
        if (result!.stored) return delivery.settle()
        refused.push(answer)
        delivery.release(0)
      }
    })
    const got = settler()
    const subscription = await scene.subscribe(replier, {
      id: 'replier',
      filter: typeIs('a'),
      window: { events: 4, bytes: 1e9 },
      paused: true,
    })
    await scene.subscribe(got, { id: 'answered', filter: typeIs('b') })
    const accepted = await fill(scene, 'ingress')
    subscription.resume()
    await scene.time.soon(
      'an answer to each',
      () => new Set(got.all.map(({ event }) => event.text('subject'))).size === accepted.length,
    )
    expect(sorted(got.all.map(({ event }) => event.text('subject')!))).toEqual(sorted(accepted))
    expect(refused).toEqual([])
  }),

  fillable(
    'a subscription that is stuck fills the channel alone, and the others are handed all that was accepted',
    async (scene) => {
      await scene.subscribe(receiver(), { id: 'stuck', window: { events: 1, bytes: 1e9 } })
      const got = settler()
      await scene.subscribe(got, { id: 'other' })
      const accepted = await fill(scene, 'ingress')
      await scene.handed(got, accepted.length)
      expect(sorted(got.ids)).toEqual(sorted(accepted))
      await scene.channel.remove('stuck')
      await scene.time.soon('room', () => scene.channel.room(EVENT_BYTES) === 0)
    },
  ),
]

/** A clause for channels that have a bound; where nothing ever refuses, `room` says so. */
function fillable(name: string, run: (scene: Scene) => Promise<void>): Clause {
  return clause(
    name,
    async (scene) => {
      const { bytesMax } = scene.channel.usage()
      if (bytesMax === Infinity) {
        expect(scene.channel.room(EVENT_BYTES)).toBe(0)
        return
      }
      expect(bytesMax, 'this clause fills the channel; let create() take bytesMax').toBeLessThan(FILLABLE_BYTES)
      await run(scene)
    },
    LIMITS,
  )
}

/** Publishes until an event is refused; returns the ids of those that were stored. */
async function fill(scene: Scene, lane: 'ingress' | 'reply', type = 'a'): Promise<string[]> {
  const accepted: string[] = []
  for (;;) {
    const event = scene.event({ type }, Buffer.alloc(EVENT_BYTES))
    const [result] = await scene.channel.publish([event], { lane })
    if (!result!.stored) {
      expect(result!.error.code).toBe('SLUICE_CHANNEL_FULL')
      return accepted
    }
    accepted.push(event.id)
  }
}
