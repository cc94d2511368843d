import { expect, test } from 'vitest'
import { median, quantile, spread, summarize } from '../statistics.ts'

test('the median is the middle value, or the mean of the two in the middle, in whatever order they come', () => {
  expect(median([100, 9, 10])).toBe(10)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(median([7])).toBe(7)
  expect(median([])).toBeNaN()
})

test('a quantile is the value of the nearest rank, and never lies outside the values', () => {
  const hundred = Float64Array.from({ length: 100 }, (_, index) => index + 1)
  expect(quantile(hundred, 0.5)).toBe(50)
  expect(quantile(hundred, 0.99)).toBe(99)
  expect(quantile(hundred, 1)).toBe(100)
  expect(quantile(hundred, 0)).toBe(1)
  expect(quantile([], 0.5)).toBeNaN()
})

test('a figure of several rounds is summed up by its median, smallest and largest', () => {
  const rounds = [{ cpu: 30 }, { cpu: 10 }, { cpu: 20 }]
  expect(summarize(rounds, ({ cpu }) => cpu)).toEqual({ median: 20, spread: [10, 30] })
  expect(spread([2])).toEqual([2, 2])
})
