import { expect, test } from 'vitest'
import { problemOf } from '../rounds.ts'

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
