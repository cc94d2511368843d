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

test('a figure of several passes is summed up by its median and its middle half', () => {
  const passes = [30, 10, 20, 50, 40].map((cpu) => ({ cpu }))
  expect(summarize(passes, ({ cpu }) => cpu)).toEqual({ median: 30, spread: [20, 40] })
  expect(spread([2])).toEqual([2, 2])
  expect(spread([3, 1, 2])).toEqual([1, 3])
})
