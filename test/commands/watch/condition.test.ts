// What `--until` understands, and when it holds.

import { describe, expect, test } from 'vitest'
import type { Point } from '../../../src/analysis/trend.ts'
import { asked, parseCondition } from '../../../src/commands/watch/condition.ts'

const HOUR_MS = 3_600_000
/** A minute apart. */
const series = (count: number, value: (hour: number) => number): Point[] =>
  Array.from({ length: count }, (_, i) => ({ atMs: i * 60_000, value: value((i * 60_000) / HOUR_MS) + 1e4 * (i % 3) }))

describe('a condition', () => {
  test.each<[string, number, boolean]>([
    ['rss>400MB', 401e6, true],
    ['rss > 400MB', 399e6, false],
    ['rss<400MB', 399e6, true],
    ['native-heap>1GiB', 2 ** 30 + 1, true],
    ['threads>50', 51, true],
    ['threads>50', 50, false],
    ['event-loop>90%', 0.95, true],
    ['event-loop-delay>200ms', 201, true],
    ['event-loop-delay>0.2s', 199, false],
    ['gc>10%', 0.11, true],
  ])('%s with %d: %s', (text, value, holds) => {
    expect(parseCondition(text).holds([{ atMs: 0, value }])).toBe(holds)
  })

  test('of nothing seen yet does not hold', () => {
    expect(parseCondition('rss<400MB').holds([])).toBe(false)
  })

  test('of a slope holds when the slope surely is beyond', () => {
    const grows = series(120, (hour) => 100e6 + 20e6 * hour)
    expect(parseCondition('heap.slope>5MB/h').holds(grows)).toBe(true)
    expect(parseCondition('heap.slope>25MB/h').holds(grows)).toBe(false)
    expect(parseCondition('heap.slope>5MB/h').holds(grows.slice(0, 8))).toBe(false)
    expect(parseCondition('heap.slope<5MB/h').holds(series(120, () => 100e6))).toBe(true)
  })

  test('of a slope is asked now and then, and believed when it goes on to hold', () => {
    const holds = asked(parseCondition('heap.slope>5MB/h'))
    const grows = series(120, (hour) => 100e6 + 20e6 * hour)
    const at = grows.findIndex((_, i) => holds(grows.slice(0, i + 1), i + 1))
    expect(at).toBeGreaterThan(17)
    expect(at).toBeLessThan(60)
    // A single verdict that is none is the end of its row.
    const again = asked({ text: '', id: 'heap', isOfTrend: true, holds: (points) => points.length !== 12 })
    expect([10, 10.5, 12, 14, 16, 18].map((count) => again(Array(Math.floor(count)).fill(grows[0]), count))).toEqual([
      ...[false, false, false, false, false],
      true,
    ])
  })

  test.each([
    ['nonsense', 'does not understand'],
    ['constructor>3', 'does not understand'],
    ['rss=3MB', 'does not understand'],
    ['rss>3', 'takes a size'],
    ['threads>many', 'takes a number'],
    ['event-loop-delay>many', 'takes a duration'],
    ['heap.slope>5MB', 'per hour'],
  ])('%s is refused', (text, why) => {
    expect(() => parseCondition(text)).toThrow(why)
  })
})
