import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { TextTree } from '../src/text-tree.ts'

const text = fc.string({ unit: fc.constantFrom('a', 'b', '😀'), maxLength: 6 })
const step = fc.record({ do: fc.constantFrom('set', 'set', 'delete', 'collect'), text })

test.each([false, true])('it finds what a list of all texts finds, from the end: %s', (fromEnd) => {
  const fits = (one: string, other: string): boolean => (fromEnd ? one.endsWith(other) : one.startsWith(other))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const tree = new TextTree<string>(fromEnd)
      const model = new Set<string>()
      for (const next of steps) {
        if (next.do === 'set') {
          tree.set(next.text, next.text)
          model.add(next.text)
        } else if (next.do === 'delete' && model.has(next.text)) {
          tree.delete(next.text)
          model.delete(next.text)
        }
        expect(tree.get(next.text)).toBe(model.has(next.text) ? next.text : undefined)
        expect(tree.isEmpty).toBe(model.size === 0)
        const found = new Set<string>()
        tree.collect(next.text, found)
        expect(found).toEqual(new Set([...model].filter((each) => fits(next.text, each))))
      }
    }),
    { numRuns: 3_000 },
  )
})
