import { expect, test } from 'vitest'
import { emptyReport } from '../../src/commands/common/report.ts'
import { type Report, ReportSchema } from '../../src/findings/report.ts'
import { verdictOf } from '../../src/report/verdict.ts'
import { FINDING } from './reports.ts'

const growth = { elapsedMs: 10_000, totalShallowBytes: 786_000 } as NonNullable<Report['growth']>
const looked = { ...emptyReport('diff'), growth, explained: { bytes: 0, growthBytes: 786_000 } }

test('what rose with a reason does not count as nothing', () => {
  const setAside = [
    {
      title: 'cache gained 9',
      reason: 'max is 500',
      grounds: [],
      isolate: 'main',
      retainedBytes: 9,
      bytesPerSecond: 1,
    },
  ]
  expect(verdictOf(looked)!.rest).toMatch(/^: the heap grew by 786 KB in 10.0 s, but nothing in it rose as a leak does/)
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

const offHeap: NonNullable<Report['offHeap']> = {
  ...{ verdict: 'still', reason: null, bytes: 120_000, bytesPerSecond: 3500, seconds: 34, marginBytes: 2.3e6 },
  lines: {},
}

test('no leak is found only where memory beside the heap was looked at, or it is said that it was not', () => {
  expect(verdictOf({ ...looked, offHeap })).toMatchObject({
    good: true,
    headline: 'No leak found',
    rest: expect.stringMatching(/Outside of the heap, memory rose by less than 2\.30 MB in 34\.0 s\.$/),
  })
  const unknown = { ...offHeap, verdict: 'unknown', reason: 'it did not answer', marginBytes: null } as const
  expect(verdictOf({ ...looked, offHeap: unknown })!.rest).toMatch(/is not known: it did not answer\.$/)
})

test('memory that rises beside a quiet heap comes first, and is no leak found in the heap', () => {
  const rose = { ...offHeap, verdict: 'rose', bytes: 61e6 } as const
  const finding = {
    ...FINDING,
    pattern: 'off-heap-growth',
    evidence: { seenBy: 'system', residentBytesPerSecond: 1.8e6 },
    severity: 'warning',
  } as const
  expect(verdictOf({ ...looked, offHeap: rose, findings: [finding] })).toEqual({
    good: false,
    headline: 'Memory outside of the heap grows',
    rest: ': by 61.0 MB in 34.0 s; nothing in the heap accounts for it.',
  })
  const unsure = verdictOf({ ...looked, offHeap: rose, findings: [{ ...finding, severity: 'note' }] })
  expect(unsure).toMatchObject({ good: false, headline: 'Memory outside of the heap rose' })
  expect(verdictOf({ ...looked, offHeap: rose, findings: [finding, FINDING] })!.headline).toBe('2 leaks found')
})
