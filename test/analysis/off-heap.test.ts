// Whether memory beside the heap rose, told from a few looks.

import { expect, test } from 'vitest'
import {
  judgeOffHeap,
  type OffHeapReading,
  type OffHeapStretch,
  type OffHeapWatch,
} from '../../src/analysis/off-heap.ts'

const MB = 1e6

/** So many megabytes of native memory at so many seconds. */
const reading = (seconds: number, mb: number): OffHeapReading => ({
  atMs: 1000 * seconds,
  lines: { 'native-heap': mb * MB },
})

const stretch = (from: [number, number][], to: [number, number][]): OffHeapStretch => ({
  from: from.map((it) => reading(...it)),
  to: to.map((it) => reading(...it)),
})

/** A process of which `mbAt` tells the memory, looked at as `diagnose` does it in half a minute. */
function watch(mbAt: (seconds: number) => number, more: Partial<OffHeapWatch> = {}): OffHeapWatch {
  const looks = (...seconds: number[]): [number, number][] => seconds.map((at) => [at, mbAt(at)])
  return {
    whole: stretch(looks(0, 0.3, 0.8), looks(34, 34.3, 34.8)),
    parts: [
      stretch(looks(2, 2.5), looks(14)),
      stretch(looks(17, 17.5), looks(29)),
      stretch(looks(31, 31.5), looks(33)),
    ],
    ...{ leavesOutIdle: true, heapGrowthBytes: 0, accountedBytes: 0 },
    ...more,
  }
}

test('what rises by the same in each part of the time rose, and by how much a second is told', () => {
  const trend = judgeOffHeap(watch((at) => 30 + 1.8 * at))!
  expect(trend).toMatchObject({ verdict: 'rose', seconds: 34 })
  expect(trend.bytesPerSecond).toBeCloseTo(1.8 * MB, -3)
  expect(trend.lines['native-heap']).toBeCloseTo(34 * 1.8 * MB, -3)
})

test('what a healthy program comes to differ by is still', () => {
  expect(judgeOffHeap(watch((at) => 30 + 0.02 * at))!.verdict).toBe('still')
  expect(judgeOffHeap(watch((at) => 30 - at / 10))!.verdict).toBe('still')
  // Of a large process one hundredth is no more than of a small one.
  expect(judgeOffHeap(watch((at) => 900 + 0.3 * at))!.verdict).toBe('still')
})

test('what came in one go, or less and less, did not rise evenly', () => {
  expect(judgeOffHeap(watch((at) => (at < 20 ? 30 : 45)))!.verdict).toBe('uneven')
  expect(judgeOffHeap(watch((at) => 30 + 15 * (1 - Math.exp(-at / 5))))!.verdict).toBe('uneven')
})

test('garbage that waits for its collection is no growth, however much of it there is', () => {
  // It is collected where the whole begins and ends, and 2 MB more of it come each second.
  const sawtooth = (at: number) => 30 + 2 * (at % 16.9)
  const trend = judgeOffHeap(watch((at) => (at < 1 || at >= 34 ? 30 + (at % 1) : sawtooth(at))))!
  expect(trend.verdict).toBe('still')
})

test('looks that differ much from each other widen the margin', () => {
  const calm = judgeOffHeap(watch((at) => 30 + 0.1 * at))!
  const { whole, ...rest } = watch((at) => 30 + 0.1 * at)
  const noisy = judgeOffHeap({ ...rest, whole: { ...whole, from: [reading(0, 30), reading(0.3, 38)] } })!
  expect(calm.verdict).toBe('rose')
  expect(noisy.marginBytes).toBeGreaterThan(calm.marginBytes + 7 * MB)
  expect(noisy.verdict).toBe('still')
})

test('a JS heap that grows by much is given the tables that V8 needs for it', () => {
  const rises = (at: number) => 30 + 0.15 * at
  expect(judgeOffHeap(watch(rises))!.verdict).toBe('rose')
  expect(judgeOffHeap(watch(rises, { heapGrowthBytes: 100 * MB }))!.verdict).toBe('still')
})

test('what the snapshots account for is no news', () => {
  const rises = (at: number) => 30 + 1 * at
  expect(judgeOffHeap(watch(rises, { accountedBytes: 33 * MB }))!.verdict).toBe('still')
  expect(judgeOffHeap(watch(rises, { accountedBytes: 90 * MB }))!.bytes).toBe(0)
})

test('with fewer parts than two nothing is even, and without looks nothing is known', () => {
  const { parts, ...rest } = watch((at) => 30 + 1.8 * at)
  expect(judgeOffHeap({ ...rest, parts: parts.slice(0, 1) })!.verdict).toBe('uneven')
  expect(judgeOffHeap({ ...rest, parts, whole: { from: [], to: [] } })).toBeUndefined()
})
