import { expect, test } from 'vitest'
import type { Context } from '../goal.ts'
import { problemOf, runRounds, type Contender, type Turns } from '../rounds.ts'

const fine = { refused: {}, lost: 0, duplicates: 0, damaged: 0 }

test('a run without mishaps has no problem, and duplicates are none (at least once)', () => {
  expect(problemOf([fine, { ...fine, duplicates: 3 }])).toBeUndefined()
})

test('refused, lost and damaged events of all runs are added up and named', () => {
  const runs = [
    { ...fine, refused: { 429: 2, 503: 1 } },
    { ...fine, refused: { 429: 1 }, lost: 4, damaged: 5 },
  ]
  expect(problemOf(runs)).toBe('3 events answered 429, 1 events answered 503, 4 events lost, 5 events damaged')
})

test.each([
  ['together', ['+a', '+b', 'a of a b', 'b of a b', '-a', '-b', '+b', '+a', 'b of b a', 'a of b a', '-b', '-a']],
  ['in turn', ['+a', 'a of a', '-a', '+b', 'b of b', '-b', '+b', 'b of b', '-b', '+a', 'a of a', '-a']],
] as const)(
  'contenders that are up %s are started, measured and ended in an order that turns round',
  async (turns, steps) => {
    expect(await stepsOf(turns)).toEqual(steps)
  },
)

/** What two rounds of two contenders do: `+a` starts, `a of a b` is measured while both are up, `-a` ends. */
async function stepsOf(turns: Turns): Promise<string[]> {
  const steps: string[] = []
  const up = new Set<string>()
  const contender = (name: string) => (): Promise<Contender> => {
    up.add(name)
    steps.push(`+${name}`)
    const end = (): Promise<void> => {
      if (up.delete(name)) steps.push(`-${name}`)
      return Promise.resolve()
    }
    return Promise.resolve({ pid: process.pid, end })
  }
  const run = (_: Contender, name: string): Promise<string> => {
    steps.push(`${name} of ${[...up].join(' ')}`)
    return Promise.resolve(name)
  }
  const context = {
    quick: true,
    rounds: 2,
    spare: { ms: 0 },
    load: { pid: process.pid },
    say: () => {},
  } as unknown as Context
  const rounds = await runRounds(context, { a: contender('a'), b: contender('b') }, run, turns)
  expect(rounds).toMatchObject([
    { a: 'a', b: 'b' },
    { a: 'a', b: 'b' },
  ])
  return steps
}
