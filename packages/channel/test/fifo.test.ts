import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Fifo } from '@sluice/channel'

describe('a Fifo', () => {
  test('behaves as an array does, over any run of pushes and shifts', () => {
    // Long runs of pushes, so that it grows past the size from which it compacts.
    const step = fc.oneof(
      fc.record({ push: fc.integer({ min: 1, max: 1500 }) }),
      fc.record({ shift: fc.integer({ min: 1, max: 1500 }) }),
      fc.constant({ takeAll: true }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const fifo = new Fifo<number>()
        let model: number[] = []
        let next = 0
        for (const each of steps) {
          if ('push' in each) {
            for (let i = 0; i < each.push; i++) {
              fifo.push(++next)
              model.push(next)
            }
          } else if ('shift' in each) {
            const expected = model.slice(0, each.shift)
            model = model.slice(each.shift)
            for (const item of expected) expect(fifo.shift()).toBe(item)
            if (model.length === 0) expect(fifo.shift()).toBeUndefined()
          } else {
            expect(fifo.takeAll()).toEqual(model)
            model = []
          }
          expect(fifo.length).toBe(model.length)
          expect(fifo.peek()).toBe(model[0])
          expect([...fifo]).toEqual(model)
        }
      }),
    )
  })
})
