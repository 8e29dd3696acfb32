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
