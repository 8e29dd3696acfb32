import { expect, test } from 'vitest'
import { readAllocated, readCpuTime } from '../../src/analysis/cpu-time.ts'
import { findInCpu } from '../../src/detectors/process-findings.ts'
import { createScriptSources } from '../../src/support/script-sources.ts'
import { checkEvidence } from '../support/evidence.ts'

const URL = 'file:///app/main.mjs'
const SOURCE = `let state = {}
function reduce(state, event) {
  check(event)
  const next = structuredClone(state)
  next[event.key] = event.value
  return next
}
function handle(event) { state = reduce(state, event) }
`
const node = (functionName: string, line: number, children: object[] = [], more: object = {}) => ({
  callFrame: { functionName, scriptId: '1', url: line > 0 ? URL : '', lineNumber: line - 1, columnNumber: 15 },
  children,
  ...more,
})

function found({ collector = 40, bytes = 90e6, others = 10e6, tellsCollected = true } = {}) {
  const cpu = readCpuTime({
    nodes: [
      { ...node('(root)', 0), id: 1, hitCount: 0, children: [2, 3] },
      { ...node('(garbage collector)', 0), id: 2, hitCount: collector },
      { ...node('handle', 8), id: 3, hitCount: 0, children: [4] },
      { ...node('reduce', 2), id: 4, hitCount: 100 - collector, positionTicks: [{ line: 4, ticks: 100 - collector }] },
    ],
  })
  const stacks = readAllocated({
    head: node('(root)', 0, [
      node('handle', 8, [node('reduce', 2, [], { selfSize: bytes })], { selfSize: 0 }),
      node('other', 20, [], { selfSize: others / 2 }),
      node('another', 24, [], { selfSize: others / 2 }),
    ]),
  })
  const look = { busy: 1, turnsPerSecond: 500, eventsPerSecond: 900, caught: false }
  const work = { isolate: 'main', look, cpu, allocated: { stacks, seconds: 1, tellsCollected } }
  return checkEvidence(
    findInCpu([work], createScriptSources({ readFile: (url) => (url === URL ? SOURCE : undefined) })),
  )
}

test('who makes most of what is moved before it dies, at the line that copies', () => {
  expect(found()).toMatchObject([
    {
      ...{ pattern: 'allocation-churn', wastes: 'cpu', severity: 'warning', confidence: 0.8 },
      culprit: { function: 'reduce', url: URL, line: 4, basis: 'allocation' },
      evidence: { shareOfCollector: 0.4, survivingBytesPerSecond: 100e6 },
    },
  ])
})

test('a collector that has little to do is none, whatever is allocated', () => {
  expect(found({ collector: 15, bytes: 900e6 })).toEqual([])
})

test('nor is one that is held up while next to nothing outlives it', () => {
  expect(found({ collector: 60, bytes: 5e6 })).toEqual([])
})

test('nor is it where no place makes half of it', () => {
  expect(found({ bytes: 40e6, others: 60e6 })).toEqual([])
})

test('where V8 tells only of what is alive, less of it and more of the collector', () => {
  expect(found({ collector: 45, bytes: 20e6, others: 0, tellsCollected: false })).toHaveLength(1)
  expect(found({ collector: 35, bytes: 20e6, others: 0, tellsCollected: false })).toEqual([])
})
