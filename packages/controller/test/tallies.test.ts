// Which tally an event counts for: looked up, and held to asking each of them.

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Place, type Tally } from '../src/event-types/tallies.ts'

const text = fc.constantFrom('a', 'b', 'ab', 'a.{x}', '{x}.b', 'a.b', 'a.c.b', 'x')
const spec = fc.record({ type: fc.option(text, { nil: undefined }), source: fc.option(text, { nil: undefined }) })
const plain = fc.constantFrom('a', 'b', 'ab', 'a.b', 'a.c', 'a.c.b', 'x')

/** One of its very type and source wins; else any that includes it, of its type before others. */
function rank(tally: Tally): number {
  return tally.isExact ? 0 : tally.matchesType?.exact !== undefined ? 1 : 2
}

test('an event counts for the closest of those that describe it, whatever was looked up before', () => {
  fc.assert(
    fc.property(fc.array(spec, { maxLength: 8 }), fc.array(fc.tuple(plain, plain)), fc.nat(), (specs, events, gone) => {
      const place = new Place('')
      for (const { type, source } of specs) place.at(type, source)
      const all = (): Tally[] => [...place.all()]
      const check = (): void => {
        for (const [type, source] of events) {
          const found = place.find(type, source)
          const described = all().filter((tally) => tally.includes(type, source))
          expect(found === undefined).toBe(described.length === 0)
          if (found !== undefined) expect(rank(found)).toBe(Math.min(...described.map(rank)))
        }
      }
      check()
      const victim = all()[gone % Math.max(1, all().length)]
      if (victim !== undefined) place.remove(victim)
      expect(all()).not.toContain(victim)
      check()
    }),
  )
})

test('two EventTypes of one type and source have one tally', () => {
  const place = new Place('')
  for (const [type, source] of [
    ['a', 's'],
    ['a', undefined],
    [undefined, undefined],
    ['{x}', 's'],
  ] as const) {
    expect(place.at(type, source)).toBe(place.at(type, source))
  }
  expect([...place.all()]).toHaveLength(4)
})

test('what a wide one describes is counted by those within it as well', () => {
  const place = new Place('')
  const [any, s1, s2] = [place.at('a', undefined), place.at('a', '/s/1'), place.at('a', '/s/2')]
  const some = place.at('a', '/s/{n}')
  place.at('b', '/s/1')
  expect([...place.within(any)]).toEqual([any, s1, s2])
  expect([...place.within(some)]).toEqual([some, s1, s2])
  expect([...place.within(s1)]).toEqual([s1])
  expect(place.sourcesOf('a')).toBe(2)
})
