// The rounds of a check, of programs that are made up: what they hold is told, not measured.

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Driver } from '../../src/check/driver.ts'
import { measureRounds, type RoundsOptions } from '../../src/check/rounds.ts'
import type { Reading } from '../../src/check/settle.ts'

interface Program {
  /** Bytes after so much work, and so long after the last of it. */
  readonly holds: (work: number, restMs: number) => number
  readonly workers?: (work: number) => number | null
  readonly files?: (work: number) => number
  /** How long so many units take, the n-th time. */
  readonly takesMs?: (units: number, time: number) => number
}

function measure(
  { holds, workers = () => 0, files = () => 20, takesMs = () => 0 }: Program,
  options: Partial<RoundsOptions> = {},
) {
  let [work, times, lastMs] = [0, 0, 0]
  const driver: Driver = {
    ...{ unit: 'iteration', least: 1 },
    async run(units, signal) {
      const ms = takesMs(units, times++)
      if (ms > 0) await sleep(ms, undefined, { signal })
      work += units
      lastMs = performance.now()
      return units
    },
    close: async () => {},
  }
  const meter = async (): Promise<Reading> => ({
    heapUsedBytes: 5e6 + holds(work, performance.now() - lastMs),
    ...{ externalBytes: 1e6, arrayBuffersBytes: 0, rssBytes: 5e7, handles: 1, threads: 11, files: files(work) },
    workersBytes: workers(work),
  })
  return measureRounds(meter, driver, {
    ...{ budget: { kind: 'default' }, maxDurationMs: 2000, signal: new AbortController().signal },
    ...options,
  })
}

describe('rounds', () => {
  test('tell what leaks', async () => {
    const { verdict, measures } = await measure({ holds: (work) => 100 * work })
    expect(verdict).toBe('growing')
    expect(measures[0]).toMatchObject({ measure: 'heap', verdict: 'growing' })
    expect(measures[0]!.perUnit).toBeCloseTo(100)
  })

  test('tell of open files that grow with the work, but of no pool that comes to its size', async () => {
    const leaky = { holds: () => 0, files: (work: number) => 20 + Math.floor(work / 100) }
    const { verdict, measures } = await measure(leaky)
    expect(verdict).toBe('growing')
    expect(measures.map(({ measure, verdict }) => [measure, verdict])).toEqual([
      ['heap', 'steady'],
      ['external', 'steady'],
      ['files', 'growing'],
    ])
    expect(measures[2]!.perUnit).toBeCloseTo(0.01)
    expect((await measure(leaky, { shared: true })).verdict).toBe('steady')
    expect((await measure(leaky, { budget: { kind: 'total', bytes: 1e6 } })).verdict).toBe('steady')
    const pool = { holds: () => 0, files: (work: number) => 20 + Math.min(200, work / 200) }
    expect((await measure(pool)).verdict).toBe('steady')
  })

  test('tell of workers, unless there are none or one of them says nothing', async () => {
    const leaky = await measure({ holds: () => 0, workers: (work) => 9e6 + 100 * work })
    expect(leaky.measures.map(({ measure, verdict }) => [measure, verdict])).toEqual([
      ['heap', 'steady'],
      ['external', 'steady'],
      ['workers', 'growing'],
    ])
    const silent = await measure({ holds: () => 0, workers: (work) => (work > 20_000 ? null : 9e6 + 100 * work) })
    expect(silent.measures.map(({ measure }) => measure)).toEqual(['heap', 'external'])
  })

  test('do not tell of what goes away when it is waited for', async () => {
    const { verdict } = await measure({ holds: (work, restMs) => (restMs > 1000 ? 0 : 100 * work) })
    expect(verdict).not.toBe('growing')
  })

  test('do as much on a machine that is busy, where now and then anything takes long', async () => {
    const { base } = await measure({ holds: () => 0, takesMs: (_, time) => (time < 6 && time % 2 === 0 ? 150 : 0) })
    expect(base).toBe(2000)
  })

  test('do less where work takes its time, and as much as was asked for', async () => {
    const slow = await measure({ holds: () => 0, takesMs: (units) => 10 * units }, { baseMs: 50, maxDurationMs: 100 })
    expect(slow.base).toBeGreaterThanOrEqual(3)
    expect(slow.base).toBeLessThanOrEqual(6)
    expect((await measure({ holds: () => 0 }, { base: 7 })).base).toBe(7)
  })

  test('give up on work that never ends', async () => {
    const endless = measure({ holds: () => 0, takesMs: (units) => (units > 4 ? 60_000 : 0) }, { longestWorkMs: 200 })
    await expect(endless).rejects.toMatchObject({
      code: 'load-failed',
      message: 'the work has not come to its end within 200 ms',
      hint: expect.stringContaining('It was to do 8 iterations'),
    })
  })
})
