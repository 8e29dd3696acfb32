// What memory beside the heap is told as: the true cost of objects, or a finding of its own.

import { expect, test } from 'vitest'
import type { OffHeapTrend } from '../../src/analysis/off-heap.ts'
import { type NativeCandidate, nativeCandidates, withResidentGrowth } from '../../src/detectors/native-growth.ts'
import type { ReportFinding } from '../../src/findings/report.ts'
import { type Drawing, lookInto, type Sketch, times } from '../support/drawing.ts'
import { checkEvidence } from '../support/evidence.ts'

const trend = (bytesPerSecond: number, more: Partial<OffHeapTrend> = {}): OffHeapTrend => ({
  ...{ verdict: 'rose', bytes: 20 * bytesPerSecond, bytesPerSecond, seconds: 20, marginBytes: 2e6 },
  ...{ partsPerSecond: [], lines: { 'native-heap': 20 * bytesPerSecond }, leavesOutIdle: true },
  ...more,
})

interface Looked {
  readonly findings: readonly ReportFinding[]
  readonly candidates: readonly NativeCandidate[]
}

const look = (...sketches: Sketch[]): Promise<Looked> =>
  lookInto(sketches, {}, (captures, { findings, reportedBy }) => ({
    findings,
    candidates: nativeCandidates(captures, reportedBy),
  }))

const tell = (
  { findings, candidates }: Looked,
  seen: OffHeapTrend,
  addons: { file: string; package: string | null; version: string | null }[] = [],
) => checkEvidence(withResidentGrowth(findings, { trend: seen, candidates, addons, pid: 4711 }))

/** A Map that gains 80 of something between two snapshots, which are 8 seconds apart. */
function keeps(make: (d: Drawing, i: number) => number): Sketch {
  return (d, step) =>
    void d.variable(
      'kept',
      d.map(
        'kept',
        times(80 * (step + 1), (i) => make(d, i)),
      ),
    )
}

test.each<[string, (d: Drawing, i: number) => number, string]>([
  ['formatters of V8', (d, i) => d.formatter(`f ${i}`, 'DateTimeFormat'), 'DateTimeFormat'],
  ['buffers that grow', (d, i) => d.growable(`b ${i}`), 'SharedArrayBuffer'],
  [
    'objects of an addon',
    (d, i) => d.object(`t ${i}`, 'Thing', { '<symbol node:napi:wrapper>': d.object(`t ${i} wrapper`, 'Object') }),
    'Thing',
  ],
  [
    'objects with a handle of Node’s in them',
    (d, i) => {
      const owner = d.object(`o ${i}`, 'Resolver')
      return d.members(owner, { _handle: d.handle(`h ${i}`, 'ChannelWrap', 'ChannelWrap', owner, 8) })
    },
    'Resolver',
  ],
])('%s that are kept are told at what each costs', async (_, make, className) => {
  const looked = await look(keeps(make))
  const before = looked.findings[0]!
  const [finding, ...others] = tell(looked, trend(10 * 30_000))
  expect(others).toEqual([])
  const each = before.growth.retainedBytes / 160
  expect(finding!.title).toBe(
    `${before.title}; each ${className} takes about 30.${Math.round((each + 30_000 - 30_000) / 100)} KB of resident memory (${Math.round(each)} B in the snapshot)`,
  )
  expect(finding).toMatchObject({
    growth: before.growth,
    evidence: { residentKind: className, residentBytesPerSecond: 300_000, residentIsEstimate: 'about' },
  })
})

test('of two leaks the one that costs more memory in truth comes first', async () => {
  const looked = await look((d, step) => {
    const rows = times(20 * (step + 1), (i) => d.object(`row ${i}`, 'Row', {}, { size: 5000 }))
    d.variable('rows', d.array('rows', rows))
    d.variable(
      'formats',
      d.map(
        'formats',
        times(80 * (step + 1), (i) => d.formatter(`f ${i}`, 'NumberFormat')),
      ),
    )
  })
  expect(looked.findings.map(({ title }) => title.split(' ')[0])).toEqual(['rows', 'formats'])
  expect(tell(looked, trend(150_000)).map(({ title }) => title.split(' ')[0])).toEqual(['formats', 'rows'])
})

test('memory that nothing stands for is a finding of its own, with the addons that are loaded', async () => {
  const looked = await look((d) => void d.variable('one', d.object('one', 'One')))
  const addons = [
    { file: '/srv/node_modules/@sums/crc/crc.linux.node', package: '@sums/crc', version: '1.5.1' },
    { file: '/srv/build/own.node', package: null, version: null },
  ]
  const [finding, ...others] = tell(looked, trend(1.8e6), addons)
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'off-heap-growth',
    severity: 'warning',
    growth: { bytesPerSecond: 1.8e6, retainedBytes: 0 },
    evidence: { seenBy: 'system', residentBytes: 36e6, addons },
  })
  expect(finding!.title).toMatch(
    /^Resident memory grows by 1\.80 MB a second .*@sums\/crc 1\.5\.1, \/srv\/build\/own\.node$/,
  )
  expect(finding!.advice).toContain('heaptrack --pid 4711')
})

