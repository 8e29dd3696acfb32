// Verdicts on series that are made up: what leaks is said to leak, and hardly ever anything else.

import { describe, expect, test } from 'vitest'
import { judgeTrend, type Point, theilSen, timeToLimit } from '../../src/analysis/trend.ts'
import { KINDS, makeSeries } from '../bench/series.mjs'

const HOUR_MS = 3_600_000
const MB = 1e6

/** One value a minute, with a little noise that is always the same. */
function minutes(count: number, value: (hour: number, i: number) => number, noise = 0.5 * MB): Point[] {
  return Array.from({ length: count }, (_, i) => ({
    atMs: i * 60_000,
    value: value(i / 60, i) + noise * (((i * 7919) % 101) / 50 - 1),
  }))
}

describe('a series', () => {
  test.each<[string, Point[], string]>([
    ['that rises and rises leaks', minutes(300, (hour) => 100 * MB + 5 * MB * hour), 'leak'],
    [
      'of garbage that is collected, and of which more stays each time, leaks',
      minutes(600, (hour, i) => 100 * MB + 6 * MB * hour + (i % 20) * 2 * MB),
      'leak',
    ],
    ['that rises from a deploy on leaks', minutes(300, (hour) => 100 * MB + 20 * MB * Math.max(0, hour - 2)), 'leak'],
    [
      'of garbage that is collected to the same level is a sawtooth',
      minutes(600, (_, i) => 100 * MB + (i % 20) * 2 * MB),
      'sawtooth',
    ],
    [
      'of days and nights is a sawtooth',
      minutes(4320, (hour) => 100 * MB + 10 * MB * Math.sin(hour / 3.8)),
      'sawtooth',
    ],
    [
      'that rises ever more slowly has warmed up',
      minutes(300, (hour) => (200 - 100 * Math.exp(-3 * hour)) * MB),
      'warm-up',
    ],
    ['of a cache that is full has warmed up', minutes(300, (hour) => (100 + 60 * Math.min(1, hour)) * MB), 'warm-up'],
    ['with a step in it is on a plateau', minutes(300, (hour) => (hour < 2 ? 100 : 130) * MB), 'plateau'],
    ['of noise is flat', minutes(300, () => 100 * MB), 'flat'],
    ['of one value is flat', minutes(300, () => 100 * MB, 0), 'flat'],
    ['that falls is no leak', minutes(300, (hour) => 200 * MB - 10 * MB * hour), 'flat'],
    ['of a few samples leaves it open', minutes(10, (hour) => 100 * MB + 50 * MB * hour), 'undecided'],
    ['of none leaves it open', [], 'undecided'],
  ])('%s', (_, points, verdict) => {
    expect(judgeTrend(points).verdict).toBe(verdict)
  })

  test('that leaks tells how fast, within what bounds, and when it will be at its limit', () => {
    const trend = judgeTrend(minutes(300, (hour) => 100 * MB + 5 * MB * hour))
    expect(trend.slopePerHour).toBeGreaterThan(4.8 * MB)
    expect(trend.slopePerHour).toBeLessThan(5.2 * MB)
    expect(trend.lowPerHour).toBeLessThan(trend.slopePerHour)
    expect(trend.highPerHour).toBeGreaterThan(trend.slopePerHour)
    expect(trend.highPerHour - trend.lowPerHour).toBeLessThan(0.5 * MB)
    expect(trend.confidence).toBeGreaterThan(0.999)
    // From 125 MB on.
    const { ms, earliestMs, latestMs } = timeToLimit(trend, 225 * MB)!
    expect(ms / HOUR_MS).toBeCloseTo(20, -0.5)
    expect(earliestMs).toBeLessThan(ms)
    expect(latestMs).toBeGreaterThan(ms)
    expect(timeToLimit(trend, 50 * MB)!.ms).toBe(0)
  })

  test('that does not leak reaches no limit', () => {
    expect(timeToLimit(judgeTrend(minutes(300, () => 100 * MB)), 225 * MB)).toBeNull()
  })

  test('keeps its verdict and its speed when the clock is set, or stands still for the night', () => {
    const steady = minutes(300, (hour) => 100 * MB + 5 * MB * hour)
    const jumpy = steady.map(({ atMs, value }, i) => ({
      atMs: atMs + (i > 100 ? -HOUR_MS : 0) + (i > 200 ? 9 * HOUR_MS : 0),
      value,
    }))
    const [wanted, found] = [judgeTrend(steady), judgeTrend(jumpy)]
    expect(found.verdict).toBe('leak')
    expect(found.slopePerHour / wanted.slopePerHour).toBeCloseTo(1, 2)
  })

  test('with holes in it is judged without them', () => {
    const points = minutes(300, (hour) => 100 * MB + 5 * MB * hour)
    const holed = points.map((point, i) => (i % 7 === 0 ? { ...point, value: Number.NaN } : point))
    expect(judgeTrend(holed).verdict).toBe('leak')
  })
})

test('the slope is that of most points, whatever a few say', () => {
  const points = Array.from({ length: 40 }, (_, i) => ({ atMs: i, value: i % 9 === 4 ? 10_000 : 3 * i }))
  const { slope, low, high } = theilSen(points)
  expect(slope).toBeCloseTo(3, 5)
  expect(low).toBeLessThanOrEqual(3)
  expect(high).toBeGreaterThanOrEqual(3)
})

test('of many series, few that leak are missed, and next to none is blamed that does not', () => {
  const seeds = Array.from({ length: 40 }, (_, i) => i + 1)
  const verdicts = KINDS.flatMap((kind) =>
    seeds.flatMap((seed) =>
      [false, true].map((leaks) => {
        const { points, leakBytesPerHour } = makeSeries(seed, kind, leaks)
        const { verdict, slopePerHour } = judgeTrend(points)
        return { leaks, verdict, isClose: Math.abs(slopePerHour / leakBytesPerHour - 1) < 0.25 }
      }),
    ),
  )
  const [healthy, leaky] = [false, true].map((wanted) => verdicts.filter(({ leaks }) => leaks === wanted))
  expect(healthy!.filter(({ verdict }) => verdict === 'leak').length / healthy!.length).toBeLessThanOrEqual(0.01)
  const found = leaky!.filter(({ verdict }) => verdict === 'leak')
  expect(1 - found.length / leaky!.length).toBeLessThanOrEqual(0.05)
  expect(found.filter(({ isClose }) => isClose).length / found.length).toBeGreaterThan(0.95)
})
