// `leakscope analyze` as a user runs it.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { ReportSchema } from '../../src/findings/report.ts'
import { goldenCases } from '../golden/load.ts'
import { runCli, spawnTarget, temporaryFolder } from '../support/target.ts'

const real = goldenCases().find(({ name }) => name === 'app-node24')!
let cwd: string

beforeAll(() => {
  cwd = temporaryFolder()
  writeFileSync(join(cwd, 'app.heapsnapshot'), real.readSnapshot())
})

describe('leakscope analyze', () => {
  test('tells kinds, big objects, classes and strings', async () => {
    const { code, stdout, stderr } = await runCli(['analyze', 'app.heapsnapshot', '--limit', '4'], { cwd })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const title of ['By kind of node:', 'Where most is held:', 'Classes by retained size:', 'Largest strings:']) {
      expect(stdout).toContain(title)
    }
    expect(stdout).toMatch(/Texts that are there several times:\n +wasted +copies +text/)
  })

  test('has as many rows as there are, whatever the limit', async () => {
    const { code, stderr } = await runCli(['analyze', 'app.heapsnapshot', '--limit', '9007199254740991'], { cwd })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })

  test('gives the numbers of Chrome DevTools as JSON', async () => {
    const { stdout } = await runCli(['analyze', 'app.heapsnapshot', '--json'], { cwd })
    const { heap, snapshots } = ReportSchema.parse(JSON.parse(stdout))
    expect(snapshots[0]).toMatchObject({
      nodeCount: real.golden.nodeCount,
      edgeCount: real.golden.edgeCount,
      totalShallowBytes: real.golden.totalSize,
    })
    expect(heap!.kinds.reduce((sum, { count }) => sum + count, 0)).toBe(real.golden.nodeCount)
    const theirs = [...real.golden.classes].sort((a, b) => b.retained - a.retained)[0]!
    expect(heap!.constructors[0]).toMatchObject({ count: theirs.count, retainedBytes: theirs.retained })
  })

  test.each<[args: string[], code: number, says: RegExp]>([
    [['nothing'], 3, /nothing: no such file/],
    [['.'], 3, /is a directory/],
    [['app.heapsnapshot', '--limit', 'many'], 2, /--limit takes a whole number/],
    [[], 2, /missing required argument/],
  ])('%j ends with %i and says why', async (args, code, says) => {
    const result = await runCli(['analyze', ...args], { cwd })
    expect(result.stderr).toMatch(says)
    expect(result).toMatchObject({ code, stdout: '' })
  })
})

test('one snapshot shows piles that known leaks make, as notes, and says that it cannot tell whether they grow', async () => {
  const target = await spawnTarget(`
    const later = (text) => setTimeout(() => text.length, 3_600_000)
    for (let i = 0; i < 3000; i++) later('x'.repeat(100) + i)`)
  const folder = temporaryFolder()
  expect((await runCli(['snapshot', target.pid, '-q', '-o', 'a.heapsnapshot'], { cwd: folder })).code).toBe(0)
  const { findings } = ReportSchema.parse(
    JSON.parse((await runCli(['analyze', 'a.heapsnapshot', '--json'], { cwd: folder })).stdout),
  )
  expect(findings).toMatchObject([{ pattern: 'unbounded-timers', severity: 'note', growth: { perSecond: 0 } }])
  expect(findings[0]!.growth.count).toBeGreaterThanOrEqual(3000)
  expect((await runCli(['analyze', 'a.heapsnapshot'], { cwd: folder })).stdout).toContain('two snapshots or more tell')
})