test('it is but a note where it did not rise evenly, or idle memory may be what rose', async () => {
  const looked: Looked = { findings: [], candidates: [] }
  expect(tell(looked, trend(1e6, { verdict: 'uneven' }))[0]).toMatchObject({ severity: 'note', confidence: 0.4 })
  const blind = tell(looked, trend(1e6, { leavesOutIdle: false }))[0]!
  expect(blind).toMatchObject({ severity: 'warning', confidence: 0.56 })
  expect(blind.reason).toContain('idle in the allocator')
  expect(tell(looked, trend(1e6, { verdict: 'uneven', leavesOutIdle: false }))[0]!.severity).toBe('note')
})

test('where nothing rose, nothing is added, whatever is kept', async () => {
  const looked = await look(keeps((d, i) => d.formatter(`f ${i}`, 'DateTimeFormat')))
  expect(tell(looked, trend(1e6, { verdict: 'still' }))).toEqual(looked.findings)
})

test('objects that are too few for what rose are not blamed for it', async () => {
  // Ten connections a second do not take a megabyte each.
  const looked = await look(
    keeps((d, i) => {
      const owner = d.object(`o ${i}`, 'Peer')
      return d.members(owner, { _handle: d.handle(`h ${i}`, 'Pipe', 'PipeWrap', owner, 8) })
    }),
  )
  const told = tell(looked, trend(10e6))
  expect(told.map(({ evidence }) => evidence.seenBy)).toEqual(['system', undefined])
  expect(told[1]).toEqual(looked.findings[0])
})

test('objects that no finding tells of are told with what keeps them', async () => {
  // So little on the heap that it is no candidate.
  const looked = await look((d, step) => {
    const rows = times(20 * (step + 1), (i) => d.object(`row ${i}`, 'Row', {}, { size: 50_000 }))
    d.variable('rows', d.array('rows', rows))
    d.variable(
      'images',
      d.map(
        'images',
        times(10 * (step + 1), (i) => d.formatter(`f ${i}`, 'Image')),
      ),
    )
  })
  expect(looked.findings.map(({ title }) => title.split(' ')[0])).toEqual(['rows'])
  const [first] = tell(looked, trend(2e6))
  expect(first).toMatchObject({
    pattern: 'off-heap-growth',
    severity: 'warning',
    evidence: { keptIn: 'images', residentKind: 'Image' },
  })
  expect(first!.title).toMatch(/^20 more Image in images, and each Image takes about 1\.60 MB of resident memory/)
  expect(first!.retainingPath.map(({ node }) => node)).toContain('Map')
})

test('threads that become more are told at what each costs, and nothing beside them', () => {
  const growth = { count: 17, shallowBytes: 0, retainedBytes: 0, perSecond: 0.5, bytesPerSecond: 0, holders: 1 }
  const threads = {
    pattern: 'thread-growth',
    title: '17 worker threads more',
    reason: 'r',
    grounds: [],
    confidence: 0.8,
    growth,
  }
  const evidence = { threadsStarted: 17, perSecond: 0.5, workers: [1, 9, 18], isolatesSeen: 1, startedAt: null }
  const finding = { ...threads, severity: 'error', evidence } as unknown as ReportFinding
  const [told, ...others] = tell({ findings: [finding], candidates: [] }, trend(450_000))
  expect(others).toEqual([])
  expect(told!.title).toBe('17 worker threads more; each takes about 900 KB of resident memory')
})

test('messages that pile up are told as such where memory rises with them, though the heap alone would excuse them', async () => {
  const sender: Sketch = (d) => void d.variable('journal', d.object('journal', 'MessagePort'))
  const waiting: Sketch = (d, step) => d.messages(300 * (step + 1))
  const looked = await lookInto(
    [sender, waiting],
    { pausedMs: [1000, 2000, 3000] },
    (captures, { findings, reportedBy }) => ({
      findings,
      candidates: nativeCandidates(captures, reportedBy),
    }),
  )
  expect(looked.findings).toEqual([])
  const [finding] = tell(looked, trend(50_000))
  expect(finding).toMatchObject({
    pattern: 'task-queue-pileup',
    severity: 'warning',
    evidence: { waitingMessages: 900 },
  })
  expect(finding!.title).toMatch(
    /^900 messages wait in a port of worker:1, .* and each Message takes about .* of resident memory/,
  )
})
