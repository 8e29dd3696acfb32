// The arithmetic of the benchmark, on numbers that one can check in the head.

import { expect, it } from 'vitest'
import { median, slope, spread } from './statistics.mjs'

it('takes the middle number, or the mean of the two in the middle', () => {
  expect(median([10, 2, 1])).toBe(2)
  expect(median([10, 2, 1, 4])).toBe(3)
  expect(spread([5])).toEqual({ median: 5, min: 5, max: 5 })
})

it('finds how much is added for each one more, whatever there was at the start', () => {
  expect(
    slope([
      [1, 107],
      [2, 114],
      [5, 135],
    ]),
  ).toBeCloseTo(7)
})
