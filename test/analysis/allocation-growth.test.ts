// Which sites grow, from sampling profiles drawn by hand: what lives, reading after reading.

import { expect, test } from 'vitest'
import { findGrowingSites, type SampleReading } from '../../src/analysis/allocation-growth.ts'

const frame = (functionName: string, url = 'file:///app.js') => ({ functionName, url, lineNumber: 4, columnNumber: 0 })
const HEAD = {
  id: 1,
  callFrame: { functionName: '(root)', url: '', lineNumber: -1, columnNumber: -1 },
  children: [
    {
      id: 2,
      callFrame: frame('handle'),
      children: [
        { id: 3, callFrame: frame('parse', 'file:///node_modules/qs/index.js'), children: [] },
        { id: 4, callFrame: frame('(BYTECODE_COMPILER)', ''), children: [] },
      ],
    },
  ],
}
const EVERY = 5

/** Five samples come with each reading; `isAlive` says which of them are in a later one. */
const readings = (isAlive: (born: number, at: number, i: number) => boolean, { nodeId = 3, count = 16 } = {}) =>
  Array.from({ length: count }, (_, at): SampleReading => {
    const samples = Array.from({ length: at + 1 }, (_, born) =>
      Array.from({ length: EVERY }, (_, i) => ({ ordinal: born * EVERY + i, nodeId, size: 1000, born, i })),
    )
    return {
      atMs: 1000 * at,
      profile: { head: HEAD, samples: samples.flat().filter(({ born, i }) => isAlive(born, at, i)) },
    }
  })

test('what stays and becomes more is found, at the innermost function of the program itself', () => {
  const [site, ...others] = findGrowingSites(readings(() => true))!
  expect(others).toEqual([])
  expect(site).toMatchObject({ bytes: 80_000, bytesPerSecond: 5000, samples: 80, kept: 1, seconds: 15 })
  expect(site!.frames).toEqual([{ function: 'handle', url: 'file:///app.js', line: 5, column: 1 }])
})

test('what lives for a while is not', () => {
  expect(findGrowingSites(readings((born, at) => at - born < 5))).toEqual([])
})

test('what came once, in the beginning, is not', () => {
  expect(findGrowingSites(readings((born) => born < 3))).toEqual([])
})

test('what V8 compiles is not', () => {
  expect(findGrowingSites(readings(() => true, { nodeId: 4 }))).toEqual([])
})

test('of which most goes is not, of which a part goes is less sure', () => {
  expect(findGrowingSites(readings((born, at, i) => at === born || i === 0))).toEqual([])
  const [site] = findGrowingSites(readings((born, at, i) => at === born || i > 0))!
  expect(site!.kept).toBeCloseTo(0.8)
})

test('three readings, and profiles without single samples, are too little', () => {
  expect(findGrowingSites(readings(() => true, { count: 3 }))).toBeUndefined()
  expect(findGrowingSites(readings(() => true).map(({ atMs }) => ({ atMs, profile: { head: HEAD } })))).toBeUndefined()
})
