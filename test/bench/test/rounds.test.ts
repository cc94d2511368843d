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
  [
    'together',
    '+a, +b, a of a b, b of a b, b of a b, a of a b, -a, -b, +b, +a, b of b a, a of b a, a of b a, b of b a, -b, -a',
  ],
  ['in turn', '+a, a of a, -a, +b, b of b, -b, +b, b of b, -b, +a, a of a, -a'],
] as const)('contenders that are up %s have their turns in an order that turns round', async (turns, steps) => {
  expect(await stepsOf(turns)).toEqual(steps)
})

test('only the first pass after a start is a long and cold one', async () => {
  const passes: [boolean, number, number][] = []
  await runRounds(contextOf(), { a: () => Promise.resolve(contender()) }, (_, __, { isWarm, warmUpMs, measureMs }) => {
    passes.push([isWarm, warmUpMs, measureMs])
    return Promise.resolve()
  })
  expect(passes.map(([isWarm]) => isWarm)).toEqual([false, true, false, true])
  expect(passes[0]![1]).toBeGreaterThan(passes[1]![1])
  expect(passes[0]![2]).toBe(passes[1]![2])
})

function contender(end = (): void => {}): Contender {
  return { pid: process.pid, end: () => Promise.resolve(end()) }
}

function contextOf(): Context {
  const load = { pid: process.pid }
  const extent = { quick: true, rounds: 2, passes: 2, spare: { ms: 0 } }
  return { ...extent, isWarm: false, warmUpMs: 1000, measureMs: 1000, load, say: () => {} } as unknown as Context
}

/** What two starts of two contenders do: `+a` starts, `a of a b` is measured while both are up, `-a` ends. */
async function stepsOf(turns: Turns): Promise<string> {
  const steps: string[] = []
  const up = new Set<string>()
  const start = (name: string) => (): Promise<Contender> => {
    up.add(name)
    steps.push(`+${name}`)
    return Promise.resolve(
      contender(() => {
        if (up.delete(name)) steps.push(`-${name}`)
      }),
    )
  }
  const run = (_: Contender, name: string): Promise<string> => {
    steps.push(`${name} of ${[...up].join(' ')}`)
    return Promise.resolve(name)
  }
  const rounds = await runRounds(contextOf(), { a: start('a'), b: start('b') }, run, turns)
  expect(rounds).toEqual(rounds.map(() => expect.objectContaining({ a: 'a', b: 'b' })))
  return steps.join(', ')
}
