// From a pid to a named leak, and to silence where there is none, on real processes.

import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Report, ReportSchema } from '../../src/findings/report.ts'
import { filesIn, portsOf, runCli, spawnTarget, start, TARGET_NODE, temporaryFolder, until } from '../support/target.ts'

const programs = resolve(import.meta.dirname, '../../fixtures/programs')

async function run(program: string): Promise<number> {
  const child = start(TARGET_NODE, ['--inspect-port=0', join(programs, program)], {
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  let text = ''
  child.stdout.on('data', (part) => {
    text += part
  })
  await until(() => text.includes('ready'), 'the program to be ready')
  return child.pid!
}

async function diagnose(
  pid: number,
  ...more: string[]
): Promise<{ code: number | null; report: Report; stderr: string }> {
  const args = ['diagnose', String(pid), '--duration', '6s', '--json', '-q', ...more]
  const { code, stdout, stderr } = await runCli(args, { cwd: temporaryFolder() })
  return { code, report: ReportSchema.parse(JSON.parse(stdout)), stderr }
}

/** Lines of the program that are marked as the one to blame. */
const marked = (program: string): number[] =>
  readFileSync(join(programs, program), 'utf8')
    .split('\n')
    .flatMap((line, i) => (line.includes('// LEAK:') ? [i + 1] : []))

describe('a process that leaks', () => {
  test.each([
    ['listener-leak/leaky.mjs', 'listener-leak', 'exchange'],
    ['unbounded-timers/leaky.mjs', 'unbounded-timers', 'timerListMap'],
  ])(
    '%s has its leak named, with its line and what holds it, and is left as it was',
    async (program, pattern, holder) => {
      const pid = await run(program)
      const before = portsOf(pid).length
      const { code, report } = await diagnose(pid, '--fail-on', 'warning')
      const [finding] = report.findings
      expect(finding, JSON.stringify(report.findings)).toMatchObject({ pattern, isolate: 'main' })
      expect(Math.abs(finding!.culprit!.line - marked(program)[0]!)).toBeLessThanOrEqual(3)
      expect(finding!.culprit!.url).toContain(program)
      expect(JSON.stringify(finding!.retainingPath)).toContain(holder)
      expect(finding!.codeFrame.map(({ line }) => line)).toContain(finding!.culprit!.line)
      expect(report.explained!.bytes).toBeGreaterThan(0.5 * report.explained!.growthBytes)
      expect(code).toBe(1)
      expect(portsOf(pid)).toHaveLength(before)
    },
  )
})

describe('a process that does not leak', () => {
  test('has no finding, and its snapshots are kept where that is asked for', async () => {
    const pid = await run('listener-leak/fixed.mjs')
    const folder = join(temporaryFolder(), 'kept')
    const { code, report } = await diagnose(pid, '--fail-on', 'warning', '-o', folder)
    expect(report.findings).toEqual([])
    expect(code).toBe(0)
    expect(filesIn(folder)).toContain('capture.json')
    const diff = await runCli(['diff', folder, '--json'])
    expect(ReportSchema.parse(JSON.parse(diff.stdout)).findings).toEqual([])
  })

  test('is not stopped for a light look', async () => {
    const pid = await run('listener-leak/fixed.mjs')
    const { report } = await diagnose(pid, '--light', '--duration', '1s')
    expect(report.snapshots).toEqual([])
    expect(report.vitals!.length).toBeGreaterThan(1)
    expect(report.vitals!.at(-1)!.heapUsedBytes).toBeGreaterThan(1e6)
  })
})

test('what makes no sense is said before the process hears of it', async () => {
  const { code, stderr } = await runCli(['diagnose', '1', '--snapshots', '1'])
  expect(code).toBe(2)
  expect(stderr).toContain('--snapshots takes 2 or more')
})

test('a process that ends after one snapshot is told so, and nothing is left of it', async () => {
  // Its inspector stays open until whoever looks at it has left: it can be asked, and has no program any more.
  const target = await spawnTarget('setTimeout(() => process.exit(), 9000)')
  const folder = temporaryFolder()
  const { code, stderr } = await runCli(['diagnose', String(target.pid), '--duration', '20s', '-q'], {
    env: { ...process.env, TMPDIR: folder },
  })
  expect(stderr).toMatch(/(there is no second snapshot to compare with: its program has come to its end|ended before)/)
  expect(code).toBe(3)
  expect(filesIn(folder).filter((name) => name.startsWith('leakscope-diagnose'))).toEqual([])
})
