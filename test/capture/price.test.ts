// What a snapshot is said to cost, against what some really did cost.

import { describe, expect, test } from 'vitest'
import { foretell, longestPause, type Price, packed, type Range, total } from '../../src/capture/price.ts'

/** As measured: used bytes of small and large objects before, and then the pause, the memory beside it, and the file. */
const REAL: readonly [heap: string, major: number, small: number, large: number, objects: number, ...real: number[]][] =
  [
    ['nearly empty', 20, 4.1e6, 0.3e6, 42e3, 184, 26e6, 4.4e6],
    ['one array', 20, 35.4e6, 7.2e6, 842e3, 3206, 1209e6, 105e6],
    ['one array', 24, 36.5e6, 17.1e6, 860e3, 2318, 1163e6, 98e6],
    ['many arrays', 20, 59.9e6, 0.3e6, 1043e3, 2619, 401e6, 117e6],
    ['many arrays', 24, 56.2e6, 0.3e6, 1061e3, 1750, 364e6, 109e6],
    ['a list', 18, 52.4e6, 0, 1037e3, 3811, 362e6, 92e6],
    ['a list', 26, 52.7e6, 0.1e6, 1061e3, 1709, 343e6, 89e6],
    ['texts', 20, 52.3e6, 17.7e6, 1041e3, 4099, 1613e6, 110e6],
    ['a Map', 22, 42.1e6, 29.4e6, 1215e3, 3858, 1257e6, 93e6],
    ['closures', 24, 65.4e6, 10.6e6, 1261e3, 2102, 798e6, 119e6],
    ['records', 20, 39.5e6, 2.2e6, 941e3, 5798, 662e6, 93e6],
    ['records', 26, 41.7e6, 2.1e6, 959e3, 2262, 521e6, 85e6],
    ['Buffers', 22, 4.3e6, 0.3e6, 58e3, 171, 38e6, 6e6],
  ]

const prices = (price: Price) => [price.pauseMs, price.memoryBytes, price.fileBytes] as const

describe.each(REAL)('a heap of %s on Node %i', (_, major, smallBytes, largeBytes, objects, ...real) => {
  test('costs what was foretold, between the two ends', () => {
    for (const counted of [null, objects]) {
      const foretold = prices(foretell({ smallBytes, largeBytes, major, objects: counted }))
      for (const [i, { low, high }] of foretold.entries()) {
        expect(real[i]).toBeGreaterThanOrEqual(low)
        expect(real[i]).toBeLessThanOrEqual(high)
      }
    }
  })

  test('costs about what was thought likely, the more so when its objects were counted', () => {
    const guess = foretell({ smallBytes, largeBytes, major, objects: null })
    const counted = foretell({ smallBytes, largeBytes, major, objects })
    const factor = (likely: number, is: number) => Math.max(likely / is, is / likely)
    for (const [i, { likely }] of prices(guess).entries()) expect(factor(likely, real[i]!)).toBeLessThan(2.5)
    for (const [i, { likely }] of prices(counted).entries())
      expect(factor(likely, real[i]!)).toBeLessThan(smallBytes > 5e6 ? 2 : 2.5)
    expect(factor(counted.fileBytes.likely, real[2]!)).toBeLessThan(1.5)
  })
})

test('counting makes the ranges narrower, and the price of long texts right', () => {
  const texts = { smallBytes: 104e6, largeBytes: 0.3e6, major: 20 }
  const width = ({ low, high }: Range) => high / low
  const guess = foretell({ ...texts, objects: null })
  const counted = foretell({ ...texts, objects: 46_000 })
  for (const [i, range] of prices(counted).entries()) expect(range.high).toBeLessThan(prices(guess)[i]!.low)
  expect(width(counted.fileBytes)).toBeLessThan(width(guess.fileBytes))
  expect(counted.objects).toEqual({ low: 46_000, likely: 46_000, high: 46_000 })
})

test('a slower machine makes the pause longer, and nothing else dearer', () => {
  const facts = { smallBytes: 50e6, largeBytes: 1e6, major: 22, objects: null }
  const [here, there] = [foretell(facts), foretell(facts, 3)]
  expect(there.pauseMs.likely / here.pauseMs.likely).toBeCloseTo(3, 2)
  expect({ ...there, pauseMs: null }).toEqual({ ...here, pauseMs: null })
})

test('a Node that nobody has measured is taken for one beside it', () => {
  const of = (major: number) => foretell({ smallBytes: 50e6, largeBytes: 0, major, objects: null })
  expect(of(30)).toEqual(of(26))
  expect(of(23)).toEqual(of(22))
  expect(of(16)).toEqual(of(18))
  expect(of(Number.NaN)).toEqual(of(18))
})

test('a worker with less than Node’s own objects costs next to nothing', () => {
  const { objects, memoryBytes } = foretell({ smallBytes: 1e6, largeBytes: 0, major: 24, objects: null })
  expect(objects.high).toBeLessThan(20_000)
  expect(memoryBytes.high).toBeLessThan(60e6)
})

test('several isolates stand still one after the other, and may not give back what they took', () => {
  const [small, big] = [5e6, 50e6].map((smallBytes) =>
    foretell({ smallBytes, largeBytes: 0, major: 22, objects: null }),
  ) as [Price, Price]
  const sum = total([small, big], 3)
  expect(sum.objects.likely).toBe(small.objects.likely + big.objects.likely)
  expect(sum.pauseMs.high).toBe(small.pauseMs.high + big.pauseMs.high)
  expect(sum.fileBytes.low).toBe(3 * (small.fileBytes.low + big.fileBytes.low))
  expect(sum.memoryBytes.likely).toBe(big.memoryBytes.likely)
  expect(sum.memoryBytes.high).toBe(small.memoryBytes.high + big.memoryBytes.high)
  expect(longestPause([small, big])).toEqual(big.pauseMs)
  expect(total([], 1).memoryBytes).toEqual({ low: 0, likely: 0, high: 0 })
})

test('a packed file needs less of the disk', () => {
  const price = foretell({ smallBytes: 50e6, largeBytes: 0, major: 22, objects: null })
  expect(packed(price, 'a.heapsnapshot')).toEqual(price)
  const [gz, zst] = ['a.gz', 'a.zst'].map((name) => packed(price, name).fileBytes) as [Range, Range]
  expect(gz.likely).toBeLessThan(price.fileBytes.likely / 4)
  expect(zst.likely).toBeLessThan(gz.likely)
  expect(packed(price, 'a.gz').memoryBytes).toEqual(price.memoryBytes)
})
