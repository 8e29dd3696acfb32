// `leakscope diagnose` as a user runs it, as to what it asks the living process.

import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type Report, ReportSchema } from '../../../src/findings/report.ts'
import { portsOf, runCli, spawnTarget } from '../../support/target.ts'

async function diagnose(target: number, ...args: string[]): Promise<Report> {
  const { code, stdout, stderr } = await runCli(['diagnose', target, '--json', '-q', '--fail-on', 'never', ...args])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return ReportSchema.parse(JSON.parse(stdout))
}

const keeps = (what: string) => `globalThis.kept = []; setInterval(() => kept.push(${what}), 50)`

test('tells small views of large buffers from whole buffers, which a snapshot does not', async () => {
  const parts = await spawnTarget(keeps('Buffer.allocUnsafeSlow(65536).subarray(0, 40)'))
  const [part] = (await diagnose(parts.pid, '--duration', '2s')).findings
  expect(part).toMatchObject({ pattern: 'buffer-slab-retention', evidence: { viewsAsked: 5, viewBytesEach: 40 } })
  expect(await parts.answers()).toBe(true)
  expect(portsOf(parts.pid)).toEqual([])
  const whole = await spawnTarget(keeps('Buffer.allocUnsafeSlow(65536).subarray(0, 65000)'))
  expect((await diagnose(whole.pid, '--duration', '2s')).findings[0]?.pattern).toBe('off-heap-growth')
}, 60_000)

test('accounts for the memory of the process at its first and its last look', async () => {
  const { pid } = await spawnTarget(keeps('Buffer.alloc(65536, 1)'))
  const { process } = await diagnose(pid, '--duration', '2s')
  // Before the first snapshot, at the full collections, and after the last snapshot.
  expect(process!.samples.length).toBeGreaterThanOrEqual(3)
  expect(process!.elapsedMs).toBeGreaterThan(2000)
  expect(process!.notes.join()).toMatch(/snapshots/)
  expect(process!.ledger.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(process!.rssBytes)
}, 60_000)

test('accounts for the memory without a snapshot, in a table too', async () => {
  const { pid } = await spawnTarget(keeps('Buffer.alloc(65536, 1)'))
  const { process, findings } = await diagnose(pid, '--light', '--duration', '2s')
  expect({ findings, notes: process!.notes }).toEqual({ findings: [], notes: [] })
  expect(process!.samples).toHaveLength(4)
  expect(process!.ledger.find(({ id }) => id === 'array-buffers')!.bytesDelta).toBeGreaterThan(1e6)
  const { stdout } = await runCli(['diagnose', pid, '--light', '--duration', '1s', '-q'])
  expect(stdout).toMatch(/^ArrayBuffers .*\+\d+(\.\d+)? [KM]B$/m)
}, 60_000)

const FIXTURES = new URL('../../../fixtures/programs/', import.meta.url)
const fixture = (name: string) => `import('${new URL(name, FIXTURES)}')`

/** V8's own thread, which is there for as long as a profile is taken. */
function isProfiled(pid: number): boolean {
  const threads = readdirSync(`/proc/${pid}/task`)
  return threads.some((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8').startsWith('v8:ProfEvntProc'),
  )
}

test('names who burns the CPU without work, without a snapshot too, and leaves no profiler behind', async () => {
  const { pid, answers } = await spawnTarget(fixture('busy-loop/leaky.mjs'))
  const report = await diagnose(pid, '--light', '--duration', '1s')
  expect(report.findings).toMatchObject([
    {
      ...{ pattern: 'busy-loop', isolate: 'main', wastes: 'cpu' },
      culprit: { url: String(new URL('busy-loop/leaky.mjs', FIXTURES)), line: 12, function: 'look' },
    },
  ])
  if (process.platform === 'linux') expect(isProfiled(pid)).toBe(false)
  expect(await answers()).toBe(true)
  const { stdout } = await runCli(['diagnose', pid, '--duration', '1s', '-q'])
  expect(stdout).toMatch(/^No leak, but a waste of CPU time: /)
  expect(stdout).toMatch(/> 12 │ {3}setImmediate\(look\)/)
  expect(stdout).not.toMatch(/holds/)
}, 60_000)

test('does not blame who works', async () => {
  const { pid } = await spawnTarget(fixture('busy-loop/lookalike-batch.mjs'))
  expect((await diagnose(pid, '--light', '--duration', '1s')).findings).toEqual([])
}, 60_000)

test('finds files that are opened and not closed, of which the heap knows nothing', async () => {
  const target = await spawnTarget("setInterval(() => require('fs').openSync(process.execPath), 50)")
  const { findings } = await diagnose(target.pid, '--duration', '8s')
  expect(findings).toMatchObject([{ pattern: 'handle-leak', evidence: { seenBy: 'system', kind: 'file' } }])
  expect(findings[0]!.title).toMatch(/^\d+ more open files in .*; at the limit of [\d,]+ in /)
  expect(await target.answers()).toBe(true)
}, 60_000)
