import { expect, test } from 'vitest'
import { emptyReport } from '../../src/commands/report.ts'
import { type Report, ReportSchema } from '../../src/findings/report.ts'
import { verdictOf } from '../../src/report/verdict.ts'

const growth = { elapsedMs: 10_000, totalShallowBytes: 786_000 } as NonNullable<Report['growth']>
const looked = { ...emptyReport('diff'), growth, explained: { bytes: 0, growthBytes: 786_000 } }

test('what rose with a reason does not count as nothing', () => {
  const setAside = [
    { title: 'cache gained 9', reason: 'max is 500', isolate: 'main', retainedBytes: 9, bytesPerSecond: 1 },
  ]
  expect(verdictOf(looked)!.rest).toMatch(
    /^: the heap grew by 786 KB in 10.0 s, but nothing in it rose the way a leak does/,
  )
  expect(verdictOf({ ...looked, setAside })!.rest).toMatch(
    /^: the heap grew by 786 KB in 10.0 s; what rose all the while has a reason to\./,
  )
  expect(ReportSchema.shape.setAside.parse(setAside)).toEqual(setAside)
})

test('a heap that became much larger in every step is no good news, though no pattern fits', () => {
  const sizes = (all: number[]) => {
    const snapshots = all.map((totalShallowBytes) => ({ isolate: 'main', totalShallowBytes })) as Report['snapshots']
    const grown = { ...growth, totalShallowBytes: all.at(-1)! - all[0]! }
    return verdictOf({ ...looked, growth: grown, snapshots })!
  }
  expect(sizes([40e6, 58e6, 77e6])).toMatchObject({
    headline: 'No leak recognized',
    rest: expect.stringMatching(/^: the heap grew by 37.0 MB in 10.0 s, in every step\./),
  })
  expect(sizes([40e6, 41e6, 77e6]).headline).toBe('No leak found')
  expect(sizes([400e6, 418e6, 437e6]).headline).toBe('No leak found')
})
