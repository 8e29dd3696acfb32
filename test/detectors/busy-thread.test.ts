import { describe, expect, it } from 'vitest'
import type { ThreadTimes } from '../../src/detectors/detector.ts'
import { findInThreads } from '../../src/detectors/process-findings.ts'
import { createScriptSources } from '../../src/support/script-sources.ts'

const URL = 'file:///app/jobs.mjs'
const SOURCE = `const jobs = []
function look() {
  const job = jobs.shift()
  if (job) job()
  setImmediate(look)
}
function slice(at, end) {
  for (; at < end; at++) work(at)
  if (at < 1000) setImmediate(() => slice(at, at + 10))
}
function untilChanged(board, seen) {
  while (Atomics.load(board, 0) === seen) {}
}
`
const LOOK = { function: 'look', url: URL, line: 2, column: 14 }
const SLICE = { function: 'slice', url: URL, line: 7, column: 15 }
const UNTIL = { function: 'untilChanged', url: URL, line: 11, column: 22 }

/** As a stack has it that is at line `line` of the function. */
const at = ({ function: name, url, line, column }: typeof LOOK, now: number) => ({
  ...{ function: name, url, line: now, column: 3 },
  begin: { line, column },
})
const findings = (thread: Partial<ThreadTimes>) =>
  findInThreads(
    [
      {
        pid: 7,
        isolate: 'main',
        seconds: 15,
        share: 1,
        readsPerSecond: 80,
        stacks: [[], []],
        scheduled: [[], []],
        ...thread,
      },
    ],
    createScriptSources({ readFile: (path) => (path.endsWith('jobs.mjs') ? SOURCE : undefined) }),
  )

describe('A thread that is at work all the time, as pictures of its memory show it,', () => {
  it('burns a core where a function waits for the next turn in all of them, and the source goes on without an end', () => {
    const [found, ...others] = findings({ scheduled: [[LOOK], [LOOK]] })
    expect(others).toEqual([])
    expect(found).toMatchObject({ pattern: 'busy-loop', severity: 'warning', culprit: { function: 'look', line: 5 } })
    expect(found?.evidence).toMatchObject({ seenBy: 'system', rescheduledBy: 'setImmediate' })
  })
  it('does so where that function was at work in one of them', () => {
    expect(findings({ scheduled: [[LOOK], []], stacks: [[], [at(LOOK, 3)]] })).toHaveLength(1)
  })
  it('does not where one of them has nothing of it', () => {
    expect(findings({ scheduled: [[LOOK], []] })).toEqual([])
  })
  it('does not where the function ends with its work', () => {
    expect(findings({ scheduled: [[SLICE], [SLICE]] })).toEqual([])
  })
  it('does not where it has pauses', () => {
    expect(findings({ share: 0.8, scheduled: [[LOOK], [LOOK]] })).toEqual([])
  })
  it('burns a core where it is a worker that was in the same loop, which waits, each time', () => {
    const [found] = findings({ isolate: 'worker:1', stacks: [[at(UNTIL, 12)], [at(UNTIL, 12)]] })
    expect(found).toMatchObject({ isolate: 'worker:1', culprit: { function: 'untilChanged', line: 12 } })
  })
  it('says nothing of a worker that was elsewhere each time', () => {
    const stacks = [[at(UNTIL, 12)], [at(SLICE, 8)]]
    expect(findings({ isolate: 'worker:1', readsPerSecond: 0, stacks })).toEqual([])
  })
  it('is only said to be busy unasked where nothing was read and no source proves more', () => {
    const [found] = findings({ readsPerSecond: 0 })
    expect(found?.title).toContain('nobody was seen to ask it for anything')
    expect(found?.culprit).toBeNull()
  })
})
