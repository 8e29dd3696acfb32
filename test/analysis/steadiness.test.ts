import { expect, test } from 'vitest'
import { judgeSeries } from '../../src/analysis/steadiness.ts'

const seconds = [0, 8, 16]

test('what stays and gains evenly is steady', () => {
  expect(judgeSeries({ counts: [100, 150, 200], survivors: [50, 50], seconds })).toBe('steady')
})

test('what goes, but slower than it comes, is turning', () => {
  expect(judgeSeries({ counts: [2367, 2939, 3496], survivors: [350, 797], seconds })).toBe('turning')
})

test('a few more of many that come and go are chance', () => {
  expect(judgeSeries({ counts: [8549, 8620, 8710], survivors: [40, 109], seconds })).toBe('swinging')
})

test('what fills up is slowing', () => {
  expect(judgeSeries({ counts: [10, 90, 95], survivors: [80, 5], seconds })).toBe('slowing')
})
