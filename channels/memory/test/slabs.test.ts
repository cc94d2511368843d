import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Event } from '@sluice/event'
import { SHARED_BYTES_MAX, SLAB_BYTES, Slabs, type Placed } from '../src/slabs.ts'

function eventOf(id: number, size: number): Event {
  const attributes = new Map(Object.entries({ specversion: '1.0', id: String(id), source: '/s', type: 't' }))
  return new Event(attributes, Buffer.alloc(size, `${id} `))
}

function unplaced(): Placed {
  return { slab: undefined, offset: 0, length: 0 }
}

describe('slabs', () => {
  test('give back what was placed, and hold at most twice what is alive and one slab more', () => {
    const size = fc.oneof(
      { weight: 6, arbitrary: fc.nat(2000) },
      { weight: 3, arbitrary: fc.integer({ min: 50_000, max: SHARED_BYTES_MAX + 1000 }) },
      { weight: 1, arbitrary: fc.integer({ min: SHARED_BYTES_MAX, max: 3 * SLAB_BYTES }) },
    )
    const step = fc.oneof(
      fc.record({ place: size, times: fc.integer({ min: 1, max: 8 }) }),
      fc.record({ free: fc.nat(), times: fc.integer({ min: 1, max: 12 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const slabs = new Slabs()
        const model = new Map<number, { record: Placed; size: number }>()
        let ids = 0
        for (const each of steps) {
          for (let i = 0; i < each.times; i++) {
            if ('place' in each) {
              const record = unplaced()
              slabs.place(record, eventOf(++ids, each.place))
              model.set(ids, { record, size: each.place })
            } else if (model.size > 0) {
              const id = [...model.keys()][(each.free + i * 7) % model.size]!
              slabs.free(model.get(id)!.record)
              model.delete(id)
            }
          }
          const live = [...model.values()].reduce((sum, { record }) => sum + record.length, 0)
          expect(slabs.liveBytes).toBe(live)
          expect(slabs.heldBytes).toBeLessThanOrEqual(2 * live + SLAB_BYTES)
        }
        for (const [id, { record, size }] of model) {
          const event = slabs.read(record)
          expect(event.id).toBe(String(id))
          expect(event.data?.equals(eventOf(id, size).data!)).toBe(true)
        }
        for (const { record } of model.values()) slabs.free(record)
        expect(slabs.liveBytes).toBe(0)
        expect(slabs.heldBytes).toBeLessThanOrEqual(SLAB_BYTES)
      }),
      { numRuns: 60 },
    )
  })

  test('an event that was read keeps its bytes when its place is freed and filled again', () => {
    const slabs = new Slabs()
    for (const size of [100, SHARED_BYTES_MAX + 1]) {
      const record = unplaced()
      slabs.place(record, eventOf(1, size))
      const event = slabs.read(record)
      slabs.free(record)
      for (let i = 0; i < 3000; i++) slabs.place(unplaced(), eventOf(i, 1000))
      expect(event.data?.equals(eventOf(1, size).data!)).toBe(true)
    }
  })

  test('a small event that is out does not keep a slab alive', () => {
    const slabs = new Slabs()
    const record = unplaced()
    slabs.place(record, eventOf(1, 100))
    expect(slabs.read(record).data!.buffer.byteLength).toBeLessThan(SLAB_BYTES / 8)
  })
})
