// Whether memory beside the heap rises, judged from looks for which nobody collects garbage.

import { expect, test } from 'vitest'
import { judgeOutside } from '../../../src/commands/common/outside-memory.ts'

const PICTURE = { storeBytes: 0, stores: 0, deadNatives: 0 }
const judge = (bytes: readonly number[], last = PICTURE) =>
  judgeOutside({
    readings: bytes.map((each, i) => ({ atMs: 1000 * i, lines: { 'native-heap': each } })),
    pictures: [PICTURE, last],
    ...{ heapGrowthBytes: 0, leavesOutIdle: true },
  })

const rising = Array.from({ length: 20 }, (_, i) => 10e6 + i * 1e6)

test('what rises all the while rose', () => {
  expect(judge(rising)).toMatchObject({ verdict: 'rose', bytes: 10e6, bytesPerSecond: 1e6, deadNatives: 0 })
})

test('what falls back in the second half has not been lost, however much it was before', () => {
  const saw = Array.from({ length: 20 }, (_, i) => 10e6 + (i % 6) * 4e6)
  expect(judge(saw)).toMatchObject({ verdict: 'still' })
})

test('what buffers take is their growth, and is in the heap', () => {
  expect(judge(rising, { ...PICTURE, storeBytes: 20e6 })).toMatchObject({ verdict: 'still' })
})

test('dead objects that may hold it are counted', () => {
  expect(judge(rising, { ...PICTURE, deadNatives: 50 })).toMatchObject({ deadNatives: 50 })
})

test('five looks are too few', () => {
  expect(judge(rising.slice(0, 5))).toBeUndefined()
})
