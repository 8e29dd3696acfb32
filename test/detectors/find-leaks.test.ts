import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { openSeries } from '../../src/analysis/compare.ts'
import type { ReadSource } from '../../src/analysis/culprit.ts'
import { findLeaks, lookForSuspects } from '../../src/detectors/find-leaks.ts'
import { growingCollection } from '../../src/detectors/growing-collection.ts'
import { type Service, serviceHeap } from '../support/service.ts'

const folder = mkdtempSync(join(tmpdir(), 'leakscope-leaks-'))
afterAll(() => rmSync(folder, { recursive: true }))
let written = 0

/** What is found in a series of states of the service, ten seconds apart, by the detector of all that grows. */
async function find(states: readonly Service[], readSource: ReadSource = () => undefined) {
  const files = states.map((state) => {
    const file = join(folder, `${written++}.heapsnapshot`)
    writeFileSync(file, serviceHeap(state))
    return file
  })
  const heap = await openSeries(files)
  try {
    const seconds = files.map((_, i) => 10 * i)
    return findLeaks({ isolates: [await lookForSuspects('main', heap, seconds)], readSource }, [growingCollection])
  } finally {
    await heap.opened.close()
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

describe('a leak', () => {
  it('is found by what stays, with its rate, its path and how sure that is', async () => {
    const { findings } = await find([{ logs: 100 }, { logs: 300 }, { logs: 500 }])
    expect(findings).toHaveLength(1)
    const { pattern, severity, growth, retainingPath, fingerprint } = findings[0]!
    expect({ pattern, severity }).toEqual({ pattern: 'growing-collection', severity: 'error' })
    expect(growth).toMatchObject({ count: 400, perSecond: 20 })
    expect(retainingPath.map(({ edge, leaking, suspect }) => ({ edge, leaking, suspect }))).toEqual([
      { edge: '', leaking: 'no', suspect: false },
      { edge: "context variable 'lines'", leaking: 'no', suspect: false },
      { edge: '[100]', leaking: 'yes', suspect: true },
    ])
    const again = await find([{ logs: 20 }, { logs: 180 }, { logs: 340, list: 5 }])
    expect(again.findings[0]!.fingerprint).toBe(fingerprint)
  })

  it('accounts for all that its objects hold, once', async () => {
    const { findings, explained } = await find([
      { sessions: range(0, 20) },
      { sessions: range(0, 120) },
      { sessions: range(0, 220) },
    ])
    expect(findings).toHaveLength(1)
    expect(findings[0]!.growth.count).toBe(200) // entries, not keys and sessions
    expect(explained.bytes / explained.growthBytes).toBeGreaterThan(0.7)
  })

  it('is found in a list that grows at its head', async () => {
    const { findings } = await find([{ list: 100 }, { list: 300 }, { list: 500 }])
    expect(findings.map(({ growth }) => growth.count)).toEqual([400])
  })

  it('is told with less confidence where there are only two snapshots, or ids mean nothing', async () => {
    const [two, unmatched] = [
      await find([{ logs: 100 }, { logs: 500 }]),
      await find([{ logs: 100 }, { logs: 300, idShift: 2_000_001 }, { logs: 500, idShift: 4_000_001 }]),
    ]
    expect(two.findings).toMatchObject([{ severity: 'warning', confidence: 0.55 }])
    expect(unmatched.findings[0]!.confidence).toBeLessThan(0.9)
  })
})

describe('no leak', () => {
  it('is a cache that exchanges what is in it', async () => {
    const { findings } = await find([
      { sessions: range(0, 200) },
      { sessions: range(100, 300) },
      { sessions: range(200, 400) },
    ])
    expect(findings).toEqual([])
  })
  it('is something that fills up, or swings, or stands still', async () => {
    expect((await find([{ logs: 100 }, { logs: 500 }, { logs: 504 }])).findings).toEqual([])
    expect((await find([{ logs: 300 }, { logs: 100 }, { logs: 500 }])).findings).toEqual([])
    expect((await find([{ logs: 300 }, { logs: 300 }, { logs: 300 }])).findings).toEqual([])
  })
  it('is what gains less and less', async () => {
    expect((await find([{ logs: 100 }, { logs: 2000 }, { logs: 2200 }])).setAside).toMatchObject([
      { reason: expect.stringMatching(/^it gains less and less, as what fills up does/) },
    ])
  })
})

it('is less sure of what gains although the source takes something out, and says so', async () => {
  const states = [{ logs: 100 }, { logs: 300 }, { logs: 500 }]
  const source = `const lines = []
export function log(line) {
  lines.push(line)
  if (isOdd(line)) lines.shift()
}
setInterval(() => log('tick'), 10)
`
  const [finding] = (await find(states, () => source)).findings
  expect(finding).toMatchObject({ severity: 'warning', reason: expect.stringMatching(/:4 takes things out of it/) })
  const [without] = (await find(states, () => source.replace(/ {2}if .*\n/, ''))).findings
  expect(without!.confidence).toBeGreaterThan(finding!.confidence)
})
