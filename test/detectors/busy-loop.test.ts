import { expect, test } from 'vitest'
import { readCpuTime } from '../../src/analysis/cpu-time.ts'
import type { IsolateWork } from '../../src/detectors/detector.ts'
import { findInCpu } from '../../src/detectors/process-findings.ts'
import { createScriptSources } from '../../src/support/script-sources.ts'
import { checkEvidence } from '../support/evidence.ts'

const URL = 'file:///app/main.mjs'
const POLL =
  'const jobs = []\nfunction look() {\n  const job = jobs.shift()\n  if (job) job()\n  setImmediate(look)\n}\n'
const SLICES = 'function look() {\n  work()\n  if (at < all) setImmediate(look)\n}\n'
const WAIT = 'function look() {\n  while (Atomics.load(flag, 0) === 0) {}\n}\n'

/** A stack, the outermost first, and how often it was seen; `name@line` is of the program. */
type Seen = readonly [stack: string, samples: number]

function profile(...seen: readonly Seen[]): object {
  const nodes: { id: number; callFrame: object; hitCount: number; children: number[] }[] = []
  const add = (functionName: string, url: string, line: number, column: number) => {
    const callFrame = { functionName, scriptId: '1', url, lineNumber: line - 1, columnNumber: column - 1 }
    nodes.push({ id: nodes.length + 1, callFrame, hitCount: 0, children: [] })
    return nodes.at(-1)!
  }
  const root = add('(root)', '', 0, 0)
  for (const [stack, samples] of seen) {
    let node = root
    for (const part of stack.split(' ')) {
      const [name, line] = part.split('@')
      const url = name!.startsWith('(') ? '' : line ? URL : 'node:internal/timers'
      const child = part.startsWith('onread')
        ? add(part, 'node:internal/stream_base_commons', 1, 1)
        : add(name!, url, Number(line ?? 0), line ? 14 : 0)
      node.children.push(child.id)
      node = child
    }
    node.hitCount = samples
  }
  return { nodes, startTime: 0, endTime: 1e6, samples: [], timeDeltas: [] }
}

const SPINNING = { busy: 1, turnsPerSecond: 200_000, eventsPerSecond: 90, caught: false }
const CAUGHT = { busy: 1, turnsPerSecond: 0, eventsPerSecond: 0, caught: true }

function found(source: string, look: IsolateWork['look'], ...seen: readonly Seen[]) {
  const work = { isolate: 'main', look, cpu: readCpuTime(profile(...seen)), allocated: undefined }
  return checkEvidence(
    findInCpu([work], createScriptSources({ readFile: (url) => (url === URL ? source : undefined) })),
  )
}

test('a poll by setImmediate, at the line that has it run again', () => {
  const findings = found(POLL, SPINNING, ['(idle)', 800], ['processImmediate look@2', 60], ['processImmediate', 40])
  expect(findings).toMatchObject([
    {
      ...{ pattern: 'busy-loop', wastes: 'cpu', severity: 'warning', confidence: 0.95 },
      culprit: { function: 'look', url: URL, line: 5, column: 3 },
      evidence: { turnsPerSecond: 200_000, eventsPerSecond: 90, rescheduledBy: 'setImmediate' },
      growth: { count: 0, retainedBytes: 0 },
    },
  ])
  expect(findings[0]!.title).toContain('look has itself run again 200,000 times a second by setImmediate')
  expect(findings[0]!.codeFrame.map(({ line }) => line)).toEqual([3, 4, 5, 6, 7])
})

test('one that works for most of its time is told from slices of a computation by the source', () => {
  const slow = { ...SPINNING, turnsPerSecond: 5000 }
  const seen: Seen[] = [
    ['processImmediate look@2 sweep@30', 900],
    ['(program)', 100],
  ]
  expect(found(POLL, slow, ...seen)).toMatchObject([{ confidence: 0.75, culprit: { line: 5 } }])
  const slices: Seen[] = [
    ['processImmediate look@1 work@30', 900],
    ['(program)', 100],
  ]
  expect(found(SLICES, slow, ...slices)).toEqual([])
  expect(found(SLICES, SPINNING, ['processImmediate look@1', 60], ['(idle)', 900])).toEqual([])
})

test('a server at full load is none: its turns bring events', () => {
  const served = { ...SPINNING, turnsPerSecond: 6000, eventsPerSecond: 9000 }
  expect(found(POLL, served, ['onread handle@2', 700], ['processTicksAndRejections look@2', 200])).toEqual([])
})

test('nor is a thread that has pauses', () => {
  expect(found(POLL, { ...SPINNING, busy: 0.6 }, ['processImmediate look@2', 60])).toEqual([])
})

test('without a count of events, what brings them must hardly be seen', () => {
  const uncounted = { ...SPINNING, eventsPerSecond: null }
  expect(found(POLL, uncounted, ['processImmediate look@2', 60], ['(idle)', 900])).toHaveLength(1)
  const seen: Seen[] = [
    ['processImmediate look@2', 30],
    ['onread handle@30', 60],
    ['(idle)', 900],
  ]
  expect(found('', uncounted, ...seen)).toEqual([])
})

test('a loop that asks shared memory and does not come back', () => {
  expect(found(WAIT, CAUGHT, ['run@9 look@1', 990], ['(program)', 10])).toMatchObject([
    { pattern: 'busy-loop', culprit: { line: 2 }, evidence: { rescheduledBy: 'loop' } },
  ])
})

test('a computation that does not come back is none', () => {
  const source = 'function look() {\n  for (let i = 2; i < n; i++) if (n % i === 0) return false\n  return true\n}\n'
  expect(found(source, CAUGHT, ['run@9 look@1', 990], ['(program)', 10])).toEqual([])
})

test('a function that a promise runs again, without a turn for anybody else', () => {
  const source =
    'async function look() {\n  while (!stopped) {\n    const job = await take(1)\n    if (job) job()\n  }\n}\n'
  expect(found(source, CAUGHT, ['look@1', 500], ['look@1 take@30', 50], ['(program)', 400])).toMatchObject([
    { pattern: 'busy-loop', culprit: { line: 3 }, evidence: { rescheduledBy: 'await' } },
  ])
})

test('ten workers that do the same are one finding', () => {
  const cpu = readCpuTime(profile(['processImmediate look@2', 60], ['(idle)', 900]))
  const works = ['worker:1', 'worker:2'].map((isolate) => ({ isolate, look: SPINNING, cpu, allocated: undefined }))
  expect(findInCpu(works, createScriptSources({ readFile: () => POLL }))).toMatchObject([
    { isolate: 'worker:1', evidence: { isolates: ['worker:1', 'worker:2'] } },
  ])
})
