// `leakscope diagnose` where no snapshot may be taken: allocations are sampled.

import { describe, expect, test } from 'vitest'
import { type Report, ReportSchema } from '../../../src/findings/report.ts'
import { portsOf, runCli, spawnTarget } from '../../support/target.ts'

const MADE = "({ n, text: 'record ' + n, more: new Array(30).fill(n) })"
const LEAK = `const kept = new Map(); let n = 0
  function record() { n++; return ${MADE} }
  function keep() { for (let i = 0; i < 160; i++) kept.set(n, record()) }
  setInterval(keep, 10)`
const BOUNDED = LEAK.replace('kept.set(n, record())', '{ kept.set(n, record()); kept.delete(n - 2000) }')

async function sample(source: string, ...args: string[]): Promise<{ report: Report; stderr: string; left: number[] }> {
  const target = await spawnTarget(source)
  const { code, stdout, stderr } = await runCli(['diagnose', target.pid, '--duration', '6s', '--json', ...args])
  expect(code, stderr).toBe(0)
  expect(await target.answers()).toBe(true)
  return { report: ReportSchema.parse(JSON.parse(stdout)), stderr, left: portsOf(target.pid) }
}

describe('diagnose --via sampling', () => {
  test('names the function whose objects stay, and says what it goes by', async () => {
    const { report, stderr, left } = await sample(LEAK, '--via', 'sampling')
    expect(stderr).toMatch(/^leakscope: allocations are sampled for 6\.0 s in place of snapshots/)
    expect(report).toMatchObject({ via: null, snapshots: [], explained: null, sampling: { intervalBytes: 32_768 } })
    const [finding] = report.findings
    expect(finding).toMatchObject({ pattern: 'growing-allocations', severity: 'warning', isolate: 'main' })
    // Functions may be inlined into those that call them.
    expect(finding!.title).toMatch(/^What (record|keep) allocates stays: /)
    expect(finding!.culprit).toMatchObject({ basis: 'allocation' })
    expect(left).toEqual([])
  }, 60_000)

  test('finds nothing where as much goes as comes', async () => {
    const { report } = await sample(BOUNDED, '--via', 'sampling', '-q')
    expect(report.findings).toEqual([])
    expect(report.sampling!.readings).toBeGreaterThan(5)
  }, 60_000)

  test('is what is left where the price is refused', async () => {
    const { report, stderr } = await sample(LEAK, '--via', 'inspector', '--memory-limit', '1MB')
    expect(stderr).toContain('no snapshot was taken: it may need')
    expect(stderr).toContain('allocations are sampled for 6.0 s in place of snapshots')
    expect(report.findings[0]).toMatchObject({ pattern: 'growing-allocations' })
  }, 60_000)

  test('takes no --light', async () => {
    expect((await runCli(['diagnose', process.pid, '--via', 'sampling', '--light'])).code).toBe(2)
  })
})
